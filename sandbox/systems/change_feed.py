"""Lists of what has changed since a moment, longest unchanged first, for systems that page by the last record told.

A place in such a list is the last change and the number of the record before it, so that pages neither overlap nor
leave a gap when the clock moves between them: what changes meanwhile is told later, and again.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sandbox.province.reading import Reading
from sandbox.systems.register import Snapshot
from schemas.times import with_zone


class Place(NamedTuple):
    """Behind the record ``number``, which last changed at the epoch second ``changed``."""

    changed: int
    number: int

    def __str__(self) -> str:
        return f"{self.changed:x}-{self.number:x}"

    @classmethod
    def read(cls, text: str) -> "Place":
        """What ``str`` of a place gave; ValueError for anything else."""
        changed, _, number = text.partition("-")
        return cls(int(changed, 16), int(number, 16))

    @classmethod
    def before(cls, text: str) -> "Place":
        """Just before everything that changed at the ISO time ``text`` or later; ValueError when it is none."""
        return cls(int(-(-with_zone(datetime.fromisoformat(text)).timestamp() // 1)), -1)


@dataclass(frozen=True, slots=True)
class Part:
    """Some records of a list, and the place behind them; None at the end of the list."""

    readings: list[Reading]
    next: Place | None


def part_after(now: Snapshot, place: Place, size: int) -> Part:
    """The next ``size`` dossiers behind ``place``; the snapshot must be of an ordered register."""
    of_that_second = now.changes.position_of(place.changed), now.changes.position_of(place.changed + 1)
    first = of_that_second[0] + sum(number <= place.number for number in now.changes.numbers(*of_that_second))
    readings = [now.reading(number) for number in now.changes.numbers(first, first + size)]
    is_last = first + size >= len(now.changes)
    return Part(readings, None if is_last else Place(readings[-1].changed, readings[-1].number))
