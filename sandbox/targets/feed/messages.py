"""What a receiver of the status feed checks: whose call it is, and whether the message can be understood. Pure.

The signature is that of Standard Webhooks 1.0: HMAC-SHA256 with the shared secret over ``id.timestamp.body``, in Base64
behind ``v1,``; several signatures with spaces between, of which one must fit; nothing older or newer than five minutes.
Ours by choice: a message is about one dossier, carries its version, and is answered 422 when it cannot be understood.
"""

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from schemas.states import State

TOLERANCE_S = 300


class TurnedAwayError(ValueError):
    """The call is not from whom it should be, or not from now; the text says which, never what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Where a dossier stands, as the feed tells it."""

    id: str
    code: str
    version: int
    state: int
    body: Mapping[str, Any]


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
    """The id of a call that is really the sender's; TurnedAwayError for any other."""
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not message_id or not timestamp.isdigit():
        raise TurnedAwayError("unsigned")
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE_S:
        raise TurnedAwayError("too old or too new")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, "sha256").digest())
    given = headers.get("webhook-signature", "").split()
    if not any(hmac.compare_digest(one, f"v1,{expected.decode()}") for one in given):
        raise TurnedAwayError("bad signature")
    return message_id


def parse(message_id: str, content: bytes) -> list[Message]:
    """The messages of a body, one object or an array; ValueError when one cannot be understood."""
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise ValueError("the body is not JSON") from None
    return [_message(message_id, one) for one in (found if isinstance(found, list) else [found])]


def _message(message_id: str, body: Any) -> Message:
    if not isinstance(body, dict):
        raise ValueError("a message is an object")
    code, version, state = body.get("code"), body.get("version"), body.get("state")
    if not isinstance(code, str) or not code:
        raise ValueError("code is missing")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ValueError("version is not a number from 1")
    if not isinstance(state, int) or state not in set(map(int, State)):
        raise ValueError("state is not a national state")
    return Message(id=message_id, code=code, version=version, state=state, body=body)
