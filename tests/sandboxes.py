"""Servers of the sandbox as ``python -m sandbox serve`` runs them, in forked processes: there in 0.1 s each.

That the command itself works is shown in tests/sandbox and tests/e2e.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import tempfile
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from processes import PROCESSES

from sandbox.certificates import ensure
from sandbox.home import SandboxHome
from sandbox.http import CONTROL_PREFIX, listen
from sandbox.servers import SERVERS, listeners_of, processes_for, run_servers, stop_with_parent

_PATIENCE_S = 60.0


@contextmanager
def running(
    folder: Path, names: Iterable[str] = SERVERS, *, size: int, as_of: datetime, seed: int | None = None
) -> Iterator[Mapping[str, Any]]:
    """Run these servers for the length of the block; gives what ``sandbox.json`` says."""
    home = SandboxHome(folder)
    home.settle(seed=seed, size=size, as_of=as_of)
    shutil.copytree(_certificates().name, folder, dirs_exist_ok=True)
    wanted = [name for name in SERVERS if name in set(names)]
    with ExitStack() as stack:
        listeners = {one: stack.enter_context(listen()) for name in wanted for one in listeners_of(name)}
        ports = {name: listener.getsockname()[1] for name, listener in listeners.items()}
        home.write_ports(ports)
        guard, held = PROCESSES.Pipe(duplex=False)
        stack.callback(held.close)
        with guard:
            for group in processes_for(wanted):
                own = {one: listeners[one] for name in group for one in listeners_of(name)}
                process = PROCESSES.Process(target=_serve, args=(folder, own, guard))
                process.start()
                stack.callback(process.join)
                stack.callback(process.kill)
        for listener in listeners.values():
            listener.close()  # so that nobody waits for an answer of a process that has died
        for name in wanted:
            url = f"http://127.0.0.1:{ports[name]}{CONTROL_PREFIX}/health"
            urllib.request.urlopen(url, timeout=_PATIENCE_S).close()
        home.announce(ports)
        yield json.loads(home.announcement.read_text("utf-8"))


@cache
def _certificates() -> tempfile.TemporaryDirectory[str]:
    """Made once: they cost more than everything else in a start."""
    folder = tempfile.TemporaryDirectory(prefix="hs-certificates-")
    ensure(Path(folder.name))
    return folder


def _serve(folder: Path, listeners: Mapping[str, socket.socket], guard: Connection) -> None:
    output = os.open(folder / "output", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(output, stream)
    stop_with_parent(guard.fileno())
    run_servers(SandboxHome(folder), listeners)
