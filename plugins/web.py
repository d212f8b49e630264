"""The web application of the monitor: reading only, and nothing but the style sheet without Airflow's sign-in."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode

from airflow.api_fastapi.core_api.security import requires_authenticated
from fastapi import Cookie, Depends, FastAPI, Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from connectors.errors import CatalogError
from ledger.errors import LedgerError
from plugins.pages import down_page, overview_page
from plugins.reading import Reader
from plugins.words import Language, Speech

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"
COOKIE = "hosync_lang"
YEAR_S = 365 * 24 * 3600

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


def create_app() -> FastAPI:
    """The application, to be mounted below the API server. Opens no database before the first page."""
    app = FastAPI(title="hosync", docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_exception_handler(HTTPException, _to_sign_in)
    reader = Reader()

    @app.middleware("http")
    async def add_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await call_next(request)
        response.headers.update(HEADERS)
        return response

    @app.get("/", response_class=HTMLResponse, dependencies=[Depends(requires_authenticated())])
    def overview(
        request: Request,
        lang: Language | None = None,
        remembered: Annotated[str | None, Cookie(alias=COOKIE)] = None,
    ) -> HTMLResponse:
        language = lang or (Language(remembered) if remembered in set(Language) else Language.VI)
        say, now = Speech(language), datetime.now(UTC)
        try:
            response = HTMLResponse(overview_page(reader.read(now), say))
        except (LedgerError, CatalogError) as error:
            log.warning("The monitor shows no data: %s", error)
            response = HTMLResponse(down_page(str(error), say, at=now), status_code=503)
        response.headers["Cache-Control"] = "no-store"
        if lang:
            path = request.scope.get("root_path") or "/"
            response.set_cookie(COOKIE, lang, max_age=YEAR_S, path=path, httponly=True, samesite="lax")
        return response

    return app


async def _to_sign_in(request: Request, error: Exception) -> Response:
    """Send a person to Airflow's sign-in and back; give a program the bare status."""
    assert isinstance(error, HTTPException)
    wants_page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
    if error.status_code != 401 or not wants_page:
        return await http_exception_handler(request, error)
    mount = request.scope.get("root_path", "")
    base = mount.rpartition("/")[0]
    return RedirectResponse(f"{base}/api/v2/auth/login?{urlencode({'next': f'{mount}/'})}", status_code=303)
