"""Converters bring values to one form, and refuse what they cannot read without repeating it."""

import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mappings import datetimes
from mappings.converters import REGISTRY, clean_text
from mappings.errors import ConversionError
from schemas.times import VN

VN_OFFSET = timezone(timedelta(hours=7))
DAY_FIRST = "%d/%m/%Y %H:%M:%S"


def convert(name: str, value: object, **options: Any) -> Any:
    """One value through one converter."""
    converter = REGISTRY[name]
    return converter.build(converter.options.model_validate(options))(value)


@given(st.text())
@example("a\u200b\u0301")
@example("\u00a0 a\u200b ")
def test_cleaning_text_twice_changes_nothing_more(text: str) -> None:
    try:
        once = clean_text(text)
    except ConversionError:
        return
    assert once is None or clean_text(once) == once


@given(st.text())
@example("a\u200b\u0301")
def test_clean_text_is_composed_trimmed_and_storable(text: str) -> None:
    try:
        clean = clean_text(text)
    except ConversionError:
        return
    if clean is not None:
        assert clean == clean.strip() != ""
        assert clean == unicodedata.normalize("NFC", clean)
        assert clean.encode()
        assert not any(unicodedata.category(char) == "Cc" and char not in "\n\t" for char in clean)


@pytest.mark.parametrize(
    ("written", "clean"),
    [
        (unicodedata.normalize("NFD", "Nguyễn Văn Mẫu"), "Nguyễn Văn Mẫu"),
        ("  Sở\u00a0Mẫu \u3000", "Sở Mẫu"),
        ("Mẫu\u200b\ufeff", "Mẫu"),
        ("dòng 1\r\ndòng 2\u2028dòng 3", "dòng 1\ndòng 2\ndòng 3"),
        ("a\tb", "a\tb"),
        ("\u00a0\u200b ", None),
        ("", None),
        ("LÃNG Ä", "LÃNG Ä"),
    ],
)
def test_text_is_cleaned(written: str, clean: str | None) -> None:
    assert clean_text(written) == clean


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("a\x00b", "control-character"),
        ("a\x1bb", "control-character"),
        ("\x1f", "control-character"),
        ("Mẫu\ud800", "control-character"),
        ("Mẫu \u202eẫnơđ", "control-character"),
        ("Nguy\ufffdn", "encoding"),
        ("Nguyễn".encode().decode("cp1252", errors="ignore"), "encoding"),
        ("Nguyễn Văn Được".encode().decode("latin-1"), "encoding"),
        ("Hà Nội".encode("cp1258", "ignore").decode("utf-8", "replace"), "encoding"),
        (7, "text"),
        (True, "text"),
        (["Mẫu"], "text"),
    ],
    ids=ascii,
)
def test_text_that_cannot_be_trusted_is_refused(value: object, rule: str) -> None:
    with pytest.raises(ConversionError) as caught:
        clean_text(value)
    assert caught.value.rule == rule


@given(st.text("aăâđeêơưỗặ .,-0", min_size=1, max_size=60), st.integers(2, 40))
def test_truncated_text_fits_and_says_that_it_was_cut(text: str, longest: int) -> None:
    whole = clean_text(text)
    cut = convert("text", text, max_length=longest)
    assert cut == whole if whole is None or len(whole) <= longest else (len(cut) <= longest and cut.endswith("…"))


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("code", 4, "4"),
        ("code", "04", "04"),
        ("int", "04", 4),
        ("int", -3, -3),
        ("int", " ", None),
        ("str", 4, "4"),
        ("str", "04", "04"),
        ("as_is", [1], [1]),
        ("flag", True, "True"),
        ("flag", False, "False"),
        ("json_text", {"tên": "Mẫu"}, '{"tên":"Mẫu"}'),
        ("json_text", {}, None),
        ("bool", "true", True),
        ("bool", False, False),
        ("bool", " ", None),
        ("dossier_code", "000.00.12.H12-250812-0001", "H12.12-250812-0001"),
        ("dossier_code_long", "H12.12-250812-0001", "000.00.12.H12-250812-0001"),
        ("agency_code", "000.00.12.H12", "H12.12"),
        ("agency_code_long", "H12.12", "000.00.12.H12"),
        ("agency_root", "H12.12", "H12"),
        ("procedure_code", " 1.001612 ", "1.001612"),
        ("procedure_code", "", None),
        ("phone", "+84 900.000.000", "0900000000"),
        ("phone", "(0290) 3 800 000", "02903800000"),
        ("phone", "gọi giờ hành chính", "gọi giờ hành chính"),
        ("identity_number", "0000 9900 0001", "000099000001"),
        ("identity_kind", "0000 9900 0001", 1),
        ("identity_kind", "099000001", 2),
        ("identity_kind", "9900000129", 3),
        ("identity_number", "9900000129-001", "9900000129-001"),
        ("identity_kind", "9900000129-001", 3),
        ("identity_kind", "9900000128", None),
        ("identity_number", "9900000128", "9900000128"),
        ("identity_kind", "b1234567", 4),
        ("identity_number", "b1234567", "B1234567"),
        ("identity_kind", "không có", None),
        ("identity_kind", "", None),
    ],
)
def test_a_value_comes_to_its_form(name: str, value: object, expected: object) -> None:
    found = convert(name, value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("int", "4.0", "number"),
        ("int", "٤", "number"),
        ("int", True, "text"),
        ("code", 4.0, "text"),
        ("code", True, "text"),
        ("str", None, "text"),
        ("flag", "True", "boolean"),
        ("bool", "có", "boolean"),
        ("bool", 1, "boolean"),
        ("dossier_code", "mã hồ sơ", "identifier"),
        ("agency_code", "h12", "identifier"),
        ("procedure_code", "１.００１６１２", "identifier"),
        ("wire_datetime", "20250812", "datetime"),
        ("wire_datetime", datetime(2025, 8, 12), "datetime"),
    ],
)
def test_a_value_that_cannot_be_read_is_refused(name: str, value: object, rule: str) -> None:
    options = {"format": "%Y"} if name == "wire_datetime" else {}
    with pytest.raises(ConversionError) as caught:
        convert(name, value, **options)
    assert caught.value.rule == rule
    assert str(value) not in caught.value.message


def test_the_words_for_yes_and_no_can_be_listed() -> None:
    words = {"yes": ["có", 1], "no": ["không", 0]}
    assert [convert("bool", word, **words) for word in ("có", 1, "không", 0)] == [True, True, False, False]


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_every_converter_says_in_a_line_what_it_does(name: str) -> None:
    assert 20 < len(REGISTRY[name].summary) < 120


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("12/08/2025 08:15:00", {"format": DAY_FIRST}, datetime(2025, 8, 12, 8, 15, tzinfo=VN)),
        (" 12/08/2025 08:15:00 ", {"format": DAY_FIRST}, datetime(2025, 8, 12, 8, 15, tzinfo=VN)),
        ("12/08/2025", {"format": [DAY_FIRST, "%d/%m/%Y"]}, datetime(2025, 8, 12, tzinfo=VN)),
        ("20250812081500", {"format": "%Y%m%d%H%M%S"}, datetime(2025, 8, 12, 8, 15, tzinfo=VN)),
        ("29/02/2028 00:00:00", {"format": DAY_FIRST}, datetime(2028, 2, 29, tzinfo=VN)),
        ("31/12/2025 24:00:00", {"format": DAY_FIRST}, datetime(2026, 1, 1, tzinfo=VN)),
        ("2025-08-12T24:00:00", {}, datetime(2025, 8, 13, tzinfo=VN)),
        ("2025-08-12T24:00:00.000Z", {}, datetime(2025, 8, 13, tzinfo=UTC)),
        ("2025-08-12T08:15:00", {}, datetime(2025, 8, 12, 8, 15, tzinfo=VN)),
        ("2025-08-12T08:15:00", {"zone": "UTC"}, datetime(2025, 8, 12, 8, 15, tzinfo=UTC)),
        ("2025-08-12T08:15:00Z", {}, datetime(2025, 8, 12, 8, 15, tzinfo=UTC)),
        ("2025-08-12T08:15:00.250Z", {"z_means": "local"}, datetime(2025, 8, 12, 8, 15, 0, 250_000, tzinfo=VN)),
        ("2025-08-12T08:15:00.000+0700", {}, datetime(2025, 8, 12, 8, 15, tzinfo=VN_OFFSET)),
        ("2025-08-12T08:15:00+07:00", {"z_means": "local"}, datetime(2025, 8, 12, 8, 15, tzinfo=VN_OFFSET)),
        ("2025-08-12T08:15:00+09:00", {}, datetime(2025, 8, 12, 6, 15, tzinfo=VN)),
        ("2025-08-12T08:15:00.1234567", {}, datetime(2025, 8, 12, 8, 15, 0, 123_456, tzinfo=VN)),
        ("12/08/2025 08:15:00.5Z", {"format": "%d/%m/%Y %H:%M:%S.%f%z"}, datetime(2025, 8, 12, 8, 15, 0, 500_000, UTC)),
        ("   ", {}, None),
        ("", {"format": DAY_FIRST}, None),
    ],
)
def test_a_moment_is_read_with_its_zone(text: str, options: dict[str, Any], expected: datetime | None) -> None:
    found = convert("datetime", text, **options)
    assert found == expected
    assert found is None or found.tzinfo is not None


@pytest.mark.parametrize(
    "text",
    [
        "01/03/2026",
        "2026-02-30T00:00:00",
        "2026-03-01T25:00:00",
        "2026-03-01T24:00:01",
        "2026-03-01T24:00:00.001",
        "2026-03-01",
        "2026-W09-7T00:00:00",
        "20260301T000000",
        "2026-03-01 00:00:00",
        "2026-03-01T00:00:00 +07:00",
        "2026-03-01T00:00:00.",
        "2026-03-01T00:00:00.1234567890",
        "٢٠٢٦-03-01T00:00:00",
        "2026-03-01T00:00:00+25:00",
        "9999-12-31T24:00:00",
        "một ngày đẹp trời",
        0,
        datetime(2026, 3, 1),
    ],
)
def test_a_moment_that_does_not_fit_is_a_problem_and_never_nothing(text: object) -> None:
    with pytest.raises(ConversionError) as caught:
        convert("datetime", text)
    assert caught.value.rule == "datetime"


@given(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)).map(lambda moment: moment.replace(microsecond=0)))
@pytest.mark.parametrize("written", [DAY_FIRST, "%Y%m%d%H%M%S", "%Y-%m-%dT%H:%M:%S%z", "%H:%M:%S ngày %d.%m.%Y"])
def test_what_is_written_is_read_back(written: str, moment: datetime) -> None:
    aware = moment.replace(tzinfo=VN)
    text = datetimes.writer(written, zone=VN)(aware)
    assert datetimes.reader([written], zone=VN)(text) == aware


@given(st.text(st.sampled_from("0123459/: +-TZWé٣"), min_size=17, max_size=21))
@example("31/02/2026 25:61:00")
@example("12/08/2025 08:15+07")
@example("1 /08/2025 08:15:00")
@example("31/12/9999 24:00:00")
def test_the_fast_way_of_reading_agrees_with_the_general_one(text: str) -> None:
    fast = datetimes.reader([DAY_FIRST], zone=VN)
    # A fraction in the format sends every text the general way.
    general = datetimes.reader([f"{DAY_FIRST}.%f"], zone=VN)
    assert _result(fast, text) == _result(general, f"{text}.0")


def _result(read: Callable[[str], datetime], text: str) -> datetime | str:
    try:
        return read(text)
    except ConversionError as error:
        return error.rule


@given(st.datetimes())
@pytest.mark.parametrize("written", ["%Y%m%d%H%M%S", "{%d}/%m \"%Y\" 'lúc' %H\\%M", "%H giờ 100%%", "%-m-%Y", "none"])
def test_a_moment_is_written_as_strftime_writes_it(written: str, moment: datetime) -> None:
    aware = moment.replace(tzinfo=UTC)
    assert datetimes.writer(written, zone=UTC)(aware) == aware.strftime(written)


def test_moments_are_written_in_the_zone_of_the_target() -> None:
    moment = datetime(2025, 8, 12, 23, 30, 0, 250_999, tzinfo=UTC)
    assert datetimes.writer("%Y%m%d%H%M%S", zone=VN)(moment) == "20250813063000"
    assert datetimes.writer("%Y-%m-%dT%H:%M:%S.%3fZ", zone=VN)(moment) == "2025-08-13T06:30:00.250Z"
    assert datetimes.writer("%d/%m/%Y", zone=ZoneInfo("UTC"))(moment) == "12/08/2025"
