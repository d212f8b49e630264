"""A dossier event as EMC receives it, from either encoding, as a pure function.

Seen in public sources: the fields, JSON with camelCase keys from newer senders and an urlencoded form from older ones
(one of which does not escape Vietnamese letters), numbers written as strings, siteId as the only credential.
Assumed: which fields an event cannot be counted without, and that an unknown status cannot be counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any
from urllib.parse import parse_qsl

import orjson

_FORM = "application/x-www-form-urlencoded"


class EventStatus(IntEnum):
    """What happened to the dossier, in EMC's own numbers."""

    OTHER = 0
    RECEIVED = 1
    PROCESSING = 2
    RETURNED = 3
    ASSIGNED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What is counted of an event; everything else stays in ``body``."""

    code: str
    procedure: str
    status: EventStatus
    site_id: int
    body: Mapping[str, Any]


def parse_event(content_type: str, content: bytes) -> Event:
    """Read a request body of the given media type; ValueError when it cannot be counted."""
    body = _form(content) if content_type.partition(";")[0].strip().lower() == _FORM else orjson.loads(content)
    if not isinstance(body, dict):
        raise ValueError("an event is an object")
    return Event(
        code=_filled(body, "codeProfile"),
        procedure=_filled(body, "codeTTHC"),
        status=EventStatus(_whole(body, "status")),
        site_id=_whole(body, "siteId"),
        body=body,
    )


def _form(content: bytes) -> dict[str, str]:
    return dict(parse_qsl(content.decode("utf-8", "replace"), keep_blank_values=True))


def _filled(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} is missing")
    return value


def _whole(body: Mapping[str, Any], name: str) -> int:
    text = str(body.get(name))
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{name} is not a whole number")
    return int(text)
