"""Times as most Vietnamese systems write them: day first, slashes between, Vietnamese wall time."""

from datetime import date, datetime

from sandbox.province.calendar import wall_time
from schemas.times import VN


def moment(epoch: int) -> str:
    """``12/08/2025 08:15:00``"""
    day, _, time = wall_time(epoch).partition("T")
    return f"{_turned(day, '/')} {time}"


def day(epoch: int, *, between: str = "/") -> str:
    """``12/08/2025``, or with another sign ``between`` its parts."""
    return _turned(wall_time(epoch)[:10], between)


def read_moment(text: object) -> datetime:
    """The moment written as ``12/08/2025 08:15:00``; ValueError for anything else."""
    return datetime.strptime(str(text), "%d/%m/%Y %H:%M:%S").replace(tzinfo=VN)


def read_day(text: object) -> date:
    """The day written as ``12/08/2025``; ValueError for anything else."""
    return datetime.strptime(str(text), "%d/%m/%Y").date()


def _turned(iso_day: str, between: str) -> str:
    return f"{iso_day[8:]}{between}{iso_day[5:7]}{between}{iso_day[:4]}"
