"""Waiting and repeating, with clocks and chances handed in."""

from datetime import UTC, datetime

import pytest

from connectors.errors import NotSent, OutcomeUnknown, Redirected, Refused, SignInFailed, Throttled
from connectors.outcomes import retry_after
from connectors.retry import RetryPolicy, repeat

NOW = datetime(2025, 8, 12, 3, 0, tzinfo=UTC)


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def monotonic(self) -> float:
        return self.now


def run(errors, *, chance=1.0, policy=None, **options):
    clock, left = Clock(), list(errors)

    def call() -> str:
        if left:
            raise left.pop(0)
        return "done"

    result = repeat(
        call,
        policy=policy or RetryPolicy(),
        sleep=clock.sleep,
        monotonic=clock.monotonic,
        chance=lambda: chance,
        **options,
    )
    return result, clock.waits


def test_waits_grow_and_are_jittered():
    errors = [NotSent("x", "down")] * 3
    assert run(errors) == ("done", [0.5, 1.0, 2.0])
    assert run(errors, chance=0.0) == ("done", [0.0, 0.0, 0.0])


def test_the_last_error_comes_out_unchanged_when_the_attempts_are_used_up():
    last = OutcomeUnknown("x", "the fourth")
    with pytest.raises(OutcomeUnknown) as caught:
        run([NotSent("x", "down")] * 3 + [last])
    assert caught.value is last


def test_what_the_system_asks_for_is_waited_in_full():
    assert run([Throttled("x", "slow down", retry_after_s=7)], chance=0.0) == ("done", [7.0])


def test_a_wait_beyond_the_budget_is_not_begun():
    with pytest.raises(Throttled):
        run([Throttled("x", "slow down", retry_after_s=900)], policy=RetryPolicy(budget_s=60))


@pytest.mark.parametrize("error", [Refused("x", "no"), SignInFailed("x", "who"), Redirected("x", "there")])
def test_what_will_not_change_is_not_repeated(error):
    with pytest.raises(type(error)):
        run([error])


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("1000000000", 900),
        ("9" * 400, 900),
        ("Tue, 12 Aug 2025 03:00:30 GMT", 30),
        ("Tue, 12 Aug 2025 02:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 900),
        ("soon", None),
        ("-5", None),
        ("", None),
        (None, None),
        ("٣", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_capped(header, seconds):
    assert retry_after(header, NOW) == seconds
