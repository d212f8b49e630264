"""The simulated province's systems that call others are told where we are."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from cli.up.errors import UpError
from cli.up.province import Province, subscribe

AIRFLOW = "http://127.0.0.1:8080"


class Noting(ThreadingHTTPServer):
    """A province in one server: notes what it is told."""

    told: list[tuple[str, Any]]
    status = 200


@pytest.fixture
def systems() -> Iterator[Noting]:
    class Handler(BaseHTTPRequestHandler):
        server: Noting

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.server.told.append((self.path, body))
            self.send_response(self.server.status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Be quiet."""

    server = Noting(("127.0.0.1", 0), Handler)
    server.told = []
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def _province(systems: Noting, *names: str) -> Province:
    url = f"http://127.0.0.1:{systems.server_address[1]}"
    return Province(connections={}, addresses={name: f"{url}/{name}" for name in names})


def test_systems_that_call_others_get_their_own_address_and_the_others_none(systems: Noting) -> None:
    subscribe(_province(systems, "vbdlis", "ilis", "gplx", "npsp"), AIRFLOW)
    assert sorted(systems.told) == [
        (f"/{name}/_sandbox/subscribe", {"url": f"{AIRFLOW}/hosync/inbound/{name}"}) for name in ("ilis", "vbdlis")
    ]


def test_a_province_without_such_systems_is_told_nothing(systems: Noting) -> None:
    subscribe(_province(systems, "gplx"), AIRFLOW)
    assert systems.told == []


def test_a_system_that_does_not_take_the_address_is_a_clear_error(systems: Noting) -> None:
    systems.status = 500
    with pytest.raises(UpError, match="vbdlis of the simulated province did not take our address") as caught:
        subscribe(_province(systems, "vbdlis"), AIRFLOW)
    assert "province.log" in caught.value.next_step
