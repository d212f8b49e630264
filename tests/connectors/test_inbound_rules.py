"""Whom we let in, and what we take: the rules for the calls of systems that call us."""

import base64
from typing import Any

import orjson
import pytest
from entries import source_entry

from connectors.catalog_models import SourceEntry
from connectors.connections import ConnectionSettings
from connectors.errors import ConnectionMissing
from connectors.inbound import Refused, Request, failure, knows_secret, operation, read_call, secret_of
from connectors.options.inbound import InboundOptions

SECRET = "bi-mat-mau-0123456789"
CODE = "000.00.11.H12-250812-0001"


def _settings(**fields: Any) -> ConnectionSettings:
    return ConnectionSettings(**{"conn_id": "vbdlis", "host": "vbdlis.invalid", "password": SECRET, **fields})


def _options(secret: dict[str, str]) -> InboundOptions:
    calls = {"calls": {"ChuyenHoSo": {}}, "answers": {"success": {"Result": 1}, "failure": {"Result": 0}}}
    return InboundOptions.model_validate({"secret": secret, **calls})


def _request(*parts: str, query: dict[str, str] | None = None, **headers: str) -> Request:
    return Request(method="POST", parts=parts, query=query or {}, headers=headers)


def _basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


PATH, QUERY = _options({"kind": "path"}), _options({"kind": "query", "name": "CodeGet"})
HEADER, BASIC = _options({"kind": "header", "name": "X-Code"}), _options({"kind": "basic"})


@pytest.mark.parametrize(
    ("options", "request_"),
    [
        (PATH, _request("ChuyenHoSo", SECRET)),
        (QUERY, _request("ChuyenHoSo", query={"CodeGet": SECRET})),
        (HEADER, _request("ChuyenHoSo", **{"x-code": SECRET})),
        (BASIC, _request("ChuyenHoSo", authorization=_basic(f"land:{SECRET}"))),
    ],
)
def test_who_knows_the_secret_is_let_in(options: InboundOptions, request_: Request) -> None:
    assert knows_secret(options, _settings(login="land"), request_)
    assert operation(options, request_) == "ChuyenHoSo"


@pytest.mark.parametrize(
    ("options", "request_"),
    [
        (PATH, _request("ChuyenHoSo", SECRET[:-1])),
        (PATH, _request("ChuyenHoSo")),
        (PATH, _request(SECRET)),
        (PATH, _request(SECRET, "ChuyenHoSo")),
        (PATH, _request()),
        (PATH, _request("ChuyenHoSo", "", query={"CodeGet": SECRET})),
        (QUERY, _request("ChuyenHoSo", SECRET)),
        (QUERY, _request("ChuyenHoSo", query={"codeget": SECRET})),
        (HEADER, _request("ChuyenHoSo", **{"x-code": "\udc80"})),
        (BASIC, _request("ChuyenHoSo", authorization=_basic(f"other:{SECRET}"))),
        (BASIC, _request("ChuyenHoSo", authorization=f"Bearer {SECRET}")),
        (BASIC, _request("ChuyenHoSo", authorization="Basic !!!")),
    ],
)
def test_everybody_else_stays_outside(options: InboundOptions, request_: Request) -> None:
    assert not knows_secret(options, _settings(login="land"), request_)


def test_a_path_of_another_shape_calls_nothing() -> None:
    assert operation(PATH, _request("a", "b", SECRET)) == ""
    assert operation(QUERY, _request()) == ""


def test_the_secret_of_the_extra_comes_before_the_password() -> None:
    own = "ma-goi-vao-mau-98765"
    assert secret_of(_settings(extra={"inbound_secret": own})) == own


@pytest.mark.parametrize(("password", "what"), [("", "is missing"), ("ngan", "is shorter than 16 characters")])
def test_a_missing_or_short_secret_lets_nobody_in_and_says_where_to_put_one(password: str, what: str) -> None:
    with pytest.raises(ConnectionMissing, match=what) as caught:
        knows_secret(PATH, _settings(password=password), _request("ChuyenHoSo", password))
    assert "'vbdlis'" in caught.value.next_step
    assert not password or password not in str(caught.value)


def _read(body: Any, kind: str = "ChuyenHoSo", entry: SourceEntry | None = None) -> Any:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return read_call(entry or source_entry("vbdlis"), kind, raw)


def _good(**more: Any) -> dict[str, Any]:
    return {"SoBienNhan": CODE, "NgayChuyen": "2025-08-12T02:00:00Z", **more}


def test_a_call_is_kept_as_it_came_and_known_again_however_it_is_written() -> None:
    first = b'\xef\xbb\xbf{ "SoBienNhan": "X",\n "NgayChuyen": "n" }'
    second = b'{"NgayChuyen":"n","SoBienNhan":"X"}'
    assert _read(first).body == first[3:]
    assert _read(first).content == _read(second).content
    assert _read(_good()).content != _read(_good(GhiChu="khác")).content


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        ({"NgayChuyen": "n"}, "SoBienNhan"),
        ({"NgayChuyen": "n", "SoBienNhan": None}, "SoBienNhan"),
        ({"NgayChuyen": "n", "SoBienNhan": " "}, "SoBienNhan"),
        ({"SoBienNhan": CODE}, "NgayChuyen"),
    ],
)
def test_a_call_without_what_it_must_hold_is_refused_by_name(body: dict[str, Any], missing: str) -> None:
    with pytest.raises(Refused, match=f"Thiếu thông tin bắt buộc: {missing}$"):
        _read(body)


def test_what_one_kind_must_hold_another_need_not() -> None:
    assert _read({"SoBienNhan": CODE}, kind="NhanBoSungHoSo").kind == "NhanBoSungHoSo"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<xml/>",
        b"[]",
        b'"text"',
        b"{",
        b"{}{}",
        b'{"a": NaN}',
        b'{"a": "\xff"}',
        b'{"a": "\\ud800"}',
        b"[" * 9999,
    ],
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(Refused, match="JSON"):
        _read(body)


def test_only_so_deep_may_a_call_be_nested() -> None:
    def nested(depth: int) -> dict[str, Any]:
        value: Any = 1
        for _ in range(depth - 1):
            value = [value]
        return _good(GhiChu=value)

    assert _read(nested(20))
    with pytest.raises(Refused, match="quá 20 cấp"):
        _read(nested(21))


def test_what_the_entry_cuts_is_gone_before_anything_is_kept() -> None:
    notices = [{"HoVaChu": "Nguyễn Văn Mẫu", "SoThongBaoThue": "TB-MAU-01"}]
    call = _read({"SoBienNhan": CODE, "DanhSachThongBaoThue": notices}, kind="GuiKetQuaThue")
    assert b"DanhSachThongBaoThue" not in call.body + call.content
    assert CODE.encode() in call.body


def test_a_call_does_not_show_itself() -> None:
    assert CODE not in repr(_read(_good()))
    assert SECRET not in repr(_request("ChuyenHoSo", SECRET, query={"CodeGet": SECRET}, authorization=SECRET))


def test_the_message_stands_where_the_template_wants_it() -> None:
    answers = source_entry("ilis").options.answers
    assert failure(answers, "Thiếu khóa") == {"Result": 0, "Message": "Thiếu khóa"}
