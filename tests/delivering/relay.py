"""A gateway between us and a target, with bad manners: a real HTTP server that passes requests on as it likes."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from serving import Served


class Answer(NamedTuple):
    """What comes back."""

    status: int
    media_type: str
    body: bytes


PassOn = Callable[[], Answer]
Manner = Callable[[str, PassOn], Answer]
"""``(path, pass_on) -> answer``: ``pass_on()`` hands the request to the target, once for each time it is called."""


def politely(_path: str, pass_on: PassOn) -> Answer:
    """As a gateway should."""
    return pass_on()


@dataclass
class Relay:
    """The running gateway; ``manner`` may be changed at any time."""

    port: int
    manner: Manner = politely

    def connection(self, target: Served) -> str:
        """The connection to the target, by way of the gateway."""
        return json.dumps({**json.loads(target.connection), "port": self.port})


@contextmanager
def relaying(target: Served) -> Iterator[Relay]:
    """A gateway in front of ``target`` for the length of the block."""
    upstream = int(target.url.rpartition(":")[2])

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _relay(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}

            def pass_on() -> Answer:
                connection = HTTPConnection("127.0.0.1", upstream, timeout=10)
                connection.request(self.command, self.path, body, headers)
                reply = connection.getresponse()
                answer = Answer(reply.status, reply.headers.get("Content-Type", ""), reply.read())
                connection.close()
                return answer

            answer = relay.manner(self.path, pass_on)
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.media_type)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def do_GET(self) -> None:
            self._relay()

        def do_POST(self) -> None:
            self._relay()

        def do_PUT(self) -> None:
            self._relay()

        def log_message(self, *_: Any) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    relay = Relay(server.server_address[1])
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield relay
    finally:
        server.shutdown()
        server.server_close()
