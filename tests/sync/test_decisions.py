"""Laws of the decisions taken while delivering."""

import random

from hypothesis import given
from hypothesis import strategies as st

from connectors.api import Outcome, Verdict
from connectors.catalog_models import InDoubt
from ledger.types import Settled, StepTotals
from sync.counting import count_rows
from sync.decisions import backoff_s, settled


@given(st.integers(min_value=0, max_value=10_000), st.none() | st.floats(min_value=0, max_value=900))
def test_the_wait_before_a_retry_is_bounded_and_never_shorter_than_the_target_asked_for(
    attempts: int, asked: float | None
) -> None:
    wait = backoff_s(attempts, asked, random.uniform)
    assert wait >= (asked or 0.0)
    assert wait <= max(300.0, asked or 0.0)


@given(st.integers(min_value=0, max_value=30))
def test_the_longest_possible_wait_grows_with_the_attempts(attempts: int) -> None:
    longest = [backoff_s(count, None, lambda _low, high: high) for count in (attempts, attempts + 1)]
    assert longest[0] <= longest[1]


@given(st.sampled_from(Outcome), st.sampled_from(InDoubt))
def test_an_unknown_outcome_is_given_up_only_where_the_catalog_says_so(outcome: Outcome, policy: InDoubt) -> None:
    booked = settled(Verdict("1", outcome), policy)
    assert (booked is Settled.GIVEN_UP) == (outcome is Outcome.IN_DOUBT and policy is InDoubt.GIVE_UP)
    assert (booked is Settled.ACCEPTED) == (outcome is Outcome.ACCEPTED)


_totals = st.builds(
    StepTotals,
    settled=st.integers(min_value=0, max_value=1000),
    in_flight=st.integers(min_value=0, max_value=1000),
    doubtful=st.integers(min_value=0, max_value=1000),
    doubled=st.integers(min_value=0, max_value=1000),
)


@given(
    st.dictionaries(st.integers(min_value=1, max_value=10), _totals),
    st.dictionaries(st.sampled_from(["status:0", "status:1", "status:2", "status:3", "status:9"]), st.integers(0, 99)),
)
def test_bucketing_loses_and_invents_no_step_and_keeps_every_bucket_of_the_target(
    ours: dict[int, StepTotals], theirs: dict[str, int]
) -> None:
    rows = count_rows(ours, {state: f"status:{state % 4}" for state in range(1, 11)}, theirs)
    assert sum(row.ours.settled for row in rows) == sum(totals.settled for totals in ours.values())
    assert sum(row.ours.doubtful for row in rows) == sum(totals.doubtful for totals in ours.values())
    assert sum(row.ours.doubled for row in rows) == sum(totals.doubled for totals in ours.values())
    assert {row.bucket: row.theirs for row in rows if row.bucket in theirs} == theirs
