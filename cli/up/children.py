"""Starting processes so that nothing outlives us, and ending them in order.

Every child leads a session of its own (a Ctrl-C at the terminal reaches only us, and its whole offspring can be found
by the session's number), is told by the kernel to stop when we die, and is written down on disk before anything else
happens, so that the next start can end what a crash left behind. While ``reaping``, a grandchild whose parent died
first comes to us and is ended with the rest.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from cli.up.leftovers import Book, Entry, session_members
from cli.up.signals import StopSignals

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_POLL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """How to start one process. ``stop_signal`` asks it to end; ``patience_s`` is how long it may take.

    ``is_server``: it should run until we stop it, so its end is a failure.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path
    cwd: Path
    stop_signal: signal.Signals = signal.SIGTERM
    patience_s: float = 5.0
    is_server: bool = True


@dataclass(slots=True)
class Child:
    """A process that we started."""

    command: Command
    process: subprocess.Popen[bytes]
    started_at: float = field(default_factory=time.monotonic)

    @property
    def name(self) -> str:
        return self.command.name

    @property
    def exit_code(self) -> int | None:
        """``None`` while it runs; negative: the signal that ended it."""
        return self.process.poll()


class Children:
    """All processes of one `hosync up`, in the order of their start."""

    def __init__(self, *, book: Book, signals: StopSignals) -> None:
        self._book = book
        self._signals = signals
        self._running: list[Child] = []
        self._older = {process.pid for process in psutil.Process().children(recursive=True)}

    def start(self, command: Command) -> Child:
        """Start a process; its output goes to the end of its log file."""
        command.log.parent.mkdir(parents=True, exist_ok=True)
        with self._signals.uninterrupted(), command.log.open("ab") as log:
            command.log.chmod(0o600)
            process = subprocess.Popen(
                command.argv,
                env=dict(command.env),
                cwd=command.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_in_child(command.stop_signal, os.getpid()),
            )
            child = Child(command, process)
            self._running.append(child)
            self._book.add(Entry.of(command.name, process.pid, command.stop_signal))
        return child

    def dead(self) -> Child | None:
        """The first server that has ended although nobody asked it to."""
        return next((c for c in self._running if c.command.is_server and c.exit_code is not None), None)

    def forget(self, child: Child) -> None:
        """A process that was meant to end has ended."""
        self._running.remove(child)
        self._book.remove(child.process.pid)

    def stop(self, *names: str, on_stopping: Callable[[str], None] | None = None) -> None:
        """End these processes (all, when none is named) together, with everything they started."""
        chosen = [child for child in self._running if not names or child.name in names]
        for child in chosen:
            if on_stopping:
                on_stopping(child.name)
            _send(child.process.pid, child.command.stop_signal)
        start = time.monotonic()
        waiting = list(chosen)
        while waiting and not self._signals.impatient:
            passed = time.monotonic() - start
            waiting = [c for c in waiting if c.exit_code is None and passed < c.command.patience_s]
            time.sleep(_POLL_S if waiting else 0)
        for child in chosen:
            self._kill_session(child.process.pid)
            child.process.wait()
            self.forget(child)

    def stop_everything(self) -> None:
        """The last resort: whatever is left of our offspring is killed, wherever it went; not what was there before."""
        self.stop()
        for process in psutil.Process().children(recursive=True):
            if process.pid not in self._older:
                _send(process.pid, signal.SIGKILL)
        self._reap()

    def _kill_session(self, session: int) -> None:
        for _ in range(20):  # a process may fork while we look
            members = session_members(session)
            if not members:
                return
            for pid in members:
                _send(pid, signal.SIGKILL)
            self._reap()
            time.sleep(_POLL_S / 5)

    def _reap(self) -> None:
        # Only the orphans that came to us: the exit codes of our own children belong to Popen.
        own = {child.process.pid for child in self._running}
        for process in psutil.Process().children():
            try:
                if process.pid not in own and process.status() == psutil.STATUS_ZOMBIE:
                    os.waitpid(process.pid, os.WNOHANG)
            except (ChildProcessError, psutil.NoSuchProcess):
                continue


@contextmanager
def reaping() -> Iterator[None]:
    """Orphans among our offspring come to this process within the block, so that ``stop_everything`` finds them."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def run_to_end(
    children: Children, command: Command, *, on_wait: Callable[[], None], limit_s: float
) -> tuple[int | None, Child]:
    """Run a process to its end, calling ``on_wait`` meanwhile. The code is ``None`` when it took too long."""
    child = children.start(command)
    deadline = time.monotonic() + limit_s
    while child.exit_code is None and time.monotonic() < deadline:
        on_wait()
        time.sleep(_POLL_S)
    code = child.exit_code
    if code is None:
        children.stop(command.name)
    else:
        children.forget(child)
    return code, child


def _in_child(stop_signal: signal.Signals, parent: int) -> Callable[[], None]:
    def prepare() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        _libc.prctl(_PR_SET_PDEATHSIG, int(stop_signal), 0, 0, 0)
        if os.getppid() != parent:  # we died between fork and prctl: no signal will come
            os._exit(1)

    return prepare


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
