"""Identifiers written in several ways come to one form, and other text is refused without being repeated."""

import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from stdnum.vn import mst

from schemas import identifiers

roots = st.from_regex(r"[A-Z][0-9]{2}", fullmatch=True)
# The widths of the four-group form: two digits (three where a province counts more than 99 units), two, three.
first_level = st.integers(1, 999).map(lambda number: f"{number:02d}")
second_level = st.integers(1, 99).map(lambda number: f"{number:02d}")
third_level = st.integers(1, 999).map(lambda number: f"{number:03d}")


@st.composite
def agencies(draw: st.DrawFn) -> str:
    """Short codes that have a four-group form."""
    levels = [first_level, second_level, third_level][: draw(st.integers(0, 3))]
    return ".".join([draw(roots), *(draw(level) for level in levels)])


@given(agencies())
def test_an_agency_code_goes_to_its_long_form_and_back(code: str) -> None:
    long = identifiers.agency_long(code)
    assert len(long.split(".")) == 4
    assert identifiers.agency_short(long) == code


@given(agencies())
def test_both_forms_of_an_agency_code_come_to_the_same_short_form(code: str) -> None:
    assert identifiers.agency_short(code) == identifiers.agency_short(identifiers.agency_long(code)) == code


@given(agencies(), st.integers(0, 99999))
def test_a_dossier_code_goes_to_its_long_form_and_back(agency: str, number: int) -> None:
    code = f"{agency}-250812-{number:04d}"
    assert identifiers.dossier_short(identifiers.dossier_long(code)) == code


@pytest.mark.parametrize(
    ("written", "short"),
    [
        ("000.00.12.H12", "H12.12"),
        ("000.00.00.H12", "H12"),
        ("000.00.101.H12", "H12.101"),
        (" H12.12 ", "H12.12"),
        ("H12.12.A1", "H12.12.A1"),
    ],
)
def test_known_spellings_of_agencies(written: str, short: str) -> None:
    assert identifiers.agency_short(written) == short


@pytest.mark.parametrize("written", ["H12.12.01.002.9", "H12.1234", "H12.AB"])
def test_an_agency_that_does_not_fit_four_groups_keeps_its_short_form(written: str) -> None:
    assert identifiers.agency_long(written) == written


@pytest.mark.parametrize(
    "written", ["", "   ", "12.H12", "h12.12", "000.00.12", "H12..12", "H1212345678901234567890.1.2.3.4.5.6.7"]
)
def test_text_that_is_no_agency_code_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="agency code"):
        identifiers.agency_short(written)


def test_a_sector_systems_own_dossier_code_stays_as_it_is() -> None:
    assert identifiers.dossier_short("G99-MAU-250210-0001") == "G99-MAU-250210-0001"
    assert identifiers.dossier_long("KS-0001/2025") == "KS-0001/2025"


@pytest.mark.parametrize("written", ["a", "H12 12", "mã-hồ-sơ", "x" * 65, "-H12", "H12.12-250812-0001\n0002"])
def test_text_that_is_no_dossier_code_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="dossier code"):
        identifiers.dossier_short(written)


def test_a_procedure_is_matched_by_the_first_eight_characters() -> None:
    assert identifiers.procedure_stem("1.001612.000.00.00.H12") == "1.001612"
    assert identifiers.procedure_stem("1.001612") == "1.001612"
    assert identifiers.procedure_stem("TS_lop1.000.00.00.H22") == "TS_lop1.000.00.00.H22"


@pytest.mark.parametrize("written", ["", "1.1612", "1001612", "1.0016123", "thủ tục"])
def test_text_that_is_no_procedure_code_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="procedure code"):
        identifiers.procedure_code(written)


@given(st.from_regex(r"[0-9]{9}", fullmatch=True))
def test_a_tax_code_is_good_with_its_check_digit_and_bad_with_any_other(stem: str) -> None:
    check = mst.calc_check_digit(stem)
    good = [digit for digit in "0123456789" if _is_tax_code(stem + digit)]
    assert good in ([check], [])


def _is_tax_code(text: str) -> bool:
    try:
        return identifiers.tax_code(text) == text
    except ValueError:
        return False


def test_a_personal_id_serves_as_a_tax_code() -> None:
    assert identifiers.tax_code("000099000001") == "000099000001"


@given(st.text(min_size=5).filter(lambda text: not text.isdigit() and text.strip()))
@pytest.mark.parametrize("check", [identifiers.citizen_id, identifiers.tax_code])
def test_no_message_repeats_an_identifier_of_a_person(check: Callable[[str], str], text: str) -> None:
    assume(len(text.replace("-", "").replace(" ", "")) not in (10, 12, 13))
    with pytest.raises(ValueError, match="must have") as caught:
        check(text)
    assert text not in str(caught.value)


def test_codes_come_out_in_nfc() -> None:
    decomposed = unicodedata.normalize("NFD", "H12.12")
    assert identifiers.agency_short(decomposed) == "H12.12"
