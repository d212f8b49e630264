"""The ministry's judicial-record system: it tells how far one named dossier has come, and more than anybody may keep.

``POST {status_path}`` takes ``{authKey, maTinh, maHoSoMCDT}``, one dossier a call, and answers ``{status: 1,
statusDescription, value: [{maHoSoMCDT, trangThaiXuLy, ketQuaXuLy}]}``; ``status`` 0 is a refusal, with its reason.

Seen in public implementations: keys and envelope; ``trangThaiXuLy`` as the national list 1..10, as a number; that 9 and
10 come with ``ketQuaXuLy``: ``soPhieuLLTP``, ``ngayCapPhieu`` (dd/MM/yyyy), ``loaiPhieu``, ``nguoiKy``, ``chucVu``,
``tinhTrangAnTich``, ``phieuLLTP`` (the certificate, base64) and convictions under ``thongTinAn``; and that a dossier
which it does not know is a refusal with the words "Không tìm thấy hồ sơ".
Assumed: the path, HTTP 200 for refusals, the inside of ``thongTinAn``, and that both forms of a dossier code are
understood.

Every certificate and conviction is invented and holds the mark :data:`SECRET`, so that a test can look for it wherever
it must not be.

Connection: the key as password; extra ``status_path``.
"""

from base64 import b64encode
from collections.abc import Mapping
from hmac import compare_digest
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.http import ServerOptions, json_response, read_json, with_controls
from sandbox.province.reading import Reading
from sandbox.province.sectors import System
from sandbox.systems import written
from sandbox.systems.controls import control_routes
from sandbox.systems.register import How, Register
from schemas.identifiers import dossier_long
from schemas.states import State

SECRET = "DU-LIEU-AN-TICH-MAU"
"""The mark in everything that a client must not keep."""

_PROVINCE = "96"
_ISSUED = frozenset({State.COMPLETED, State.RETURNED})


class RefusedError(Exception):
    """The call is refused; the message is told."""


def build(home: Path, options: ServerOptions) -> ASGIApp:
    """The server."""
    register = Register(System.LLTP, home, options)

    async def status(request: Request) -> Response:
        try:
            value = _look_up(register, options, await read_json(request))
        except ValueError:
            return json_response({"status": 0, "statusDescription": "Dữ liệu không hợp lệ", "value": []})
        except RefusedError as refused:
            return json_response({"status": 0, "statusDescription": str(refused), "value": []})
        return json_response({"status": 1, "statusDescription": "", "value": value})

    return with_controls(
        Starlette(routes=[Route(str(options.extra["status_path"]), status, methods=["POST"])]),
        name=options.name,
        controls=control_routes(register, source_id=lambda one: dossier_long(one.code)),
    )


def _look_up(register: Register, options: ServerOptions, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    if not compare_digest(str(body.get("authKey")).encode(), options.password.encode()):
        raise RefusedError("Khóa xác thực không đúng")
    if body.get("maTinh") != _PROVINCE:
        raise RefusedError("Mã tỉnh không đúng")
    now = register.now
    number = now.find(str(body.get("maHoSoMCDT")))
    if number is None:
        raise RefusedError("Không tìm thấy hồ sơ")
    return [_broken(_record(now.reading(number)), register.broken.get(number))]


def _record(one: Reading) -> dict[str, Any]:
    return {
        "maHoSoMCDT": dossier_long(one.code),
        "trangThaiXuLy": one.state.value,
        "ketQuaXuLy": _outcome(one) if one.state in _ISSUED else None,
    }


def _outcome(one: Reading) -> dict[str, Any]:
    has_record = one.number % 4 == 0
    return {
        "soPhieuLLTP": f"{one.number:06d}/MAU",
        "ngayCapPhieu": written.day(one.finished or one.state_since),
        "loaiPhieu": "1",
        "nguoiKy": "Người ký mẫu",
        "chucVu": "Giám đốc",
        "tinhTrangAnTich": f"Có án tích {SECRET}" if has_record else f"Không có án tích {SECRET}",
        "thongTinAn": [{"soBanAn": f"00/MAU {SECRET}", "toiDanh": f"Tội danh mẫu {SECRET}"}] if has_record else [],
        "phieuLLTP": b64encode(f"Phiếu mẫu của {one.person.name} {SECRET}".encode()).decode(),
    }


def _broken(record: dict[str, Any], how: How | None) -> dict[str, Any]:
    match how:
        case How.UNKNOWN_STATUS:
            return {**record, "trangThaiXuLy": 77}
        case How.BAD_DATE:
            return {**record, "ketQuaXuLy": {**(record["ketQuaXuLy"] or {}), "ngayCapPhieu": "31/02/2026"}}
        case How.MISSING_CODE:
            return {key: value for key, value in record.items() if key != "maHoSoMCDT"}
        case How.EXTRA_FIELD:
            return {**record, "coQuanCap": "Cơ quan mẫu"}
        case How.RENAMED_FIELD:
            return {("trangThai" if key == "trangThaiXuLy" else key): value for key, value in record.items()}
        case None:
            return record
