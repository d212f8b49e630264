"""Work permits for foreigners: a SOAP 1.1 system as a department of the province might have it.

``GET /dich-vu?wsdl`` hands out the contract; ``dsHoSoCapNhat`` lists what changed at or after a moment, oldest change
first, page by page. HTTP Basic. States are told in Vietnamese words.

Invented as a whole. Connection: login and password.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.http import ServerOptions, with_controls
from sandbox.province.calendar import wall_time
from sandbox.province.reading import Reading
from sandbox.province.sectors import System
from sandbox.systems.controls import control_routes
from sandbox.systems.register import How, Register
from sandbox.systems.soap import SOAP11, Contract, FaultError, Message, SoapService, element, leaf, operation_of
from sandbox.targets.province.tokens import basic, same
from schemas.states import LABELS_VI
from schemas.times import with_zone

_CONTRACT = Contract("laodong", Path(__file__).parent / "laodong.wsdl")
_LARGEST_PAGE = 500


def build(home: Path, options: ServerOptions) -> ASGIApp:
    """The server."""
    register = Register(System.LAODONG, home, options, ordered=True)
    service = SoapService(
        _CONTRACT, SOAP11, {"dsHoSoCapNhat": lambda message: _changed(register, message)}, lambda _: None
    )

    async def respond(request: Request) -> Response:
        asks_for_contract = request.method == "GET"
        if asks_for_contract or same(basic(request.headers.get("authorization")), (options.login, options.password)):
            return await service.respond(request)
        return Response("Sai tên đăng nhập hoặc mật khẩu", 401, {"WWW-Authenticate": 'Basic realm="laodong"'})

    return with_controls(
        Starlette(routes=[Route("/dich-vu", respond, methods=["GET", "POST"])]),
        name=options.name,
        controls=control_routes(register, source_id=_id),
        operation_of=operation_of,
    )


def _id(one: Reading) -> str:
    return f"GPLD-{one.number:06d}"


def _changed(register: Register, message: Message) -> Iterator[str]:
    asked = message.values()
    page, size = int(asked["trang"]), int(asked["soDong"])
    if page < 1 or not 1 <= size <= _LARGEST_PAGE:
        raise FaultError(f"trang từ 1, soDong từ 1 đến {_LARGEST_PAGE}")
    since = with_zone(datetime.fromisoformat(asked["tuThoiDiem"].strip()))
    now, broken = register.now, register.broken
    first = now.changes.position_of(int(-(-since.timestamp() // 1)))
    yield f'<dsHoSoCapNhatResponse xmlns="{_CONTRACT.namespace}">' + leaf("tongSo", len(now.changes) - first)
    for number in now.changes.numbers(first + (page - 1) * size, first + page * size):
        yield _dossier(now.reading(number), broken.get(number))
    yield "</dsHoSoCapNhatResponse>"


def _dossier(one: Reading, how: How | None) -> str:
    state = "Trạng thái lạ" if how is How.UNKNOWN_STATUS else LABELS_VI[one.state]
    return element(
        "hoSo",
        leaf("hoSoId", _id(one)),
        "" if how is How.MISSING_CODE else leaf("maHoSo", one.code),
        leaf("maThuTuc", one.procedure.code),
        leaf("maDonVi", one.agency.code),
        leaf("tenDonVi", one.agency.name),
        leaf("nguoiNop", one.person.name),
        leaf("ngayNop", "31/02/2026" if how is How.BAD_DATE else _time(one.submitted)),
        leaf("ngayTiepNhan", _time(one.received)),
        leaf("ngayHenTra", _time(one.due)),
        leaf("ngayHoanThanh", _time(one.finished)),
        leaf("ngayTra", _time(one.returned)),
        leaf("tinhTrang" if how is How.RENAMED_FIELD else "trangThai", state),
        leaf("ngayCapNhat", _time(one.changed)),
        leaf("ghiChuMoi", "mới") if how is How.EXTRA_FIELD else "",
    )


def _time(epoch: int | None) -> str | None:
    return None if epoch is None else f"{wall_time(epoch)}+07:00"
