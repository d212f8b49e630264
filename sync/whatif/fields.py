"""Two readings of one record, field by field: what differs, and how it may be shown. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic_core import to_jsonable_python

from schemas.times import VN
from sync.preview import MASK, PERSONAL

if TYPE_CHECKING:
    from schemas.dossier import Dossier, Progress

Fields = Mapping[str, Any]
"""Values by the names that mappings use (those of the applicant have a dot); what is absent has no name."""
Differences = Mapping[str, tuple[Any, Any]]
"""By field: the value before, and the one after; ``None`` for an absent one."""

_PERSONAL_IN_STEPS = ("officer", "content")


def fields_of(told: Dossier | Progress) -> Fields:
    """The fields of a reading."""
    return flat(told.model_dump(mode="python"))


def flat(record: Mapping[str, Any]) -> Fields:
    """The fields of a dossier as a mapping of mappings."""
    found: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{inner}": one for inner, one in value.items() if one is not None}
        elif isinstance(value, list | tuple):
            items = [{inner: one for inner, one in item.items() if one is not None} for item in value]
            found |= {name: items} if items else {}
        elif value is not None:
            found[name] = value
    return found


def differences(before: Fields, after: Fields) -> dict[str, tuple[Any, Any]]:
    """The fields that are not equal, in alphabetical order."""
    names = sorted(before.keys() | after.keys())
    return {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}


def shown(field: str, value: Any, *, reveal: bool) -> Any:
    """A value fit for JSON, times in Vietnamese wall time; personal ones are masked unless revealed."""
    if value is None:
        return None
    if not reveal and (field.startswith("applicant.") or field in PERSONAL):
        return MASK
    if isinstance(value, list):
        hidden = () if reveal else _PERSONAL_IN_STEPS
        return [{name: MASK if name in hidden else _plain(one) for name, one in item.items()} for item in value]
    return _plain(value)


def _plain(value: Any) -> Any:
    return value.astimezone(VN).isoformat() if isinstance(value, datetime) else to_jsonable_python(value)
