"""The road-transport system: one list by day of reception, one key shown three times.

``GET …/danhsachhoso?Start=-1&End=-1&GovAgencyCode=&APIKey=&ReceiveFromDate=dd/MM/yyyy&ReceiveToDate=dd/MM/yyyy`` with
the headers ``Authorization: Bearer`` and ``ApiKey`` (the key again) and ``MaDonVi`` (the agency again) answers
``{"total", "data": […]}``: what was received on those days, both included. ``Start`` and ``End`` cut a piece out of it;
-1 means all.

Seen in public implementations: path, parameters, headers, the documented keys of the items, ``KenhThucHien`` on a base
of its own (0 direct, 1 online), dots in telephone numbers, and the error codes -300 (no agency), -301 (no key), -302
(wrong key), -303 (wrong agency) and -304 (the key's headers are wrong).
Assumed: that an error is HTTP 200 with ``error_code`` as a number, that ``End`` is exclusive, -305 for a date that
cannot be read, and the keys ``TrangThaiHoSo``, ``HinhThuc``, ``NgayKetThucXuLy`` and ``NgayTra``, which the documented
list does not show; they are spelt as in the national portal's dossier record, whose family this list belongs to. An
application sent by post counts as direct. Times not known yet are empty.

A list by day of reception shows a later change of an old dossier only to those who ask for its day again.

Connection: the key as password; extra ``list_path``, ``unit`` (the only ``GovAgencyCode`` known here).
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from hmac import compare_digest
from pathlib import Path
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.http import ServerOptions, json_response, with_controls
from sandbox.province.reading import Reading
from sandbox.province.sectors import System
from sandbox.systems import written
from sandbox.systems.controls import control_routes
from sandbox.systems.register import How, Register, Snapshot
from schemas.codes import Channel
from schemas.identifiers import dossier_long
from schemas.times import VN

_NO_UNIT = -300
_NO_KEY = -301
_WRONG_KEY = -302
_WRONG_UNIT = -303
_WRONG_HEADERS = -304
_BAD_PARAMETER = -305

_ALL = -1
_ITEMS_PER_CHUNK = 500
_PROVINCE = "96"


class RefusedError(Exception):
    """The call is answered with an error code."""

    def __init__(self, error_code: int, message: str) -> None:
        super().__init__(message)
        self.answer = {"error_code": error_code, "message": message}


def build(home: Path, options: ServerOptions) -> ASGIApp:
    """The server."""
    register = Register(System.GTVT, home, options)

    def listing(request: Request) -> Response:
        now = register.now
        try:
            _admit(request, options)
            total, numbers = _find(now, request.query_params)
        except RefusedError as refused:
            return json_response(refused.answer)
        return StreamingResponse(_answer(now, register.broken, total, numbers), media_type="application/json")

    return with_controls(
        Starlette(routes=[Route(str(options.extra["list_path"]), listing, methods=["GET"])]),
        name=options.name,
        controls=control_routes(register, source_id=lambda one: dossier_long(one.code), sees=is_shown),
    )


def is_shown(dossier: Reading) -> bool:
    """Whether the system shows the dossier: it does from its reception on."""
    return dossier.received is not None


def channel_code(channel: Channel) -> int:
    """The system's own number of a channel: 0 direct, 1 online, and no other."""
    return 1 if channel is Channel.ONLINE else 0


def _admit(request: Request, options: ServerOptions) -> None:
    key, unit = request.query_params.get("APIKey"), request.query_params.get("GovAgencyCode")
    headers = request.headers
    if not unit:
        raise RefusedError(_NO_UNIT, "Mã đơn vị trống")
    if not key:
        raise RefusedError(_NO_KEY, "ApiKey trống")
    if not compare_digest(key.encode(), options.password.encode()):
        raise RefusedError(_WRONG_KEY, "Sai ApiKey")
    if unit != options.extra["unit"] or headers.get("madonvi") != unit:
        raise RefusedError(_WRONG_UNIT, "Sai mã đơn vị")
    if headers.get("apikey") != key or headers.get("authorization") != f"Bearer {key}":
        raise RefusedError(_WRONG_HEADERS, "Lỗi ApiKey")


def _find(now: Snapshot, query: Mapping[str, str]) -> tuple[int, list[int]]:
    """How many dossiers were received on the days asked for, and the piece of them that is to be told."""
    try:
        first, last = written.read_day(query.get("ReceiveFromDate")), written.read_day(query.get("ReceiveToDate"))
        begin, stop = int(query.get("Start", _ALL)), int(query.get("End", _ALL))
    except ValueError:
        raise RefusedError(_BAD_PARAMETER, "Ngày phải có dạng dd/MM/yyyy, Start và End phải là số") from None
    received = list(_received(now, first, last))
    is_whole = begin == _ALL or stop == _ALL
    return len(received), received if is_whole else received[max(0, begin) : max(0, stop)]


def _received(now: Snapshot, first: date, last: date) -> Iterator[int]:
    start, end = _midnight(first), min(_midnight(last + timedelta(days=1)), now.as_of + timedelta(seconds=1))
    if start >= end:
        return
    for number in now.numbers(now.perhaps_received_between(start, end)):
        received = now.province.received(number)
        if received is not None and start.timestamp() <= received < end.timestamp():
            yield number


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=VN)


def _answer(now: Snapshot, broken: Mapping[int, How], total: int, numbers: list[int]) -> Iterator[bytes]:
    yield b'{"total":%d,"data":[' % total
    for start in range(0, len(numbers), _ITEMS_PER_CHUNK):
        chunk = numbers[start : start + _ITEMS_PER_CHUNK]
        items = (orjson.dumps(_broken(_item(now.reading(number)), broken.get(number))) for number in chunk)
        yield (b"," if start else b"") + b",".join(items)
    yield b"]}"


def _item(one: Reading) -> dict[str, Any]:
    name, identity = (one.enterprise.name, one.enterprise.tax_code) if one.enterprise else one.person[:2]
    phone = one.person.phone
    return {
        "MaHoSo": dossier_long(one.code),
        "MaTTHC": one.procedure.code,
        "TenTTHC": one.procedure.name,
        "TenLinhVuc": one.procedure.sector.field_name,
        "TrichYeuHoSo": f"{one.procedure.name} của {name}",
        "KenhThucHien": channel_code(one.channel),
        "DonViXuLy": one.agency.name,
        "MaDoiTuong": identity,
        "ChuHoSo": name,
        "SoDienThoai": f"{phone[:4]}.{phone[4:7]}.{phone[7:]}",
        "Email": one.person.email,
        "MaTinh": _PROVINCE,
        "MaXa": "00000",
        "NgayGuiHoSo": _time(one.submitted),
        "NgayTiepNhan": _time(one.received),
        "NgayHenTra": _time(one.due),
        "TrangThaiHoSo": str(one.state.value),
        "HinhThuc": str(one.delivery.value),
        "NgayKetThucXuLy": _time(one.finished),
        "NgayTra": _time(one.returned),
    }


def _time(epoch: int | None) -> str:
    return "" if epoch is None else written.moment(epoch)


def _broken(item: dict[str, Any], how: How | None) -> dict[str, Any]:
    match how:
        case How.UNKNOWN_STATUS:
            return {**item, "TrangThaiHoSo": "77"}
        case How.BAD_DATE:
            return {**item, "NgayHenTra": "31/02/2026 25:61:00"}
        case How.MISSING_CODE:
            return {key: value for key, value in item.items() if key != "MaHoSo"}
        case How.EXTRA_FIELD:
            return {**item, "MaKetQuaThayThe": "KQ-MAU"}
        case How.RENAMED_FIELD:
            return {("TrangThai" if key == "TrangThaiHoSo" else key): value for key, value in item.items()}
        case None:
            return item
