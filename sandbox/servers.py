"""The servers of the sandbox by name, and running one of them in this process."""

import os
import signal
import socket
import threading
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from sandbox.connections import connection_of
from sandbox.home import SandboxHome
from sandbox.http import HOST, ServerOptions, run

SERVERS: Mapping[str, str] = MappingProxyType(
    {
        "gplx": "sandbox.systems.gplx",
        "igate": "sandbox.systems.igate",
        "dkkd": "sandbox.systems.dkkd",
        "xroad": "sandbox.systems.xroad",
        "npsp": "sandbox.targets.npsp",
        "province": "sandbox.targets.province",
        "emc": "sandbox.targets.emc",
    }
)
"""Name to module. Each is imported by its own process only: nobody waits for a stack that it does not use."""

SOURCES = ("gplx", "igate", "dkkd")
"""The servers that have a clock."""

_GRACE_S = 5.0


def run_server(name: str, home: SandboxHome, listener: socket.socket) -> None:
    """Build the server ``name`` and serve on ``listener`` until told to stop."""
    settings, connection = home.province(), connection_of(name)
    options = ServerOptions(
        name=name,
        seed=settings.seed,
        size=settings.size,
        as_of=settings.as_of,
        login=connection.login,
        password=connection.password,
        extra=connection.extra,
        peers={peer: f"http://{HOST}:{port}" for peer, port in home.ports().items()},
    )
    app = import_module(SERVERS[name]).build(home.root, options)
    run(app, listener)


def stop_with_parent(guard: int) -> None:
    """Stop this process when the other end of the pipe ``guard`` is closed: the parent is gone, however it went."""

    def watch() -> None:
        os.read(guard, 1)
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(_GRACE_S)
        os._exit(1)

    threading.Thread(target=watch, name="guard", daemon=True).start()
