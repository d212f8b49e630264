"""The ten national states and the transitions between them."""

import pytest

from schemas.states import LABELS_VI, LEGAL, TERMINAL, State, is_legal


def test_the_numbers_are_those_of_the_national_portal() -> None:
    assert [state.value for state in State] == list(range(1, 11))


def test_every_state_has_a_vietnamese_label_and_a_row_of_transitions() -> None:
    assert set(LABELS_VI) == set(LEGAL) == set(State)


@pytest.mark.parametrize("state", State)
def test_repeating_a_state_is_a_step_and_always_legal(state: State) -> None:
    assert is_legal(state, state)


@pytest.mark.parametrize("state", sorted(TERMINAL - {State.RETURNED}))
def test_nothing_follows_a_refused_withdrawn_or_stopped_dossier(state: State) -> None:
    assert state.is_terminal
    assert not any(is_legal(state, other) for other in State if other != state)


def test_a_returned_result_may_only_be_recalled() -> None:
    assert State.RETURNED.is_terminal
    assert LEGAL[State.RETURNED] == {State.COMPLETED, State.PROCESSING}


def test_every_state_can_be_reached_by_legal_steps_from_registration() -> None:
    reached = {State.REGISTERED}
    while new := {after for before in reached for after in LEGAL[before]} - reached:
        reached |= new
    assert reached == set(State)


@pytest.mark.parametrize("state", sorted(set(State) - TERMINAL))
def test_every_open_state_can_still_come_to_an_end(state: State) -> None:
    reached = {state}
    while new := {after for before in reached for after in LEGAL[before]} - reached:
        reached |= new
    assert reached & TERMINAL


@pytest.mark.parametrize(
    ("before", "after"),
    [(State.REGISTERED, State.COMPLETED), (State.PROCESSING, State.REGISTERED), (State.COMPLETED, State.WITHDRAWN)],
)
def test_a_jump_over_the_rules_is_not_legal(before: State, after: State) -> None:
    assert not is_legal(before, after)
