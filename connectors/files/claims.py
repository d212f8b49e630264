"""Who has taken a file: a name that tells whether its bearer still lives.

A claim is a folder called ``<host>.<process>.<start of the process>.<source>.<file>``. A run that was killed leaves its
claims, and the next one takes them over; a run that is alive keeps them. Of another host nothing can be told, and its
claims count as left: pulls of one system exclude each other by a lock in the ledger, wherever they run.
"""

import itertools
import os
import re
import socket
from pathlib import Path

_SERIALS = itertools.count(1)
_living: set[str] = set()


class Claimant:
    """One source that takes files, from its making until ``end``."""

    def __init__(self) -> None:
        self._name = f"{_host()}.{os.getpid()}.{_started(os.getpid())}.{next(_SERIALS)}"
        self._files = itertools.count(1)
        _living.add(self._name)

    def new_claim(self) -> str:
        """The name of a folder for one more file."""
        return f"{self._name}.{next(self._files)}"

    def end(self) -> None:
        """From now on what it has not finished may be taken over."""
        _living.discard(self._name)


def is_alive(claim: str) -> bool:
    """Whether whoever made the folder ``claim`` still works, as far as this host knows."""
    bearer, _, _ = claim.rpartition(".")
    host, process, started = (*bearer.split("."), "", "", "")[:3]
    if host != _host() or not process.isdigit():
        return False
    if int(process) == os.getpid():
        return bearer in _living
    return _started(int(process)) == started


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())[:60] or "-"


def _started(process: int) -> str:
    """When the process began, so that a later one with the same number is another; ``0`` when there is none."""
    try:
        # The name of a program may hold anything, so what comes after its last bracket is counted.
        return Path(f"/proc/{process}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "0"
