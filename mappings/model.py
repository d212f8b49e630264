"""What may stand in a mapping file, as pydantic models. ``reading.py`` turns a file into these, with line numbers.

A *field* says where its value comes from (``from``, ``jmespath``, ``value``, ``lookup``), how it is read (``as``,
``table``), and what happens when there is nothing (``else``, ``required``, ``default``). A *list field* (``each``)
maps the items of a native list one by one.
"""

import re
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, TypeAlias

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

_PATH = re.compile(r"^[^\W\d][\w-]*(?:\.[^\W\d][\w-]*)*$")
QUARANTINE: Final = "quarantine"


class Direction(StrEnum):
    """Which way a mapping goes: from a source's records, or to a target's messages."""

    SOURCE = "source"
    TARGET = "target"


class Tells(StrEnum):
    """What a source's records are about: whole dossiers, how far dossiers of other systems have come, or how citizens
    rate what was done for them."""

    DOSSIER = "dossier"
    PROGRESS = "progress"
    RATING = "rating"


def _path(value: str) -> str:
    if not _PATH.match(value):
        raise ValueError("a path is plain names with dots between, like detail.MaHoSo; use jmespath: for anything else")
    return value


def _jmespath(value: str) -> str:
    try:
        jmespath.compile(value)
    except JMESPathError as error:
        raise ValueError(f"not a JMESPath expression: {str(error).splitlines()[0]}") from error
    return value


def _one_or_more(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list) else (value,)


Path = Annotated[str, AfterValidator(_path)]
_OneOrMorePaths = BeforeValidator(_one_or_more, json_schema_input_type=Path | list[Path])
Scalar: TypeAlias = str | int | bool | None
_OneOrMoreScalars = BeforeValidator(_one_or_more, json_schema_input_type=Scalar | list[Scalar])
TableKey: TypeAlias = str | int


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class Lookup(_Part):
    """A value out of a catalogue: ``{in: procedures, by: detail.MaTTHC, take: name}``."""

    catalogue: Annotated[str, Field(alias="in")]
    """The name of a file in mappings/catalogues."""
    by: Path
    """Where the record has the code to look for."""
    take: str
    """The column whose value is taken."""


class FieldSpec(BaseModel):
    """One field of the result. Keys that are not listed here are options of the converter named by ``as``."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True, use_attribute_docstrings=True)

    source: Annotated[tuple[Path, ...], _OneOrMorePaths, Field(alias="from")] = ()
    """Where the record has the value: a path, or several of which the first that holds something counts."""
    expression: Annotated[Annotated[str, AfterValidator(_jmespath)] | None, Field(alias="jmespath")] = None
    """A JMESPath expression, for what a plain path cannot say."""
    value: Any = None
    """The same value in every record."""
    lookup: Lookup | None = None
    """A value out of a catalogue."""
    converter: Annotated[str | None, Field(alias="as")] = None
    """How the value is read: the name of a converter. Its options stand beside it."""
    table: str | None = None
    """The table that translates the value; after the converter, where there is one."""
    on_unknown: Scalar = QUARANTINE
    """What a code becomes that the table does not know. By default the record is set aside."""
    blanks: Annotated[
        tuple[Scalar, ...], BeforeValidator(_one_or_more, json_schema_input_type=Scalar | list[Scalar])
    ] = ()
    """Values that mean "nothing" in this system, such as ``0001-01-01``."""
    otherwise: Annotated["FieldSpec | None", Field(alias="else")] = None
    """Another origin, used when this one holds nothing."""
    required: bool = False
    """A record without a value here is set aside."""
    default: Any = None
    """The value when there is none."""

    @property
    def is_constant(self) -> bool:
        """True when the field has the same value in every record."""
        return "value" in self.model_fields_set

    @property
    def has_default(self) -> bool:
        """True when a default is given; it may be an empty text or list, or null for an explicit nothing."""
        return "default" in self.model_fields_set

    @property
    def converter_options(self) -> dict[str, Any]:
        """The options meant for the converter."""
        return dict(self.model_extra or {})

    @model_validator(mode="after")
    def _one_origin(self) -> "FieldSpec":
        origins = [bool(self.source), self.expression is not None, self.is_constant]
        if sum(origins) + (self.lookup is not None) != 1:
            raise ValueError("a field has exactly one origin: from, jmespath, value or lookup")
        if (self.source or self.expression) and self.converter is None and self.table is None:
            raise ValueError("say how the value is read: add as: (text, datetime, as_is, ...) or table:")
        if self.required and self.has_default:
            raise ValueError("a required field has no default: remove one of the two")
        if self.otherwise is not None and (self.otherwise.required or self.otherwise.has_default):
            raise ValueError("required and default stand beside else, not inside it")
        if self.table is None and "on_unknown" in self.model_fields_set:
            raise ValueError("on_unknown says what an unknown code becomes, so it needs a table")
        return self


class ListSpec(_Part):
    """A list field: the items of the native list at ``each``, every one through ``fields``."""

    each: Path
    """Where the record has the list."""
    fields: Annotated[dict[str, FieldSpec], Field(min_length=1)]
    """The fields of one item; their paths begin at the item."""


def _kind(value: Any) -> str:
    if isinstance(value, ListSpec):
        return "list"
    return "list" if isinstance(value, dict) and "each" in value else "field"


AnyField = Annotated[
    Annotated[FieldSpec, Tag("field")] | Annotated[ListSpec, Tag("list")],
    Discriminator(_kind),
]


class ExpectedProblem(_Part):
    """The problem an example must end with."""

    field: str
    """The field that is at fault."""
    rule: str
    """The rule that it breaks: required, unknown-code, datetime, …"""


class Example(_Part):
    """A record and what must come of it; every example is a test.

    ``gives`` is the whole result, ``includes`` a part of it, ``problem`` the reason for which the record is set aside.
    ``like`` starts from the record of the example of that name, and ``set`` changes single values of it by path.
    """

    name: str | None = None
    """A name, for the test and for ``like``."""
    given: dict[str, Any] | None = None
    """A native record."""
    like: str | None = None
    """The name of an earlier example whose record is taken."""
    changes: Annotated[dict[Path, Any], Field(alias="set")] = {}
    """Values changed in that record, by path."""
    gives: dict[str, Any] | None = None
    """The whole result."""
    includes: dict[str, Any] | None = None
    """A part of the result."""
    problem: ExpectedProblem | None = None
    """Why the record is set aside."""

    @model_validator(mode="after")
    def _complete(self) -> "Example":
        if (self.given is None) == (self.like is None):
            raise ValueError("an example starts from given or from like, not from both and not from neither")
        if sum(part is not None for part in (self.gives, self.includes, self.problem)) != 1:
            raise ValueError("an example ends with exactly one of gives, includes and problem")
        return self


class Section(_Part):
    """A set of fields that make one kind of record, with its own examples."""

    fields: Annotated[dict[str, AnyField], Field(min_length=1)]
    """What the result is made of: the name of each field, and where it comes from."""
    ignore: dict[str, str] = {}
    """Paths that no field reads, each with the reason."""
    leaves_out: dict[str, str] = {}
    """Fields that a target takes and is not sent, each with the reason; a dot leads into the items of a list."""
    examples: Annotated[tuple[Example, ...], BeforeValidator(tuple, json_schema_input_type=list[Example])] = ()
    """Records and what must come of them."""


class _File(_Part):
    system: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    """The name of the file."""
    version: Annotated[int, Field(ge=1)]
    """Counted up by people with each change of meaning; a hash of the content is added to it."""
    record_key: Annotated[tuple[Path, ...], Field(min_length=1), _OneOrMorePaths]
    """Where the record has what names it to people; of several paths the first that holds something."""
    tables: dict[str, dict[TableKey, Scalar]] = {}
    """Code tables: from the system's codes to ours (a source), or from ours to the system's (a target)."""


class SourceFile(_File):
    """A mapping from a source's records to the canonical dossier, to the progress of one, or to ratings."""

    direction: Literal["source"]
    """From a system to the common schema."""
    tells: Annotated[Tells, Field(strict=False)] = Tells.DOSSIER
    """What its records are about."""
    fields: Annotated[dict[str, AnyField], Field(min_length=1)]
    """What the result is made of: the name of each field, and where it comes from."""
    ignore: dict[str, str] = {}
    """Paths that no field reads, each with the reason."""
    examples: Annotated[tuple[Example, ...], BeforeValidator(tuple, json_schema_input_type=list[Example])] = ()
    """Records and what must come of them."""


class TargetFile(_File):
    """A mapping from the canonical dossier, and from its steps, to a target's messages."""

    direction: Literal["target"]
    """From the common schema to a system."""
    dossier: Section | None = None
    """What a dossier record is made of, where the target takes them."""
    step: Section | None = None
    """What a processing step is made of, where the target takes them."""
    notice: Section | None = None
    """What a step is told as of a dossier that was filed on the target itself, where it takes that besides."""
    satisfaction: Section | None = None
    """What a month's report of citizens' satisfaction is made of, where the target takes them."""
    statistics: Section | None = None
    """What a month's report of dossiers received, solved and left is made of, where the target takes them."""

    @model_validator(mode="after")
    def _says_something(self) -> "TargetFile":
        if self.dossier is None and self.step is None:
            raise ValueError("a target mapping needs a section dossier, step, or both")
        if self.notice is not None and self.step is None:
            raise ValueError("a notice tells of a step: add the section step")
        return self
