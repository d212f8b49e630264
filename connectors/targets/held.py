"""Reading what a target says it holds into national terms."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.targets.options import CodeForm
from schemas.identifiers import dossier_long, dossier_short
from schemas.states import State
from schemas.times import VN

_STATES = frozenset(map(int, State))
_TIME_FIELDS = frozenset({"received_at", "due_at"})
_CLOCK = r"(?P<hour>\d\d){0}(?P<minute>\d\d){0}(?P<second>\d\d)"
_COMPACT = re.compile(r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)" + _CLOCK.format(""), re.ASCII)
_SLASHED = re.compile(r"(?P<day>\d\d)/(?P<month>\d\d)/(?P<year>\d{4}) " + _CLOCK.format(":"), re.ASCII)


def national_state(value: object) -> int | None:
    """A national state written as a number or as its digits; ``None`` for anything else, never a guess."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value).strip()
    return int(text) if text.isascii() and text.isdigit() and int(text) in _STATES else None


def canonical_code(text: str) -> str:
    """The canonical dossier code; what is no dossier code stays as it is and will be unknown to us."""
    try:
        return dossier_short(text)
    except ValueError:
        return text.strip()


def written_forms(code: str, first: CodeForm) -> Sequence[str]:
    """The one or two ways a dossier code is written, the usual one first; what is no dossier code stays as it is."""
    try:
        forms = [dossier_short(code), dossier_long(code)]
    except ValueError:
        return (code,)
    return tuple(dict.fromkeys(forms if first == "short" else reversed(forms)))


def instant(text: str) -> str | None:
    """A local time of a target (``yyyyMMddHHmmss`` or ``dd/MM/yyyy HH:mm:ss``) as an ISO instant, or ``None``."""
    match = _COMPACT.fullmatch(text.strip()) or _SLASHED.fullmatch(text.strip())
    if match is None:
        return None
    try:
        moment = datetime(**{name: int(digits) for name, digits in match.groupdict().items()}, tzinfo=VN)
    except ValueError:
        return None
    return moment.isoformat()


def readable_fields(record: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, str]:
    """The fields of ``record`` that can be compared, under our names; what is absent or unreadable is left out.

    ``names`` maps the target's field names to ours. Times become ISO instants. Nothing personal is ever read.
    """
    found: dict[str, str] = {}
    for theirs, ours in names.items():
        value = record.get(theirs)
        if not isinstance(value, str) or not value.strip():
            continue
        text = instant(value) if ours in _TIME_FIELDS else value.strip()
        if text is not None:
            found[ours] = text
    return found
