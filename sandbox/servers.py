"""The servers of the sandbox by name, which of them share a process, and running some of them in this one."""

import os
import signal
import socket
import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import MappingProxyType

from sandbox.certificates import ensure, server_context
from sandbox.connections import connection_of
from sandbox.home import SandboxHome
from sandbox.http import HOST, SecureListener, Server, ServerOptions, run

SERVERS: Mapping[str, str] = MappingProxyType(
    {
        "gplx": "sandbox.systems.gplx",
        "igate": "sandbox.systems.igate",
        "dkkd": "sandbox.systems.dkkd",
        "hotich": "sandbox.systems.hotich",
        "lltp": "sandbox.systems.lltp",
        "btxh": "sandbox.systems.btxh",
        "gtvt": "sandbox.systems.gtvt",
        "opencps": "sandbox.systems.opencps",
        "tanso": "sandbox.systems.tanso",
        "xaydung": "sandbox.systems.xaydung",
        "dienluc": "sandbox.systems.dienluc",
        "bhxh": "sandbox.systems.bhxh",
        "qldc": "sandbox.systems.qldc",
        "giaoduc": "sandbox.systems.giaoduc",
        "thuy": "sandbox.systems.thuy",
        "congthuong": "sandbox.systems.congthuong",
        "danhgia": "sandbox.systems.danhgia",
        "vbdlis": "sandbox.systems.vbdlis",
        "ilis": "sandbox.systems.ilis",
        "nuoc": "sandbox.practice.nuoc",
        "laodong": "sandbox.practice.laodong",
        "xroad": "sandbox.systems.xroad",
        "npsp": "sandbox.targets.npsp",
        "province": "sandbox.targets.province",
        "emc": "sandbox.targets.emc",
        "feed": "sandbox.targets.feed",
        "province_igate": "sandbox.targets.igate",
    }
)
"""Name to module. Each is imported by its own process only: nobody waits for a stack that it does not use."""

_TOGETHER = (
    ("gplx", "hotich", "lltp", "btxh", "gtvt", "tanso", "nuoc"),
    ("xaydung", "dienluc", "vbdlis", "ilis"),
    ("giaoduc", "thuy", "congthuong", "danhgia", "province_igate"),
    ("bhxh", "qldc", "laodong", "xroad"),
)
"""Servers that share a process, by what they import: a process of Python costs 50 MB and half a second, whatever it
serves. Alone are the targets that the shipped catalog names, and the sources that are asked most or think longest."""

SOURCES = (
    "gplx",
    "igate",
    "dkkd",
    "hotich",
    "lltp",
    "btxh",
    "gtvt",
    "opencps",
    "tanso",
    "xaydung",
    "dienluc",
    "bhxh",
    "qldc",
    "giaoduc",
    "thuy",
    "congthuong",
    "danhgia",
    "vbdlis",
    "ilis",
    "nuoc",
    "laodong",
)
"""The servers that have a clock."""

_GRACE_S = 5.0


def listeners_of(name: str) -> tuple[str, ...]:
    """The listeners of the server ``name``: the plain one, and the one for TLS if it speaks its dialect over that."""
    connection = connection_of(name)
    return (name, connection.listener) if connection.tls else (name,)


def processes_for(names: Sequence[str]) -> list[tuple[str, ...]]:
    """The servers ``names`` by process, in the order of the first of each."""
    together = {name: group for group in _TOGETHER for name in group}
    groups = dict.fromkeys(together.get(name, (name,)) for name in names)
    return [tuple(name for name in group if name in names) for group in groups]


def run_servers(home: SandboxHome, listeners: Mapping[str, socket.socket]) -> None:
    """Build the servers whose ``listeners`` these are (see :func:`listeners_of`) and serve until told to stop."""
    ensure(home.root)
    names = [name for name in listeners if name in SERVERS]
    run([_server(name, home, [listeners[one] for one in listeners_of(name)]) for name in names])


def _server(name: str, home: SandboxHome, listeners: Sequence[socket.socket]) -> tuple[Server, socket.socket]:
    settings, connection = home.province(), connection_of(name)
    options = ServerOptions(
        name=name,
        seed=settings.seed,
        size=settings.size,
        as_of=settings.as_of,
        login=connection.login,
        password=connection.password,
        extra=connection.extra_at(home.root),
        peers={peer: f"http://{HOST}:{port}" for peer, port in home.ports().items()},
    )
    app = import_module(SERVERS[name]).build(home.root, options)
    secure = [SecureListener(one, server_context(home.root)) for one in listeners[1:]]
    return Server(app, secure), listeners[0]


def stop_with_parent(guard: int) -> None:
    """Stop this process when the other end of the pipe ``guard`` is closed: the parent is gone, however it went."""

    def watch() -> None:
        os.read(guard, 1)
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(_GRACE_S)
        os._exit(1)

    threading.Thread(target=watch, name="guard", daemon=True).start()
