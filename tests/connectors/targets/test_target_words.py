"""A target's words: compared without accents, repeated without personal data."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.targets.words import fold, quoted


@pytest.mark.parametrize(
    "text", ["Đã tồn tại", "ĐÃ  TỒN\nTẠI", unicodedata.normalize("NFD", "Đã tồn tại"), "Ðã tồn\u200b tại"]
)
def test_spellings_of_one_phrase_fold_to_the_same(text: str) -> None:
    assert fold(text) == "da ton tai"


@given(st.text())
def test_folding_twice_changes_nothing_more(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_what_was_sent_is_not_repeated_to_people() -> None:
    payload = {
        "MaHoSo": "000.00.12.H12-250812-0001",
        "ChuHoSo": "Nguyễn Văn Mẫu",
        "DinhDanhCHS": [{"SoDinhDanh": "012345"}],
    }
    words = "Hồ sơ 000.00.12.H12-250812-0001 của NGUYỄN VĂN MẪU (012345) thiếu MaLinhVuc"
    assert quoted(words, [payload]) == "Hồ sơ 000.00.12.H12-250812-0001 của … (…) thiếu MaLinhVuc"


@pytest.mark.parametrize(
    "secret", ["000099000001", "0900 000 000", "0900.000.000", "mau@example.invalid", "99000000090"]
)
def test_numbers_and_addresses_are_blanked_wherever_they_come_from(secret: str) -> None:
    assert quoted(f"không hợp lệ: {secret}!") in ("không hợp lệ: …!", "không hợp lệ: …")


def test_long_words_are_cut_and_kept_on_one_line() -> None:
    assert quoted("a\nb " + "x" * 1000).startswith("a b xxx")
    assert len(quoted("x" * 1000)) < 300


@given(
    st.lists(st.text(min_size=3, max_size=15).map(lambda text: f"Ông {text}"), min_size=1, max_size=3),
    st.text(max_size=30),
)
def test_no_value_of_several_words_survives(values: list[str], around: str) -> None:
    said = quoted(f"{around} {' '.join(values)}", [{"ChuHoSo": value} for value in values])
    for value in values:
        text = " ".join(unicodedata.normalize("NFC", value).split())
        if " " in text and len(text) > 5:
            assert text not in said


def test_what_the_ledger_cannot_keep_is_not_quoted() -> None:
    assert quoted("mã\x00 lỗi\x1b[31m \ud800 12") == "mã lỗi[31m  12"
