"""Water permits: a REST system as a department of the province might have it, with an OpenAPI document.

``GET /openapi.json``                                    the document, for everybody
``GET /api/v1/giay-phep?capNhatTu=&trang=&soDong=``      what changed at or after a moment, oldest change first, with
                                                         the header ``X-Api-Key``

Invented as a whole. Connection: the password is the key.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from hmac import compare_digest
from pathlib import Path
from types import MappingProxyType
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.http import ServerOptions, json_response, with_controls
from sandbox.province.reading import Reading
from sandbox.province.sectors import System
from sandbox.systems.controls import control_routes
from sandbox.systems.register import How, Register
from schemas.states import State
from schemas.times import with_zone

STATUS_CODES: Mapping[State, str] = MappingProxyType(
    {
        State.REGISTERED: "MOI",
        State.ACCEPTED: "TIEP_NHAN",
        State.REJECTED: "TU_CHOI",
        State.PROCESSING: "DANG_XU_LY",
        State.SUPPLEMENT_REQUESTED: "CHO_BO_SUNG",
        State.PAYMENT_REQUESTED: "CHO_THANH_TOAN",
        State.WITHDRAWN: "RUT",
        State.STOPPED: "DUNG",
        State.COMPLETED: "CO_KET_QUA",
        State.RETURNED: "GD_CUOI",  # a code whose meaning nobody can guess
    }
)
"""National state to ``trangThai``."""

_DOCUMENT = json.loads((Path(__file__).parent / "nuoc.openapi.json").read_text("utf-8"))
_LARGEST_PAGE = 500


def build(home: Path, options: ServerOptions) -> ASGIApp:
    """The server."""
    register = Register(System.NUOC, home, options, ordered=True)

    async def document(_request: Request) -> Response:
        return json_response(_DOCUMENT)

    async def changed(request: Request) -> Response:
        if not compare_digest(request.headers.get("x-api-key", "").encode(), options.password.encode()):
            return json_response({"loi": "Khóa không hợp lệ"}, 401)
        try:
            since, page, size = _asked(request.query_params)
        except ValueError:
            problem = f"capNhatTu là thời điểm ISO 8601, trang từ 1, soDong từ 1 đến {_LARGEST_PAGE}"
            return json_response({"loi": problem}, 400)
        now = register.now
        first = now.changes.position_of(since)
        numbers = now.changes.numbers(first + (page - 1) * size, first + page * size)
        told = [_broken(_permit(now.reading(number)), register.broken.get(number)) for number in numbers]
        return json_response({"tongSo": len(now.changes) - first, "trang": page, "giayPhep": told})

    app = Starlette(
        routes=[Route("/openapi.json", document, methods=["GET"]), Route("/api/v1/giay-phep", changed, methods=["GET"])]
    )
    return with_controls(
        app, name=options.name, controls=control_routes(register, source_id=lambda one: f"GPN{one.number:06d}")
    )


def _asked(query: Mapping[str, str]) -> tuple[int, int, int]:
    page, size = int(query.get("trang", 1)), int(query.get("soDong", 50))
    if page < 1 or not 1 <= size <= _LARGEST_PAGE:
        raise ValueError("no such page")
    since = with_zone(datetime.fromisoformat(query.get("capNhatTu", "")))
    return int(-(-since.timestamp() // 1)), page, size


def _permit(one: Reading) -> dict[str, Any]:
    return {
        "id": f"GPN{one.number:06d}",
        "maHoSo": one.code,
        "maThuTuc": one.procedure.code,
        "tenThuTuc": one.procedure.name,
        "maDonVi": one.agency.code,
        "toChuc": {"tenDoanhNghiep": one.enterprise.name, "maSoThue": one.enterprise.tax_code}
        if one.enterprise
        else None,
        "ngayNop": _time(one.submitted),
        "ngayTiepNhan": _time(one.received),
        "ngayHenTra": _time(one.due),
        "ngayHoanThanh": _time(one.finished),
        "ngayTra": _time(one.returned),
        "trangThai": STATUS_CODES[one.state],
        "updatedAt": _time(one.changed),
    }


def _time(epoch: int | None) -> str | None:
    return None if epoch is None else f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _broken(told: dict[str, Any], how: How | None) -> dict[str, Any]:
    match how:
        case None:
            return told
        case How.UNKNOWN_STATUS:
            return {**told, "trangThai": "LA"}
        case How.BAD_DATE:
            return {**told, "ngayNop": "31/02/2026"}
        case How.MISSING_CODE:
            return {key: value for key, value in told.items() if key != "maHoSo"}
        case How.EXTRA_FIELD:
            return {**told, "luuVuc": "Sông Thử"}
        case How.RENAMED_FIELD:
            return {("tinhTrang" if key == "trangThai" else key): value for key, value in told.items()}
