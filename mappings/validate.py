"""From native records to valid dossiers, progress or ratings: mapping, then one validation call for the whole page."""

from collections.abc import Mapping as MappingABC
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mappings.compiler import Record
from mappings.mapping import Mapping, MappingProblem
from mappings.model import Tells
from schemas.dossier import DOSSIERS, PROGRESS, Dossier, Progress
from schemas.rating import RATINGS, Rating

_PAGES: MappingABC[Tells, TypeAdapter[Any]] = MappingProxyType(
    {Tells.DOSSIER: DOSSIERS, Tells.PROGRESS: PROGRESS, Tells.RATING: RATINGS}
)


@dataclass(frozen=True, slots=True)
class Validated:
    """A page: what was understood, with the index of its record, and the problems of the records that were set aside.

    What was understood is of one kind, which the mapping names: dossiers, the progress of dossiers, or ratings.
    """

    good: list[tuple[int, Dossier | Progress | Rating]]
    bad: list[MappingProblem]

    @property
    def dossiers(self) -> list[tuple[int, Dossier | Progress]]:
        """What tells of dossiers."""
        return [(index, told) for index, told in self.good if not isinstance(told, Rating)]

    @property
    def ratings(self) -> list[tuple[int, Rating]]:
        """What tells of ratings."""
        return [(index, told) for index, told in self.good if isinstance(told, Rating)]


def validate_page(mapping: Mapping, records: Sequence[Record]) -> Validated:
    """Map and validate a page. Every index is in ``good`` or in ``bad``, each in the order of the input."""
    page = _PAGES[mapping.tells]
    converted = mapping.convert(records)
    indexes = [index for index, _ in converted.good]
    dicts = [record for _, record in converted.good]
    try:
        return Validated(list(zip(indexes, page.validate_python(dicts), strict=True)), converted.bad)
    except ValidationError as error:
        problems = _problems(mapping, error)
    kept = [position for position in range(len(dicts)) if position not in problems]
    dossiers = page.validate_python([dicts[position] for position in kept])
    good = [(indexes[position], dossier) for position, dossier in zip(kept, dossiers, strict=True)]
    bad = [
        MappingProblem(index=indexes[position], field=field, rule=rule, message=message, stage="schema")
        for position, (field, rule, message) in problems.items()
    ]
    return Validated(good, sorted([*converted.bad, *bad], key=lambda problem: problem.index))


def _problems(mapping: Mapping, error: ValidationError) -> dict[int, tuple[str, str, str]]:
    """The first problem of each failing record, by its position in the list that was validated."""
    found: dict[int, tuple[str, str, str]] = {}
    for part in error.errors(include_url=False, include_input=False, include_context=False):
        position, *where = part["loc"]
        if isinstance(position, int) and position not in found:
            field = ".".join(str(name) for name in where) or "record"
            what = part["msg"].removeprefix("Value error, ")
            found[position] = (field, part["type"], f"{mapping.system}: field {field}: {what}")
    return found
