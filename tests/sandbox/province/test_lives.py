"""Laws that every life obeys, whatever the draws."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sandbox.province.calendar import DAY_S
from sandbox.province.draws import Draws
from sandbox.province.events import Event, What
from sandbox.province.lives import MAX_DAYS, MAX_DAYS_TO_ACCEPTANCE, Rules, live
from schemas.states import TERMINAL, State, is_legal

# Rare fates live at the ends of a draw: uniform numbers alone would hardly ever find them.
DRAW = st.one_of(
    st.integers(0, 2**32 - 1), st.integers(0, 2**25), st.integers(2**32 - 2**26, 2**32 - 1), st.just(2**32 - 1)
)
DRAWS = st.lists(DRAW, min_size=16, max_size=16).map(tuple)
RULES = st.builds(
    Rules,
    term_days=st.integers(1, 20),
    on_the_spot=st.sampled_from([0.0, 0.1, 0.9]),
    pays=st.booleans(),
    late=st.sampled_from([0.0, 0.01, 1.0]),
    stages=st.just(0),  # what travels has laws of its own
)
LIVES = st.builds(live, st.integers(0, 200 * DAY_S), RULES, DRAWS)


@given(LIVES)
def test_a_life_begins_with_filing_and_times_grow(life: tuple[Event, ...]) -> None:
    assert life[0].state is State.REGISTERED
    assert all(before.at < after.at for before, after in pairwise(life))


@given(LIVES)
def test_each_change_of_state_is_legal_and_nothing_else_changes_it(life: tuple[Event, ...]) -> None:
    for before, after in pairwise(life):
        assert is_legal(before.state, after.state)
        assert (before.state is not after.state) == (after.what in (What.ENTERED, What.ON_THE_SPOT))


@given(LIVES)
def test_a_life_comes_to_an_end(life: tuple[Event, ...]) -> None:
    assert life[-1].state in TERMINAL
    assert life[-1].at - life[0].at <= MAX_DAYS * DAY_S


@given(LIVES)
def test_acceptance_comes_once_and_soon_and_starts_the_term(life: tuple[Event, ...]) -> None:
    accepted = [event for event in life if event.state is State.ACCEPTED]
    assert len(accepted) == (life[-1].state is not State.REJECTED)
    for event in accepted:
        assert event.due_days > 0
        assert event.at - life[0].at <= MAX_DAYS_TO_ACCEPTANCE * DAY_S


def _due_day(life: tuple[Event, ...], until: Event) -> int:
    so_far = life[: life.index(until) + 1]
    accepted = next(event for event in so_far if event.state is State.ACCEPTED)
    return accepted.at // DAY_S + sum(event.due_days for event in so_far)


NEVER_LATE = RULES.map(lambda rules: rules._replace(late=0.0))


@given(st.builds(live, st.integers(0, 200 * DAY_S), NEVER_LATE, DRAWS))
def test_what_is_not_meant_to_be_late_is_on_time_through_all_waits_and_corrections(life: tuple[Event, ...]) -> None:
    for event in life:
        if event.state is State.COMPLETED:
            assert event.at < (_due_day(life, event) + 1) * DAY_S


ALWAYS_LATE = RULES.map(lambda rules: rules._replace(late=1.0, on_the_spot=0.0))  # on the spot, nothing is late


@given(st.builds(live, st.integers(0, 200 * DAY_S), ALWAYS_LATE, DRAWS))
def test_what_is_meant_to_be_late_is_late(life: tuple[Event, ...]) -> None:
    ready = [event for event in life if event.state is State.COMPLETED]
    if ready:
        assert ready[0].at > (_due_day(life, ready[0]) + 1) * DAY_S


@given(LIVES)
def test_waiting_for_the_applicant_moves_the_due_date(life: tuple[Event, ...]) -> None:
    waits = (State.SUPPLEMENT_REQUESTED, State.PAYMENT_REQUESTED)
    for before, after in pairwise(life):
        if before.state in waits and after.state is State.PROCESSING:
            assert after.due_days * DAY_S >= after.at - before.at


def test_all_fates_happen() -> None:
    """Over many draws every end, every correction and the recall turn up."""
    rules = Rules(term_days=5, on_the_spot=0.1, pays=True, late=0.01)
    seen: set[State] = set()
    happened: set[What] = set()
    recalled = 0
    fates = Draws(1, "fates")
    for number in range(20_000):
        life = live(0, rules, fates.of(number))
        seen |= {event.state for event in life}
        happened |= {event.what for event in life}
        recalled += any(event.state is State.RETURNED for event in life[:-1])
    assert seen == set(State)
    assert happened == set(What) - {What.ARRIVED, What.HEARD}
    assert recalled
