"""The two styles of adapter that need no session of their callers: one URL for each service, and three URLs.

Seen in public implementations: ``POST /api/SynsTTHCC/DongBoHoSoMC?MaDinhDanhDV=…&isUpdating=True`` with a bare array;
three configured addresses with a bare array, of which the one for steps answers something that is read as plain text.
Assumed: the other names below that path; the addresses, and that there is one for notices and for ratings; that
refusals of steps are plain text too; that the adapter's own session is always good, and its caller is known by where he
calls from.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sandbox.http import json_response
from sandbox.targets.npsp import answers

SERVICES_PATH = "/api/SynsTTHCC"
DOSSIERS, STEPS, NOTICE, RATINGS = "DongBoHoSoMC", "CapNhatTienDoHoSoMC", "DongBoTrangThaiHoSo", "DongBoDanhGia"

URLS: Mapping[str, tuple[str, str | None]] = MappingProxyType(
    {
        "/HoSo/ThemMoi": (DOSSIERS, "False"),
        "/HoSo/CapNhat": (DOSSIERS, "True"),
        "/HoSo/DongBoTienTrinh": (STEPS, None),
        "/HoSo/ThongBao": (NOTICE, None),
        "/DanhGia/DongBo": (RATINGS, None),
    }
)
"""The addresses: which service each is, and what it says of ``isUpdating``."""

Act = Callable[[Mapping[str, Any]], dict[str, Any]]
"""Serves the body that the dispatch style would have sent, without looking for a session."""


def adapter_routes(act: Act, unit: str) -> list[Route]:
    """The routes of both styles. ``unit`` is what the adapter with three addresses knows of its caller."""

    async def by_service(request: Request) -> Response:
        query = request.query_params
        flag = {name: query[name] for name in ("isUpdating", "type") if name in query}
        body = {"madonvi": query.get("MaDinhDanhDV"), "service": request.path_params["service"], **flag}
        return json_response(await _served(request, act, body))

    async def by_url(request: Request) -> Response:
        service, flag = URLS[request.url.path]
        answer = await _served(request, act, {"madonvi": unit, "service": service, "isUpdating": flag, "type": "2"})
        return PlainTextResponse(answer["message"]) if service == STEPS else json_response(answer)

    return [
        Route(f"{SERVICES_PATH}/{{service}}", by_service, methods=["POST"]),
        *(Route(path, by_url, methods=["POST"]) for path in URLS),
    ]


def service_of(path: str) -> str | None:
    """The service that a path of these styles leads to, by which faults know it; None for a path of another style."""
    if path in URLS:
        return URLS[path][0]
    base, _, service = path.rpartition("/")
    return service if base == SERVICES_PATH else None


async def _served(request: Request, act: Act, body: Mapping[str, Any]) -> dict[str, Any]:
    try:
        data = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        return {"error_code": answers.NOT_JSON.error_code, "message": answers.NOT_JSON.message}
    return act({**body, "data": data})
