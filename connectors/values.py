"""Finding things in an answer by paths of names with dots between; the empty path is the answer itself."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from schemas.times import with_zone


def value_at(value: Any, path: str) -> Any:
    """What stands at ``path``; ``None`` when it is ``null`` or there is nothing."""
    for name in path.split(".") if path else ():
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def moment(value: Any, form: str, zone: ZoneInfo) -> datetime | None:
    """A time as systems write it: by a strptime format, ``iso``, ``ms`` or ``s`` (epoch); ``None`` when it is none."""
    try:
        if form in ("ms", "s"):
            return datetime.fromtimestamp(float(value) / (1000 if form == "ms" else 1), UTC)
        read = datetime.fromisoformat(value) if form == "iso" else datetime.strptime(value, form)
        return with_zone(read, zone)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
