"""What several outcomes of one dossier add up to, without a database."""

from hypothesis import given
from hypothesis import strategies as st

from ledger.settling import FORWARD, effect_of, given_up
from ledger.types import Phase, Settled, Settlement


def step(number: int, outcome: Settled, **changes: object) -> Settlement:
    given: dict[str, object] = {"dossier_id": 1, "token": 1, "phase": Phase.STEP, "version": 3}
    return Settlement(**(given | {"outcome": outcome, "step": number} | changes))  # type: ignore[arg-type]


outcomes = st.lists(st.sampled_from(list(Settled)), min_size=1, max_size=6)


@given(outcomes)
def test_acknowledged_steps_have_no_gap(told: list[Settled]) -> None:
    effect = effect_of([step(number, outcome) for number, outcome in enumerate(told, start=1)])
    good = 0
    while good < len(told) and told[good] in FORWARD:
        good += 1
    assert effect.acked_step == (good or None)


@given(outcomes)
def test_the_gravest_outcome_decides_how_it_ends(told: list[Settled]) -> None:
    effect = effect_of([step(number, outcome) for number, outcome in enumerate(told, start=1)])
    grave = [outcome for outcome in (Settled.IN_DOUBT, Settled.REJECTED, Settled.RETRY) if outcome in told]
    assert effect.ending == (grave[0] if grave else "done")
    assert (effect.doubt_phase is None) == (Settled.IN_DOUBT not in told)


def test_a_doubt_names_the_last_step_that_may_have_arrived() -> None:
    told = [step(1, Settled.ACCEPTED), step(2, Settled.IN_DOUBT, delay_s=5), step(3, Settled.IN_DOUBT)]
    effect = effect_of(told)
    assert (effect.acked_step, effect.doubt_step, effect.delay_s) == (1, 3, 5)


def test_an_accepted_dossier_counts_though_a_step_of_it_failed() -> None:
    told = [
        step(0, Settled.ACCEPTED, phase=Phase.DOSSIER, fingerprint=b"f"),
        step(1, Settled.REJECTED, reason="no such officer"),
    ]
    effect = effect_of(told)
    assert (effect.acked_version, effect.fingerprint, effect.known) == (3, b"f", True)
    assert (effect.ending, effect.outcome, effect.reason) == ("rejected", "rejected", "no such officer")


def test_steps_given_up_behind_accepted_ones_start_there() -> None:
    told = [step(4, Settled.ACCEPTED), step(6, Settled.GIVEN_UP), step(7, Settled.ACCEPTED)]
    assert [(each.after, each.step) for each in given_up(told)] == [(4, 6)]
    assert effect_of(told).acked_step == 7


@given(outcomes)
def test_what_a_target_is_never_told_is_passed_over_only_with_what_it_took(told: list[Settled]) -> None:
    steps_only = effect_of([step(number, outcome, passes=3) for number, outcome in enumerate(told, start=1)])
    assert steps_only.acked_version == (3 if told[0] in FORWARD else None)
    assert not steps_only.known
    for outcome in told:
        records_only = effect_of([step(0, outcome, phase=Phase.DOSSIER, passes=7)])
        assert records_only.acked_step == (7 if outcome in FORWARD else None)
