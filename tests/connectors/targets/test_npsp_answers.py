"""The portal's answers, read without a portal."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.api import Outcome
from connectors.http import Answer
from connectors.targets.answers import OUTCOMES, Kind
from connectors.targets.npsp_answers import classify_answer
from connectors.targets.options import NpspOptions

OPTIONS = NpspOptions(unit="000.00.00.H12")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)


def answer(body: Any, status: int = 200, media_type: str = "application/json") -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(system="npsp", where="POST /mapi/g", status=status, headers={"content-type": media_type}, body=raw)


def kind(error_code: Any, message: str, status: int = 200) -> Kind:
    return classify_answer(answer({"error_code": error_code, "message": message}, status), OPTIONS).kind


@pytest.mark.parametrize("spelling", [0, "0", "00", " 0 "])
@pytest.mark.parametrize("words", ["Đồng bộ thành công", "THÀNH CÔNG", "Thành công"])
def test_a_success_is_known_in_every_spelling(spelling: Any, words: str) -> None:
    assert kind(spelling, words) is Kind.DONE


@pytest.mark.parametrize("words", ["Không thành công", "Cập nhật CHƯA thành công", "unsuccessful"])
def test_words_that_only_contain_a_success_are_none(words: str) -> None:
    assert kind(0, words) is Kind.REFUSED


@pytest.mark.parametrize(
    ("error_code", "message", "meaning"),
    [
        ("0", "Dữ liệu không hợp lệ: thiếu MaLinhVuc", Kind.REFUSED),
        ("-1", "Dữ liệu không hợp lệ", Kind.REFUSED),
        (-1, "", Kind.REFUSED),
        ("3", "Hồ sơ đã tồn tại trên hệ thống", Kind.EXISTS),
        (-3, "Mã hồ sơ đã tồn tại", Kind.EXISTS),
        ("-1", "Dossier already exists", Kind.EXISTS),
        ("3", "", Kind.EXISTS),
        ("-1", "Hồ sơ không tồn tại trên hệ thống", Kind.MISSING),
        ("3", "Mã hồ sơ không tồn tại", Kind.MISSING),
        ("-1", "Mã TTHC không tồn tại", Kind.REFUSED),
        ("-1", "Phiên làm việc (session) không hợp lệ hoặc đã hết hạn", Kind.SIGN_IN),
        ("-1", "Thiếu hoặc sai dstcode: không xác định được hệ thống đích", Kind.NOT_NOW),
        ("-1", "Dịch vụ (service) không tồn tại hoặc không được cấp quyền", Kind.NOT_NOW),
        ("-302", "", Kind.NOT_NOW),
        ("-1", "Hệ thống đang bảo trì, vui lòng thử lại sau", Kind.NOT_NOW),
        (None, "", Kind.UNCLEAR),
    ],
)
def test_a_refusal_is_told_by_its_code_and_words(error_code: Any, message: str, meaning: Kind) -> None:
    assert kind(error_code, message) is meaning


@pytest.mark.parametrize("body", [b"", b"<html>Dang nhap</html>", b"{", b"[]", b"null", b'{"message": "Thanh cong"}'])
def test_an_answer_in_no_known_form_leaves_the_outcome_open(body: bytes) -> None:
    assert classify_answer(answer(body), OPTIONS).kind is Kind.UNCLEAR


@pytest.mark.parametrize(
    ("status", "meaning"),
    [(400, Kind.REFUSED), (422, Kind.REFUSED), (403, Kind.NOT_NOW), (404, Kind.NOT_NOW), (500, Kind.UNCLEAR)],
)
def test_a_status_without_words_of_the_portal_speaks_for_itself(status: int, meaning: Kind) -> None:
    assert classify_answer(answer(b"<html></html>", status), OPTIONS).kind is meaning


def test_the_portal_may_refuse_with_words_beside_a_status() -> None:
    assert kind("3", "Hồ sơ đã tồn tại", status=409) is Kind.EXISTS


def test_a_success_beside_a_failed_status_is_not_believed() -> None:
    assert kind("0", "Thành công", status=400) is Kind.UNCLEAR


@pytest.mark.parametrize(
    ("body", "meaning"),
    [
        ("Cập nhật thành công".encode(), Kind.DONE),
        ('"Thành công"'.encode(), Kind.DONE),
        ("Không thành công".encode(), Kind.UNCLEAR),
        ("Hồ sơ không tồn tại".encode(), Kind.MISSING),
        (b"OK", Kind.UNCLEAR),
        ("<p>Thành công</p>".encode(), Kind.UNCLEAR),
        (b'{"error_code": "0", "message": "Th\\u00e0nh c\\u00f4ng"}', Kind.DONE),
    ],
)
def test_steps_may_be_answered_with_a_bare_text(body: bytes, meaning: Kind) -> None:
    assert classify_answer(answer(body), OPTIONS, plain_text=True).kind is meaning


@given(
    st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()), st.integers(100, 599), st.booleans()
)
def test_whatever_comes_is_classified_and_success_needs_2xx(body: bytes, status: int, plain_text: bool) -> None:
    reply = classify_answer(answer(body, status), OPTIONS, plain_text=plain_text)
    if reply.kind is Kind.DONE:
        assert 200 <= status < 300


CODES: st.SearchStrategy[Any] = (
    st.sampled_from([0, "0", "00", 3, "-3", -1, False, True, None, "", 0.0, [], "0x0"]) | JSON
)
WORDS: st.SearchStrategy[Any] = (
    st.sampled_from(["Thành công", "Không thành công", "success", "", None, "Hồ sơ đã tồn tại"]) | JSON
)


@given(CODES, WORDS)
def test_nothing_but_a_zero_and_the_word_is_a_success(error_code: Any, message: Any) -> None:
    reply = classify_answer(answer({"error_code": error_code, "message": message}), OPTIONS)
    if reply.kind is Kind.DONE:
        assert error_code in (0, "0", "00")
        assert not isinstance(error_code, bool | float)
        assert message in ("Thành công", "success")


@given(st.integers(500, 599).filter(lambda status: status != 503), JSON)
def test_a_server_error_never_becomes_a_refusal(status: int, body: Any) -> None:
    outcome = OUTCOMES[classify_answer(answer(body, status), OPTIONS).kind]
    assert outcome is Outcome.IN_DOUBT


def test_a_server_error_with_words_of_the_portal_is_no_refusal_either() -> None:
    assert kind("-1", "Lỗi hệ thống", status=500) is Kind.UNCLEAR
