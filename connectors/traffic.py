"""How calls to a target are limited, as a catalog entry says it: quota, breaker, retries, quiet hours."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from connectors.catalog_parts import Duration, Part
from schemas.times import VN

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_QUIET = re.compile(r"^(?:([A-Z][a-z]{2})(?:-([A-Z][a-z]{2}))? +)?(\d\d):(\d\d) *- *(\d\d):(\d\d)$")
_DAY = timedelta(days=1)


class Quota(Part):
    """What a target allows. It is kept by all workers and processes together, sign-ins and look-ups included."""

    concurrent: int | None = Field(default=None, ge=1, le=1000)
    """Calls under way at once; not limited when left out."""
    per_second: float | None = Field(default=None, gt=0, le=10_000)
    """Calls that may begin in a second, evenly spaced."""
    per_day: int | None = Field(default=None, ge=1)
    """Calls in a Vietnamese calendar day."""


class Retries(Part):
    """When a record that fails again and again is given up. It is then dead, with its reason, until a newer version or
    a person revives it. Only failures while the target takes other records count, so that no outage buries anything.
    """

    attempts: int = Field(default=25, ge=1, le=10_000)
    """After so many failures ..."""
    longest: Duration = timedelta(days=3)
    """... or at the first after it has failed for so long."""
    alone: Duration = timedelta(days=30)
    """Where the target took nothing else, so that nothing tells the record's fault from the target's: at the first
    failure after so long. Longer than any outage; pause a target that is away for longer."""
    share: float = Field(default=0.2, gt=0, le=1)
    """Retries may fail at most this often per call that goes well; more of them wait."""


class Breaker(Part):
    """When a target is left alone: nobody calls it, then one process tries, then all go on."""

    failures: int = Field(default=8, ge=1, le=1000)
    """So many calls in a row without a proper answer, over all workers."""
    rest: Duration = timedelta(seconds=30)
    """How long it is left alone, doubled with each try that fails ..."""
    longest_rest: Duration = timedelta(minutes=10)
    """... up to this."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours of the day on some days of the week (0 is Monday); an end that is not after the start is the next day's."""

    days: tuple[int, ...]
    start: time
    end: time

    def until(self, moment: datetime) -> datetime | None:
        """When the window that ``moment`` lies in ends; ``None`` when it lies in none."""
        local = moment.astimezone(VN)
        for day in (local.date(), local.date() - _DAY):
            if day.weekday() in self.days:
                start = datetime.combine(day, self.start, VN)
                end = datetime.combine(day, self.end, VN) + (_DAY if self.end <= self.start else timedelta())
                if start <= local < end:
                    return end
        return None

    def __str__(self) -> str:
        hours = f"{self.start:%H:%M}-{self.end:%H:%M}"
        if len(self.days) == len(_DAYS):
            return hours
        first, last = _DAYS[self.days[0]], _DAYS[self.days[-1]]
        return f"{first} {hours}" if first == last else f"{first}-{last} {hours}"


def _quiet(value: Any) -> Any:
    match = _QUIET.match(value.strip()) if isinstance(value, str) else None
    if not match:
        raise ValueError(
            'quiet hours are written "Sun 01:00-05:00", "Mon-Fri 12:00-13:00" or, every day, "00:30-01:00"'
        )
    first, last, *clock = match.groups()
    if any(day is not None and day not in _DAYS for day in (first, last)):
        raise ValueError(f"the days are {', '.join(_DAYS)}")
    try:
        hours = [int(number) for number in clock]
        start, end = time(hours[0], hours[1]), time(hours[2] % 24 if hours[3] == 0 else hours[2], hours[3])
    except ValueError:
        raise ValueError("the hours are 00:00 to 24:00") from None
    return Quiet(_days(first, last), start, end)


def _days(first: str | None, last: str | None) -> tuple[int, ...]:
    if first is None:
        return tuple(range(7))
    begin = _DAYS.index(first)
    count = (_DAYS.index(last or first) - begin) % 7 + 1
    return tuple((begin + step) % 7 for step in range(count))


_WRITTEN_QUIET = {"type": "string", "pattern": _QUIET.pattern, "examples": ["Sun 01:00-05:00", "00:30-01:00"]}
QuietHours = Annotated[
    Quiet,
    BeforeValidator(_quiet),
    PlainSerializer(str, return_type=str, when_used="json"),
    WithJsonSchema(_WRITTEN_QUIET),
]
"""Hours without calls, in Vietnamese local time."""


def quiet_until(windows: Iterable[Quiet], moment: datetime) -> datetime | None:
    """When the last of the windows around ``moment`` ends, those that follow on without a gap included."""
    end = None
    known = tuple(windows)
    while ends := [end_ for window in known if (end_ := window.until(end or moment)) is not None]:
        end = max(ends)
        if end - moment > 8 * _DAY:  # windows that leave no hour
            break
    return end
