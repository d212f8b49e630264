"""The ministry's civil-status system: it tells how far up to three named dossiers have come, and nothing unasked.

``POST {result_path}`` takes ``{maTinh, module, maDinhDanhHoSo: [up to three codes]}`` and answers ``{status: "1",
value: [{maHoSoMCDT, module, trangThai, thoiGianThucHien, noiDungXuLy, ghiChu, ketQuaXuLy}]}``. A dossier that it does
not know is simply not in the answer. It stands behind the province's platform (``lgsp``).

Seen in public implementations: keys and envelope; three codes a call; ``trangThai`` 1 (waiting), 2 (papers wanted), 3
(being processed), 4 (registered) and 6 (refused), mostly as text and sometimes as a number; certificates as base64 in
``ketQuaXuLy``; that what was registered is kept as text, JSON for joint procedures and XML (``<hotich><hoso>…``) for
the others; days as dd/MM/yyyy, dd.MM.yyyy and yyyy-MM-dd beside moments as dd/MM/yyyy HH:mm:ss; and a call with errors
answered as ``{title, status: 500, errors}``.
Assumed: the path; that such an answer comes with HTTP 200; that a call must name a module and tells nothing of the
others; the modules KH and TL (LTKS is known) and which procedure belongs to which; the names of the certificates but
``giayKhaiSinh``; that the registered text comes back as ``ketQuaXuLy.data`` with ``so`` and ``ngayDangKy``; that
``thoiGianThucHien`` is when ``trangThai`` was set; and that both forms of a dossier code are understood.

Connection: login and password are the access and secret key; extra ``app_name``, ``partner_code``,
``partner_code_cus``, ``token_path``, ``result_path``.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.http import ServerOptions, json_response, read_json, with_controls
from sandbox.province.calendar import wall_time
from sandbox.province.reading import Reading
from sandbox.province.sectors import System
from sandbox.systems import written
from sandbox.systems.controls import control_routes
from sandbox.systems.lgsp import LgspDoor
from sandbox.systems.register import How, Register
from schemas.identifiers import dossier_long
from schemas.states import State

STATUS_CODES: Mapping[State, str] = MappingProxyType(
    {
        State.ACCEPTED: "1",
        State.SUPPLEMENT_REQUESTED: "2",
        State.PROCESSING: "3",
        State.COMPLETED: "4",
        State.REJECTED: "6",
    }
)
"""National state to ``trangThai``. Dossiers come here ready to be worked on, so 1 and 6 are known and never told."""

MOST_IDS = 3
_PROVINCE = "96"
_WORDS = {
    "1": "Đã gửi, chờ xử lý",
    "2": "Đề nghị bổ sung giấy tờ",
    "3": "Đang xử lý",
    "4": "Đã đăng ký",
    "6": "Từ chối: không đủ điều kiện",
}
_REGISTERED = "4"


class Module(NamedTuple):
    """How the system handles one kind of registration: its certificate, its form of text and of days."""

    name: str
    certificate: str
    is_joint: bool
    day: Callable[[int], str]


_MODULES = {
    "1.990401": Module("LTKS", "giayKhaiSinh", is_joint=True, day=written.day),
    "1.990402": Module("KH", "giayChungNhanKetHon", is_joint=False, day=lambda epoch: written.day(epoch, between=".")),
    "1.990403": Module("TL", "banSaoTrichLuc", is_joint=False, day=lambda epoch: wall_time(epoch)[:10]),
}


class InvalidError(Exception):
    """The call is answered as a failed validation."""

    def __init__(self, errors: str) -> None:
        super().__init__(errors)
        self.answer = {"title": "Validation", "status": 500, "errors": errors}


def build(home: Path, options: ServerOptions) -> ASGIApp:
    """The server."""
    register = Register(System.HOTICH, home, options)
    door = LgspDoor(options)

    async def token(request: Request) -> Response:
        return door.grant(request.headers, dict(parse_qsl((await request.body()).decode("utf-8", "replace"))))

    async def results(request: Request) -> Response:
        refusal = door.refusal(request.headers)
        if refusal is not None:
            return refusal
        try:
            return json_response({"status": "1", "value": _results(register, await _body(request))})
        except InvalidError as invalid:
            return json_response(invalid.answer)

    app = Starlette(
        routes=[
            Route(str(options.extra["token_path"]), token, methods=["POST"]),
            Route(str(options.extra["result_path"]), results, methods=["POST"]),
        ]
    )
    return with_controls(
        app,
        name=options.name,
        controls=control_routes(register, source_id=lambda one: dossier_long(one.code)),
        expire_sessions=door.tokens.expire_all,
    )


async def _body(request: Request) -> dict[str, Any]:
    try:
        return await read_json(request)
    except ValueError:
        raise InvalidError("Dữ liệu không hợp lệ") from None


def _results(register: Register, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    codes, module = body.get("maDinhDanhHoSo"), body.get("module")
    if body.get("maTinh") != _PROVINCE or not isinstance(codes, list) or not module:
        raise InvalidError("Thiếu thông tin bắt buộc: maTinh, module, maDinhDanhHoSo")
    if len(codes) > MOST_IDS:
        raise InvalidError(f"Chỉ được tra cứu tối đa {MOST_IDS} hồ sơ trong một lần")
    now, broken = register.now, register.broken
    found = (now.find(code) for code in codes if isinstance(code, str))
    readings = [now.reading(number) for number in found if number is not None]
    return [
        _broken(_result(one), broken.get(one.number)) for one in readings if _MODULES[one.procedure.code].name == module
    ]


def _result(one: Reading) -> dict[str, Any]:
    status = STATUS_CODES[one.state]
    return {
        "maHoSoMCDT": dossier_long(one.code),
        "module": _MODULES[one.procedure.code].name,
        "trangThai": int(status) if one.number % 5 == 0 else status,
        "thoiGianThucHien": written.moment(one.state_since),
        "noiDungXuLy": _WORDS[status],
        "ghiChu": "",
        "ketQuaXuLy": _outcome(one) if status == _REGISTERED else None,
    }


def _outcome(one: Reading) -> dict[str, Any]:
    """The certificate, and what was registered as text inside the JSON."""
    module = _MODULES[one.procedure.code]
    day = module.day(one.finished or one.state_since)
    entry = {"so": str(one.number), "hoTen": one.person.name.upper(), "ngayDangKy": day}
    if module.is_joint:
        data = orjson.dumps(entry).decode()
    else:
        inside = "".join(f"<{key}>{escape(value)}</{key}>" for key, value in entry.items())
        data = f"<hotich><hoso>{inside}</hoso></hotich>"
    return {module.certificate: b64encode(f"Bản mẫu số {one.number}".encode()).decode(), "data": data}


def _broken(result: dict[str, Any], how: How | None) -> dict[str, Any]:
    match how:
        case How.UNKNOWN_STATUS:
            return {**result, "trangThai": "9", "noiDungXuLy": "Mã trạng thái không có trong danh sách"}
        case How.BAD_DATE:
            return {**result, "thoiGianThucHien": "31/02/2026 25:61:00"}
        case How.MISSING_CODE:
            return {key: value for key, value in result.items() if key != "maHoSoMCDT"}
        case How.EXTRA_FIELD:
            return {**result, "coQuanXuLy": "Cơ quan mẫu"}
        case How.RENAMED_FIELD:
            return {("trangThaiXuLy" if key == "trangThai" else key): value for key, value in result.items()}
        case None:
            return result
