"""A total time limit for one HTTP exchange, kept at the socket.

The time-outs of requests count from one received byte to the next: a peer that drips a byte now and then holds a
call for ever, in the headers as well as in the body. Here every read of the socket gets the smaller of the read
time-out and what is left of the whole call, so nothing can outlast it, over TLS neither.
"""

import io
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPResponse
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

_ends_at: ContextVar[float | None] = ContextVar("hosync_http_deadline", default=None)


class DeadlinePassedError(TimeoutError):
    """The whole exchange took longer than it may."""


@contextmanager
def total_deadline(seconds: float) -> Iterator[None]:
    """Give everything read from sockets inside the ``with`` block ``seconds`` altogether."""
    token = _ends_at.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends_at.reset(token)


def passed() -> bool:
    """Whether the deadline of the surrounding block is over."""
    ends_at = _ends_at.get()
    return ends_at is not None and time.monotonic() >= ends_at


class DeadlineAdapter(HTTPAdapter):
    """Mount on a session: its connections obey ``total_deadline``."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Hook of requests: direct connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Hook of requests: connections through a proxy."""
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


class _LimitedReader(io.RawIOBase):
    """The receiving side of a socket, with the time-out of each read cut to what is left."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)  # keeps the socket open as long as the answer is being read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        ends_at = _ends_at.get()
        if ends_at is None:
            return self._raw.readinto(buffer)
        usual = self._sock.gettimeout()
        left = ends_at - time.monotonic()
        if left <= 0:
            raise DeadlinePassedError("the total time for this call is over")
        if usual is not None and usual <= left:
            return self._raw.readinto(buffer)  # setting it twice would let other threads go first, twice
        self._sock.settimeout(left)
        try:
            return self._raw.readinto(buffer)
        finally:
            if self._sock.fileno() != -1:
                self._sock.settimeout(usual)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_LimitedReader(sock))


class _Connection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


_POOLS = {"http": _Pool, "https": _SecurePool}
