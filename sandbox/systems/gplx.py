"""The driving-licence system: two URLs, sessions in the body, a list by reception day, one look-up per dossier.

``POST …/mapi/login`` takes ``{"username", "password"}``; ``POST …/mapi/g`` takes ``{"session", "service", …}`` for

- ``DanhSachHoSo`` with ``donViXuLy``, ``ngayNhan1``, ``ngayNhan2`` (yyyy-MM-dd, both included): what was received on
  those days, camelCase, all of it at once;
- ``TraCuuHoSo`` with ``donViXuLy``, ``mahoso``: one dossier, PascalCase, times dd/MM/yyyy HH:mm:ss.

Seen in public implementations: URLs, services, keys, and that everything is HTTP 200 with ``error_code`` as text.
Assumed: the other error codes below, sessions of ten minutes, and that a dossier shows up once it has been received (so
states 1 and 3 never do). Times not known yet are null; dossier codes are in the long form.

Connection: login and password; extra ``login_path``, ``service_path``, ``unit`` (the only ``donViXuLy`` known here),
``session_s`` (default 600).
"""

import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from hmac import compare_digest
from pathlib import Path
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.http import ServerOptions, json_response, last_segment, read_json, with_controls
from sandbox.province.calendar import wall_time
from sandbox.province.reading import Reading
from sandbox.province.sectors import System
from sandbox.systems.controls import control_routes
from sandbox.systems.register import How, Register, Snapshot
from sandbox.targets.passes import Passes
from schemas.identifiers import dossier_long
from schemas.states import LABELS_VI
from schemas.times import VN

_OK = "0"
_BAD_SESSION = "-1"
_BAD_SERVICE = "-2"
_BAD_DATE = "-3"
_EMPTY_UNIT = "-300"
_WRONG_UNIT = "-303"

_ITEMS_PER_CHUNK = 500
_RESIDENCE = "9600000000"

Answer = dict[str, Any] | Response
Service = Callable[[Mapping[str, Any]], Answer]


class RefusedError(Exception):
    """The call is answered with an error code."""

    def __init__(self, error_code: str, message: str) -> None:
        super().__init__(message)
        self.answer = {"error_code": error_code, "message": message}


class DrivingLicences:
    """The system's behaviour, one method per service."""

    def __init__(self, register: Register, options: ServerOptions) -> None:
        self._register = register
        self._options = options
        self.sessions = Passes(timedelta(seconds=float(options.extra.get("session_s", 600))))
        self._services: Mapping[str, Service] = {"DanhSachHoSo": self._list, "TraCuuHoSo": self._look_up}

    def login(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A session for the right name and password."""
        given = f"{body.get('username')}\n{body.get('password')}".encode()
        if not compare_digest(given, f"{self._options.login}\n{self._options.password}".encode()):
            return {"error_code": "1", "result": "ERROR", "message": "Sai tên đăng nhập hoặc mật khẩu"}
        session = str(uuid.uuid4())
        self.sessions.admit(session, datetime.now(UTC))
        return {"error_code": _OK, "result": "OK", "session": session}

    def call(self, body: Mapping[str, Any]) -> Answer:
        """One call of a service."""
        try:
            if not self.sessions.is_good(str(body.get("session")), datetime.now(UTC)):
                raise RefusedError(_BAD_SESSION, "Phiên làm việc không hợp lệ hoặc đã hết hạn")
            service = self._services.get(str(body.get("service")))
            if service is None:
                raise RefusedError(_BAD_SERVICE, "Dịch vụ không tồn tại")
            unit = body.get("donViXuLy")
            if not unit:
                raise RefusedError(_EMPTY_UNIT, "Thiếu đơn vị xử lý")
            if unit != self._options.extra["unit"]:
                raise RefusedError(_WRONG_UNIT, "Đơn vị xử lý không đúng")
            return service(body)
        except RefusedError as refused:
            return refused.answer

    def _list(self, body: Mapping[str, Any]) -> Response:
        first, last = _day(body.get("ngayNhan1")), _day(body.get("ngayNhan2"))
        return StreamingResponse(_list_answer(self._register.now, first, last), media_type="application/json")

    def _look_up(self, body: Mapping[str, Any]) -> dict[str, Any]:
        now = self._register.now
        number = now.find(str(body.get("mahoso")))
        if number is None:
            return {"error_code": _OK, "data": []}
        dossier = now.reading(number)
        data = [_detail(dossier, str(self._options.extra["unit"]))] if is_shown(dossier) else []
        how = self._register.broken.get(number)
        return {"error_code": _OK, "data": [_broken(one, how) for one in data]}


def build(home: Path, options: ServerOptions) -> ASGIApp:
    """The server."""
    register = Register(System.GPLX, home, options)
    system = DrivingLicences(register, options)

    async def login(request: Request) -> Response:
        return await _answer(request, system.login)

    async def call(request: Request) -> Response:
        return await _answer(request, system.call)

    app = Starlette(
        routes=[
            Route(str(options.extra["login_path"]), login, methods=["POST"]),
            Route(str(options.extra["service_path"]), call, methods=["POST"]),
        ]
    )
    return with_controls(
        app,
        name=options.name,
        controls=control_routes(register, source_id=lambda one: dossier_long(one.code), sees=is_shown),
        operation_of=_operation,
        login_operations=frozenset({"login"}),
        expire_sessions=system.sessions.expire_all,
    )


def is_shown(dossier: Reading) -> bool:
    """Whether the system shows the dossier: it does from its reception on."""
    return dossier.received is not None


async def _answer(request: Request, act: Service) -> Response:
    try:
        body = await read_json(request)
    except ValueError:
        return json_response({"error_code": _BAD_SERVICE, "message": "Dữ liệu không hợp lệ"})
    answer = act(body)
    return answer if isinstance(answer, Response) else json_response(answer)


def _operation(path: str, body: bytes) -> str:
    try:
        return str(orjson.loads(body)["service"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return last_segment(path, body)


def _day(value: object) -> date:
    try:
        return datetime.strptime(str(value), "%Y-%m-%d").date()
    except ValueError:
        raise RefusedError(_BAD_DATE, "Ngày nhận phải có dạng yyyy-MM-dd") from None


def _list_answer(now: Snapshot, first: date, last: date) -> Iterator[bytes]:
    yield b'{"error_code":"0","data":['
    separator, chunk = b"", list[bytes]()
    for item in _items(now, first, last):
        chunk.append(separator + orjson.dumps(item))
        separator = b","
        if len(chunk) == _ITEMS_PER_CHUNK:
            yield b"".join(chunk)
            chunk = []
    yield b"".join([*chunk, b"]}"])


def _items(now: Snapshot, first: date, last: date) -> Iterator[dict[str, Any]]:
    """The list items of what was received from ``first`` to ``last``, as far as it has been by now."""
    start, end = _midnight(first), min(_midnight(last + timedelta(days=1)), now.as_of + timedelta(seconds=1))
    if start >= end:
        return
    for number in now.numbers(now.perhaps_received_between(start, end)):
        received = now.province.received(number)
        if received is not None and start.timestamp() <= received < end.timestamp():
            yield _item(now, number)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=VN)


def _item(now: Snapshot, number: int) -> dict[str, Any]:
    person, submitted = now.province.person(number), now.province.submitted(number)
    return {
        "maHoSo": dossier_long(now.province.code(number)),
        "hoTen": person.name,
        "ngaySinh": person.born,
        "soCmt": person.citizen_id,
        "dvhcNoiCuTru": _RESIDENCE,
        "ngayNop": wall_time(submitted)[:10],
    }


def _detail(one: Reading, unit: str) -> dict[str, Any]:
    return {
        "MaTTHC": one.procedure.code,
        "MaDVC": f"DVC{one.procedure.code[2:]}",
        "TenDVC": one.procedure.name,
        "MaHoSo": dossier_long(one.code),
        "HoTenNguoiNop": one.person.name,
        "MaTrangThai": str(one.state.value),
        "TrangThaiHoSo": LABELS_VI[one.state],
        "DonViXuLy": one.agency.name,
        "MaDonViXuLy": unit,
        "NgayNop": _time(one.submitted),
        "NgayTiepNhan": _time(one.received),
        "NgayHenTra": _time(one.due),
        "HinhThucNhanKQ": one.delivery.value,
    }


def _time(epoch: int | None) -> str | None:
    if epoch is None:
        return None
    day, _, time = wall_time(epoch).partition("T")
    return f"{day[8:]}/{day[5:7]}/{day[:4]} {time}"


def _broken(detail: dict[str, Any], how: How | None) -> dict[str, Any]:
    if how is How.UNKNOWN_STATUS:
        return {**detail, "MaTrangThai": "77", "TrangThaiHoSo": "Trạng thái lạ"}
    if how is How.BAD_DATE:
        return {**detail, "NgayHenTra": "31/02/2026 25:61:00"}
    if how is How.MISSING_CODE:
        return {key: value for key, value in detail.items() if key != "MaHoSo"}
    if how is How.EXTRA_FIELD:
        return {**detail, "TruongMoi": "giá trị mới"}
    if how is How.RENAMED_FIELD:
        return {("MaTrangThaiMoi" if key == "MaTrangThai" else key): value for key, value in detail.items()}
    return detail
