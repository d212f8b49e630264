"""The social-protection system: one list by a span of time, a key in the body, papers as XML text inside the JSON.

``POST {list_path}`` takes ``{AcceptKey, LoaiDuLieu, MaTinh, MaHuyen, MaXa, ThoiGianBatDau, ThoiGianKetThuc}`` (times
``dd/MM/yyyy HH:mm:ss``, both seconds included) and answers ``{error_code, message, data: […]}``, all of it at once and
always with HTTP 200.

Seen in public implementations: the keys of the request, ``error_code`` as text, ``LoaiDuLieu`` "100" for dossiers, the
keys ``StatusId``, ``MaHoSo``, ``MaTTHC``, ``HoTen``, ``GioiTinhId``, ``SoCMND``, ``NgayTiepNhan``, ``NgayHenTra`` and
``CertificateExtentData`` of a dossier, which were seen on its way in; lists with ids of its own (1034 and 1035 for the
sexes); and that some installations want a token fetched first.
Assumed: the path; that a dossier comes out with the keys with which it goes in; that the span is one of last changes
and not of receptions; that an empty ``MaXa`` means all communes; that ``StatusId`` is the national list, as text; the
other keys below; the error codes "1" (key), "2" (parameters) and "3" (token); and how the token is fetched and shown:
``POST {token_path}`` with ``{AcceptKey}`` gives ``{error_code, token, expires_in}``, and it goes into later bodies as
``Token``. The system has no district level any more (``MaHuyen`` is empty) and does not say how a dossier was filed.
Times not known yet are empty.

Connection: the key as password; extra ``list_path``, and ``token_path`` where a token is wanted.
"""

import secrets
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import orjson
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.http import ServerOptions, json_response, last_segment, read_json, with_controls
from sandbox.province.reading import Reading
from sandbox.province.sectors import System
from sandbox.systems import written
from sandbox.systems.controls import control_routes
from sandbox.systems.register import How, Register, Snapshot
from sandbox.targets.passes import Passes
from schemas.identifiers import agency_long, dossier_long

_OK = "0"
_BAD_KEY = "1"
_BAD_PARAMETER = "2"
_BAD_TOKEN = "3"

_DOSSIERS = "100"
_PROVINCE = "96"
_MAN, _WOMAN = 1034, 1035
_WOMEN_ARE_CALLED = frozenset({"Thị", "Ngọc", "Thu", "Thùy", "Kim", "Mỹ", "Bích"})
_TOKEN_S = 1800
_ITEMS_PER_CHUNK = 500


class RefusedError(Exception):
    """The call is answered with an error code."""

    def __init__(self, error_code: str, message: str) -> None:
        super().__init__(message)
        self.answer = {"error_code": error_code, "message": message}


class SocialProtection:
    """The system's behaviour: who may ask, and what is told."""

    def __init__(self, register: Register, options: ServerOptions) -> None:
        self._register = register
        self._key = options.password
        self._wants_token = "token_path" in options.extra
        self.tokens = Passes(timedelta(seconds=_TOKEN_S))

    def token(self, body: Mapping[str, Any]) -> Response:
        """A token for the right key."""
        self._check_key(body)
        token = secrets.token_hex(16)
        self.tokens.admit(token, datetime.now(UTC))
        return json_response({"error_code": _OK, "message": "Thành công", "token": token, "expires_in": _TOKEN_S})

    def listing(self, body: Mapping[str, Any]) -> Response:
        """What was changed in the span asked for."""
        self._check_key(body)
        if self._wants_token and not self.tokens.is_good(str(body.get("Token")), datetime.now(UTC)):
            raise RefusedError(_BAD_TOKEN, "Token không hợp lệ hoặc đã hết hạn")
        if body.get("LoaiDuLieu") != _DOSSIERS or body.get("MaTinh") != _PROVINCE or body.get("MaHuyen"):
            raise RefusedError(_BAD_PARAMETER, "LoaiDuLieu, MaTinh hoặc MaHuyen không đúng")
        try:
            first, last = (written.read_moment(body.get(key)) for key in ("ThoiGianBatDau", "ThoiGianKetThuc"))
        except ValueError:
            raise RefusedError(_BAD_PARAMETER, "Thời gian phải có dạng dd/MM/yyyy HH:mm:ss") from None
        now = self._register.now
        numbers = _changed(now, int(first.timestamp()), int(last.timestamp()))
        answer = _answer(now, self._register.broken, numbers, str(body.get("MaXa") or ""))
        return StreamingResponse(answer, media_type="application/json")

    def _check_key(self, body: Mapping[str, Any]) -> None:
        if not compare_digest(str(body.get("AcceptKey")).encode(), self._key.encode()):
            raise RefusedError(_BAD_KEY, "AcceptKey không đúng")


def build(home: Path, options: ServerOptions) -> ASGIApp:
    """The server."""
    register = Register(System.BTXH, home, options, ordered=True)
    system = SocialProtection(register, options)
    services = {str(options.extra["list_path"]): system.listing}
    if "token_path" in options.extra:
        services[str(options.extra["token_path"])] = system.token

    async def serve(request: Request) -> Response:
        try:
            body = await read_json(request)
        except ValueError:
            return json_response({"error_code": _BAD_PARAMETER, "message": "Dữ liệu không hợp lệ"})
        try:
            return await run_in_threadpool(services[request.url.path], body)
        except RefusedError as refused:
            return json_response(refused.answer)

    return with_controls(
        Starlette(routes=[Route(path, serve, methods=["POST"]) for path in services]),
        name=options.name,
        controls=control_routes(register, source_id=lambda one: dossier_long(one.code)),
        login_operations=frozenset({last_segment(str(options.extra.get("token_path", "token")), b"")}),
        expire_sessions=system.tokens.expire_all,
    )


def commune_code(agency_code: str) -> str:
    """The system's own five digits for a commune: its own list in a range that no real commune has."""
    return f"99{int(agency_code.partition('.')[2]):03d}"


def _changed(now: Snapshot, first: int, last: int) -> list[int]:
    changes = now.changes
    return changes.numbers(changes.position_of(first), changes.position_of(last + 1))


def _answer(now: Snapshot, broken: Mapping[int, How], numbers: list[int], commune: str) -> Iterator[bytes]:
    yield b'{"error_code":"0","message":"Th\xc3\xa0nh c\xc3\xb4ng","data":['
    separator = b""
    for start in range(0, len(numbers), _ITEMS_PER_CHUNK):
        readings = (now.reading(number) for number in numbers[start : start + _ITEMS_PER_CHUNK])
        items = [
            orjson.dumps(_broken(_item(one), broken.get(one.number)))
            for one in readings
            if commune in ("", commune_code(one.agency.code))
        ]
        if items:
            yield separator + b",".join(items)
            separator = b","
    yield b"]}"


def _item(one: Reading) -> dict[str, Any]:
    person = one.person
    return {
        "LoaiDuLieu": _DOSSIERS,
        "StatusId": str(one.state.value),
        "MaHoSo": dossier_long(one.code),
        "MaTTHC": one.procedure.code,
        "HoTen": person.name,
        "GioiTinhId": _WOMAN if person.name.split()[1] in _WOMEN_ARE_CALLED else _MAN,
        "SoCMND": person.citizen_id,
        "DienThoai": person.phone,
        "MaTinh": _PROVINCE,
        "MaHuyen": "",
        "MaXa": commune_code(one.agency.code),
        "MaDonVi": agency_long(one.agency.code),
        "NgayNop": _time(one.submitted),
        "NgayTiepNhan": _time(one.received),
        "NgayHenTra": _time(one.due),
        "NgayXuLyXong": _time(one.finished),
        "NgayTraKetQua": _time(one.returned),
        "NgayCapNhat": _time(one.changed),
        "CertificateExtentData": _papers(one),
    }


def _papers(one: Reading) -> str:
    """The papers that were handed in, as the system has them: an XML document in a text."""
    names = ("Đơn đề nghị", f"Giấy tờ chứng minh & xác nhận của {one.person.name}")
    papers = "".join(
        f"<GiayTo><Ten>{escape(name)}</Ten><Url>https://example.invalid/{one.number}/{position}</Url></GiayTo>"
        for position, name in enumerate(names, start=1)
    )
    return f"<DanhSach>{papers}</DanhSach>"


def _time(epoch: int | None) -> str:
    return "" if epoch is None else written.moment(epoch)


def _broken(item: dict[str, Any], how: How | None) -> dict[str, Any]:
    match how:
        case How.UNKNOWN_STATUS:
            return {**item, "StatusId": "77"}
        case How.BAD_DATE:
            return {**item, "NgayHenTra": "31/02/2026 25:61:00"}
        case How.MISSING_CODE:
            return {key: value for key, value in item.items() if key != "MaHoSo"}
        case How.EXTRA_FIELD:
            return {**item, "DoiTuongId": 2001}
        case How.RENAMED_FIELD:
            return {("TrangThaiId" if key == "StatusId" else key): value for key, value in item.items()}
        case None:
            return item
