"""All servers of the sandbox: started, watched, stopped together.

Servers run in child processes, light ones several to a process. The supervisor opens the listening sockets and hands
them down, so all ports are known before anything runs and nobody can take one in between. Children hold the reading end
of a pipe whose writing end only the supervisor has: when it dies, even by SIGKILL, they stop.
"""

import fcntl
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sandbox.certificates import ensure
from sandbox.home import HomeError, SandboxHome
from sandbox.http import CONTROL_PREFIX, HOST, listen
from sandbox.servers import listeners_of, processes_for

_POLL_S = 0.1
_READY_S = 600.0
_STOP_S = 8.0
_LOG_TAIL = 15


class Stop:
    """The order to stop, as a signal's handler may give it: setting an Event there can wait for itself for ever."""

    asked = False

    def ask(self, *_: object) -> None:
        """Give the order."""
        self.asked = True

    def wait(self, seconds: float) -> bool:
        """Wait so long; gives back whether it was given."""
        if not self.asked:
            time.sleep(seconds)
        return self.asked


@dataclass(frozen=True, slots=True)
class Child:
    """One process with its servers, by their plain ports."""

    ports: Mapping[str, int]
    process: subprocess.Popen[bytes]

    @property
    def names(self) -> str:
        """Its servers, for people."""
        return ("server " if len(self.ports) == 1 else "servers ") + ", ".join(self.ports)


def serve(home: SandboxHome, names: Sequence[str], preferred_ports: Mapping[str, int]) -> int:
    """Run the servers ``names`` until SIGTERM or SIGINT, or until one of them dies; gives back the exit code.

    Raises :class:`HomeError` when a sandbox already runs in ``home``.
    """
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop.ask)
    with _alone(home.root), ExitStack() as cleanup:
        home.announcement.unlink(missing_ok=True)
        children = _start(home, names, preferred_ports, cleanup)
        failed = _await_ready(children, stop)
        if failed is None and not stop.asked:
            cleanup.callback(home.announcement.unlink, missing_ok=True)
            home.announce(home.ports())
            print(f"sandbox: {len(names)} servers answer; connections are in {home.announcement}", flush=True)
            failed = _watch(children, stop)
        if failed is None:
            print("sandbox: stopped", flush=True)
            return 0
        print(_obituary(home, failed), file=sys.stderr, flush=True)
        return 1


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HomeError(f"a sandbox already runs in {root}; stop it, or use another --home") from None
        yield


def _start(
    home: SandboxHome, names: Sequence[str], preferred_ports: Mapping[str, int], cleanup: ExitStack
) -> list[Child]:
    named = [listener for name in names for listener in listeners_of(name)]
    listeners = {name: _listener(preferred_ports.get(name, 0)) for name in named}
    home.write_ports({name: listener.getsockname()[1] for name, listener in listeners.items()})
    ensure(home.root)
    guard, held = os.pipe()
    cleanup.callback(os.close, held)
    children: list[Child] = []
    cleanup.callback(_stop, children)
    for group in processes_for(names):
        with ExitStack() as handed_down:
            own = [listeners[one] for name in group for one in listeners_of(name)]
            for listener in own:
                handed_down.enter_context(closing(listener))
            ports = {name: listeners[name].getsockname()[1] for name in group}
            children.append(Child(ports, _spawn(home, group, own, guard)))
    os.close(guard)
    return children


def _listener(port: int) -> socket.socket:
    try:
        return listen(port)
    except OSError:
        return listen()


def _spawn(
    home: SandboxHome, names: Sequence[str], listeners: Sequence[socket.socket], guard: int
) -> subprocess.Popen[bytes]:
    descriptors = [listener.fileno() for listener in listeners]
    command = [sys.executable, "-m", "sandbox", "run", *names, "--home", str(home.root)]
    command += ["--fds", *map(str, descriptors), "--guard", str(guard)]
    with _log(home, names).open("wb") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=(*descriptors, guard),
            cwd=Path(__file__).parent.parent,
            # Ctrl-C goes to the whole process group of a terminal; stopping is the supervisor's to order.
            start_new_session=True,
        )


def _log(home: SandboxHome, names: Sequence[str]) -> Path:
    """The log of a process, which is found under the name of each of its servers."""
    log = home.log(names[0])
    for name in names:
        own = home.log(name)
        own.parent.mkdir(parents=True, exist_ok=True)
        own.unlink(missing_ok=True)  # a process of other servers may have had it
        if name != names[0]:
            own.symlink_to(Path("..", names[0], log.name))
    return log


def _await_ready(children: Sequence[Child], stop: Stop) -> Child | None:
    """Wait until all answer; gives back one that died or took too long, None when all is well or it is time to go."""
    deadline = time.monotonic() + _READY_S
    waiting = list(children)
    while waiting and not stop.asked:
        waiting = [child for child in waiting if not _answers(child)]
        late = time.monotonic() > deadline
        failed = next((child for child in waiting if late or child.process.poll() is not None), None)
        if failed is not None:
            return failed
        if waiting:
            stop.wait(_POLL_S)
    return None


def _answers(child: Child) -> bool:
    return all(map(_is_well, child.ports.values()))


def _is_well(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=1)
    with closing(connection), suppress(OSError, http.client.HTTPException):
        connection.request("GET", f"{CONTROL_PREFIX}/health")
        return connection.getresponse().status == 200
    return False


def _watch(children: Sequence[Child], stop: Stop) -> Child | None:
    """Wait for the order to stop; gives back a server that died before it came."""
    while not stop.wait(_POLL_S):
        dead = next((child for child in children if child.process.poll() is not None), None)
        if dead is not None:
            return dead
    return None


def _stop(children: Sequence[Child]) -> None:
    for child in children:
        child.process.terminate()
    deadline = time.monotonic() + _STOP_S
    for child in children:
        try:
            child.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()


def _obituary(home: SandboxHome, child: Child) -> str:
    log = home.log(next(iter(child.ports)))
    code = child.process.poll()
    what = f"ended with code {code}" if code is not None else f"did not answer within {_READY_S:.0f} s"
    tail = log.read_text("utf-8", "replace").splitlines()[-_LOG_TAIL:]
    return "\n".join([f"sandbox: {child.names} {what}; all servers stop. The log is {log}:", *tail])
