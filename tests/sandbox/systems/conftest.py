"""A small province's systems on real sockets, and the truth to compare them with."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import requests
from starlette.types import ASGIApp

from sandbox.connections import connection_of
from sandbox.http import ServerOptions
from sandbox.servers import SERVERS
from schemas.times import VN

AS_OF = datetime(2026, 6, 30, 10, 0, tzinfo=VN)
SIZE = 4_000


@dataclass(frozen=True)
class Running:
    """One running server, with its control endpoints at hand."""

    url: str
    options: ServerOptions

    def truth(self) -> list[dict[str, Any]]:
        answer = requests.get(f"{self.url}/_sandbox/truth", timeout=60)
        return [json.loads(line) for line in answer.text.splitlines()]

    def control(self, method: str, name: str, body: dict[str, Any] | None = None) -> requests.Response:
        return requests.request(method, f"{self.url}/_sandbox/{name}", json=body, timeout=60)

    def clock(self) -> datetime:
        return datetime.fromisoformat(self.control("GET", "clock").json()["as_of"])


Start = Callable[..., Running]


@pytest.fixture(scope="module")
def start(serve_app: Callable[[ASGIApp], str], tmp_path_factory: pytest.TempPathFactory) -> Start:
    """Start one server of a fresh province (or again in the home of another)."""

    def begin(name: str, *, home: Path | None = None, peers: dict[str, str] | None = None) -> Running:
        connection = connection_of(name)
        home = home or tmp_path_factory.mktemp(name)
        options = ServerOptions(
            name=name,
            seed=3,
            size=SIZE,
            as_of=AS_OF,
            login=connection.login,
            password=connection.password,
            extra=connection.extra_at(home),
            peers=peers or {},
        )
        app = import_module(SERVERS[name]).build(home, options)
        return Running(serve_app(app), options)

    return begin
