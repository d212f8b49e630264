"""What an answer means for the items of the call it belongs to: the same few kinds for every target.

Pure decisions. A target's own module reads an answer into a ``Reply``; ``verdict`` turns it into the outcome of one
item. A failed exchange (an error of ``connectors.errors``) becomes a ``Reply`` by ``of_error``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType

from connectors.api import Item, Outcome, Verdict
from connectors.errors import ConnectorError, Intent, NotSignedIn, OutcomeUnknown, Refused, Throttled
from connectors.http import Answer
from connectors.outcomes import of_status
from connectors.targets.words import quoted


class Kind(StrEnum):
    """What the target did with a call."""

    DONE = "done"
    EXISTS = "exists"  # refused: it holds this already
    MISSING = "missing"  # refused: it does not hold the dossier
    REFUSED = "refused"  # refused for what the data say
    SIGN_IN = "sign-in"  # turned away: the session or token is over
    NOT_NOW = "not-now"  # surely not applied, and the data is not at fault
    UNCLEAR = "unclear"  # nobody knows whether it was applied


OUTCOMES: Mapping[Kind, Outcome] = MappingProxyType(
    {
        Kind.DONE: Outcome.ACCEPTED,
        Kind.EXISTS: Outcome.REJECTED,
        Kind.MISSING: Outcome.REJECTED,
        Kind.REFUSED: Outcome.REJECTED,
        Kind.SIGN_IN: Outcome.RETRY,
        Kind.NOT_NOW: Outcome.RETRY,
        Kind.UNCLEAR: Outcome.IN_DOUBT,
    }
)

_MARKUP = ("text/html", "application/xhtml+xml")
_DATA_AT_FAULT = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.CONFLICT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)

OWN_WORDS_STATUS: frozenset[int] = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.CONFLICT,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
"""Statuses beside which a service may explain itself in the body, in its ordinary form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One call's answer, understood. ``reason`` is ours; ``said`` are the target's raw words and never leave here.

    ``given``: dossiers that the target took under another code, which it names, by our code.
    """

    kind: Kind
    reason: str = ""
    said: str = field(default="", repr=False)
    retry_after_s: float | None = None
    given: Mapping[str, str] = field(default_factory=dict)


def of_error(error: ConnectorError) -> Reply:
    """What a failed exchange means for a write.

    An HTTP refusal without a word of the service (403, 404, 405 …) comes from a gateway or a wrong path. It would
    refuse every dossier alike, so it is no verdict about one: everything waits until a person has put it right.
    """
    if isinstance(error, NotSignedIn):
        return Reply(kind=Kind.SIGN_IN, reason=str(error))
    if isinstance(error, Throttled):
        return Reply(kind=Kind.NOT_NOW, reason=str(error), retry_after_s=error.retry_after_s)
    if isinstance(error, Refused):
        kind = Kind.REFUSED if error.status in _DATA_AT_FAULT else Kind.NOT_NOW
        return Reply(kind=kind, reason=str(error))
    if error.intent is Intent.ASK:
        return Reply(kind=Kind.UNCLEAR, reason=str(error))
    return Reply(kind=Kind.NOT_NOW, reason=str(error))


def of_bare_status(answer: Answer) -> Reply:
    """The meaning of an answer where a 2xx is all that a target ever says, and its body means nothing."""
    error = of_status(answer.system, answer.where, answer.status, answer.headers, answer.body)
    if error is not None:
        return of_error(error)
    if answer.body and (answer.media_type in _MARKUP or answer.body[:64].lstrip().startswith(b"<")):
        # A page is somebody else speaking: a firewall, a sign-in page.
        return Reply(kind=Kind.UNCLEAR, reason=f"{answer.where}: HTTP {answer.status} with a page of markup")
    return Reply(kind=Kind.DONE)


def held_back(reply: Reply) -> Reply:
    """The reply for what was not sent any more, because of what an earlier call brought."""
    return Reply(
        kind=Kind.NOT_NOW,
        reason=f"not sent, an earlier call of the same run failed: {reply.reason}",
        retry_after_s=reply.retry_after_s,
    )


def stops_the_run(reply: Reply) -> bool:
    """Whether further calls are pointless (nobody signs us in) or unwise (a target that does not answer properly)."""
    return reply.kind in (Kind.SIGN_IN, Kind.NOT_NOW, Kind.UNCLEAR)


def raised(system: str, where: str, reply: Reply) -> ConnectorError:
    """The same reply as an error, for a read that did not get what it asked for."""
    words = quoted(reply.said)
    message = f"{where}: {reply.reason}" + (f": “{words}”" if words else "")
    if reply.kind is Kind.NOT_NOW:
        return Throttled(system, message, retry_after_s=reply.retry_after_s)
    return OutcomeUnknown(system, message) if reply.kind is Kind.UNCLEAR else Refused(system, message)


def verdicts_of(items: Sequence[Item], reply: Reply) -> list[Verdict]:
    """The outcome of every item of one call."""
    if OUTCOMES[reply.kind] is Outcome.ACCEPTED:  # what was said needs no quoting, which reads every payload
        given = reply.given
        return [Verdict(item.key, Outcome.ACCEPTED, held_as=given.get(item.code, item.held_as)) for item in items]
    payloads = [item.payload for item in items]
    return [_not_accepted(item, reply, payloads) for item in items]


def verdict(item: Item, reply: Reply) -> Verdict:
    """The outcome of one item, of a call of its own."""
    (alone,) = verdicts_of([item], reply)
    return alone


def _not_accepted(item: Item, reply: Reply, payloads: Sequence[Mapping[str, object]]) -> Verdict:
    """``payloads`` is all that went out with the call: the target's words may repeat any of it."""
    outcome = OUTCOMES[reply.kind]
    words = quoted(reply.said, payloads)
    return Verdict(
        key=item.key,
        outcome=outcome,
        reason=f"{reply.reason}: “{words}”" if words else reply.reason,
        retry_after_s=reply.retry_after_s if outcome is Outcome.RETRY else None,
    )


def unchanged(item: Item, reply: Reply) -> Verdict:
    """The outcome of an item that the target holds already, just so."""
    return replace(verdict(item, reply), outcome=Outcome.UNCHANGED)
