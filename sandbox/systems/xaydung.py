"""The construction system: a REST list of what has changed, over mutual TLS, paged by the ``Link`` header.

===================================================  ============================================================
``POST /oauth2/token``                               client credentials, as Basic
``GET /api/v1/ho-so?cap_nhat_tu=&so_luong=``         ``{"thoi_diem", "ho_so"}``: what changed at or after a moment
===================================================  ============================================================

Longest unchanged first, ``so_luong`` dossiers (at most 500) a page with their whole history; ``Link: <…>; rel="next"``
leads on and is missing from the last page. Keys are in snake case, times ISO with offset, null for what has not
happened.

This is a *template*: no public interface of such a system is known, and a real one will differ. It is there to have one
system of the kind that API gateways put before older systems.

Connection: login and password are the client's; extra ``token_s`` (default 1800). TLS demands a client certificate.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.http import ServerOptions, json_response, with_controls
from sandbox.province.calendar import wall_time
from sandbox.province.reading import Happening, Reading
from sandbox.province.sectors import System
from sandbox.systems.bearer import Credentials, Issuer
from sandbox.systems.change_feed import Part, Place, part_after
from sandbox.systems.controls import control_routes
from sandbox.systems.register import How, Register
from schemas.codes import Channel, OnlinePayment, ResultDelivery
from schemas.states import State

STATUS_CODES: Mapping[State, int] = MappingProxyType(
    {
        State.REGISTERED: 10,
        State.ACCEPTED: 20,
        State.REJECTED: 21,
        State.PROCESSING: 30,
        State.SUPPLEMENT_REQUESTED: 31,
        State.PAYMENT_REQUESTED: 32,
        State.COMPLETED: 40,
        State.RETURNED: 50,
        State.WITHDRAWN: 60,
        State.STOPPED: 70,
    }
)
"""National state to ``trang_thai``."""

_PATH = "/api/v1/ho-so"
_LARGEST_PAGE = 500
_CHANNELS = {Channel.DIRECT: "truc_tiep", Channel.ONLINE: "truc_tuyen", Channel.POSTAL: "buu_chinh"}
_DELIVERIES = {ResultDelivery.DIRECT: "tai_quay", ResultDelivery.POST: "buu_chinh"}
_PAYMENTS = {
    OnlinePayment.NONE: "khong_thu",
    OnlinePayment.NATIONAL_PORTAL: "cong_quoc_gia",
    OnlinePayment.AGENCY_GATEWAY: "cong_don_vi",
    OnlinePayment.NOT_ONLINE: "tien_mat",
}


def build(home: Path, options: ServerOptions) -> ASGIApp:
    """The server."""
    register = Register(System.XAYDUNG, home, options, ordered=True)
    lifetime_s = float(options.extra.get("token_s", 1800))
    issuer = Issuer((options.login, options.password), Credentials.BASIC, lifetime_s=lifetime_s)

    async def changed(request: Request) -> Response:
        if refused := issuer.refusal(request):
            return refused
        try:
            place, size = _asked(request.query_params)
        except ValueError:
            told = f"cap_nhat_tu phải là thời điểm ISO 8601, so_luong từ 1 đến {_LARGEST_PAGE}"
            return json_response({"ma_loi": "THAM_SO_KHONG_HOP_LE", "thong_bao": told}, 400)
        now = register.now
        part = await run_in_threadpool(part_after, now, place, size)
        return _page(request, part, size, now.as_of.isoformat(), register.broken)

    app = Starlette(
        routes=[
            Route("/oauth2/token", issuer.token, methods=["POST"]),
            Route(_PATH, changed, methods=["GET"]),
        ]
    )
    return with_controls(
        app,
        name=options.name,
        controls=control_routes(register, source_id=lambda one: dossier_id(one.number)),
        expire_sessions=issuer.tokens.expire_all,
    )


def dossier_id(number: int) -> str:
    """The system's own id."""
    return f"XD{number:08d}"


def _asked(query: Mapping[str, str]) -> tuple[Place, int]:
    size = int(query.get("so_luong", 100))
    if not 1 <= size <= _LARGEST_PAGE:
        raise ValueError("no such page")
    place = Place.read(query["tiep"]) if "tiep" in query else Place.before(query.get("cap_nhat_tu", ""))
    return place, size


def _page(request: Request, part: Part, size: int, as_of: str, broken: Mapping[int, How]) -> Response:
    response = json_response(
        {"thoi_diem": as_of, "ho_so": [_broken(_dossier(one), broken.get(one.number)) for one in part.readings]}
    )
    if part.next is not None:
        query = urlencode({"tiep": str(part.next), "so_luong": size})
        response.headers["link"] = f'<{request.url.replace(query=query)}>; rel="next"'
    return response


def _dossier(one: Reading) -> dict[str, Any]:
    return {
        "id": dossier_id(one.number),
        "so_ho_so": one.code,
        "ma_ho_so_quoc_gia": one.national_code,
        "thu_tuc": {"ma": one.procedure.code, "ten": one.procedure.name},
        "linh_vuc": {"ma": one.procedure.sector.field_code, "ten": one.procedure.sector.field_name},
        "co_quan": {"ma": one.agency.code, "ten": one.agency.name},
        "kenh_nop": _CHANNELS[one.channel],
        "chu_dau_tu": _applicant(one),
        "trang_thai": STATUS_CODES[one.state],
        "ngay_nop": _time(one.submitted),
        "ngay_tiep_nhan": _time(one.received),
        "ngay_hen_tra": _time(one.due),
        "ngay_co_ket_qua": _time(one.finished),
        "ngay_tra_ket_qua": _time(one.returned),
        "cap_nhat_luc": _time(one.changed),
        "nhan_ket_qua": _DELIVERIES[one.delivery],
        "le_phi": _PAYMENTS[one.payment],
        "qua_trinh": [_step(step, one) for step in one.happenings],
    }


def _applicant(one: Reading) -> dict[str, Any]:
    person, company = one.person, one.enterprise
    return {
        "loai": "ca_nhan" if company is None else "doanh_nghiep",
        "ten": person.name if company is None else company.name,
        "so_giay_to": person.citizen_id if company is None else company.tax_code,
        "dien_thoai": person.phone,
        "thu_dien_tu": person.email,
        "dia_chi": person.address,
    }


def _step(step: Happening, one: Reading) -> dict[str, Any]:
    return {
        "luc": _time(step.at),
        "trang_thai": STATUS_CODES[step.state],
        "noi_dung": step.content,
        "don_vi": one.agency.name,
        "can_bo": step.officer,
    }


def _time(epoch: int | None) -> str | None:
    return None if epoch is None else f"{wall_time(epoch)}+07:00"


def _broken(dossier: dict[str, Any], how: How | None) -> dict[str, Any]:
    match how:
        case None:
            return dossier
        case How.UNKNOWN_STATUS:
            return {**dossier, "trang_thai": 77}
        case How.BAD_DATE:
            return {**dossier, "ngay_hen_tra": "2026-02-31T25:61:00+07:00"}
        case How.MISSING_CODE:
            return {**dossier, "so_ho_so": None}
        case How.EXTRA_FIELD:
            return {**dossier, "ma_cong_trinh": "CT-0001"}
        case How.RENAMED_FIELD:
            return {("tinh_trang" if key == "trang_thai" else key): value for key, value in dossier.items()}
