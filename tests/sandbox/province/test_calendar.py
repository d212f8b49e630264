"""Office time and back."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.province.calendar import DAY_S, OfficeCalendar, holidays, moment, wall_time
from schemas.times import VN

CALENDAR = OfficeCalendar(date(2026, 1, 1))
FIXED = timezone(timedelta(hours=7))
SECONDS = st.integers(min_value=0, max_value=2000 * DAY_S)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=VN).timestamp())


@given(SECONDS)
def test_every_office_second_lies_in_office_hours_on_a_working_day(office: int) -> None:
    when = moment(CALENDAR.epoch(office))
    assert when.weekday() < 5
    assert when.date() not in holidays(when.year)
    assert "07:00:00" <= f"{when:%H:%M:%S}" < "11:30:00" or "13:30:00" <= f"{when:%H:%M:%S}" < "17:00:00"


@given(SECONDS)
def test_an_office_second_has_begun_when_its_time_has_come_and_not_before(office: int) -> None:
    epoch = CALENDAR.epoch(office)
    assert CALENDAR.begun(epoch) == office + 1
    assert CALENDAR.begun(epoch - 1) == office


@given(SECONDS)
def test_office_time_grows_with_time(office: int) -> None:
    assert CALENDAR.epoch(office) < CALENDAR.epoch(office + 1)


@pytest.mark.parametrize(
    ("when", "hours"),
    [
        ("2025-12-31T12:00:00", 0),
        ("2026-01-02T06:00:00", 0),
        ("2026-01-02T11:30:00", 4.5),
        ("2026-01-02T12:45:00", 4.5),
        ("2026-01-02T17:00:00", 8),
        ("2026-01-04T12:00:00", 8),  # a Sunday
        ("2026-01-05T07:59:59", 9),
    ],
)
def test_nights_lunch_breaks_and_week_ends_do_not_count(when: str, hours: float) -> None:
    assert CALENDAR.begun(at(when)) == hours * 3600


def test_new_year_and_tet_are_holidays() -> None:
    assert date(2026, 1, 1) in holidays(2026)
    assert {date(2026, 2, 16) + timedelta(days=shift) for shift in range(5)} <= holidays(2026)


def test_a_holiday_on_a_sunday_frees_the_monday() -> None:
    assert date(2026, 4, 27) in holidays(2026)  # Hung Kings' day 2026 is Sunday 26 April


@given(st.integers(0, 2**32))
def test_wall_time_is_the_local_time_of_the_moment(epoch: int) -> None:
    assert f"{wall_time(epoch)}+07:00" == datetime.fromtimestamp(epoch, UTC).astimezone(FIXED).isoformat()


def test_offices_close_at_five() -> None:
    assert moment(CALENDAR.closing(0)) == datetime(2026, 1, 2, 17, tzinfo=VN)
