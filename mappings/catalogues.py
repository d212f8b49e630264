"""Small reference lists beside the mappings, for what a system does not send itself.

``catalogues/procedures.yaml`` gives a procedure's name, field and service level by its code. A code that is not in
the list yields nothing; whether nothing is acceptable is for the field that asked to say.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from mappings import yamllines
from mappings.errors import MappingFileError
from schemas import identifiers

_FOLDER = "catalogues"


class Procedure(BaseModel):
    """What the mappings know about one administrative procedure; texts as the national portal publishes them."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Annotated[str, Field(min_length=1, max_length=4000)]
    field_code: Annotated[str, Field(min_length=1, max_length=64)]
    field_name: Annotated[str, Field(min_length=1, max_length=4000)]
    level: Annotated[int, Field(ge=0, le=4)]


class Agency(BaseModel):
    """The name of an agency, by the short form of its code."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Annotated[str, Field(min_length=1, max_length=4000)]


_KINDS: dict[str, tuple[type[BaseModel], Callable[[str], str]]] = {
    "procedures": (Procedure, identifiers.procedure_stem),
    "agencies": (Agency, identifiers.agency_short),
}
NAMES = frozenset(_KINDS)


def folder() -> Path:
    """Where the catalogues are: below HOSYNC_MAPPINGS when that is set and has some, else beside this file."""
    own = Path(os.environ.get("HOSYNC_MAPPINGS") or Path(__file__).parent) / _FOLDER
    return own if own.is_dir() else Path(__file__).with_name(_FOLDER)


def path_of(name: str) -> Path:
    """The file of a catalogue."""
    return folder() / f"{name}.yaml"


def columns(name: str) -> frozenset[str]:
    """What can be taken from a catalogue."""
    return frozenset(_KINDS[name][0].model_fields)


def entries(name: str) -> dict[str, Any]:
    """The whole catalogue: rows by code. Raises :class:`MappingFileError` with every mistake in the file."""
    model, canonical = _KINDS[name]
    document = yamllines.read(path_of(name))
    try:
        rows = TypeAdapter(dict[str, model]).validate_python(document.data, strict=True)  # type: ignore[valid-type]  # made above
    except ValidationError as error:
        raise MappingFileError(
            [document.issue(tuple(found["loc"]), found["msg"]) for found in error.errors()]
        ) from error
    issues = []
    for code in rows:
        try:
            if canonical(code) != code:
                issues.append(document.issue((code,), "the code is not in its canonical form", canonical(code)))
        except ValueError as error:
            issues.append(document.issue((code,), str(error)))
    if issues:
        raise MappingFileError(issues)
    return rows


def finder(name: str, column: str) -> Callable[[Any], Any]:
    """A function from a code, in any of its forms, to one column of the catalogue; ``None`` when it is not listed."""
    canonical = _KINDS[name][1]
    values = {code: getattr(row, column) for code, row in entries(name).items()}
    known = values.get

    def find(code: object) -> Any:
        if not isinstance(code, str):
            return None
        found = known(code)
        if found is None:
            try:
                found = known(canonical(code))
            except ValueError:
                return None
        return found

    return find
