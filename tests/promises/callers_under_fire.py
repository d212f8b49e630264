"""A system that calls us, played by the test with what the sandbox's would have said; it calls until it is heard."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests
from crashing import Ended, Hosync
from living_province import PATIENCE_S, Province

from sync.inbound_app import PREFIX


@dataclass(frozen=True)
class Call:
    """What is told: where to (the secret included), and the body."""

    path: str
    body: bytes

    @property
    def kind(self) -> str:
        """The operation."""
        return self.path.split("/")[1]

    @property
    def told(self) -> Any:
        """The body's document."""
        return json.loads(self.body)


def calls_of(province: Province, system: str, dossier: str) -> list[Call]:
    """All that ``system`` has to say about a dossier, in its order; from now on it is silent."""
    said: list[Call] = []

    class Ear(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            said.append(Call(self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            answer = b'{"Result": 1, "Message": ""}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Ear) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        province.ask(system, "subscribe", {"url": f"http://127.0.0.1:{server.server_address[1]}"})
        deadline = time.monotonic() + PATIENCE_S
        while json.loads(province.ask(system, "calls"))["waiting"] != 0:
            assert time.monotonic() < deadline, "it does not come to an end with calling"
            time.sleep(0.1)
        requests.delete(f"http://127.0.0.1:{province.ports[system]}/_sandbox/subscribe", timeout=30).raise_for_status()
        server.shutdown()
    return [call for call in said if call.told["SoBienNhan"] == dossier]


class Endpoint:
    """`hosync inbound` at one address, killed and started again."""

    def __init__(self, hosync: Hosync, system: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self._hosync = hosync
        self._url = f"http://127.0.0.1:{self._port}{PREFIX}/{system}"
        self._process = 0

    def start(self, die_at: int = 0) -> None:
        """Take calls; see ``Hosync.run`` for ``die_at``."""
        self._process = self._hosync.start("inbound", "--port", str(self._port), die_at=die_at)
        while not self._listens():
            time.sleep(0.01)

    def stop(self) -> Ended:
        """As an operator stops it; gives how it ended, by that or before."""
        with suppress(ProcessLookupError):
            os.kill(self._process, signal.SIGTERM)
        return self._hosync.end()

    def tell(self, calls: Sequence[Call]) -> Ended | None:
        """Tell all in their order, each until it is heard; when the endpoint dies, it is started again and its end
        given back."""
        died = None
        with requests.Session() as caller:
            for call in calls:
                while not self._is_heard(caller, call):
                    assert died is None, "it fell over twice"
                    died = self._hosync.end()
                    assert died.was_killed, died.errors
                    self.start()
        return died

    def _is_heard(self, caller: requests.Session, call: Call) -> bool:
        try:
            answer = caller.post(self._url + call.path, data=call.body, headers=_JSON, timeout=10)
        except requests.ConnectionError:
            return False
        assert (answer.status_code, answer.json()["Result"]) == (200, 1), answer.text
        return True

    def _listens(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), timeout=1):
            return True
        return False


_JSON = {"Content-Type": "application/json; charset=utf-8"}


@contextmanager
def listening(endpoint: Endpoint) -> Iterator[Endpoint]:
    """The endpoint up for the length of the block, unharmed."""
    endpoint.start()
    try:
        yield endpoint
    finally:
        endpoint.stop()
