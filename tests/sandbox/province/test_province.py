"""The whole province: the same from the same seed, growing with the clock, and like the published half-year."""

import re
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum.vn import mst

from sandbox.province.calendar import moment
from sandbox.province.catalogue import FORWARDED_TO, PROCEDURES
from sandbox.province.province import Province
from sandbox.province.reading import Reading
from sandbox.province.sectors import PUBLISHED_RECEIVED, System
from schemas.codes import Channel
from schemas.identifiers import agency_long, agency_short, dossier_long, dossier_short, procedure_code
from schemas.states import State
from schemas.times import VN

AS_OF = datetime(2026, 6, 30, 17, 0, tzinfo=VN)
SIZE = 20_000


def province(seed: int = 7, size: int = SIZE, as_of: datetime = AS_OF) -> Province:
    return Province(seed=seed, size=size, as_of=as_of)


PROVINCE = province()
NOW = PROVINCE.tick(AS_OF)
NUMBERS = st.integers(0, SIZE - 1)
DAYS = st.integers(0, 120)


@pytest.fixture(scope="module")
def half_year() -> list[Reading]:
    return [PROVINCE.reading(number, NOW) for number in range(SIZE)]


@given(NUMBERS)
def test_the_same_seed_gives_the_same_dossier(number: int) -> None:
    assert province().reading(number, NOW) == PROVINCE.reading(number, NOW)


def test_another_seed_gives_another_province() -> None:
    other = province(seed=8)
    assert [other.code(number) for number in range(50)] != [PROVINCE.code(number) for number in range(50)]


@given(st.integers(0, SIZE + 2000), DAYS, DAYS)
@settings(max_examples=200)
def test_moving_the_clock_only_appends(number: int, early: int, later: int) -> None:
    first, second = sorted((early, later))
    ticks = [PROVINCE.tick(AS_OF - timedelta(days=60) + timedelta(days=days)) for days in (first, second)]
    if number >= PROVINCE.count(ticks[0]):
        return
    before, after = (PROVINCE.reading(number, tick) for tick in ticks)
    assert after.happenings[: len(before.happenings)] == before.happenings
    assert (after.code, after.person, after.agency) == (before.code, before.person, before.agency)
    assert after.changed >= before.changed


def test_dossiers_keep_coming_after_the_half_year_at_the_same_pace() -> None:
    assert PROVINCE.count(NOW) == SIZE
    half_a_year_on = PROVINCE.count(PROVINCE.tick(AS_OF + timedelta(days=184)))
    assert half_a_year_on == pytest.approx(2 * SIZE, rel=0.1)


def test_numbers_grow_with_the_time_of_filing(half_year: list[Reading]) -> None:
    times = [one.submitted for one in half_year]
    assert times == sorted(times)
    assert moment(times[0]).date() >= PROVINCE.starts_on
    assert times[-1] <= AS_OF.timestamp()


def test_a_slice_by_time_is_what_was_filed_in_it(half_year: list[Reading]) -> None:
    start, end = AS_OF - timedelta(days=40, hours=3), AS_OF - timedelta(days=30)
    inside = [one.number for one in half_year if start.timestamp() <= one.submitted < end.timestamp()]
    assert list(PROVINCE.filed_between(start, end)) == inside


def test_nothing_received_in_a_window_is_outside_its_range(half_year: list[Reading]) -> None:
    start, end = AS_OF - timedelta(days=40), AS_OF - timedelta(days=37)
    inside = {one.number for one in half_year if one.received and start.timestamp() <= one.received < end.timestamp()}
    assert inside
    assert inside <= set(PROVINCE.perhaps_received_between(start, end))


def test_lives_below_the_oldest_alive_have_ended() -> None:
    oldest = PROVINCE.oldest_alive(NOW)
    assert 0 < oldest < SIZE
    assert all(PROVINCE.life(number)[-1].at < NOW for number in range(oldest))


@given(NUMBERS)
def test_a_dossier_is_found_by_its_code(number: int) -> None:
    assert PROVINCE.find(PROVINCE.code(number)) == number


@pytest.mark.parametrize(
    "code", ["", "H12.07", "H12.07-269999-0001", "H12.07-260105-999999", "H99.1-260105-0001", "H12"]
)
def test_a_code_of_no_dossier_finds_nothing(code: str) -> None:
    assert PROVINCE.find(code) is None


def test_codes_are_unique_and_both_forms_fit(half_year: list[Reading]) -> None:
    codes = [one.code for one in half_year]
    assert len(set(codes)) == len(codes)
    assert all(dossier_short(dossier_long(code)) == code for code in codes[:500])
    assert all(agency_short(agency_long(one.agency.code)) == one.agency.code for one in half_year[:500])


def test_the_half_year_is_like_the_published_one(half_year: list[Reading]) -> None:
    online = sum(one.channel is Channel.ONLINE for one in half_year) / SIZE
    assert online == pytest.approx(0.8385, abs=0.01)
    finished = [one for one in half_year if one.finished is not None and one.due is not None]
    on_time = sum(one.finished <= one.due for one in finished if one.finished and one.due) / len(finished)
    assert on_time == pytest.approx(0.994, abs=0.003)


@pytest.mark.parametrize(
    ("field", "published"),
    [("G99-TP01", 2600), ("G99-MT01", 458), ("G99-KD01", 1300), ("G99-GD01", 26), ("G99-BH01", 32_000)],
)
def test_sectors_weigh_what_was_published(half_year: list[Reading], field: str, published: int) -> None:
    expected = published * SIZE / PUBLISHED_RECEIVED
    found = sum(one.procedure.sector.field_code == field for one in half_year)
    assert abs(found - expected) < 5 * expected**0.5  # five standard deviations of a count


def test_the_weights_add_up_to_what_was_received() -> None:
    sectors = {one.sector.field_code: one.sector.weight for one in PROCEDURES}
    assert sum(sectors.values()) == PUBLISHED_RECEIVED


def test_every_state_system_and_correction_occurs(half_year: list[Reading]) -> None:
    assert {step.state for one in half_year for step in one.happenings} == set(State)
    assert {system for one in half_year for system in PROVINCE.systems(one.number)} == set(System)
    assert {PROVINCE.system(one.number) for one in half_year} == set(System) - FORWARDED_TO | {System.QLDC, System.BHXH}
    moved = [one for one in half_year if any(step.what.name == "DUE_MOVED" for step in one.happenings)]
    refiled = [one for one in half_year if any(step.what.name == "PROCEDURE_FIXED" for step in one.happenings)]
    assert moved
    assert refiled


def test_a_corrected_dossier_is_told_differently_without_a_change_of_state() -> None:
    for number in range(SIZE):
        life = PROVINCE.life(number)
        for event in life:
            if event.what.name == "PROCEDURE_FIXED":
                before, after = PROVINCE.reading(number, event.at), PROVINCE.reading(number, event.at + 1)
                if before.procedure is not after.procedure:
                    assert before.state is after.state
                    assert before.state_since == after.state_since
                    assert before.changed < after.changed
                    return
    pytest.fail("no dossier was ever filed under the wrong procedure")


def test_a_recalled_result_is_neither_ready_nor_handed_out() -> None:
    for number in range(SIZE):
        life = PROVINCE.life(number)
        returned = [event.at for event in life[:-1] if event.state is State.RETURNED]
        if returned:
            recalled = next(event.at for event in life if event.at > returned[0])
            before, after = PROVINCE.reading(number, recalled), PROVINCE.reading(number, recalled + 1)
            assert before.returned is not None
            assert (after.finished, after.returned) == (None, None)
            assert PROVINCE.reading(number, life[-1].at + 1).returned is not None
            return
    pytest.fail("no result was ever recalled")


def test_people_are_impossible_and_enterprises_right_in_shape(half_year: list[Reading]) -> None:
    for one in half_year[:3000]:
        assert re.fullmatch(r"000099\d{6}", one.person.citizen_id)
        assert re.fullmatch(r"0900\d{6}", one.person.phone)
        assert one.person.email.endswith(".invalid")
        if one.enterprise:
            assert one.enterprise.tax_code.startswith("99")
            assert mst.is_valid(one.enterprise.tax_code)
        assert procedure_code(one.procedure.code) == one.procedure.code


def test_a_dossier_not_yet_filed_cannot_be_read() -> None:
    with pytest.raises(ValueError, match="not been filed"):
        PROVINCE.reading(SIZE + 10, NOW)


@pytest.mark.parametrize(("size", "as_of"), [(1, AS_OF), (17, AS_OF), (3_000_000, AS_OF), (50, AS_OF.replace(hour=3))])
def test_any_size_and_moment_makes_a_province(size: int, as_of: datetime) -> None:
    small = province(size=size, as_of=as_of)
    tick = small.tick(as_of)
    assert small.count(tick) == size
    for number in {0, size // 2, size - 1}:
        assert small.find(small.reading(number, tick).code) == number


def test_a_province_needs_a_dossier() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        province(size=0)
