"""From a mapping file to its model, or to a list of everything that is wrong with it.

All mistakes of a file are told at once, each with its line and, where one is near, the word that was probably meant.
"""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from mappings import canonical, catalogues, paths, yamllines
from mappings.converters import REGISTRY
from mappings.errors import FileIssue, MappingFileError
from mappings.model import (
    QUARANTINE,
    Direction,
    Example,
    ExpectedProblem,
    FieldSpec,
    ListSpec,
    Lookup,
    Section,
    SourceFile,
    TargetFile,
    Tells,
)
from mappings.yamllines import Document, Location

MappingFile: TypeAlias = SourceFile | TargetFile
_TAGS = ("field", "list")
_KEYS = sorted(
    {
        info.alias or name
        for model in (SourceFile, TargetFile, Section, FieldSpec, ListSpec, Lookup, Example, ExpectedProblem)
        for name, info in model.model_fields.items()
    }
)


def read(path: Path) -> MappingFile:
    """Read and check a mapping file. Raises :class:`MappingFileError`."""
    document = yamllines.read(path)
    data = document.data
    if not isinstance(data, dict) or data.get("direction") not in list(Direction):
        raise MappingFileError([document.issue(("direction",), "direction must be source or target")])
    model: type[MappingFile] = SourceFile if data["direction"] == Direction.SOURCE else TargetFile
    try:
        found = model.model_validate(data)
    except ValidationError as error:
        raise MappingFileError(list(model_issues(document, error))) from error
    issues = list(_Checker(document, found).issues())
    if issues:
        raise MappingFileError(sorted(issues, key=lambda issue: issue.line))
    return found


def sections(found: MappingFile) -> dict[str, Section]:
    """The sections of a file by name; a source has one, named ``dossier``."""
    if isinstance(found, SourceFile):
        return {"dossier": Section(fields=found.fields, ignore=found.ignore, examples=found.examples)}
    parts = {
        "dossier": found.dossier,
        "step": found.step,
        "notice": found.notice,
        "satisfaction": found.satisfaction,
        "statistics": found.statistics,
    }
    return {name: part for name, part in parts.items() if part is not None}


def model_issues(document: Document, error: ValidationError, prefix: Location = ()) -> Iterator[FileIssue]:
    """What pydantic found, with lines and suggestions."""
    for found in error.errors():
        location = (*prefix, *_without_tags(found["loc"]))
        if found["type"] == "extra_forbidden":
            yield document.issue(location, "there is no such key", suggestion(str(location[-1]), _KEYS))
        else:
            yield document.issue(location, found["msg"].removeprefix("Value error, "))


def suggestion(word: str, known: Iterable[str]) -> str:
    """A sentence with the nearest known word, or with all of them when none is near and they are few."""
    words = sorted(known)
    near = get_close_matches(word, words, n=1)
    if near:
        return f'Did you mean "{near[0]}"?'
    return f"Known: {', '.join(words)}" if 0 < len(words) <= 12 else ""


def _without_tags(location: tuple[Any, ...]) -> Location:
    return tuple(
        part
        for index, part in enumerate(location)
        if not (part in _TAGS and index >= 2 and location[index - 2] == "fields")
    )


class _Checker:
    """The checks that need more than one part of the file, or the common schema."""

    def __init__(self, document: Document, found: MappingFile) -> None:
        self._document = document
        self._file = found
        self._is_source = isinstance(found, SourceFile)
        self._tells = found.tells if isinstance(found, SourceFile) else Tells.DOSSIER
        self._shape = canonical.SHAPES[self._tells]
        self._used_tables: set[str] = set()

    def issues(self) -> Iterator[FileIssue]:
        for name, section in sections(self._file).items():
            at: Location = () if self._is_source else (name,)
            readable = None if self._is_source else canonical.READABLE[name]
            yield from self._section(section, (*at, "fields"), readable)
            yield from self._examples(section, (*at, "examples"))
            for path in sorted(section.ignore.keys() & paths.used_fields(section.fields)):
                yield self._document.issue((*at, "ignore", path), "a field reads this path", "Remove it from ignore")
            for path in sorted(section.leaves_out.keys() & section.fields.keys()):
                yield self._document.issue((*at, "leaves_out", path), "this field is sent", "Remove it from leaves_out")
        for name in self._file.tables.keys() - self._used_tables:
            yield self._document.issue(("tables", name), "no field uses this table", "Remove it or name it in a field")

    def _section(self, section: Section, at: Location, readable: frozenset[str] | None) -> Iterator[FileIssue]:
        for name, spec in section.fields.items():
            here = (*at, name)
            if isinstance(spec, ListSpec):
                if self._is_source and name not in self._shape.lists:
                    yield self._unknown(here, self._shape.lists, "the common schema has no such list")
                    continue
                if readable is not None and spec.each not in (lists := readable & canonical.READABLE_LISTS):
                    yield self._unknown((*here, "each"), lists, "there is no such list to read", spec.each)
                inner = self._shape.lists.get(name, {})
                for item, item_spec in spec.fields.items():
                    yield from self._field((*here, "fields", item), item, item_spec, inner, None)
                yield from self._missing(inner, spec.fields, here) if self._is_source else ()
            else:
                yield from self._field(here, name, spec, self._shape.fields, readable)
        if self._is_source:
            for name in sorted(self._shape.required - section.fields.keys()):
                yield self._document.issue(at, f"the required field {name} is not mapped", f"Add {name}:")

    def _missing(
        self, inner: Mapping[str, FieldInfo], mapped: dict[str, FieldSpec], at: Location
    ) -> Iterator[FileIssue]:
        for name, info in inner.items():
            if info.is_required() and name not in mapped:
                yield self._document.issue(at, f"the required field {name} is not mapped", f"Add {name}:")

    def _field(
        self,
        at: Location,
        name: str,
        spec: FieldSpec,
        fields: Mapping[str, FieldInfo],
        readable: frozenset[str] | None,
    ) -> Iterator[FileIssue]:
        if self._is_source and name not in fields:
            yield self._unknown(at, fields, self._why_not(name))
            return
        yield from self._converter(at, spec)
        yield from self._origin(at, spec, readable)
        yield from self._table(at, spec)
        if self._is_source:
            yield from self._constants(at, spec, fields[name])
        if spec.otherwise is not None:
            yield from self._field((*at, "else"), name, spec.otherwise, fields, readable)

    def _why_not(self, name: str) -> str:
        if self._tells is not Tells.DOSSIER and name in canonical.SHAPES[Tells.DOSSIER].fields:
            only = {Tells.PROGRESS: "of progress", Tells.RATING: "ratings"}[self._tells]
            return f"a system that tells only {only} does not tell this: remove it, or write tells: dossier"
        return "the common schema has no such field"

    def _converter(self, at: Location, spec: FieldSpec) -> Iterator[FileIssue]:
        options = spec.converter_options
        if spec.converter is None:
            for key in options:
                yield self._unknown((*at, key), _KEYS, "there is no such key")
        elif spec.converter not in REGISTRY:
            yield self._unknown((*at, "as"), REGISTRY, "there is no such converter", spec.converter)
        else:
            model: type[BaseModel] = REGISTRY[spec.converter].options
            for key in options.keys() - model.model_fields.keys():
                known = [*model.model_fields, *_KEYS]
                yield self._unknown((*at, key), known, f"{spec.converter} has no such option")
            known_options = {key: value for key, value in options.items() if key in model.model_fields}
            try:
                model.model_validate(known_options)
            except ValidationError as error:
                yield from model_issues(self._document, error, at)

    def _origin(self, at: Location, spec: FieldSpec, readable: frozenset[str] | None) -> Iterator[FileIssue]:
        if spec.lookup is not None:
            inside = (*at, "lookup")
            if spec.lookup.catalogue not in catalogues.NAMES:
                yield self._unknown((*inside, "in"), catalogues.NAMES, "no such catalogue", spec.lookup.catalogue)
            elif spec.lookup.take not in catalogues.columns(spec.lookup.catalogue):
                columns = catalogues.columns(spec.lookup.catalogue)
                yield self._unknown((*inside, "take"), columns, "the catalogue has no such column", spec.lookup.take)
        if readable is not None:
            paths = [((*at, "from"), path) for path in spec.source]
            if spec.lookup is not None:
                paths.append(((*at, "lookup", "by"), spec.lookup.by))
            for where, path in paths:
                if path not in readable:
                    yield self._unknown(where, readable, "there is nothing of that name to read", path)

    def _table(self, at: Location, spec: FieldSpec) -> Iterator[FileIssue]:
        if spec.table is None:
            return
        self._used_tables.add(spec.table)
        if spec.table not in self._file.tables:
            yield self._unknown((*at, "table"), self._file.tables, "there is no such table", spec.table)

    def _constants(self, at: Location, spec: FieldSpec, info: FieldInfo) -> Iterator[FileIssue]:
        """Constants, defaults and codes of a source must be values the common schema takes."""
        adapter = canonical.adapter(info)
        candidates: list[tuple[Location, Any]] = []
        if spec.is_constant:
            candidates.append(((*at, "value"), spec.value))
        if spec.has_default:
            candidates.append(((*at, "default"), spec.default))
        if spec.on_unknown != QUARANTINE:
            candidates.append(((*at, "on_unknown"), spec.on_unknown))
        for code, value in self._file.tables.get(spec.table or "", {}).items():
            candidates.append((("tables", str(spec.table), str(code)), value))
        for where, value in candidates:
            if value is None:
                continue
            try:
                adapter.validate_python(value)
            except ValidationError as error:
                what = error.errors()[0]["msg"].removeprefix("Value error, ")
                yield self._document.issue(where, f"not a value of the field {at[-1]}: {what}")

    def _examples(self, section: Section, at: Location) -> Iterator[FileIssue]:
        names: set[str] = set()
        for index, example in enumerate(section.examples):
            if example.like is not None and example.like not in names:
                where = (*at, index, "like")
                yield self._unknown(where, names, "no earlier example has that name", example.like)
            if example.name is not None:
                names.add(example.name)

    def _unknown(self, at: Location, known: Iterable[str], what: str, word: str | None = None) -> FileIssue:
        return self._document.issue(at, what, suggestion(word if word is not None else str(at[-1]), known))
