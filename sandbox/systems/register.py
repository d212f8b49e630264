"""One system's share of the province, at the system's own clock: its dossiers, and those that were forwarded to it.

The clock stands still until somebody moves it, and only moves forward. It is kept in the server's home, so a restart
goes on at the same time. Everything a request needs is in one :class:`Snapshot`, taken once per request: a clock that
moves in the middle of an answer does not tear it.
"""

import threading
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from sandbox.http import ServerOptions, server_home, write_atomically
from sandbox.province.catalogue import FORWARDED_TO
from sandbox.province.province import Province
from sandbox.province.reading import Reading
from sandbox.province.sectors import System
from schemas.identifiers import dossier_short
from schemas.times import VN, with_zone


class How(StrEnum):
    """Ways in which a record can be broken on purpose."""

    UNKNOWN_STATUS = "unknown-status"
    BAD_DATE = "bad-date"
    MISSING_CODE = "missing-code"
    EXTRA_FIELD = "extra-field"  # a field that the contract does not know: harmless, but the contract has moved
    RENAMED_FIELD = "renamed-field"  # the state stands under another name than the contract says


class Changes:
    """The dossiers of one system in the order of their last change, numbers breaking ties. Eight bytes a dossier."""

    _BITS = 32
    _NUMBER = (1 << _BITS) - 1

    def __init__(self, last_changes: Iterable[tuple[int, int]] = (), settled: Iterable[int] = ()) -> None:
        """From pairs of (epoch second, number), and entries that :meth:`settled` gave."""
        moved = [changed << self._BITS | number for changed, number in last_changes]
        self._packed = array("Q", sorted([*settled, *moved]))

    def __len__(self) -> int:
        return len(self._packed)

    def numbers(self, start: int, stop: int) -> list[int]:
        """The dossiers at the positions ``start`` to ``stop`` (exclusive), longest unchanged first."""
        return [entry & self._NUMBER for entry in self._packed[max(0, start) : max(0, stop)]]

    def position_of(self, epoch: int) -> int:
        """The position of the first dossier changed at or after the second ``epoch``."""
        return bisect_left(self._packed, epoch << self._BITS)

    def settled(self, below: int) -> list[int]:
        """What the order says about the dossiers numbered lower than ``below``."""
        return [entry for entry in self._packed if entry & self._NUMBER < below]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The system at one moment. ``count`` dossiers of the province have been filed, this system's and others'.

    Of a dossier that travels through several systems each knows only what happened in it.
    """

    province: Province
    system: System
    as_of: datetime
    tick: int
    count: int
    changes: Changes

    def numbers(self, candidates: range | None = None) -> Iterator[int]:
        """This system's dossiers among the ``candidates`` (all when absent), by time of filing."""
        found = range(self.count) if candidates is None else range(candidates.start, min(candidates.stop, self.count))
        mine, system_of = self.system, self.province.system
        if mine in FORWARDED_TO:
            return (number for number in found if self.holds(number))
        return (number for number in found if system_of(number) is mine)

    def perhaps_received_between(self, start: datetime, end: datetime) -> range:
        """A range of numbers that holds every dossier that came to this system's desks in that time."""
        return self.province.perhaps_received_between(start, end, self.system)

    def reading(self, number: int) -> Reading:
        """The dossier as this system sees it now: what happened here."""
        return self.province.reading(number, self.tick, self.system)

    def changed(self, number: int) -> int:
        """The epoch second of the last thing that happened to the dossier here."""
        return self.province.changed(number, self.tick, self.system)

    def whole(self, number: int) -> Reading:
        """The dossier as it is now by all that its systems know together."""
        return self.province.reading(number, self.tick)

    def systems(self, number: int) -> tuple[System, ...]:
        """The systems that know the dossier by now, its home first."""
        return self.province.systems(number, self.tick)

    def find(self, code: str) -> int | None:
        """The number of this system's dossier with this code, in either form; None when there is none by now."""
        try:
            number = self.province.find(dossier_short(code))
        except ValueError:
            return None
        return number if number is not None and self.holds(number) else None

    def holds(self, number: int) -> bool:
        """Whether this is a dossier of this system: filed here, or forwarded to it, by now."""
        if not 0 <= number < self.count:
            return False
        came = self.province.came_to(number, self.system)
        return came is not None and came < self.tick


class Register:
    """The dossiers of one system; may be used from several threads.

    With ``ordered`` every snapshot knows the order of changes. That takes about ten seconds for a million dossiers
    when the server starts, and little when the clock moves: only what was alive is looked at again.
    """

    def __init__(self, system: System, home: Path, options: ServerOptions, *, ordered: bool = False) -> None:
        self._system = system
        self._province = Province(seed=options.seed, size=options.size, as_of=options.as_of)
        self._clock_file = server_home(home, options) / "clock"
        self._ordered = ordered
        self._moving = threading.Lock()
        self.broken: dict[int, How] = {}
        as_of = options.as_of
        if self._clock_file.exists():
            as_of = max(as_of, datetime.fromisoformat(self._clock_file.read_text("utf-8").strip()))
        self._now = self._at(as_of, None)

    @property
    def now(self) -> Snapshot:
        """The system as it is."""
        return self._now

    def move_to(self, as_of: datetime) -> Snapshot:
        """Move the clock forward; ValueError for a time before now or beyond the province's calendar."""
        with self._moving:
            as_of = with_zone(as_of)
            if as_of < self._now.as_of:
                raise ValueError(f"the clock stands at {self._now.as_of.isoformat()} and only moves forward")
            if as_of.astimezone(VN).date() > self._province.ends_on:
                raise ValueError(f"the calendar of the province ends on {self._province.ends_on}")
            moved = self._at(as_of, self._now)
            write_atomically(self._clock_file, moved.as_of.isoformat())
            self._now = moved
            return moved

    def break_records(self, numbers: Iterable[int], how: How) -> None:
        """From now on these dossiers are told about wrongly, as ``how`` says."""
        self.broken = {**self.broken, **dict.fromkeys(numbers, how)}

    def mend_all(self) -> None:
        """Every record is right again."""
        self.broken = {}

    def _at(self, as_of: datetime, before: Snapshot | None) -> Snapshot:
        tick = self._province.tick(as_of)
        snapshot = Snapshot(
            province=self._province,
            system=self._system,
            as_of=as_of.astimezone(VN),
            tick=tick,
            count=self._province.count(tick),
            changes=Changes(),
        )
        return replace(snapshot, changes=_order(snapshot, before)) if self._ordered else snapshot


def _order(snapshot: Snapshot, before: Snapshot | None) -> Changes:
    first = 0 if before is None else snapshot.province.oldest_alive(before.tick)
    moved = ((snapshot.changed(number), number) for number in snapshot.numbers(range(first, snapshot.count)))
    return Changes(moved, () if before is None else before.changes.settled(first))
