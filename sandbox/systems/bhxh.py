"""The social-insurance system: SOAP 1.2, document/literal, signed messages, answers with scans attached.

One operation, ``danhSachHoSoThayDoi``: what has changed at or after a moment, oldest change first, page by page.
Messages carry a UsernameToken with password digest and an X.509 signature over the body (``wssecurity``). Answers are
MTOM (``multipart/related``): the envelope, and after it the scanned paper of each dossier, to which its ``banQuet``
refers. ``POST /_sandbox/packaging {"mtom": false}`` switches that off; then the scans stand in the envelope, in Base64.

There is no public contract: this is a template, with a WSDL written for it. Seen on the self-service pages of social
insurance are the status codes 2 (submitted) and 4 (recorded), the number ``NNNNN/YYYY/AAAAA`` that a dossier has from
its recording on and which is null before, and the ``id`` that is a number with a decimal point.
Assumed: everything else: operation and elements, the other status codes, that the answers are MTOM and not signed, and
that a dossier is recorded when it is accepted. Moments are written with the offset +07:00.

Connection: login and password, ``sign_cert`` and ``sign_key`` (files) of the client that is registered; extra ``path``.
"""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.certificates import ensure
from sandbox.http import ServerOptions, json_response, read_json, with_controls
from sandbox.province.calendar import wall_time
from sandbox.province.reading import Happening, Reading
from sandbox.province.sectors import System
from sandbox.systems.controls import control_routes
from sandbox.systems.register import How, Register
from sandbox.systems.soap import (
    SOAP12,
    Contract,
    FaultError,
    Message,
    SoapService,
    content_type,
    element,
    envelope,
    leaf,
    operation_of,
)
from sandbox.systems.wssecurity import Gatekeeper
from schemas.identifiers import agency_long, dossier_long
from schemas.states import State
from schemas.times import with_zone

STATUS_CODES: Mapping[State, int] = MappingProxyType(
    {
        State.REGISTERED: 2,
        State.REJECTED: 3,
        State.ACCEPTED: 4,
        State.PROCESSING: 5,
        State.SUPPLEMENT_REQUESTED: 6,
        State.COMPLETED: 7,
        State.RETURNED: 8,
        State.WITHDRAWN: 9,
        State.PAYMENT_REQUESTED: 10,
        State.STOPPED: 11,
    }
)
"""National state to ``trangThai``; 2 and 4 have been seen."""

_CONTRACT = Contract("bhxh")
_LARGEST_PAGE = 1000
_FIRST_OFFICE = 12_000
_NUMBERS_PER_OFFICE = 100_000


@dataclass(slots=True)
class Packaging:
    """How answers are packed."""

    mtom: bool = True


def build(home: Path, options: ServerOptions) -> ASGIApp:
    """The server."""
    ensure(home)
    register = Register(System.BHXH, home, options, ordered=True)
    packaging = Packaging()
    keeper = Gatekeeper(options.login, options.password, Path(str(options.extra["sign_cert"])))
    service = SoapService(
        _CONTRACT,
        SOAP12,
        {"danhSachHoSoThayDoi": lambda message: _changed_since(register, packaging, message)},
        keeper.admit,
    )

    async def pack(request: Request) -> Response:
        try:
            body = await read_json(request)
            if body.keys() != {"mtom"} or not isinstance(body["mtom"], bool):
                raise ValueError('the body must be {"mtom": true} or {"mtom": false}')
        except ValueError as error:
            return json_response({"error": str(error)}, 422)
        packaging.mtom = body["mtom"]
        return json_response({"mtom": packaging.mtom})

    return with_controls(
        Starlette(routes=[Route(str(options.extra["path"]), service.respond, methods=["GET", "POST"])]),
        name=options.name,
        controls=[*control_routes(register, source_id=source_id), Route("/packaging", pack, methods=["POST"])],
        operation_of=operation_of,
    )


def source_id(one: Reading) -> str:
    """The system's own name for a dossier: its id. The number on paper comes only once it is recorded."""
    return f"{one.number + 1:d}.0"


def _number(one: Reading) -> str | None:
    if one.received is None:
        return None
    office, running = divmod(one.number, _NUMBERS_PER_OFFICE)
    return f"{running:05d}/{wall_time(one.received)[:4]}/{_FIRST_OFFICE + office:05d}"


def _changed_since(register: Register, packaging: Packaging, message: Message) -> Response:
    asked = message.values()
    page, size = int(asked["trang"]), int(asked["soDongMoiTrang"])
    if page < 1 or not 1 <= size <= _LARGEST_PAGE:
        raise _bad_parameter(f"trang phải từ 1, soDongMoiTrang từ 1 đến {_LARGEST_PAGE}")
    try:
        since = with_zone(datetime.fromisoformat(asked["tuThoiDiem"].strip()))
    except ValueError:
        raise _bad_parameter("tuThoiDiem không phải là một thời điểm") from None
    now, broken = register.now, register.broken
    first = now.changes.position_of(int(-(-since.timestamp() // 1)))
    numbers = now.changes.numbers(first + (page - 1) * size, first + page * size)

    def content() -> Iterator[str]:
        yield f'<danhSachHoSoThayDoiResponse xmlns="{_CONTRACT.namespace}">'
        yield leaf("tongSo", len(now.changes) - first) + leaf("trang", page)
        yield leaf("thoiDiem", now.as_of.isoformat(timespec="seconds")) + "<danhSachHoSo>"
        for number in numbers:
            one = now.reading(number)
            paper = _reference(number) if packed else base64.b64encode(scan(number)).decode()
            yield _dossier(one, paper, broken.get(number))
        yield "</danhSachHoSo></danhSachHoSoThayDoiResponse>"

    packed = packaging.mtom
    if not packed:
        return StreamingResponse(envelope(SOAP12, content()), media_type=content_type(SOAP12))
    return _multipart(envelope(SOAP12, content()), numbers)


def _bad_parameter(text: str) -> FaultError:
    return FaultError(text, subcode=(_CONTRACT.namespace, "ThamSo"))


def _dossier(one: Reading, paper: str, how: How | None) -> str:
    number = _number(one)
    status = "77" if how is How.UNKNOWN_STATUS else STATUS_CODES[one.state]
    return element(
        "hoSo",
        leaf("id", source_id(one)),
        leaf("soHoSo", number) or '<soHoSo xsi:nil="true" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"/>',
        "" if how is How.MISSING_CODE else leaf("maHoSoDVC", dossier_long(one.code)),
        leaf("maThuTuc", one.procedure.code),
        leaf("maCoQuan", agency_long(one.agency.code)),
        leaf("tenCoQuan", one.agency.name),
        leaf("tinhTrang" if how is How.RENAMED_FIELD else "trangThai", status),
        leaf("kenhNop", one.channel.value),
        leaf("nhanKetQua", one.delivery.value),
        leaf("ngayGui", "31/02/2026" if how is How.BAD_DATE else _time(one.submitted)),
        leaf("ngayGhiNhan", _time(one.received)),
        leaf("ngayHenTra", _time(one.due)),
        leaf("ngayXuLyXong", _time(one.finished)),
        leaf("ngayTraKetQua", _time(one.returned)),
        leaf("ngayCapNhat", _time(one.changed)),
        element(
            "nguoiNop",
            leaf("hoTen", one.person.name),
            leaf("soDinhDanh", one.person.citizen_id),
            leaf("dienThoai", one.person.phone),
            leaf("diaChi", one.person.address),
        ),
        element("quaTrinh", *map(_step, one.happenings)),
        element("banQuet", paper),
        leaf("maBenhVien", "96-001") if how is How.EXTRA_FIELD else "",
    )


def _step(step: Happening) -> str:
    return element(
        "buoc",
        leaf("ngay", _time(step.at)),
        leaf("trangThai", STATUS_CODES[step.state]),
        leaf("noiDung", step.content),
        leaf("canBo", step.officer),
    )


def _time(epoch: int | None) -> str | None:
    return None if epoch is None else f"{wall_time(epoch)}+07:00"


def scan(number: int) -> bytes:
    """The scanned paper of a dossier, as far as anybody needs it here."""
    return f"%PDF-1.4\n% Bản quét mẫu của hồ sơ {number}\n%\xff\xfe\n%%EOF".encode()


def _reference(number: int) -> str:
    return f'<xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:quet-{number}@bhxh.mau.invalid"/>'


def _multipart(document: Iterator[bytes], numbers: list[int]) -> Response:
    """MTOM: the envelope as root part, and a part for the scan of each dossier."""
    boundary = f"mau-{uuid4()}"

    def parts() -> Iterator[bytes]:
        yield _part(boundary, f'application/xop+xml; charset=UTF-8; type="{SOAP12.media_type}"', "goc")
        yield from document
        for number in numbers:
            yield _part(boundary, "application/pdf", f"quet-{number}") + scan(number)
        yield f"\r\n--{boundary}--\r\n".encode()

    kind = f'multipart/related; type="application/xop+xml"; start="<goc@bhxh.mau.invalid>"; boundary="{boundary}"'
    return StreamingResponse(parts(), media_type=f'{kind}; start-info="{SOAP12.media_type}"')


def _part(boundary: str, media_type: str, name: str) -> bytes:
    return (
        f"\r\n--{boundary}\r\nContent-Type: {media_type}\r\nContent-Transfer-Encoding: binary\r\n"
        f"Content-ID: <{name}@bhxh.mau.invalid>\r\n\r\n"
    ).encode()
