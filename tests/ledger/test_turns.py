"""Who may call: the laws of the shared gate, tried over many orders of what processes tell. No database, no clock."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.turns import GateRules, GateState, Grant, Shut, Told, decide

NOON = datetime(2026, 3, 2, 5, tzinfo=UTC)
WORKERS = [UUID(int=number) for number in range(1, 5)]
A, B = WORKERS[:2]


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def told(worker: UUID = A, **changes: Any) -> Told:
    given_: dict[str, Any] = {"holder": worker, "wants": 4}
    return Told(**(given_ | changes))


class Play:
    """A gate whose processes speak one after the other."""

    def __init__(self, **rules: Any) -> None:
        self.rules = GateRules(**rules)
        self.state = GateState()
        self.grants: dict[UUID, Grant] = {}
        self.spoke: dict[UUID, float] = {}

    def say(self, seconds: float, worker: UUID = A, **changes: object) -> Grant:
        self.state, grant = decide(self.state, self.rules, told(worker, **changes), at(seconds))
        self.grants[worker], self.spoke[worker] = grant, seconds
        return grant


# --- calls at once ----------------------------------------------------------------------------------------------

speeches = st.lists(
    st.tuples(
        st.sampled_from(WORKERS),
        st.floats(min_value=0, max_value=8),  # seconds since the one before
        st.integers(min_value=0, max_value=6),  # wants
        st.integers(min_value=0, max_value=6),  # of those it was granted, still under way
        st.booleans(),  # a sign of overload
    ),
    max_size=40,
)


@given(speeches, st.integers(min_value=1, max_value=9))
def test_never_more_calls_at_once_than_the_quota_whatever_is_told_and_who_dies(
    spoken: list[tuple[UUID, float, int, int, bool]], quota: int
) -> None:
    play = Play(concurrent=quota, slot_s=10.0)
    busy: dict[UUID, int] = {}
    now = 0.0
    for worker, later, wants, under_way, slowed in spoken:
        now += later
        expired = [each for each, spoke in play.spoke.items() if now - spoke >= 10.0]
        for each in expired:  # its calls must be over by now, and it begins none
            busy.pop(each, None)
            del play.spoke[each], play.grants[each]
        held = play.grants[worker].slots if worker in play.grants else 0
        busy[worker] = max(min(under_way, max(held, busy.get(worker, 0))), 0)
        play.say(now, worker, wants=wants, busy=busy[worker], slowed=slowed)
        for each, grant in play.grants.items():  # every process uses all it may
            busy[each] = max(busy.get(each, 0), grant.slots)
        assert sum(busy.values()) <= quota


def test_two_processes_come_to_equal_shares_and_one_alone_gets_all() -> None:
    play = Play(concurrent=8)
    assert play.say(0, A, wants=8).slots == 8
    assert play.say(0.1, B, wants=8).slots == 0
    assert play.say(0.2, A, wants=8, busy=4).slots == 4
    assert play.say(0.3, B, wants=8).slots == 4
    assert play.say(0.4, A, wants=0).slots == 0
    assert play.say(0.5, B, wants=8).slots == 8


def test_what_a_killed_process_held_is_free_once_its_calls_must_be_over() -> None:
    play = Play(concurrent=4, slot_s=30)
    assert play.say(0, A).slots == 4
    assert play.say(29, B).slots == 0
    assert play.say(31, B).slots == 4


def test_a_target_that_is_too_slow_gets_fewer_calls_at_once_and_more_again_with_its_answers() -> None:
    play = Play(concurrent=8)
    assert play.say(0, wants=8).slots == 8
    assert play.say(2, wants=8, failed=1, slowed=True).slots == 4
    assert play.say(2.5, wants=8, failed=1, slowed=True).slots == 4, "calls under way together are one sign"
    assert play.say(4, wants=8, failed=1, slowed=True).slots == 2
    assert play.say(5, wants=8, answered=20, taken=True).slots == 4
    assert play.say(6, wants=8, answered=200, taken=True).slots == 8


def test_without_a_quota_the_pace_counts_for_each_process_alone() -> None:
    play = Play()
    assert play.say(0).slots == play.say(0, B).slots == 4
    assert play.say(2, slowed=True).slots == 2


# --- calls in a second, calls in a day --------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.sampled_from(WORKERS), st.floats(min_value=0, max_value=0.7)), min_size=1, max_size=60),
    st.sampled_from([0.5, 3.0, 20.0, 300.0]),
)
def test_turns_of_all_processes_together_are_never_closer_than_the_limit(
    spoken: list[tuple[UUID, float]], per_second: float
) -> None:
    play = Play(per_second=per_second)
    now, begins = 0.0, []
    for worker, later in spoken:
        now += later
        grant = play.say(now, worker, turns=50)
        begins += [now + grant.first_turn_s + number * grant.turn_gap_s for number in range(grant.turns)]
    begins.sort()
    for first in begins:
        assert sum(first <= each < first + max(1.0, 1 / per_second) for each in begins) <= max(1, per_second)


def test_the_calls_of_a_day_are_counted_over_all_and_begin_anew_at_midnight_in_vietnam() -> None:
    play = Play(per_day=10)
    assert play.say(0, A, turns=7).turns == 7
    assert play.say(1, B, turns=7).turns == 3
    shut = play.say(2, A, turns=1)
    assert (shut.shut, shut.until) == (Shut.DAY, datetime(2026, 3, 2, 17, tzinfo=UTC))
    play.say(3, B, wants=0, unused=2)
    assert play.say(4, A, turns=5).turns == 2
    assert play.say(13 * 3600, A, turns=5).turns == 5


# --- a target that does not answer ------------------------------------------------------------------------------


def broken(play: Play) -> None:
    for second in range(3):
        play.say(second, A, failed=1, trailing=1)


def test_after_failures_in_a_row_nobody_calls_then_exactly_one_tries_and_its_success_lets_all_go_on() -> None:
    play = Play(failures=3, rest_s=30)
    broken(play)
    assert play.grants[A].shut is play.say(3, B).shut is Shut.BROKEN
    assert (play.say(32.5, B).slots, play.grants[B].trying) == (1, True)
    assert play.say(33, A).shut is Shut.BROKEN, "another one is trying"
    again = play.say(34, B, answered=1, taken=True)
    assert (again.shut, again.trying, again.slots) == (None, False, 4)
    assert play.say(35, A).slots == 4


def test_each_try_that_fails_doubles_the_rest_up_to_a_limit() -> None:
    play = Play(failures=3, rest_s=30, longest_rest_s=100)
    broken(play)
    rests = []
    now = 40.0
    for _ in range(4):
        assert play.say(now).trying
        shut = play.say(now + 1, failed=1, trailing=1)
        assert shut.until is not None
        rests.append((shut.until - at(now + 1)).total_seconds())
        now += 200
    assert rests == [60, 100, 100, 100]


def test_a_process_that_dies_while_trying_is_followed_by_another() -> None:
    play = Play(failures=3, rest_s=30, slot_s=20)
    broken(play)
    assert play.say(40, A).trying
    assert play.say(50, B).shut is Shut.BROKEN
    assert play.say(61, B).trying


def test_a_process_that_leaves_without_having_tried_lets_another_one_try() -> None:
    play = Play(failures=3, rest_s=30)
    broken(play)
    assert play.say(40, A).trying
    play.say(41, A, wants=0)
    assert play.say(42, B).trying


def test_failures_between_answers_break_nothing() -> None:
    play = Play(failures=3)
    for second in range(10):
        assert play.say(second, failed=2, trailing=2, answered=1).shut is None


def test_a_target_that_asks_to_be_left_alone_is_left_alone_by_all() -> None:
    play = Play()
    shut = play.say(0, A, failed=1, asked_s=60.0)
    assert (shut.shut, shut.until) == (Shut.ASKED, at(60))
    assert play.say(59, B).shut is Shut.ASKED
    assert play.say(61, B).shut is None


@pytest.mark.parametrize(
    ("until", "later", "expected"), [(None, 9e6, Shut.PAUSED), (60.0, 59.0, Shut.PAUSED), (60.0, 61.0, None)]
)
def test_a_pause_holds_until_a_person_or_its_end_and_readers_do_not_mind(
    until: float | None, later: float, expected: Shut | None
) -> None:
    play = Play()
    play.state = replace(play.state, paused_since=NOON, paused_until=at(until) if until else None)
    assert play.say(later).shut is expected
    assert play.say(later, B, reads_only=True).shut is None


# --- retries ----------------------------------------------------------------------------------------------------


def test_failed_retries_stay_a_share_of_all_calls() -> None:
    play = Play(retry_share=0.2, failures=10**6)
    allowed = failed = 0
    for second in range(1000):
        grant = play.say(second / 1000, answered=10, failed=allowed, failed_retries=allowed)
        failed += allowed
        allowed = min(grant.retries, 10)
    assert failed <= 50 + 0.2 * 10 * 1000 + 1
    assert play.say(1.1).retries < 10


def test_retries_that_go_well_cost_nothing() -> None:
    play = Play()
    for second in range(100):
        assert play.say(second / 1000, answered=10).retries == 50
