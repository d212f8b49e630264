"""What a crash leaves behind: processes that still run, written down in a book on disk.

A number alone proves nothing (numbers are used again), so an entry also holds the boot and the moment of its start.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Entry:
    """One started process, which leads the session of the same number."""

    name: str
    pid: int
    created: float
    boot: str
    stop_signal: int

    @classmethod
    def of(cls, name: str, pid: int, stop_signal: signal.Signals) -> Entry:
        """The entry of a process that was just started."""
        try:
            created = psutil.Process(pid).create_time()
        except psutil.NoSuchProcess:
            created = time.time()
        return cls(name, pid, created, _boot(), int(stop_signal))


class Book:
    """The list of started processes, rewritten whole at each change."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[int, Entry] = {}

    def add(self, entry: Entry) -> None:
        """Write down a process."""
        self._entries[entry.pid] = entry
        self._write()

    def remove(self, pid: int) -> None:
        """Strike out a process that has ended."""
        self._entries.pop(pid, None)
        self._write()

    def _write(self) -> None:
        draft = self._path.with_suffix(".new")
        draft.write_text(json.dumps([asdict(entry) for entry in self._entries.values()]))
        draft.replace(self._path)

    def read(self) -> list[Entry]:
        """What the last start wrote; nothing when there is no book or it can't be read."""
        try:
            return [Entry(**entry) for entry in json.loads(self._path.read_text())]
        except (FileNotFoundError, ValueError, TypeError):
            return []


def end_leftovers(entries: Iterable[Entry], *, patience_s: float = 5.0) -> list[str]:
    """End what still runs of an earlier start; returns the names of what was found."""
    found: list[Entry] = []
    for entry in entries:
        if is_ours(entry):
            found.append(entry)
            _signal(entry.pid, entry.stop_signal)
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline and any(session_members(entry.pid) for entry in found):
        time.sleep(0.05)
    for entry in found:
        for pid in session_members(entry.pid):
            _signal(pid, signal.SIGKILL)
    return [entry.name for entry in found]


def is_ours(entry: Entry) -> bool:
    """Whether the process of this entry, or something it started, still runs."""
    if entry.boot != _boot():
        return False
    try:
        return abs(psutil.Process(entry.pid).create_time() - entry.created) < 1.0
    except psutil.NoSuchProcess:
        # The leader is gone. Its number stays taken as long as its session has members, so these are its offspring.
        return bool(session_members(entry.pid))


def session_members(session: int) -> list[int]:
    """The processes of a session, without zombies."""
    members = []
    for pid in psutil.pids():
        try:
            if os.getsid(pid) == session and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                members.append(pid)
        except (ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            continue
    return members


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
