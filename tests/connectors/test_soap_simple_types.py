"""Simple types are read strictly: what cannot be read is never taken for nothing, and never for something else."""

from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zeep.xsd.types import builtins

from connectors.soap.simple_types import reader


def read(kind: type, text: str) -> object:
    found = reader(kind())[1]
    assert found is not None
    return found(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T10:00:00",
        "2026-03-01T10:00:00Z",
        "2026-03-01T10:00:00+07:00",
        "2026-03-01T10:00:00-14:00",
        "2026-03-01T10:00:00.1234567",
        "2026-03-01T10:00:00.000000000001Z",
        "2026-03-01T24:00:00",
        "2026-03-01T24:00:00.00+07:00",
        "2024-02-29T00:00:00",
        "0001-01-01T00:00:00",
        "9999-12-31T23:59:59",
    ],
)
def test_a_moment_stays_as_it_was_written(text):
    assert read(builtins.DateTime, f" {text}\n") == text
    assert read(builtins.DateTime, text) == text


@pytest.mark.parametrize(
    "text",
    [
        "01/03/2026",
        "2026-02-30T00:00:00",
        "2025-02-29T00:00:00",
        "2026-03-01",
        "2026-03-01 10:00:00",
        "2026-03-01T10:00",
        "2026-03-01T25:00:00",
        "2026-03-01T24:00:01",
        "2026-03-01T10:60:00",
        "2026-03-01T10:00:60",
        "2026-03-01T10:00+01",
        "2026-03-01T10:00:00+15:00",
        "2026-03-01T10:00:00+0700",
        "2026-03-01T10:00:00z",
        "2026-03-01T10:00:00,5",
        "2026-W10-1T10:00:00",
        "20260301T100000",
        "0000-01-01T00:00:00",
        "2026-03-01T10:00:0０",
        "mot",
    ],
)
def test_what_is_no_moment_is_refused(text):
    with pytest.raises(ValueError, match=r".*"):
        read(builtins.DateTime, text)


@given(st.datetimes(min_value=datetime(1, 1, 1)), st.sampled_from(["", "Z", "+07:00", "-03:30", "+00:00"]))
def test_every_moment_can_be_read(moment, zone):
    assert read(builtins.DateTime, moment.isoformat() + zone) == moment.isoformat() + zone


@given(st.text(max_size=30))
def test_no_text_at_all_makes_a_reader_stumble(text):
    for kind in (builtins.DateTime, builtins.Date, builtins.Int, builtins.Decimal, builtins.Boolean, builtins.Time):
        try:
            read(kind, text)
        except ValueError:
            continue


@pytest.mark.parametrize("text", ["2024-02-29", "2026-03-01Z", "2026-03-01+07:00"])
def test_a_date_stays_as_it_was_written(text):
    assert read(builtins.Date, f"{text} ") == read(builtins.Date, text) == text


@pytest.mark.parametrize(
    "text", ["2026-W10-1", "20260301", "2026-02-30", "01/03/2026", "2026-3-1", "2026-03-01T00:00:00"]
)
def test_what_is_no_date_is_refused(text):
    with pytest.raises(ValueError, match=r".*"):
        read(builtins.Date, text)


@given(st.dates(min_value=date(1, 1, 1)))
def test_every_date_can_be_read(day):
    assert read(builtins.Date, day.isoformat()) == day.isoformat()


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (builtins.Int, " 007 ", 7),
        (builtins.Int, "+5", 5),
        (builtins.Int, "-2147483648", -(2**31)),
        (builtins.Integer, "1" * 60, int("1" * 60)),
        (builtins.UnsignedByte, "255", 255),
        (builtins.Boolean, "1", True),
        (builtins.Boolean, " false ", False),
        (builtins.Decimal, " 1200.50 ", "1200.50"),
        (builtins.Decimal, ".5", ".5"),
        (builtins.Double, "-1E4", "-1E4"),
        (builtins.Double, "INF", "INF"),
        (builtins.Token, " a  b ", "a  b"),
        (builtins.Time, "23:59:59.5Z", "23:59:59.5Z"),
    ],
)
def test_numbers_and_words_are_read_by_their_type(kind, text, value):
    found = read(kind, text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (builtins.Int, "mot"),
        (builtins.Int, "4.0"),
        (builtins.Int, "2147483648"),
        (builtins.Int, "٣"),
        (builtins.Int, "1_000"),
        (builtins.Integer, "1" * 65),
        (builtins.PositiveInteger, "0"),
        (builtins.UnsignedByte, "256"),
        (builtins.Boolean, "True"),
        (builtins.Boolean, "có"),
        (builtins.Decimal, "1,5"),
        (builtins.Decimal, "1e3"),
        (builtins.Decimal, "."),
        (builtins.Double, "nan"),
        (builtins.Time, "24:30:00"),
    ],
)
def test_what_is_not_of_the_type_is_refused(kind, text):
    with pytest.raises(ValueError, match=r".*"):
        read(kind, text)


def test_text_is_any_text():
    assert reader(builtins.String()) == ("text", None)


def test_a_type_of_one_s_own_is_read_like_what_it_is_made_of():
    own = type("SoDong", (builtins.Short,), {})
    assert reader(own())[0] == "short"
