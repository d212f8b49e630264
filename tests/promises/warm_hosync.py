"""`hosync` in a process that has imported everything and forks for each command: a start takes 0.05 s instead of 2.

A forked command may be told to die: at the N-th time that it touches the world it sends itself SIGKILL. It touches it

* before a request's head and before its body go out; when the answer is there and nothing of it was read, so that the
  server has done its work; after the answer, or a piece of it, was read;
* before and after a COMMIT, and a change that is a transaction of its own; in the middle of a COPY;
* before a local file is created, renamed or removed; before and after the same is done over SFTP.

Nothing of the product knows about it: these are hooks in http.client, psycopg and Python's audit events. All threads of
the command count together, as they come.

Orders and answers are JSON lines on stdin and stdout; see ``crashing.Hosync``, which starts this. Before it forks, it
opens no connection and starts no thread.
"""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import paramiko
import psycopg
from psycopg.pq import TransactionStatus
from warmth import warm_up

_LONGEST_S = 60
_READS = frozenset({"SELECT", ";"})  # the second: whether a pooled connection still lives
_FILE_EVENTS = frozenset({"os.rename", "os.remove", "os.mkdir", "os.link", "os.truncate"})
_CREATES = os.O_CREAT | os.O_WRONLY | os.O_RDWR


class Touches:
    """Counts how often the world was touched, tells the parent where, and ends the process at the chosen one."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._count, self._die_at, self._told = 0, 0, -1
        self._files = ""

    def begin(self, die_at: int, told: int, files: str) -> None:
        """From now on; ``told`` is where the parent listens, ``files`` the folder whose files matter."""
        self._die_at, self._told, self._files = die_at, told, files

    def at(self, what: str) -> None:
        """One more."""
        if self._told < 0:
            return
        with self._guard:
            self._count += 1
            os.write(self._told, f"{what}\n".encode())
            if self._count == self._die_at:
                os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(_LONGEST_S)

    def file(self, event: str, arguments: tuple[Any, ...]) -> None:
        """An audit event."""
        if self._told < 0 or not self._files:
            return
        is_change = event in _FILE_EVENTS or (event == "open" and arguments[2] and arguments[2] & _CREATES)
        if is_change and str(arguments[0]).startswith(self._files):
            self.at(f"before {event} {Path(str(arguments[0])).name}")


touches = Touches()


def _around(owner: type, name: str, before: Callable[..., str | None], *, after: bool = False) -> None:
    """Replace a method by one that touches the world before it, and after it too, where ``before`` gives it a name."""
    plain = getattr(owner, name)

    def hooked(self: Any, *args: Any, **kwargs: Any) -> Any:
        what = before(self, *args)
        if what:
            touches.at(f"before {what}" if after else what)
        result = plain(self, *args, **kwargs)
        if what and after:
            touches.at(f"after {what}")
        return result

    setattr(owner, name, hooked)


def _always(what: str) -> Callable[..., str]:
    return lambda *_: what


def _hook_http() -> None:
    def sending(_: http.client.HTTPConnection, data: Any) -> str:
        head = bytes(data[:64]) if isinstance(data, bytes | bytearray) else b""
        is_head = head.split(b" ", 1)[0] in (b"GET", b"POST", b"PUT", b"PATCH", b"DELETE")
        return f"before {head.split(b'?')[0].split(b' HTTP')[0].decode()}" if is_head else "between head and body"

    def answered(connection: http.client.HTTPConnection) -> str:
        select.select([connection.sock], [], [], _LONGEST_S)
        return "answered, nothing read"

    _around(http.client.HTTPConnection, "send", sending)
    _around(http.client.HTTPConnection, "getresponse", answered)

    response: Any = http.client.HTTPResponse
    read = response.read

    def reading(self: http.client.HTTPResponse, amt: int | None = None) -> bytes:
        piece: bytes = read(self, amt)
        if piece:
            touches.at("after reading an answer")
        return piece

    response.read = reading


def _hook_sql() -> None:
    def alone(cursor: psycopg.Cursor, statement: Any, *_: Any) -> str | None:
        connection = cursor.connection
        is_idle = connection.info.transaction_status is TransactionStatus.IDLE
        words = str(statement).split()[:4]
        changes_nothing = words[0] in _READS
        return None if not connection.autocommit or not is_idle or changes_nothing else " ".join(words)

    _around(psycopg.Connection, "commit", _always("COMMIT"), after=True)
    _around(psycopg.Transaction, "__exit__", _always("COMMIT"), after=True)
    _around(psycopg.Cursor, "execute", alone, after=True)
    _around(psycopg.Copy, "__exit__", _always("in a COPY"))


def _hook_sftp() -> None:
    for name in ("open", "rename", "posix_rename", "remove", "mkdir", "rmdir"):
        _around(paramiko.SFTPClient, name, _always(f"sftp {name}"), after=True)


def _carry_out(order: dict[str, Any], told: int, command: Callable[[Sequence[str]], Any]) -> NoReturn:
    """The forked process: one command, as the console script runs it."""
    for stream, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(order[name], os.O_CREAT | os.O_WRONLY | os.O_TRUNC), stream)
    signal.alarm(order["longest_s"])
    touches.begin(order["die_at"], told, order["files"])
    code = 1
    try:
        command(order["arguments"])
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _answer(word: dict[str, Any]) -> None:
    print(json.dumps(word), flush=True)


def main(replaced: dict[str, Any]) -> None:
    """Take orders until stdin ends. ``replaced``: constants of the product by dotted name, and what they shall be."""
    command = warm_up()
    for name, value in replaced.items():
        module, _, constant = name.rpartition(".")
        assert hasattr(sys.modules[module], constant), name
        setattr(sys.modules[module], constant, value)
    _hook_http()
    _hook_sql()
    _hook_sftp()
    sys.addaudithook(touches.file)
    for line in sys.stdin:
        order = json.loads(line)
        listen, told = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(listen)
            _carry_out(order, told, command)
        os.close(told)
        _answer({"pid": child})
        with os.fdopen(listen) as lines:
            touched = lines.read().splitlines()
        _, status = os.waitpid(child, 0)
        _answer({"code": os.waitstatus_to_exitcode(status), "touched": touched})


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
