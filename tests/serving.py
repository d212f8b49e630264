"""Sandbox servers in the test's own process, on real sockets."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
import uvicorn
from starlette.types import ASGIApp

from sandbox.http import ServerOptions, listen

LOGIN, PASSWORD = "tai-khoan-mau", "mat-khau-mau"
AS_OF = datetime(2026, 7, 1, tzinfo=UTC)


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Serve an application for the length of the block; gives its base URL."""
    listener = listen(0)
    config = uvicorn.Config(app, log_level="error", access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@dataclass(frozen=True)
class Served:
    """A sandbox server that runs: its address, who we are there, and its control endpoints."""

    url: str
    extra: Mapping[str, Any]
    password: str = PASSWORD

    @property
    def connection(self) -> str:
        """The Airflow connection to it, as JSON."""
        port = int(self.url.rpartition(":")[2])
        fields = {"conn_type": "http", "host": "127.0.0.1", "port": port, "login": LOGIN, "password": self.password}
        return json.dumps({**fields, "extra": dict(self.extra)})

    def control(self, path: str, body: Any = None) -> Any:
        """GET, or POST with a body; JSON lines come as a list."""
        url = f"{self.url}/_sandbox/{path}"
        answer = requests.get(url, timeout=10) if body is None else requests.post(url, json=body, timeout=10)
        assert answer.ok, answer.text
        if "ndjson" in answer.headers["content-type"]:
            return [json.loads(line) for line in answer.text.splitlines()]
        return answer.json()

    def fault(self, mode: str, **more: Any) -> None:
        """Let something go wrong."""
        self.control("faults", {"mode": mode, **more})


@contextmanager
def served(
    build: Callable[[Path, ServerOptions], ASGIApp],
    home: Path,
    *,
    name: str = "target",
    password: str = PASSWORD,
    **extra: Any,
) -> Iterator[Served]:
    """A server of the sandbox for the length of the block; ``extra`` is that of its connection."""
    options = ServerOptions(
        name=name, seed=1, size=0, as_of=AS_OF, login=LOGIN, password=password, extra=extra, peers={}
    )
    with serving(build(home, options)) as url:
        yield Served(url, extra, password)
