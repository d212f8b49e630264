"""Servers of the sandbox on the loopback, in threads of the test process: real HTTP, quick to start."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from starlette.types import ASGIApp

from sandbox.http import HOST, SecureListener, Server, listen

Serve = Callable[..., str]


@pytest.fixture(scope="module")
def serve_app() -> Iterator[Serve]:
    """A function that serves an ASGI application, also on ``secure`` listeners, and gives back its plain base URL."""
    running: list[tuple[Server, threading.Thread]] = []

    def start(app: ASGIApp, secure: Sequence[SecureListener] = ()) -> str:
        listener = listen()
        port = listener.getsockname()[1]
        server = Server(app, secure)
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
