"""Dossiers that travel: each system tells its own part, and the parts together are the whole life."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.province.calendar import DAY_S
from sandbox.province.catalogue import FORWARDED_TO, PROCEDURES
from sandbox.province.events import HOME, Event, What
from sandbox.province.lives import MAX_DAYS_TO_ARRIVAL, Rules, live
from sandbox.province.province import Province
from sandbox.province.reading import Reading
from sandbox.province.sectors import OTHER_PROVINCES, System
from schemas.codes import Channel
from schemas.states import TERMINAL, State, is_legal
from schemas.times import VN

AS_OF = datetime(2026, 6, 30, 17, 0, tzinfo=VN)
SIZE = 20_000
PROVINCE = Province(seed=7, size=SIZE, as_of=AS_OF)
NOW = PROVINCE.tick(AS_OF)
TRAVELLERS = [number for number in range(SIZE) if len(PROVINCE.systems(number)) > 1]

# Rare fates live at the ends of a draw.
DRAW = st.one_of(st.integers(0, 2**32 - 1), st.integers(0, 2**25), st.integers(2**32 - 2**26, 2**32 - 1))
DRAWS = st.lists(DRAW, min_size=16, max_size=16).map(tuple)


def rules(stages: int, late: float = 0.01, term_days: int = 1) -> Rules:
    return Rules(term_days=term_days, on_the_spot=0.1, pays=True, late=late, stages=stages)


STAYING = st.builds(rules, stages=st.just(0), late=st.sampled_from([0.0, 1.0]), term_days=st.integers(1, 20))
FILED = st.integers(0, 200 * DAY_S)


@given(FILED, STAYING, DRAWS, st.integers(1, 3))
@settings(max_examples=300)
def test_travelling_changes_who_tells_and_neither_the_end_nor_when_the_result_is_ready(
    filed: int, staying: Rules, draws: tuple[int, ...], stages: int
) -> None:
    alone = live(filed, staying, draws)
    travelled = live(filed, staying._replace(stages=stages), draws)
    assert (alone[-1].state, alone[-1].at) == (travelled[-1].state, travelled[-1].at)
    assert sum(event.due_days for event in alone) == sum(event.due_days for event in travelled)
    assert _ready(alone) == _ready(travelled)


def _ready(life: tuple[Event, ...]) -> set[int]:
    """When results were ready for good: made, and not merely one system's part of it."""
    made = [
        (one, after) for one, after in pairwise(life) if one.state is State.COMPLETED and one.what is not What.HEARD
    ]
    return {one.at for one, after in made if after.what is not What.ARRIVED}


@given(FILED, STAYING, DRAWS, st.integers(1, 3))
@settings(max_examples=300)
def test_the_whole_and_each_part_go_by_the_national_rules(
    filed: int, staying: Rules, draws: tuple[int, ...], stages: int
) -> None:
    life = live(filed, staying._replace(stages=stages), draws)
    assert all(before.at < after.at for before, after in pairwise(life))
    for teller in {event.teller for event in life}:
        told = [event.state for event in life if event.teller == teller]
        assert all(is_legal(before, after) for before, after in pairwise(told))
    assert all(is_legal(before.state, after.state) for before, after in pairwise(life))
    for before, after in pairwise(life):
        if before.state is not after.state:
            assert after.what in (What.ENTERED, What.ON_THE_SPOT, What.ARRIVED)


# Only what is done within a day or two goes through more than one further system.
JOURNEYS = st.builds(rules, stages=st.just(1), term_days=st.integers(1, 20)) | st.builds(rules, st.integers(1, 3))


@given(FILED, JOURNEYS, DRAWS)
@settings(max_examples=300)
def test_systems_get_it_one_after_the_other_once_it_was_forwarded(
    filed: int, journey: Rules, draws: tuple[int, ...]
) -> None:
    life = live(filed, journey, draws)
    came = list(dict.fromkeys(event.teller for event in life))
    assert came == list(range(len(came)))
    assert came[-1] <= journey.stages
    forwarded = next((event.at for event in life if event.state is State.PROCESSING), None)
    for teller in came[1:]:
        first = next(event for event in life if event.teller == teller)
        assert first.what is What.ARRIVED
        assert forwarded is not None
        assert forwarded <= first.at
        assert first.at - filed <= MAX_DAYS_TO_ARRIVAL * DAY_S


@given(FILED, DRAWS, st.integers(1, 3), st.integers(1, 20))
@settings(max_examples=300)
def test_the_home_hears_of_a_result_later_but_not_too_late(
    filed: int, draws: tuple[int, ...], stages: int, term_days: int
) -> None:
    life = live(filed, rules(stages, late=0.0, term_days=term_days), draws)
    heard = [event for event in life if event.what is What.HEARD]
    for event in heard:
        made = max(
            one.at for one in life if one.state is State.COMPLETED and one.what is What.ENTERED and one.at < event.at
        )
        accepted = next(one for one in life if one.state is State.ACCEPTED)
        due_day = accepted.at // DAY_S + sum(one.due_days for one in life if one.at <= event.at)
        assert made < event.at < (due_day + 1) * DAY_S + DAY_S // 100


def test_what_is_settled_at_the_counter_goes_nowhere_and_its_four_steps_take_less_than_an_hour() -> None:
    spot = 0
    for number in range(3000):
        life = PROVINCE.life(number)
        times = [event.at for event in life if event.what is What.ON_THE_SPOT]
        if not times:
            continue
        spot += 1
        assert times[-1] - times[0] < 3600
        assert PROVINCE.systems(number) == (PROVINCE.system(number),)
        steps = PROVINCE.reading(number, life[-1].at + 1).happenings
        assert [step.content for step in steps if step.what is What.ON_THE_SPOT] == [
            "Tiếp nhận hồ sơ tại quầy",
            "Thẩm định hồ sơ",
            "Phê duyệt kết quả",
            "Trả kết quả tại quầy",
        ]
    assert spot > 500


@pytest.mark.parametrize("system", sorted(FORWARDED_TO))
def test_each_system_of_a_route_gets_dossiers_and_tells_only_of_what_happens_there(system: System) -> None:
    seen = 0
    for number in TRAVELLERS:
        came = PROVINCE.came_to(number, system)
        if system is PROVINCE.system(number) or came is None or came >= NOW:
            continue
        seen += 1
        here = PROVINCE.reading(number, NOW, system)
        teller = PROVINCE.systems(number).index(system)
        told = [event for event in PROVINCE.life(number) if event.teller == teller and event.at < NOW]
        assert [step.state for step in here.happenings] == [event.state for event in told]
        assert here.received == here.happenings[0].at
        assert here.state is told[-1].state
        assert here.changed == here.happenings[-1].at == PROVINCE.changed(number, NOW, system)
        assert {step.state for step in here.happenings} <= {
            State.PROCESSING,
            State.SUPPLEMENT_REQUESTED,
            State.PAYMENT_REQUESTED,
            State.COMPLETED,
        }
    assert seen > 50


def test_the_latest_event_of_all_systems_is_the_merged_state() -> None:
    differs = 0
    for number in TRAVELLERS:
        whole = PROVINCE.reading(number, NOW)
        parts = [PROVINCE.reading(number, NOW, system) for system in PROVINCE.systems(number, NOW)]
        latest = max(parts, key=lambda part: part.changed)
        assert (whole.state, whole.changed) == (latest.state, latest.changed)
        assert sorted(step for part in parts for step in part.happenings) == sorted(whole.happenings)
        differs += parts[0].state is not whole.state
    assert differs > 5  # the home does not know everything


def test_a_home_that_is_at_the_end_stands_for_all() -> None:
    for number in TRAVELLERS:
        home = PROVINCE.reading(number, NOW, PROVINCE.system(number))
        if home.state in TERMINAL:
            assert PROVINCE.reading(number, NOW).state is home.state


def test_a_dossier_has_not_come_to_a_system_before_it_was_forwarded() -> None:
    number = TRAVELLERS[0]
    home, first, *_ = PROVINCE.systems(number)
    came = PROVINCE.came_to(number, first)
    assert came is not None
    with pytest.raises(ValueError, match="not come to this system"):
        PROVINCE.reading(number, came, first)
    assert PROVINCE.reading(number, came + 1, first).state is State.PROCESSING
    assert PROVINCE.systems(number, came) == (home,)
    assert PROVINCE.systems(number, came + 1) == (home, first)


def test_what_arrived_in_a_window_is_within_its_range() -> None:
    start, end = AS_OF - timedelta(days=40), AS_OF - timedelta(days=37)
    for system in FORWARDED_TO:
        candidates = PROVINCE.perhaps_received_between(start, end, system)
        for number in TRAVELLERS:
            came = PROVINCE.came_to(number, system)
            if came is not None and PROVINCE.tick(start) <= came < PROVINCE.tick(end):
                assert number in candidates


def test_a_birth_goes_from_the_counter_through_three_systems() -> None:
    births = {PROVINCE.systems(number) for number in TRAVELLERS if _filed_as(number) == "1.990401"}
    assert (System.IGATE, System.HOTICH, System.QLDC, System.BHXH) in births
    assert all(route[HOME] is System.IGATE for route in births)


def _filed_as(number: int) -> str:
    return PROVINCE.reading(number, NOW).procedure.code


def test_only_what_is_not_filed_online_is_received_elsewhere() -> None:
    elsewhere: list[Reading] = []
    for number in range(SIZE):
        one = PROVINCE.reading(number, NOW)
        if one.code.partition("-")[0] != one.agency.code:
            elsewhere.append(one)
    assert all(one.channel is not Channel.ONLINE for one in elsewhere)
    outside = [one for one in elsewhere if one.code.partition("-")[0] in OTHER_PROVINCES]
    assert len(elsewhere) - len(outside) > 300
    assert len(outside) > 50
    assert all(one.agency.code.startswith("H12.") for one in elsewhere)
    assert all(PROVINCE.find(one.code) == one.number for one in elsewhere)


def test_every_route_starts_at_a_one_stop_system() -> None:
    homes = {one.sector.system for one in PROCEDURES if one.through}
    assert homes == {System.IGATE, System.OPENCPS}
