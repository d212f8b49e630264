"""A portal for measuring: signs in, takes batches, answers each call a fixed time after it came, and counts calls.

A process of its own with a thread for each connection, which waits more exactly than an event loop does. It goes before
others where it may: in earnest it stands elsewhere, and does not wait for the processors of those who call it.
``GET /counts`` tells and resets its counters.
"""

import json
import multiprocessing
import os
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

_SESSION = json.dumps({"error_code": "0", "message": "Thành công", "session": "bench"}).encode()
_TAKEN = json.dumps({"error_code": "0", "message": "Thành công"}).encode()
_PIECE = 1 << 20


class _Portal:
    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s
        self._guard = threading.Lock()
        self._now = self._most = self._calls = 0

    def serve(self, connection: socket.socket) -> None:
        """Answer one connection's calls until it is closed."""
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        buffer = bytearray(_PIECE)
        with connection, suppress(ConnectionError):
            while head := _head(connection):
                began = time.monotonic()
                path = head.split(b" ", 2)[1]
                told = self._told() if path == b"/counts" else None
                if told is None:
                    self._begins()
                _skip(connection, head, buffer)
                if told is None:
                    time.sleep(max(0.0, began + self._latency_s - time.monotonic()))
                    self._ends()
                body = told or (_SESSION if path.endswith(b"/login") else _TAKEN)
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                    % (len(body), body)
                )

    def _begins(self) -> None:
        with self._guard:
            self._calls += 1
            self._now += 1
            self._most = max(self._most, self._now)

    def _ends(self) -> None:
        with self._guard:
            self._now -= 1

    def _told(self) -> bytes:
        with self._guard:
            told = json.dumps({"calls": self._calls, "most_at_once": self._most}).encode()
            self._calls = self._most = 0
        return told


def _head(connection: socket.socket) -> bytes:
    """A request's head, and what came with it of its body; nothing at the end."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(8192)
        if not piece:
            return b""
        head += piece
    return head


def _skip(connection: socket.socket, head: bytes, buffer: bytearray) -> None:
    lines, _, begun = head.partition(b"\r\n\r\n")
    lengths = (int(line[15:]) for line in lines.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    left = next(lengths, 0) - len(begun)
    while left > 0:
        left -= connection.recv_into(buffer) or left


def _serve(latency_s: float, ready: Any) -> None:
    with suppress(PermissionError):
        os.nice(-10)
    portal = _Portal(latency_s)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        ready.send(server.getsockname()[1])
        while True:
            threading.Thread(target=portal.serve, args=[server.accept()[0]], daemon=True).start()


@contextmanager
def portal(latency_s: float) -> Iterator[int]:
    """The port of a running portal."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(latency_s, theirs), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def counts(port: int) -> dict[str, int]:
    """Calls taken, and the most at once, since it was asked last."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/counts", timeout=30) as answer:
        told: dict[str, int] = json.loads(answer.read())
    return told
