"""What is decided while delivering, as pure functions: no clock, no network, no database."""

from collections.abc import Callable
from typing import Any

from connectors.api import Held, Outcome, Verdict
from connectors.catalog_models import InDoubt
from connectors.traffic import Retries
from ledger.types import Claimed, Patience, Phase, Settled

_BASE_DELAY_S = 2.0
_MAX_DELAY_S = 300.0


def backoff_s(attempts: int, asked_s: float | None, draw: Callable[[float, float], float]) -> float:
    """Seconds to wait before trying again: exponential with full jitter, never less than the target asked for.

    ``draw(low, high)`` picks a number between the two (``random.uniform``); ``attempts`` counts those already made.
    """
    ceiling = min(_MAX_DELAY_S, _BASE_DELAY_S * 2 ** min(attempts, 16))
    return max(draw(0.0, ceiling), asked_s or 0.0)


def patience(retries: Retries) -> Patience:
    """When a record is given up, in the ledger's terms."""
    return Patience(
        strikes=retries.attempts,
        longest_s=retries.longest.total_seconds(),
        alone_s=retries.alone.total_seconds(),
    )


def settled(verdict: Verdict, policy: InDoubt) -> Settled:
    """How the ledger books a verdict, given what the catalog says to do with unknown outcomes."""
    match verdict.outcome:
        case Outcome.ACCEPTED:
            return Settled.ACCEPTED
        case Outcome.UNCHANGED:
            return Settled.UNCHANGED
        case Outcome.REJECTED:
            return Settled.REJECTED
        case Outcome.RETRY:
            return Settled.RETRY
        case Outcome.IN_DOUBT:
            return Settled.GIVEN_UP if policy is InDoubt.GIVE_UP else Settled.IN_DOUBT


def applied_for_sure(row: Claimed, held: Held | None) -> bool:
    """Whether the target's answer proves that the dossier message in doubt was applied.

    It does when the target did not hold the dossier before and holds it now, in the state that was sent, and nothing
    changed since. What is there under another code may have been there before, and so may what the target acknowledged
    or was found to hold (``known``): its state alone does not tell one version from another. In every other case the
    message is sent again as an update, which overwrites and so can't double.
    """
    doubt = row.doubt
    return (
        doubt is not None
        and doubt.phase is Phase.DOSSIER
        and held is not None
        and held.held_as is None
        and not row.known
        and doubt.version == row.version
        and held.state == row.dossier["state"]
    )


def not_yet_there(steps: list[dict[str, Any]], held: Held | None) -> list[dict[str, Any]]:
    """Of several steps that the target may have been told of, those behind the one that it shows; all when it shows
    another state: then it stands before them.
    """
    shown = [place for place, step in enumerate(steps) if held is not None and step["state"] == held.state]
    return steps[shown[-1] + 1 :] if shown else steps
