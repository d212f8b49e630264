"""Servers of the sandbox on the loopback, in threads of the test process: real HTTP, quick to start."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
import uvicorn
from starlette.types import ASGIApp

from sandbox.http import HOST, config_of, listen

Serve = Callable[[ASGIApp], str]


@pytest.fixture(scope="module")
def serve_app() -> Iterator[Serve]:
    """A function that serves an ASGI application and gives back its base URL."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(app: ASGIApp) -> str:
        listener = listen()
        port = listener.getsockname()[1]
        server = uvicorn.Server(config_of(app))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        running.append((server, thread))
        return f"http://{HOST}:{port}"

    yield start
    for server, _ in running:
        server.should_exit = True
    for _, thread in running:
        thread.join(10)
