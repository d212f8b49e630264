"""The endpoint that systems call, as a web application: mounted in Airflow's API server, or served alone in a DMZ.

The secret is the only credential; there is no sign-in. The body of a call is read only after its caller was let in,
within limits of size and time, and the database is used in threads of its own, so that a slow one never takes those
that Airflow's pages need.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import orjson
from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from connectors.errors import CatalogError
from connectors.inbound import Request as Head
from sync.inbound import UNAVAILABLE, Answer, Reception, Visit

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log = logging.getLogger("hosync.inbound")

PREFIX = "/hosync/inbound"
"""Where the application stands, in Airflow's API server and alone."""

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
_THREADS = 8
_MOST_AT_ONCE = 200
_BODY_S = 30.0
_AGAIN_S = 60

T = TypeVar("T")


def create_inbound_app(open_reception: Callable[[], Reception] = Reception.from_env) -> ASGIApp:
    """The application, to be mounted at ``PREFIX``. Reads the catalog with the first call."""
    return _Discreet(_Desk(open_reception).app())


def create_server_app(open_reception: Callable[[], Reception] = Reception.from_env) -> ASGIApp:
    """The application for a server of its own: the calls at ``PREFIX``, and ``/health`` for whoever watches it."""
    desk = _Desk(open_reception)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=desk.lifespan)
    app.mount(PREFIX, desk.app())
    app.add_route("/health", desk.health, methods=["GET"])
    return _Discreet(app)


class TooLarge(Exception):
    """The body is larger than its system's calls may be."""


class _Desk:
    """Where requests come in."""

    def __init__(self, open_reception: Callable[[], Reception]) -> None:
        self._open_reception = open_reception
        self._guard = threading.Lock()
        self._reception: Reception | None = None
        self._limiter: CapacityLimiter | None = None
        self._present = 0

    def app(self) -> FastAPI:
        """Takes requests for ``/{system}/…``."""
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        app.add_route("/{system}/{rest:path}", self.call, methods=_METHODS)
        return app

    @asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        """Close what was opened when the server ends."""
        yield
        if self._reception is not None:
            await self._in_thread(self._reception.close)

    async def health(self, _request: Request) -> Response:
        """200 when calls can be stored, else 503."""
        is_ready = await self._in_thread(lambda: self._opened().is_ready())
        return _response(Answer(status=200, value={"status": "ok"}) if is_ready else UNAVAILABLE)

    async def call(self, request: Request) -> Response:
        """One request of whomever."""
        if self._present >= _MOST_AT_ONCE:
            return _response(UNAVAILABLE)
        self._present += 1
        try:
            return _response(await self._answer(request))
        except ClientDisconnect:
            return Response(status_code=400)  # nobody hears it
        finally:
            self._present -= 1

    async def _answer(self, request: Request) -> Answer:
        admit = partial(self._admit, str(request.path_params["system"]), _head(request))
        visit = await self._in_thread(admit)
        if isinstance(visit, Answer):
            return visit
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            return await self._in_thread(partial(visit.refuse, "Không nhận nội dung nén", 415))
        try:
            async with asyncio.timeout(_BODY_S):
                body = await _body(request, visit.max_bytes)
        except TooLarge:
            message = f"Nội dung lớn hơn {visit.max_bytes >> 10} KB"
            return await self._in_thread(partial(visit.refuse, message, 413))
        except TimeoutError:
            return await self._in_thread(partial(visit.refuse, f"Nội dung không đến đủ trong {_BODY_S:.0f} giây", 408))
        return await self._in_thread(partial(visit.take, body))

    def _admit(self, system: str, head: Head) -> Visit | Answer:
        try:
            return self._opened().admit(system, head)
        except CatalogError as error:
            _log.error("No call can be taken: %s", error)
            return UNAVAILABLE

    def _opened(self) -> Reception:
        with self._guard:
            if self._reception is None:
                self._reception = self._open_reception()
            return self._reception

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._limiter is None:
            self._limiter = CapacityLimiter(_THREADS)
        return await to_thread.run_sync(work, limiter=self._limiter)


class _Discreet:
    """Takes what follows the system's name, which may hold a secret, out of a request before anybody can log it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        before, prefix, rest = str(scope["path"]).partition(f"{PREFIX}/")
        path = f"{before}{prefix}{rest.partition('/')[0]}/hidden" if prefix else before

        def hide() -> None:
            # The servers' and middlewares' own dictionary: access logs are written from it after the answer.
            scope["path"] = path
            scope["raw_path"] = path.encode()
            scope["query_string"] = b""

        async def send_discreetly(message: Message) -> None:
            hide()
            await send(message)

        try:
            await self._app(scope, receive, send_discreetly)
        finally:
            hide()


def _head(request: Request) -> Head:
    return Head(
        method=request.method,
        parts=tuple(part for part in str(request.path_params["rest"]).split("/") if part),
        query=dict(request.query_params),
        headers=dict(request.headers),
        remote=request.client.host if request.client else None,
    )


async def _body(request: Request, most: int) -> bytes:
    """The body; raises ``TooLarge`` as soon as it is known."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > most:
        raise TooLarge
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise TooLarge
    return bytes(body)


def _response(answer: Answer) -> Response:
    headers = {"Cache-Control": "no-store"}
    if answer.status == UNAVAILABLE.status:
        headers["Retry-After"] = str(_AGAIN_S)
    return Response(orjson.dumps(answer.value), answer.status, headers=headers, media_type="application/json")
