"""What every server of the sandbox is made of: its options, its control endpoints, its runner.

A server is a module with one function::

    def build(home: Path, options: ServerOptions) -> ASGIApp:
        routes = [Route("/mapi/login", login, methods=["POST"]), ...]            # the dialect it imitates
        return with_controls(
            Starlette(routes=routes),
            name=options.name,
            controls=[Route("/dossiers", list_dossiers), ...],                  # seen under /_sandbox/dossiers
            operation_of=lambda path, body: orjson.loads(body)["service"],      # names used by faults
            login_operations=frozenset({"login"}),                              # spared by faults without a name
            expire_sessions=sessions.clear,                                     # what the fault expire-sessions does
        )

``python -m sandbox run NAME --home DIR --port P`` starts one server on 127.0.0.1 (port 0: the system picks one, and
the process prints it); ``python -m sandbox serve`` starts all of them. NAME is a key of ``sandbox.servers.SERVERS``.

A server whose connection says ``tls`` has a second listener, for TLS with a certificate on both sides
(``sandbox.certificates``); in the clear it then only answers its control endpoints. Its module knows nothing of that.

``home`` is the sandbox's directory. A server keeps what must outlive it in ``home/<name>/`` (:func:`server_home`).
``options`` carry the login, password and extra of its connection, exactly as ``sandbox.json`` hands them to clients.

Under ``/_sandbox/`` every server answers ``GET health`` and ``GET | POST | DELETE faults`` (``sandbox.faults`` lists
the modes); what else is there is the server's own. Control endpoints are not part of any real dialect, need no login
and never run into a fault.
"""

import asyncio
import os
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, cast

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.faults import Fault, FaultLayer, Faults, Mode

HOST = "127.0.0.1"
CONTROL_PREFIX = "/_sandbox"

_LINES_PER_CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """What a server is told when it starts.

    ``seed``, ``size`` and ``as_of`` describe the province: ``size`` dossiers were received in the half-year that ends
    at ``as_of`` (aware). ``login``, ``password`` and ``extra`` are those of the server's own connection. ``peers``
    maps the names of the other servers to their base URLs, ``http://127.0.0.1:PORT``.
    """

    name: str
    seed: int
    size: int
    as_of: datetime
    login: str
    password: str
    extra: Mapping[str, Any]
    peers: Mapping[str, str]


def server_home(home: Path, options: ServerOptions) -> Path:
    """The directory in which this server keeps what must outlive it; made if need be."""
    path = home / options.name
    path.mkdir(parents=True, exist_ok=True)
    return path


def last_segment(path: str, _body: bytes) -> str:
    """The default name of an operation: the last part of the path."""
    return path.rstrip("/").rpartition("/")[2]


def with_controls(
    app: ASGIApp,
    *,
    name: str,
    controls: Sequence[BaseRoute] = (),
    operation_of: Callable[[str, bytes], str] = last_segment,
    login_operations: frozenset[str] = frozenset({"login", "token"}),
    expire_sessions: Callable[[], object] | None = None,
    faults: Faults | None = None,
) -> ASGIApp:
    """``app`` with faults on demand and its ``/_sandbox/`` endpoints.

    ``controls`` are Starlette routes relative to ``/_sandbox``. ``operation_of`` gets the path and the whole body
    and must not fail on nonsense. The lifespan (``on_startup`` and the like) is that of ``app``. Who speaks more than
    HTTP brings ``faults`` along and looks into them there too.
    """
    faults = Faults() if faults is None else faults
    control = Starlette(
        routes=[
            Mount(
                CONTROL_PREFIX,
                routes=[Route("/health", _health(name)), *_fault_routes(faults, expire_sessions), *controls],
            )
        ]
    )
    disturbed = FaultLayer(app, faults, operation_of=operation_of, login_operations=login_operations)

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        is_control = scope["type"] == "http" and scope["path"].startswith(f"{CONTROL_PREFIX}/")
        await (control if is_control else disturbed)(scope, receive, send)

    return dispatch


def json_response(value: object, status: int = 200) -> Response:
    """``value`` as UTF-8 JSON, letters as they are."""
    return Response(orjson.dumps(value), status, media_type="application/json")


def json_lines(rows: Iterable[Mapping[str, Any]]) -> StreamingResponse:
    """``rows`` as JSON lines, streamed: memory stays flat however many there are."""

    def chunks() -> Iterable[bytes]:
        source = iter(rows)
        while batch := list(islice(source, _LINES_PER_CHUNK)):
            yield b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in batch)

    return StreamingResponse(chunks(), media_type="application/x-ndjson")


def write_atomically(path: Path, text: str) -> None:
    """Write a whole file or leave the old one: a reader never sees half of it."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, "utf-8")
    fresh.replace(path)


async def read_json(request: Request) -> dict[str, Any]:
    """The JSON object in the body; ValueError when there is none."""
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        raise ValueError("the body is not JSON") from None
    if not isinstance(body, dict):
        raise ValueError("the body is not a JSON object")
    return body


def _health(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def health(_request: Request) -> Response:
        return json_response({"name": name, "status": "ok", "pid": os.getpid()})

    return health


def _fault_routes(faults: Faults, expire_sessions: Callable[[], object] | None) -> list[Route]:
    def listing() -> Response:
        return json_response({"armed": [asdict(fault) for fault in faults.armed]})

    async def show(_request: Request) -> Response:
        return listing()

    async def arm(request: Request) -> Response:
        try:
            fault = Fault.parse(await read_json(request))
            if fault.mode is Mode.EXPIRE_SESSIONS and expire_sessions is None:
                raise ValueError("this server has no sessions to expire")
        except ValueError as error:
            return json_response({"error": str(error)}, 422)
        if fault.mode is Mode.EXPIRE_SESSIONS and expire_sessions is not None:
            expire_sessions()
        else:
            faults.armed.append(fault)
        return listing()

    async def clear(_request: Request) -> Response:
        faults.armed.clear()
        return listing()

    return [
        Route("/faults", show, methods=["GET"]),
        Route("/faults", arm, methods=["POST"]),
        Route("/faults", clear, methods=["DELETE"]),
    ]


def listen(port: int = 0) -> socket.socket:
    """A listening socket on the loopback; port 0 lets the system pick. OSError when the port is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


@dataclass(frozen=True, slots=True)
class SecureListener:
    """A listening socket on which a server speaks TLS."""

    socket: socket.socket
    context: ssl.SSLContext


class Server(uvicorn.Server):
    """One application on plain sockets, as usual, and on others over TLS.

    Where there are others, what comes in plainly only reaches the control endpoints: those who start, watch and disturb
    a server need no certificate, and those who speak its dialect cannot forget theirs.
    """

    def __init__(self, app: ASGIApp, secure: Sequence[SecureListener] = ()) -> None:
        super().__init__(config_of(_only_controls_in_the_clear(app) if secure else app))
        self._secure = secure

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to :func:`run`: several servers may share the process."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open all listeners; uvicorn closes them."""
        await super().startup(sockets)
        self.started = False
        protocol = cast(Callable[..., asyncio.Protocol], self.config.http_protocol_class)
        accept = partial(protocol, config=self.config, server_state=self.server_state, app_state=self.lifespan.state)
        for one in self._secure:
            loop = asyncio.get_running_loop()
            self.servers.append(await loop.create_server(accept, sock=one.socket, ssl=one.context))
        self.started = True


def run(servers: Sequence[tuple[Server, socket.socket]]) -> None:
    """Serve on one event loop, each server on its plain socket and its secure ones, until SIGTERM or SIGINT."""
    factory = servers[0][0].config.get_loop_factory()
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_serve(servers))


async def _serve(servers: Sequence[tuple[Server, socket.socket]]) -> None:
    def stop() -> None:
        for server, _ in servers:
            server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    await asyncio.gather(*(server.serve([listener]) for server, listener in servers))


def _only_controls_in_the_clear(app: ASGIApp) -> ASGIApp:
    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        is_dialect = scope["type"] == "http" and not scope["path"].startswith(f"{CONTROL_PREFIX}/")
        if is_dialect and scope["scheme"] == "http":
            await Response("The plain HTTP request was sent to HTTPS port", 400)(scope, receive, send)
        else:
            await app(scope, receive, send)

    return guard


def config_of(app: ASGIApp) -> uvicorn.Config:
    """How the sandbox runs ``app``.

    uvloop and asyncio both set TCP_NODELAY on accepted connections, so small answers are not held back.
    """
    return uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        # A client may rest between two batches; closing under it would look like a fault nobody asked for.
        timeout_keep_alive=300,
        timeout_graceful_shutdown=2,
    )
