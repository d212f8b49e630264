"""What catalog models are made of: strict parts, and texts with a form of their own (durations, schedules, names).

Like ``catalog_models`` it imports nothing heavy: DAG files read the catalog at every parse.
"""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

SYSTEM_NAME = re.compile(r"^[a-z][a-z0-9_]{1,30}$")
_DURATION = re.compile(r"^(\d+)\s*(s|m|h|d)$")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_CRON_FIELD = re.compile(r"^[\d*/,\-]+$|^[A-Za-z]{3}(-[A-Za-z]{3})?$")
_CRON_NAMES = frozenset({"@hourly", "@daily", "@weekly", "@monthly"})


def _duration(value: Any) -> Any:
    match = _DURATION.match(value.strip()) if isinstance(value, str) else None
    if not match:
        raise ValueError("a duration is a number with a unit: 90s, 15m, 2h or 3d")
    return timedelta(**{_UNITS[match.group(2)]: int(match.group(1))})


def _written(value: timedelta) -> str:
    """A duration as it is written in a catalog file, in the largest unit that fits."""
    seconds = round(value.total_seconds())
    unit, size = next((unit, size) for unit, size in _SECONDS.items() if seconds % size == 0)
    return f"{seconds // size}{unit}"


def _system_name(value: str) -> str:
    if not SYSTEM_NAME.match(value):
        raise ValueError("a name is 2 to 31 lower-case letters, digits and '_', beginning with a letter")
    return value


def _cron(value: str) -> str:
    fields = value.split()
    if value in _CRON_NAMES or (len(fields) == 5 and all(_CRON_FIELD.match(field) for field in fields)):
        return value
    raise ValueError("a schedule is five cron fields such as '*/10 * * * *', or @hourly, @daily, @weekly, @monthly")


def _relative_path(value: str) -> str:
    if value.startswith("/") or ".." in Path(value).parts:
        raise ValueError("a contract is a path below schemas/wire, such as dkkd/dkkd.wsdl")
    return value


_WRITTEN_DURATION = {"type": "string", "pattern": r"^\s*\d+\s*(s|m|h|d)\s*$", "examples": ["90s", "15m", "2h", "3d"]}
Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(_written, return_type=str, when_used="json"),
    WithJsonSchema(_WRITTEN_DURATION),
]
"""Written ``90s``, ``15m``, ``2h`` or ``3d``."""
SystemName = Annotated[str, AfterValidator(_system_name)]
Cron = Annotated[str, AfterValidator(_cron)]
"""Five cron fields in Vietnamese local time, or one of the @-names."""
ContractPath = Annotated[str, AfterValidator(_relative_path)]


def inconsistent(*location_and_problem: str) -> PydanticCustomError:
    """An error about keys that do not go together: the location of the key to blame, and last the problem."""
    *location, problem = location_and_problem
    return PydanticCustomError("inconsistent", "{problem}", {"at": tuple(location), "problem": problem})


class Part(BaseModel):
    """Base of all parts of an entry: unknown keys are errors, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
