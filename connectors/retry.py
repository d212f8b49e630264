"""Repeating a read: exponential waits with full jitter, Retry-After honoured, a total budget.

Only for operations that change nothing: what a failed write means is decided per item, by its target. The budget is
small on purpose: what lasts longer is the scheduler's business, and retries must not multiply across layers.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception

from connectors.errors import ConnectorError, Intent, NoTurn, Redirected, Repeated, Throttled

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how long: at most ``attempts`` calls, no new one after ``budget_s`` seconds."""

    attempts: int = 4
    budget_s: float = 60.0
    first_wait_s: float = 0.5
    longest_wait_s: float = 20.0


def may_repeat(error: BaseException) -> bool:
    """Whether a read is worth repeating: not when a person, the data or the address must change first,
    nor when it was our own limits that did not let it go."""
    return (
        isinstance(error, ConnectorError)
        and error.intent in (Intent.RETRY, Intent.ASK)
        and not isinstance(error, Redirected | Repeated | NoTurn)
    )


def wait_s(policy: RetryPolicy, attempt: int, error: BaseException | None, chance: float) -> float:
    """Seconds before the next call. ``attempt`` counts from 1; ``chance`` is a random number in [0, 1).

    Full jitter: anything between zero and the exponential bound. What the system asked for is added, never shortened.
    """
    bound = min(policy.longest_wait_s, policy.first_wait_s * 2.0 ** (attempt - 1))
    asked = error.retry_after_s if isinstance(error, Throttled) and error.retry_after_s is not None else 0.0
    return asked + chance * bound


def repeat(
    call: Callable[[], T],
    *,
    policy: RetryPolicy | None = None,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
    chance: Callable[[], float] = random.random,
) -> T:
    """The result of ``call``, repeated while ``may_repeat`` says so; raises the last error unchanged.

    A wait that would end after the budget is not begun: the error is raised at once.
    """
    rules = policy or RetryPolicy()
    started = monotonic()

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        return wait_s(rules, state.attempt_number, error, chance())

    def stop(state: RetryCallState) -> bool:
        spent = monotonic() - started + state.upcoming_sleep
        return state.attempt_number >= rules.attempts or spent > rules.budget_s

    return Retrying(sleep=sleep, wait=wait, stop=stop, retry=retry_if_exception(may_repeat), reraise=True)(call)
