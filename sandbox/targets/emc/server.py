"""EMC as a sender sees it: one URL that swallows events, and a dashboard for people.

Seen in public sources: ``POST /TrackingMCDT`` as JSON or form, no authentication but siteId, 204 without a body, no
key and nothing to read back by machine.
Assumed: that an event of an unknown site, or one that cannot be read, is answered 204 like any other and left out of
every count, as trackers do (the control endpoint stats shows ``ignored``); and the dashboard (``dashboard.py``).

Connection: extra ``site_id`` (default 99999), the one site whose events count.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.http import ServerOptions, server_home, with_controls
from sandbox.targets.control import control_routes
from sandbox.targets.emc.dashboard import as_csv, as_page
from sandbox.targets.emc.events import EventStatus, parse_event
from sandbox.targets.emc.store import EventStore
from sandbox.targets.store import Clock

_SITE_ID = 99999


def build(home: Path, options: ServerOptions, clock: Clock = lambda: datetime.now(UTC)) -> ASGIApp:
    """EMC's server; what it holds is in ``<home>/<name>/emc.db``."""
    store = EventStore(server_home(home, options) / "emc.db")
    site_id = int(options.extra.get("site_id", _SITE_ID))

    async def track(request: Request) -> Response:
        try:
            event = parse_event(request.headers.get("content-type", ""), await request.body())
        except ValueError:
            store.tally("ignored:unreadable")
            return Response(status_code=204)
        if event.site_id == site_id:
            store.count(event, clock())
        else:
            store.tally("ignored:unknown_site")
        return Response(status_code=204)

    async def dashboard(request: Request) -> Response:
        counts, distinct = store.counts(), store.distinct()
        if request.query_params.get("format") != "csv":
            return HTMLResponse(as_page(counts, distinct))
        headers = {"Content-Disposition": 'attachment; filename="emc-dashboard.csv"'}
        return Response(as_csv(counts, distinct), media_type="text/csv; charset=utf-8", headers=headers)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        store.close()

    routes = [
        Route("/TrackingMCDT", track, methods=["POST"]),
        Route("/dashboard", dashboard, methods=["GET"]),
    ]
    return with_controls(
        Starlette(routes=routes, lifespan=lifespan),
        name=options.name,
        controls=control_routes(store, tuple(EventStatus), clock),
    )
