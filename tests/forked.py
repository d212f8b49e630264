"""`hosync` as a process of its own, forked from one that has imported everything: a start takes 0.06 s, not 0.8.

``run`` and ``start`` are what ``subprocess.run`` and ``subprocess.Popen`` are for the console script, ``put_into``
makes one for a shell. Whoever forks does nothing else: it opens no connection, starts no thread and reads no setting,
so that each command finds the environment it was given and can be killed like any other process. That the console
script itself works is shown in tests/cli and tests/e2e.
"""

from __future__ import annotations

import atexit
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, NoReturn
from uuid import uuid4

ROOT = Path(__file__).resolve().parents[1]
_LARGEST = 1 << 20
_SCRIPT = """#!{python} -IS
import json, os, socket, sys
listen, tell = os.pipe()
order = {{"arguments": sys.argv[1:], "env": dict(os.environ), "cwd": os.getcwd()}}
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
    door.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    door.connect("\\0{door}")
    socket.send_fds(door, [json.dumps(order).encode()], [0, 1, 2, tell])
os.close(tell)
with os.fdopen(listen) as told:
    _, code = told.read().split()
sys.exit(int(code) if int(code) >= 0 else 128 - int(code))
"""


class Running:
    """A command that was started, as ``subprocess.Popen`` shows it."""

    def __init__(self, told: IO[str], arguments: tuple[str, ...]) -> None:
        self._told, self._arguments = told, arguments
        self.returncode: int | None = None
        self.pid = int(told.readline())

    def poll(self) -> int | None:
        """The exit code, negative when it was killed; None while it runs."""
        if self.returncode is None and select.select([self._told], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; gives the exit code. Raises ``subprocess.TimeoutExpired``."""
        if self.returncode is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self._arguments, timeout or 0)
            self.returncode = int(self._told.readline())
            self._told.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


def start(
    *arguments: str,
    env: Mapping[str, str],
    cwd: Path = ROOT,
    stdout: int = subprocess.DEVNULL,
    stderr: int = subprocess.DEVNULL,
) -> Running:
    """Start `hosync` with these arguments. ``stdout``, ``stderr``: open files."""
    listen, tell = os.pipe()
    with Path(os.devnull).open("r+b") as nothing:
        ends = [nothing.fileno() if end == subprocess.DEVNULL else end for end in (stdout, stderr)]
        order = {"arguments": arguments, "env": dict(env), "cwd": str(cwd)}
        socket.send_fds(_server().orders, [json.dumps(order).encode()], [nothing.fileno(), *ends, tell])
    os.close(tell)
    return Running(os.fdopen(listen), arguments)


def run(
    *arguments: str, env: Mapping[str, str], cwd: Path = ROOT, timeout: float = 180, check: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run `hosync` with these arguments to its end; gives back what it wrote."""
    with _said() as stdout, _said() as stderr:
        running = start(*arguments, env=env, cwd=cwd, stdout=stdout.fileno(), stderr=stderr.fileno())
        try:
            code = running.wait(timeout)
        finally:
            running.kill()
        stdout.seek(0)
        stderr.seek(0)
        done = subprocess.CompletedProcess(["hosync", *arguments], code, stdout.read(), stderr.read())
    if check:
        done.check_returncode()
    return done


def put_into(folder: Path) -> None:
    """Put a `hosync` there, for a shell."""
    script = folder / "hosync"
    script.write_text(_SCRIPT.format(python=sys.executable, door=_server().door))
    script.chmod(0o755)


def _said() -> IO[str]:
    return os.fdopen(os.memfd_create("said"), "w+", encoding="utf-8")


@dataclass(frozen=True)
class _Server:
    """Where the process that forks takes orders: from this process, and from scripts."""

    orders: socket.socket
    door: str


_starting = threading.Lock()


def _server() -> _Server:
    with _starting:
        return _started()


@cache
def _started() -> _Server:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LARGEST)
    name = f"hosync-{uuid4().hex}"
    with theirs, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(f"\0{name}")
        door.listen()
        process = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno()), str(door.fileno())],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno(), door.fileno()],
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return _Server(ours, name)


# -- the process that forks ------------------------------------------------------------------------------------


def _serve(orders: socket.socket, door: socket.socket, hosync: Callable[[], Any]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who watch
    while True:
        if orders in select.select([orders, door], [], [])[0]:
            order, files, _, _ = socket.recv_fds(orders, _LARGEST, 4)
            if not order:
                return
        else:
            with door.accept()[0] as script:
                order, files, _, _ = socket.recv_fds(script, _LARGEST, 4)
        if order and os.fork() == 0:
            orders.close()
            door.close()
            _watch(hosync, json.loads(order), *files)
        for file in files:
            os.close(file)


def _watch(
    hosync: Callable[[], Any], order: dict[str, Any], stdin: int, stdout: int, stderr: int, tell: int
) -> NoReturn:
    """Tells the number of the process that carries out the order, and in the end its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child == 0:
        os.close(tell)
        for number, file in enumerate((stdin, stdout, stderr)):
            os.dup2(file, number)
            os.close(file)
        _carry_out(hosync, order)
    os.write(tell, f"{child}\n".encode())
    for file in (stdin, stdout, stderr):
        os.close(file)
    _, status = os.waitpid(child, 0)
    os.write(tell, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _carry_out(hosync: Callable[[], Any], order: dict[str, Any]) -> NoReturn:
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["cwd"])
    random.seed()
    sys.argv = ["hosync", *order["arguments"]]
    # Its SystemExit, or any error, ends the program as Python ends any: threads waited for, output flushed.
    hosync()
    sys.exit()


if __name__ == "__main__":
    from warmth import warm_up

    _serve(*(socket.socket(fileno=int(number)) for number in sys.argv[1:]), hosync=warm_up())
