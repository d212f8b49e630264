"""Small real HTTP servers on 127.0.0.1, scripted by the tests: well-behaved or hostile, down to single bytes."""

import gzip
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, BinaryIO
from urllib.parse import parse_qs, urlsplit

from connectors.connections import ConnectionSettings


@dataclass(frozen=True)
class Asked:
    """One request as the server saw it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return {key: values[0] for key, values in parse_qs(self.body.decode()).items()}


@dataclass(frozen=True)
class Reply:
    """What to answer; ``raw`` takes the connection over instead and may misbehave until ``stop`` is set."""

    status: int = 200
    body: bytes = b""
    media_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    raw: Callable[[BinaryIO, threading.Event], None] | None = None


def json_reply(value: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(status, json.dumps(value).encode(), headers=headers)


def gzipped(body: bytes) -> Reply:
    return Reply(body=gzip.compress(body), headers={"Content-Encoding": "gzip"})


Script = Callable[[Asked], Reply]


@dataclass
class Server:
    """A running server: where it is and what it was asked."""

    port: int
    asked: list[Asked]
    connections: list[int]

    def settings(self, **fields: Any) -> ConnectionSettings:
        return ConnectionSettings(**{"conn_id": "loop", "host": "127.0.0.1", "port": self.port, **fields})


class _Server(ThreadingHTTPServer):
    tls: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Hook of socketserver, in the connection's own thread: here TLS begins."""
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        secure = self.tls.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        try:
            secure.do_handshake()
        except OSError:
            # Hanging up on unread bytes would reset the connection, and the alert could be lost on its way.
            with socket.socket(fileno=secure.detach()) as bare, suppress(OSError):
                bare.shutdown(socket.SHUT_WR)
                while bare.recv(1 << 16):
                    pass
            return
        with secure:
            super().finish_request(secure, client_address)


@contextmanager
def serving(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Run ``script`` as a server for the length of the block, over TLS with a context."""
    stop = threading.Event()
    seen = Server(0, [], [])

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16  # head and body in one packet; hostile scripts flush by themselves

        def setup(self) -> None:
            super().setup()
            seen.connections.append(self.client_address[1])

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            parts = urlsplit(self.path)
            asked = Asked(
                self.command,
                parts.path,
                {key: ",".join(values) for key, values in parse_qs(parts.query).items()},
                {name.lower(): value for name, value in self.headers.items()},
                self.rfile.read(length),
            )
            seen.asked.append(asked)
            reply = script(asked)
            if reply.raw is not None:
                self.close_connection = True
                try:
                    reply.raw(self.wfile, stop)
                except OSError:
                    return  # the client hung up, which is what most of these tests are about
                return
            self.send_response(reply.status)
            headers = {"Content-Type": reply.media_type, "Content-Length": str(len(reply.body)), **reply.headers}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST = do_PUT = _answer  # noqa: N815

        def log_message(self, *args: Any) -> None:
            """Be quiet."""

    server = _Server(("127.0.0.1", 0), Handler)
    server.tls = tls
    server.daemon_threads = True
    seen.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        server.shutdown()
        server.server_close()
