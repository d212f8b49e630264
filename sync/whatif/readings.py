"""The records of one page, read in two ways: as they are (or were) understood, and as they would be.

*Before* is what the mapping in use makes of a record; *after* is what a candidate makes of it. Without a candidate the
mapping in use is itself the change, and before is what the ledger holds of the dossier: what would change if the record
were told once more. Where a newer reading counts it would change nothing.

The ledger keeps some things of a reading only as part of a digest: the steps of a home, and of a system that is not
the home all but its state. When the digest differs and no field that is kept does, the difference is called ``STEPS``
or ``REST``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import mappings
from ledger import holding, reading
from sync.whatif.fields import Differences, differences, fields_of, flat

if TYPE_CHECKING:
    from datetime import datetime

    from ledger.holding import Holding
    from mappings import MappingProblem
    from schemas.dossier import Dossier, Progress
    from sync.context import Context

STEPS, REST = "steps", "…"
_NOT_KEPT = frozenset({"steps", "changed_at"})
_OURS = frozenset({"version"})
_OF_A_GUEST = frozenset({"source_id", "state", "state_at"})


class Verdict(StrEnum):
    """What would become of a record."""

    SAME = "same"
    CHANGED = "changed"
    NEWLY_SET_ASIDE = "newly_set_aside"
    NEWLY_UNDERSTOOD = "newly_understood"
    STILL_SET_ASIDE = "still_set_aside"
    PASSED_OVER = "passed_over"


MOVING = frozenset({Verdict.CHANGED, Verdict.NEWLY_UNDERSTOOD})
"""What may be told to targets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One record. ``before`` is ``None`` where it was not understood, and where the ledger stands for it.

    ``stands``: passed over for no other reason than that an end state is held, read with a mapping of the same number.
    """

    verdict: Verdict
    key: str | None
    before: Dossier | Progress | None = field(default=None, repr=False)
    after: Dossier | Progress | None = field(default=None, repr=False)
    held: Holding | None = field(default=None, repr=False)
    differs: Differences = field(default_factory=dict, repr=False)
    problem: MappingProblem | None = None
    stands: bool = False

    @property
    def code(self) -> str | None:
        """The dossier's code, or what the record calls itself where it cannot be read."""
        told = self.before or self.after
        return told.code if told is not None else self.key


Compare = Callable[["Records", "datetime"], Sequence[Compared]]
"""Compares some records of a page that was fetched at that moment."""


@dataclass(frozen=True, slots=True)
class Records:
    """Some records of a page, and each as bytes that are equal for equal records."""

    found: Sequence[Mapping[str, Any]] = field(repr=False)
    natives: Sequence[bytes] = field(repr=False)


def by_two_mappings(context: Context, system: str, current: mappings.Mapping, candidate: mappings.Mapping) -> Compare:
    """Compare what two mappings make of records."""

    def compare(records: Records, _fetched_at: datetime) -> Sequence[Compared]:
        before = dict(mappings.validate_page(current, records.found).dossiers)
        validated = mappings.validate_page(candidate, records.found)
        after, bad = dict(validated.dossiers), {problem.index: problem for problem in validated.bad}
        compared = [
            _of_two(current.key_of(record), before.get(index), after.get(index), bad.get(index))
            for index, record in enumerate(records.found)
        ]
        # Opening what is held costs more than all else, so it is done for what would move something.
        asked = {one.code for one in compared if one.code and one.verdict in MOVING}
        known = holding.held(context.engine, context.sealer, system, list(asked)) if asked else {}
        return [replace(one, held=held) if (held := known.get(one.code or "")) else one for one in compared]

    return compare


def _of_two(
    key: str | None, before: Dossier | Progress | None, after: Dossier | Progress | None, problem: MappingProblem | None
) -> Compared:
    if after is None:
        verdict = Verdict.STILL_SET_ASIDE if before is None else Verdict.NEWLY_SET_ASIDE
        return Compared(verdict=verdict, key=key, before=before, problem=problem)
    if before is None:
        return Compared(verdict=Verdict.NEWLY_UNDERSTOOD, key=key, after=after)
    differs = {} if before == after else differences(fields_of(before), fields_of(after))
    return Compared(
        verdict=Verdict.CHANGED if differs else Verdict.SAME, key=key, before=before, after=after, differs=differs
    )


def with_the_ledger(context: Context, system: str, current: mappings.Mapping) -> Compare:
    """Compare what the mapping in use makes of records with what the ledger holds of them."""

    def compare(records: Records, fetched_at: datetime) -> Sequence[Compared]:
        validated = mappings.validate_page(current, records.found)
        after, bad = dict(validated.dossiers), {problem.index: problem for problem in validated.bad}
        known = holding.held(context.engine, context.sealer, system, [told.code for told in after.values()])
        waiting = holding.set_aside(context.engine, context.sealer, system, records.natives)

        def one(index: int, native: bytes) -> Compared:
            key = current.key_of(records.found[index])
            told = after.get(index)
            if told is None:
                verdict = Verdict.STILL_SET_ASIDE if native in waiting else Verdict.NEWLY_SET_ASIDE
                return Compared(verdict=verdict, key=key, problem=bad[index])
            held = known.get(told.code)
            if waiting.get(native):
                return Compared(verdict=Verdict.NEWLY_UNDERSTOOD, key=key, after=told, held=held)
            if held is None:
                return Compared(verdict=Verdict.PASSED_OVER, key=key, after=told)
            said = reading.read(told, 0, fetched_at, context.sealer, mapping_version=current.version)
            if said.content_hash == held.content_hash:
                return Compared(verdict=Verdict.SAME, key=key, after=told, held=held)
            if said.order[:-1] < held.order[:-1]:  # told once more it comes after an equally old one, whatever it says
                # Of one moment and one mapping: only that the other is an end state speaks for it.
                stands = said.order[:2] == held.order[:2] and said.order[2] < held.order[2]
                return Compared(verdict=Verdict.PASSED_OVER, key=key, after=told, held=held, stands=stands)
            return Compared(verdict=Verdict.CHANGED, key=key, after=told, held=held, differs=_departures(held, told))

        return [one(index, native) for index, native in enumerate(records.natives)]

    return compare


def _departures(held: Holding, told: Dossier | Progress) -> Differences:
    """The fields in which a reading differs from what is held, as far as the ledger keeps them apart."""
    left_out = _NOT_KEPT | ({"state_at"} if told.state_at is None else set())
    before = {**flat(held.record), "state": held.state, "state_at": held.state_at}
    found = differences(
        {name: value for name, value in before.items() if name not in left_out | _OURS},
        {name: value for name, value in fields_of(told).items() if name not in left_out},
    )
    if not held.is_home:
        found = {name: pair for name, pair in found.items() if name in _OF_A_GUEST}
    return found or {STEPS if held.is_home else REST: (None, None)}
