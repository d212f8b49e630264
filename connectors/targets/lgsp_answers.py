"""What the provincial gateway and the Document API behind it mean by an answer. Pure.

The API answers ``{"Status": int, "Message": string}``, usually with HTTP 200 whatever happened. In front of it stands a
WSO2 gateway with an answer form and codes of its own: it may have turned the call away, or lost it half-way.
"""

import re
from collections.abc import Mapping

from connectors.errors import BrokenAnswer, ConnectorError, Throttled
from connectors.http import Answer
from connectors.outcomes import of_status
from connectors.targets.answers import Kind, Reply, of_error
from connectors.targets.options import LgspDocumentOptions

GATEWAY_STATUS = frozenset({500, 502, 503, 504})
"""Statuses beside which the gateway may explain itself in its own form."""

_INTEGER = re.compile(r"-?\d{1,9}", re.ASCII)
_THROTTLED = range(900800, 900808)
_NOT_ALLOWED = frozenset({900908, 900910})
_NOT_CONNECTED = 101503
"""The gateway could not reach the service, and had sent nothing. Its neighbours (101500 to 101508 and these plus a
connection state) are ambiguous: some mean a time-out after the whole request was sent."""


def classify_answer(answer: Answer, options: LgspDocumentOptions) -> Reply:
    """The meaning of a complete answer."""
    error = of_status(answer.system, answer.where, answer.status, answer.headers, answer.body)
    try:
        body = answer.json_object()
    except BrokenAnswer as broken:
        return of_error(error or broken)
    fault = body.get("fault")
    if isinstance(fault, Mapping):
        return _of_gateway(answer, _number(fault.get("code")), error)
    status = _number(body.get("Status"))
    if error is not None and (status is None or answer.status >= 500):
        return of_error(error)
    if status is None:
        return Reply(kind=Kind.UNCLEAR, reason=f"{answer.where}: the answer has no Status")
    if status not in options.success_status:
        message = body.get("Message")
        words = message if isinstance(message, str) else ""
        return Reply(kind=Kind.REFUSED, reason=f"refused by the provincial system (Status {status})", said=words)
    if error is not None:
        return Reply(kind=Kind.UNCLEAR, reason=f"{answer.where}: HTTP {answer.status}, but Status {status} says done")
    return Reply(kind=Kind.DONE)


def _of_gateway(answer: Answer, code: int | None, error: ConnectorError | None) -> Reply:
    """The gateway speaks, not the service. An unknown code leaves the meaning of the HTTP status, and 200 unclear."""
    named = f"{answer.where}: the gateway answers {code}"
    wait_s = error.retry_after_s if isinstance(error, Throttled) else None
    if code in _THROTTLED:
        return Reply(kind=Kind.NOT_NOW, reason=f"{named}, too many calls", retry_after_s=wait_s)
    if code in _NOT_ALLOWED:
        return Reply(
            kind=Kind.NOT_NOW, reason=f"{named}: this account may not use the API. Ask its owner to subscribe it"
        )
    if code == _NOT_CONNECTED:
        return Reply(kind=Kind.NOT_NOW, reason=f"{named}, it cannot reach the service", retry_after_s=wait_s)
    return Reply(kind=Kind.UNCLEAR, reason=named) if error is None else of_error(error)


def _number(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    return int(value) if _INTEGER.fullmatch(str(value).strip()) else None
