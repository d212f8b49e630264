"""What provincial systems mean by a status and a JSON object beside it. Pure.

A success is an object that shows what was stored; a refusal is 400, 404, 409 or 422 with the reason in ``message`` or
``description``.
"""

from collections.abc import Sequence
from dataclasses import replace

from connectors.errors import BrokenAnswer
from connectors.http import Answer
from connectors.targets.answers import Kind, Reply, of_bare_status, of_error

_WORDS = ("message", "description")


def classify_answer(answer: Answer, *, shows: Sequence[str] = ()) -> Reply:
    """The meaning of an answer to a write. ``shows``: a success names one of these; none: any object will do."""
    reply = of_bare_status(answer)
    if reply.kind not in (Kind.DONE, Kind.REFUSED):
        return reply
    try:
        body = answer.json_object()
    except BrokenAnswer as broken:
        return of_error(broken) if reply.kind is Kind.DONE else reply
    if reply.kind is Kind.REFUSED:
        said = next((words for name in _WORDS if isinstance(words := body.get(name), str) and words), "")
        return replace(reply, reason="refused by the provincial system", said=said)
    if shows and not any(body.get(name) for name in shows):
        return Reply(kind=Kind.UNCLEAR, reason=f"{answer.where}: the answer does not show what was stored")
    return reply
