"""Time windows and safe cursors: pure functions over times, easy to get wrong, so they stand alone.

A cursor says "everything up to here has been read". Sources commit late and clocks differ, so it never comes closer
to now than the safety lag, and every run begins some overlap before it.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from connectors.api import Window
from connectors.catalog_models import Pull
from connectors.errors import NeedsPerson
from schemas.times import VN


def day_slices(window: Window, days: int) -> Iterator[Window]:
    """Cut ``window`` at Vietnamese midnights into pieces of at most ``days`` days; the ends stay where they are."""
    start = window.start
    while start < window.end:
        midnight = datetime.combine(start.astimezone(VN).date() + timedelta(days=days), time(), VN)
        end = min(midnight, window.end)
        yield Window(start, end)
        start = end


def days_touched(window: Window) -> tuple[date, date]:
    """First and last Vietnamese day with a moment in ``window``, for systems that are asked by whole days."""
    last_moment = max(window.end - timedelta(microseconds=1), window.start)
    return window.start.astimezone(VN).date(), last_moment.astimezone(VN).date()


def first_moment(pull: Pull) -> datetime:
    """Midnight of the first day that is ever read."""
    return datetime.combine(pull.start, time(), VN)


def since(pull: Pull, cursor: datetime | None) -> datetime:
    """Where an incremental run begins: the overlap before the cursor, the catalog's start without one."""
    begin = first_moment(pull)
    return begin if cursor is None else max(begin, cursor - pull.overlap)


def safe(position: datetime, *, pull: Pull, now: datetime) -> datetime:
    """``position``, held back to the safety lag behind ``now`` (a source's clock may run ahead of ours)."""
    return min(position, now - pull.safety_lag)


def moved(position: datetime, *, held: datetime | None, pull: Pull, now: datetime) -> str | None:
    """The cursor after everything up to ``position`` was read, as text; ``None`` when that does not move it on."""
    reached = safe(position, pull=pull, now=now)
    return to_text(reached) if held is None or reached > held else None


def to_text(moment: datetime) -> str:
    """A cursor as text: ISO 8601 in UTC."""
    return moment.astimezone(UTC).isoformat()


def from_text(system: str, cursor: str | None) -> datetime | None:
    """A cursor written by ``to_text``, or any ISO 8601 text with a zone; raises ``NeedsPerson`` for anything else."""
    if cursor is None:
        return None
    try:
        moment = datetime.fromisoformat(cursor)
    except ValueError:
        moment = datetime.min
    if moment.tzinfo is None:
        raise NeedsPerson(system, "the stored cursor is not a moment with a zone", "Reset it with a full pull")
    return moment
