"""The provincial gateway's and the Document API's answers, read without either."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.catalog import FOLDER, load_entry
from connectors.http import Answer
from connectors.targets.answers import Kind
from connectors.targets.lgsp_answers import classify_answer

OPTIONS = load_entry(FOLDER / "province.yaml").options


def kind(body: Any, status: int = 200, **headers: str) -> Kind:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = Answer(system="province", where="POST /Document", status=status, headers=headers, body=raw)
    return classify_answer(answer, OPTIONS).kind


def fault(code: Any) -> dict[str, Any]:
    return {"fault": {"code": code, "message": "Runtime Error", "description": ""}}


@pytest.mark.parametrize(
    ("body", "meaning"),
    [
        ({"Status": 1, "Message": "OK"}, Kind.DONE),
        ({"Status": "1"}, Kind.DONE),
        ({"Status": 0, "Message": "Thiếu trường DocCode"}, Kind.REFUSED),
        ({"Status": -1, "Message": None}, Kind.REFUSED),
        ({"Status": True}, Kind.UNCLEAR),
        ({"Status": "--1"}, Kind.UNCLEAR),
        ({"Message": "OK"}, Kind.UNCLEAR),
        (b"", Kind.UNCLEAR),
        (b"<html></html>", Kind.UNCLEAR),
    ],
)
def test_only_a_known_status_is_a_success(body: Any, meaning: Kind) -> None:
    assert kind(body) is meaning


@pytest.mark.parametrize(
    ("code", "status", "meaning"),
    [
        (101503, 500, Kind.NOT_NOW),
        ("101503", 503, Kind.NOT_NOW),
        (101504, 504, Kind.UNCLEAR),
        (101507, 500, Kind.UNCLEAR),
        (900900, 500, Kind.UNCLEAR),
        (900802, 429, Kind.NOT_NOW),
        (900908, 403, Kind.NOT_NOW),
        (900901, 401, Kind.SIGN_IN),
        (None, 200, Kind.UNCLEAR),
    ],
)
def test_the_gateway_s_own_codes_tell_what_was_never_sent(code: Any, status: int, meaning: Kind) -> None:
    assert kind(fault(code), status) is meaning


def test_the_wait_that_the_gateway_asks_for_is_kept() -> None:
    body = json.dumps(fault(101503)).encode()
    answer = Answer(system="province", where="POST /", status=503, headers={"retry-after": "7"}, body=body)
    assert classify_answer(answer, OPTIONS).retry_after_s == 7


def test_a_refusal_may_stand_beside_a_status() -> None:
    assert kind({"Status": 0, "Message": "Không tìm thấy hồ sơ"}, 404) is Kind.REFUSED
    assert kind({"Status": 1}, 400) is Kind.UNCLEAR
    assert kind(b"<html></html>", 404) is Kind.NOT_NOW


@given(st.binary(max_size=60), st.integers(100, 599))
def test_whatever_comes_is_classified(body: bytes, status: int) -> None:
    assert kind(body, status) is not Kind.DONE


@given(st.integers(-(10**12), 10**12) | st.text(max_size=8) | st.none() | st.booleans())
def test_no_other_status_is_a_success(status: Any) -> None:
    if kind({"Status": status}) is Kind.DONE:
        assert str(status).strip().lstrip("0") == "1"
