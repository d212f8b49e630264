"""What a call of a system that calls us must be, and what it is answered. Pure: no network, no database.

Everything in a call is a stranger's until its secret has been compared. What a refusal says goes back to the caller,
so it names keys and limits and repeats nothing of the call.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from connectors.catalog_models import SourceEntry
from connectors.connections import ConnectionSettings
from connectors.cutting import Cuts
from connectors.errors import ConnectionMissing
from connectors.options.inbound import (
    Answers,
    InboundOptions,
    SecretAsBasic,
    SecretInHeader,
    SecretInPath,
    SecretInQuery,
)
from connectors.values import value_at

SHORTEST_SECRET = 16
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The head of a request. ``parts`` are those of its path behind the system's name; header names in lower case."""

    method: str
    parts: tuple[str, ...] = field(repr=False)
    query: Mapping[str, str] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    remote: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call worth keeping. ``content`` is the same for the same content, however it was written."""

    kind: str
    body: bytes = field(repr=False)
    content: bytes = field(repr=False)


class Refused(Exception):
    """The call says nothing that could be kept. The text tells the caller what to correct."""


def secret_of(settings: ConnectionSettings) -> str:
    """The secret that callers must know. Raises ``ConnectionMissing`` when there is none, or it can be guessed."""
    secret = settings.text("inbound_secret") or settings.password
    if len(secret) >= SHORTEST_SECRET:
        return secret
    what = f"is shorter than {SHORTEST_SECRET} characters" if secret else "is missing"
    raise ConnectionMissing(
        settings.conn_id,
        f"the secret of those who call us {what}",
        f"Put a long random one into connection '{settings.conn_id}': its password, or 'inbound_secret' of its extra",
    )


def knows_secret(options: InboundOptions, settings: ConnectionSettings, request: Request) -> bool:
    """Whether the caller knows the secret; takes the same time for any wrong one. Raises ``ConnectionMissing``."""
    wanted = secret_of(settings)
    match options.secret:
        case SecretInPath():
            given = request.parts[-1] if len(request.parts) > 1 else ""
        case SecretInQuery(name=name):
            given = request.query.get(name, "")
        case SecretInHeader(name=name):
            given = request.headers.get(name.lower(), "")
        case SecretAsBasic():
            wanted = f"{settings.login}:{wanted}"
            given = _basic(request.headers.get("authorization", ""))
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode())


def operation(options: InboundOptions, request: Request) -> str:
    """The name of what is called; empty when the path has another shape than the system's."""
    parts = request.parts[:-1] if isinstance(options.secret, SecretInPath) else request.parts
    return parts[0] if len(parts) == 1 else ""


def read_call(entry: SourceEntry, kind: str, body: bytes) -> Call:
    """The call in ``body``, without what the entry forbids to keep. Raises ``Refused``."""
    options: InboundOptions = entry.options
    value = _json_object(body, options)
    for path in (*options.requires, *options.calls[kind].requires):
        found = value_at(value, path)
        if found is None or (isinstance(found, str) and not found.strip()):
            raise Refused(f"Thiếu thông tin bắt buộc: {path}")
    body = body.removeprefix(_BOM)
    content = _sorted(value)
    Cuts(entry.cut).from_value(value)
    if (left := _sorted(value)) != content:
        body = content = left
    return Call(kind=kind, body=body, content=content)


def failure(answers: Answers, message: str) -> Any:
    """The answer of a failure."""
    return _with_message(answers.failure, message)


_NOT_JSON = "Nội dung phải là một đối tượng JSON hợp lệ (UTF-8)"


def _json_object(body: bytes, options: InboundOptions) -> dict[str, Any]:
    try:
        value = orjson.loads(body.removeprefix(_BOM))
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise Refused(_NOT_JSON)
    if _depth_exceeds(value, options.max_depth):
        raise Refused(f"Nội dung lồng quá {options.max_depth} cấp")
    return value


def _sorted(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _depth_exceeds(value: Any, most: int) -> bool:
    level = [value]
    for _ in range(most):
        level = [
            inner
            for node in level
            for inner in (node.values() if isinstance(node, dict) else node)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _basic(header: str) -> str:
    """``login:password`` of an Authorization header; empty when it holds none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def _with_message(value: Any, message: str) -> Any:
    if isinstance(value, str):
        return value.replace("{message}", message)
    if isinstance(value, Mapping):
        return {key: _with_message(inner, message) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_with_message(inner, message) for inner in value]
    return value
