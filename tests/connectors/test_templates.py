"""Templates of catalog entries: what is filled in, and what cannot be meant."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.templates import TemplateError, template, value_template
from schemas.times import VN

MOMENT = datetime(2025, 8, 1, 12, 30, 15, 250_000, tzinfo=VN)
VALUES = {
    "since": MOMENT,
    "until": MOMENT,
    "ids": ["H1", "H2"],
    "id": 7001,
    "page": 3,
    "size": 50,
    "login": "mẫu",
    "extra.ma_don_vi": "H12",
}


def text(written: str) -> str:
    return template(written).text(VALUES.__getitem__)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{since}", "2025-08-01T12:30:15.250000+07:00"),
        ("{since:%d/%m/%Y %H:%M:%S}", "01/08/2025 12:30:15"),
        ("{since:utc:%Y-%m-%dT%H:%M:%SZ}", "2025-08-01T05:30:15Z"),
        ("{since:utc}", "2025-08-01T05:30:15.250000+00:00"),
        ("{since:ms}", "1754026215250"),
        ("{since:s}", "1754026215"),
        ("{until:s}", "1754026216"),
        ("{until:%d/%m/%Y %H:%M}", "01/08/2025 12:31"),
        ("{until:%Y-%m-%d}", "2025-08-02"),
        ("{until:last:%Y-%m-%d}", "2025-08-01"),
        ("{until:last:utc:%H:%M:%S}", "05:30:15"),
        ("tu {page} den {size}", "tu 3 den 50"),
        ("{ids}", "H1,H2"),
        ("{login}/{extra.ma_don_vi}", "mẫu/H12"),
        ("{{khong}} {{{page}}}", "{khong} {3}"),
        ("", ""),
    ],
)
def test_what_stands_in_braces_is_filled_in(written, expected):
    assert text(written) == expected


def test_the_end_of_a_day_is_the_next_day_or_the_last_second_inside():
    midnight = {"until": datetime(2025, 8, 2, tzinfo=VN)}
    assert template("{until:%d/%m/%Y}").text(midnight.__getitem__) == "02/08/2025"
    assert template("{until:last:%d/%m/%Y}").text(midnight.__getitem__) == "01/08/2025"
    assert template("{until:last:%H:%M:%S}").text(midnight.__getitem__) == "23:59:59"
    assert template("{until:last:ms}").text(midnight.__getitem__) == "1754067599999"


def test_a_json_value_that_is_one_placeholder_keeps_its_type():
    body = {"a": "{page}", "b": ["{ids}", "{id}"], "c": {"d": "{since:ms}", "e": "so {page}"}, "f": None, "g": 1.5}
    assert value_template(body)(VALUES.__getitem__) == {
        "a": 3,
        "b": [["H1", "H2"], 7001],
        "c": {"d": 1754026215250, "e": "so 3"},
        "f": None,
        "g": 1.5,
    }


def test_what_is_filled_into_a_path_opens_no_other_path():
    values = {"id": "../a b?x=1#y/đ"}
    assert template("/hs/{id}/ct").path(values.__getitem__) == "/hs/..%2Fa%20b%3Fx%3D1%23y%2F%C4%91/ct"


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("{sinse}", "Did you mean '{since}'?"),
        ("{}", "is no placeholder"),
        ("{extra}", "extra.NAME"),
        ("{extra.}", "is no placeholder"),
        ("{page:%d}", "only {since} and {until}"),
        ("{since:dd/MM/yyyy}", "a format such as %d/%m/%Y"),
        ("{since:last:%d}", "'last' is for {until}"),
        ("a { b", "write '{{'"),
        ("a } b", "write '}}'"),
        ("{a{page}b}", "a brace stands alone"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_hint(written, says):
    with pytest.raises(TemplateError) as caught:
        template(written)
    assert says in str(caught.value)


FORMATS = st.sampled_from(["%Y-%m-%dT%H:%M:%S.%f", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%Y%m%d%H", "%d/%m/%Y"])
MOMENTS = st.datetimes(
    datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=st.sampled_from([UTC, VN, timezone(timedelta(hours=-3))])
)


@given(since=MOMENTS, length=st.timedeltas(timedelta(0), timedelta(days=9)), form=FORMATS, utc=st.booleans())
def test_a_window_as_written_never_leaves_out_a_moment_of_it(since, length, form, utc):
    values = {"since": since, "until": since + length}
    zone, prefix = (UTC, "utc:") if utc else (VN, "")

    def back(written: str) -> datetime:
        return datetime.strptime(template(written).text(values.__getitem__), form).replace(tzinfo=zone)

    assert back(f"{{since:{prefix}{form}}}") <= since
    assert back(f"{{until:{prefix}{form}}}") >= since + length
    last = since + length - timedelta(microseconds=1)
    assert back(f"{{until:last:{prefix}{form}}}") <= last
    for edge in (back(f"{{since:{prefix}{form}}}"), back(f"{{until:{prefix}{form}}}")):
        assert abs(edge - (since if edge <= since else since + length)) < timedelta(days=1)


@given(moment=MOMENTS)
def test_a_full_format_brings_the_moment_back_as_it_was(moment):
    for form in ("{since}", "{since:utc}", "{until}", "{until:utc}"):
        assert datetime.fromisoformat(template(form).text(lambda _: moment)) == moment


@given(st.text())
def test_any_text_with_doubled_braces_stays_as_it_is(words):
    assert text(words.replace("{", "{{").replace("}", "}}")) == words
