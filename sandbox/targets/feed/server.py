"""A receiver of the status feed, as whoever runs a kiosk, a display board or a contact centre would write it.

==================  ==========================================================================================
``POST /status``     where a dossier stands, or an array of such; 204 when taken, 401 unsigned, 422 not understood
``GET /dossiers``    what it holds: ``?limit=&after=`` -> ``{"data": [...], "next": code or null}``
==================  ==========================================================================================

Both are signed (``messages.py``). Assumed throughout: no such receiver is described in public.

Connection: the password is the shared secret (``whsec_`` and Base64).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.http import ServerOptions, json_response, server_home, with_controls
from sandbox.targets.control import control_routes
from sandbox.targets.feed.messages import TurnedAwayError, parse, verify
from sandbox.targets.feed.store import FeedStore
from sandbox.targets.store import Clock
from schemas.states import State

_MOST = 10_000


def build(home: Path, options: ServerOptions, clock: Clock = lambda: datetime.now(UTC)) -> ASGIApp:
    """The receiver; what it holds is in ``<home>/<name>/feed.db``."""
    store = FeedStore(server_home(home, options) / "feed.db")

    def turned_away(error: TurnedAwayError) -> Response:
        store.tally(f"refused:{error}")
        return json_response({"error": str(error)}, 401)

    async def status(request: Request) -> Response:
        body = await request.body()
        try:
            store.take(parse(verify(options.password, request.headers, body, clock()), body), clock())
        except TurnedAwayError as error:
            return turned_away(error)
        except ValueError as error:
            store.tally("refused:not understood")
            return json_response({"error": str(error)}, 422)
        return Response(status_code=204)

    async def dossiers(request: Request) -> Response:
        try:
            verify(options.password, request.headers, b"", clock())
        except TurnedAwayError as error:
            return turned_away(error)
        limit = request.query_params.get("limit", "100")
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= _MOST):
            return json_response({"error": f"limit must be 1 to {_MOST}"}, 422)
        rows, after = store.page(request.query_params.get("after", ""), int(limit))
        return json_response({"data": rows, "next": after})

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        store.close()

    routes = [Route("/status", status, methods=["POST"]), Route("/dossiers", dossiers, methods=["GET"])]
    return with_controls(
        Starlette(routes=routes, lifespan=lifespan),
        name=options.name,
        controls=control_routes(store, tuple(State), clock),
    )
