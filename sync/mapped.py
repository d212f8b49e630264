"""Pages between fetching and storing: mapped, validated, with what failed beside what did not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

import mappings
from connectors.api import Page
from connectors.catalog_models import PullStyle
from ledger.types import PageIntake, Problem
from schemas.identifiers import dossier_short

if TYPE_CHECKING:
    from uuid import UUID

    from connectors.catalog_models import SourceEntry
    from schemas.dossier import Dossier, Progress
    from schemas.rating import Rating

_DEEPEST = 200  # levels; the writer of JSON knows 254


@dataclass(frozen=True, slots=True)
class Mapped:
    """A page after mapping and validation, ready for the ledger."""

    page: Page
    dossiers: Sequence[Dossier | Progress]
    ratings: Sequence[Rating]
    natives: Sequence[bytes]
    problems: Sequence[Problem]
    mapping_version: str

    def intake(self, run_id: UUID, entry: SourceEntry) -> PageIntake:
        """For the ledger, as a page of this run."""
        return PageIntake(
            run_id=run_id,
            system=entry.system,
            precedence=entry.precedence,
            number=self.page.number,
            raw=self.page.raw,
            media_type=self.page.media_type,
            fetched_at=self.page.fetched_at,
            fetched=len(self.page.records),
            dossiers=self.dossiers,
            ratings=self.ratings,
            problems=self.problems,
            # Who is asked about what we hold has no position to move to.
            cursor=None if entry.pull.style is PullStyle.OPEN_LIST else self.page.cursor,
            mapping_version=self.mapping_version,
            natives=self.natives,
            told_at=self.page.told_at,
        )


def mapped(mapping: mappings.Mapping, pages: Iterator[Page]) -> Iterator[Mapped]:
    """Map and validate each page, whole."""
    is_progress = mapping.tells is mappings.Tells.PROGRESS
    for page in pages:
        validated = mappings.validate_page(mapping, page.records)
        yield Mapped(
            page=page,
            dossiers=[dossier for _, dossier in validated.dossiers],
            ratings=[rating for _, rating in validated.ratings],
            natives=[native_bytes(page.records[index]) for index, _ in validated.good] if is_progress else (),
            problems=[
                Problem(
                    index=problem.index,
                    record_key=mapping.key_of(page.records[problem.index]),
                    native=native_bytes(page.records[problem.index]),
                    stage=problem.stage,
                    field=problem.field,
                    rule=problem.rule,
                    message=problem.message,
                )
                for problem in validated.bad
            ],
            mapping_version=mapping.version,
        )


def native_bytes(record: Any) -> bytes:
    """A native record as it is set aside: equal for equal records.

    What is nested deeper than can be written is cut off; all of it stands in the archived page.
    """
    option = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
    try:
        return orjson.dumps(record, option=option, default=str)
    except orjson.JSONEncodeError:
        return orjson.dumps(_cut_off(record, _DEEPEST), option=option, default=str)


def _cut_off(value: Any, levels: int) -> Any:
    if isinstance(value, dict):
        return {key: _cut_off(inner, levels - 1) for key, inner in value.items()} if levels else "…"
    if isinstance(value, list):
        return [_cut_off(inner, levels - 1) for inner in value] if levels else "…"
    return value


class Snapshot:
    """What the pages of a pull held altogether, and whether that is all that the system holds.

    A record whose own key cannot be read may be any dossier: then nothing can be said to be missing.
    """

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.is_whole = False
        self._is_readable = True

    def add(self, mapped: Mapped) -> None:
        """Another page; only the last one of a snapshot completes it."""
        self.seen.update(told.source_id for told in (*mapped.dossiers, *mapped.ratings))
        for problem in mapped.problems:
            if problem.record_key:
                self.seen |= {problem.record_key, _as_code(problem.record_key)}
        self._is_readable &= all(problem.record_key for problem in mapped.problems)
        self.is_whole = mapped.page.completes and self._is_readable


def _as_code(key: str) -> str:
    """The key in the form of a dossier code in the ledger, if it is one."""
    try:
        return dossier_short(key)
    except ValueError:
        return key
