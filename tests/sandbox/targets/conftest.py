"""Target servers on real sockets: started, asked over HTTP, stopped."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests
import uvicorn
from starlette.types import ASGIApp

from sandbox.http import ServerOptions, listen

Build = Callable[..., ASGIApp]


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime = datetime(2025, 8, 12, 1, 15, tzinfo=UTC)  # 08:15 in Vietnam

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **step: float) -> None:
        self.now += timedelta(**step)


@dataclass(frozen=True)
class Server:
    """A running target and a session to talk to it."""

    url: str
    clock: Clock
    http: requests.Session

    def get(self, path: str, **more: Any) -> requests.Response:
        return self.http.get(self.url + path, timeout=10, **more)

    def post(self, path: str, **more: Any) -> requests.Response:
        return self.http.post(self.url + path, timeout=10, **more)

    def lines(self, path: str) -> list[dict[str, Any]]:
        """A control listing, read to its end."""
        return [orjson.loads(line) for line in self.get(f"/_sandbox/{path}").content.splitlines()]

    def stats(self) -> dict[str, Any]:
        return dict(self.get("/_sandbox/stats").json())

    def damage(self, **wanted: Any) -> requests.Response:
        return self.post("/_sandbox/damage", json=wanted)

    def fault(self, mode: str, **more: Any) -> None:
        self.post("/_sandbox/faults", json={"mode": mode, **more}).raise_for_status()


Start = Callable[..., Server]


@contextmanager
def _running(
    build: Build, home: Path, name: str, extra: Mapping[str, Any], password: str = "mat-khau-mau"
) -> Iterator[Server]:
    options = ServerOptions(
        name=name,
        seed=1,
        size=0,
        as_of=datetime(2025, 8, 12, tzinfo=UTC),
        login="tai-khoan-mau",
        password=password,
        extra=extra,
        peers={},
    )
    clock = Clock()
    listener = listen()
    server = uvicorn.Server(uvicorn.Config(build(home, options, clock), log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    with requests.Session() as http:
        http.trust_env = False
        yield Server(f"http://127.0.0.1:{listener.getsockname()[1]}", clock, http)
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """``start(build, name, password=…, **extra)`` runs a target until the test ends, in the test's directory."""
    with ExitStack() as stack:

        def one(build: Build, name: str, *, password: str = "mat-khau-mau", **extra: Any) -> Server:
            return stack.enter_context(_running(build, tmp_path, name, extra, password))

        yield one


@pytest.fixture
def running(tmp_path: Path) -> Callable[..., Any]:
    """``with running(build, name, **extra) as server:`` for tests that start a target more than once."""
    return lambda build, name, **extra: _running(build, tmp_path, name, extra)
