"""A changed mapping is run over archived pages: which records would be read otherwise, and what that would move.

The candidate is a changed copy of the mapping file; what it makes of each record is compared with what the mapping in
use makes of it. Without a candidate the mapping in use is compared with what the ledger holds: what would change if
everything were told once more? (A pull does that for each record that is told again; most never are.) Pages that this
very mapping has stored need no look then.

Pages are opened one at a time, from the newest back. Kept in memory is one number for each different record and
dossier, and counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import mappings
from connectors import factory
from connectors.errors import ConnectorError
from ledger import archive
from mappings.mapping import load_file
from sync.errors import SyncError
from sync.mapped import native_bytes
from sync.whatif.effects import Effect, Targets, effect_of
from sync.whatif.fields import shown
from sync.whatif.readings import MOVING, Compared, Records, Verdict, by_two_mappings, with_the_ledger
from sync.whatif.report import Counts, Example, FieldChange, Move, Reason, WhatIf

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from ledger.archive import StoredPage
    from ledger.sealing import Sealer
    from sync.context import Context

RECORDS = 10_000
"""So many different records are looked at unless more are asked for."""
_EXAMPLES = 3
_AT_ONCE = 1_000
"""A page may hold a hundred thousand records; so many are compared at a time."""


def whatif(
    context: Context,
    system: str,
    *,
    candidate: Path | None = None,
    limit: int = RECORDS,
    since: datetime | None = None,
    reveal: bool = False,
    on_page: Callable[[Counts], None] | None = None,
) -> WhatIf:
    """Look at ``limit`` different records of ``system``, the newest first, or at all that were fetched from ``since``.

    ``candidate`` is the path of a mapping file. ``reveal`` shows personal data as it is. Stores and sends nothing, and
    needs no connection to any system. Raises ``SyncError``, ``CatalogError``, ``MappingError`` or ``LedgerError``.
    """
    entry = context.catalog.source(system)
    current = mappings.load(entry.mapping, mappings.Direction.SOURCE)
    other = None if candidate is None else _candidate(candidate, current)
    if mappings.Tells.RATING in (current.tells, other.tells if other else None):
        raise SyncError(
            f"{system} tells ratings, which move no dossier: there is nothing to look ahead at.",
            next_step=f"`hosync preview {system}` shows what the mapping makes of its records.",
        )
    compare = (
        with_the_ledger(context, system, current) if other is None else by_two_mappings(context, system, current, other)
    )
    tally = _Tally(Targets(context.catalog), reveal=reveal)
    seen = _Seen(context.sealer, limit)
    for page in archive.newest_first(context.engine, system, since=since):
        if other is None and page.mapping_version == current.version:
            tally.counts["current"] += page.fetched
            continue
        if seen.is_full:
            seen.overflowed = True
            break
        stored = archive.read_page(context.engine, context.sealer, page.run_id, page.number)
        if stored is None:
            continue  # its month has been dropped
        try:
            records = factory.reread(entry, stored.raw, stored.media_type)
        except ConnectorError as error:
            tally.unreadable(error)
            continue
        tally.page(page)
        for start in range(0, len(records), _AT_ONCE):
            tally.see(compare(seen.fresh(records[start : start + _AT_ONCE]), page.fetched_at))
        if on_page:
            on_page(dict(tally.counts))
    tally.counts["repeated"] = seen.repeated
    return tally.result(system, current.version, None if other is None else other.version, whole=not seen.overflowed)


def _candidate(path: Path, current: mappings.Mapping) -> mappings.Mapping:
    candidate = load_file(path)
    if candidate.direction is not mappings.Direction.SOURCE or candidate.system != current.system:
        raise SyncError(
            f"{path.name} is the {candidate.direction} mapping of '{candidate.system}', not the source mapping of "
            f"'{current.system}'.",
            next_step=f"Give a changed copy of {current.file.name}.",
        )
    return candidate


class _Seen:
    """Lets each different record through once, up to a limit."""

    def __init__(self, sealer: Sealer, limit: int) -> None:
        self._sealer = sealer
        self._limit = limit
        self._numbers: set[int] = set()
        self.repeated = 0
        self.overflowed = False
        """Whether there was more than the limit lets through."""

    @property
    def is_full(self) -> bool:
        return len(self._numbers) >= self._limit

    def fresh(self, records: Sequence[Mapping[str, Any]]) -> Records:
        found, natives = [], []
        for record in records:
            native = native_bytes(record)
            number = int.from_bytes(self._sealer.digest(native)[:8])
            if number in self._numbers:
                self.repeated += 1
                continue
            if self.is_full:
                self.overflowed = True
                break
            self._numbers.add(number)
            found.append(record)
            natives.append(native)
        return Records(found, natives)


@dataclass(slots=True)
class _Field:
    records: int = 0
    examples: list[Example] = field(default_factory=list)


@dataclass(slots=True)
class _Reason:
    records: int = 0
    keys: list[str] = field(default_factory=list)


class _Tally:
    """Counts what was compared, and keeps a few examples."""

    def __init__(self, targets: Targets, *, reveal: bool) -> None:
        self.counts: Counter[str] = Counter()
        self._targets = targets
        self._reveal = reveal
        self._since: datetime | None = None
        self._unreadable_because = ""
        self._fields: dict[str, _Field] = {}
        self._reasons: dict[tuple[str, str], _Reason] = {}
        self._states: Counter[tuple[int | None, int]] = Counter()
        self._dossiers: set[int] = set()

    def page(self, page: StoredPage) -> None:
        self.counts["pages"] += 1
        self._since = page.fetched_at if self._since is None else min(self._since, page.fetched_at)

    def unreadable(self, error: ConnectorError) -> None:
        self.counts["unreadable"] += 1
        self._unreadable_because = self._unreadable_because or str(error)

    def see(self, compared: Sequence[Compared]) -> None:
        effects: list[Effect] = []
        for one in compared:
            self.counts["records"] += 1
            self.counts[one.verdict] += 1
            self.counts["stands"] += one.stands
            for name, (before, after) in one.differs.items():
                self._difference(name, one.code, before, after)
            if one.verdict is Verdict.NEWLY_SET_ASIDE and one.problem is not None:
                self._set_aside(one.problem, one.code)
            is_newest = self._is_newest(one)
            if is_newest and one.verdict in MOVING and (effect := effect_of(one)):
                effects.append(effect)
        self._states.update((one.state_before, one.state_after) for one in effects if one.moves)
        self.counts["new_steps"] += sum(one.has_new_step for one in effects)
        self._targets.see(effects)

    def result(self, system: str, mapping: str, candidate: str | None, *, whole: bool) -> WhatIf:
        counts = {name: self.counts[name] for name in (*_COUNTED, *Verdict)}
        return WhatIf(
            system=system,
            mapping=mapping,
            candidate=candidate,
            since=self._since,
            whole=whole,
            unreadable_because=self._unreadable_because,
            dossiers=len(self._dossiers),
            fields=tuple(
                FieldChange(field=name, records=one.records, examples=tuple(one.examples))
                for name, one in sorted(self._fields.items(), key=lambda item: -item[1].records)
            ),
            reasons=tuple(
                Reason(field=name, rule=rule, records=one.records, keys=tuple(one.keys))
                for (name, rule), one in sorted(self._reasons.items(), key=lambda item: -item[1].records)
            ),
            states=tuple(
                Move(before=before, after=after, dossiers=number)
                for (before, after), number in self._states.most_common()
            ),
            targets=self._targets.result(),
            **counts,
        )

    def _difference(self, name: str, code: str | None, before: Any, after: Any) -> None:
        found = self._fields.setdefault(name, _Field())
        found.records += 1
        if len(found.examples) < _EXAMPLES:
            values = [shown(name, value, reveal=self._reveal) for value in (before, after)]
            found.examples.append(Example(code=code, before=values[0], after=values[1]))

    def _set_aside(self, problem: mappings.MappingProblem, key: str | None) -> None:
        found = self._reasons.setdefault((problem.field, problem.rule), _Reason())
        found.records += 1
        if key and len(found.keys) < _EXAMPLES:
            found.keys.append(key)

    def _is_newest(self, one: Compared) -> bool:
        """Whether nothing newer was seen of the record's dossier; a record without a code stands for itself."""
        if one.code is None:
            return True
        before = len(self._dossiers)
        self._dossiers.add(hash(one.code))
        return len(self._dossiers) > before


_COUNTED = ("pages", "unreadable", "current", "repeated", "records", "new_steps", "stands")
