"""The provincial processing system where it is an iGate 2: told by dossiers as JSON, asked over its search.

===============================  =====================================================================
``POST {token_path}``            access token of 300 s, password grant or client credentials
``POST /pa/dossier/--sync``      a dossier; inserts or replaces by ``code``
``GET /pa/dossier/search``       ``page``, ``size``, ``code``; a Spring page, the last changed first
===============================  =====================================================================

Seen in public implementations: the token, the search and the items in its pages.
Assumed: all of ``--sync`` (path, shape, and that ``{"id", "code"}`` answers a success and 400 with ``message`` a
refusal), and the status ids except 4.

Connection: login and password, extra ``client_id``, ``client_secret``, ``token_path``.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.http import ServerOptions, json_response, read_json, server_home, with_controls
from sandbox.systems.igate import Issuer
from sandbox.targets.control import control_routes
from sandbox.targets.igate.store import NATIONAL, IgateStore
from sandbox.targets.store import Clock
from schemas.states import State

_LARGEST_PAGE = 2000


def build(home: Path, options: ServerOptions, clock: Clock = lambda: datetime.now(UTC)) -> ASGIApp:
    """The provincial system's server; what it holds is in ``<home>/<name>/igate.db``."""
    store = IgateStore(server_home(home, options) / "igate.db")
    issuer = Issuer(options)

    def stranger(request: Request) -> Response | None:
        if issuer.accepts(request.headers.get("authorization", "")):
            return None
        body = {"error": "invalid_token", "error_description": "Invalid or expired access token"}
        return json_response(body, 401)

    async def token(request: Request) -> Response:
        return issuer.grant(dict(parse_qsl((await request.body()).decode("utf-8", "replace"))))

    async def save(request: Request) -> Response:
        if refused := stranger(request):
            return refused
        try:
            body = await read_json(request)
            check(body)
        except ValueError as error:
            store.tally("refused:--sync")
            return json_response({"status": 400, "error": "Bad Request", "message": str(error)}, 400)
        return json_response({"id": f"{store.save(body, clock()):024x}", "code": body["code"]})

    async def search(request: Request) -> Response:
        if refused := stranger(request):
            return refused
        query = request.query_params
        page, size = query.get("page", "0"), query.get("size", "20")
        if not (page.isdigit() and size.isdigit() and 1 <= int(size) <= _LARGEST_PAGE):
            return json_response({"status": 400, "error": "Bad Request", "message": "page, size"}, 400)
        return json_response(_page(store, query.get("code"), int(page), int(size)))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        store.close()

    routes = [
        Route(str(options.extra["token_path"]), token, methods=["POST"]),
        Route("/pa/dossier/--sync", save, methods=["POST"]),
        Route("/pa/dossier/search", search, methods=["GET"]),
    ]
    return with_controls(
        Starlette(routes=routes, lifespan=lifespan),
        name=options.name,
        controls=control_routes(store, tuple(State), clock),
        expire_sessions=issuer.tokens.expire_all,
    )


def check(body: Mapping[str, Any]) -> None:
    """Raise ValueError, which names the field, for a dossier that cannot be stored."""
    if not isinstance(body.get("code"), str) or not body["code"].strip():
        raise ValueError("Thiếu trường code")
    for name in ("agency", "procedure"):
        inner = body.get(name)
        if not isinstance(inner, dict) or not isinstance(inner.get("code"), str):
            raise ValueError(f"Thiếu trường {name}.code")
    status = body.get("dossierStatus")
    if not isinstance(status, dict) or status.get("id") not in NATIONAL:
        raise ValueError("Trường dossierStatus.id không hợp lệ")


def _page(store: IgateStore, code: str | None, page: int, size: int) -> dict[str, Any]:
    total, content = store.page(code, page, size)
    return {
        "content": content,
        "pageable": {"pageNumber": page, "pageSize": size},
        "totalElements": total,
        "totalPages": -(-total // size),
        "size": size,
        "number": page,
        "numberOfElements": len(content),
        "first": page == 0,
        "last": (page + 1) * size >= total,
        "empty": not content,
    }
