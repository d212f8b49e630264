"""The way to PostgreSQL, which breaks on demand: a proxy that loses a COMMIT, or only the answer to it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy import URL

_COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
_PIECE = 1 << 16


class Loss(StrEnum):
    """What gets lost."""

    COMMIT = "the commit"
    ANSWER = "the answer to the commit"


@dataclass
class Wire:
    """The running proxy. ``lose(n)``: the connection breaks at the n-th COMMIT from now on, 1 being the next."""

    url: str
    loss: Loss = Loss.ANSWER
    commits: int = 0
    broken: bool = False
    _at: int = 0
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def lose(self, number: int, loss: Loss) -> None:
        """Arm it."""
        with self._guard:
            self.commits, self.broken, self._at, self.loss = 0, False, number, loss

    def breaks_now(self) -> bool:
        """Whether it breaks at this COMMIT."""
        with self._guard:
            self.commits += 1
            self.broken |= self.commits == self._at
            return self.commits == self._at


@contextmanager
def wire_to(url: URL) -> Iterator[Wire]:
    """A proxy before the server of ``url`` (a Unix socket's) for the length of the block."""
    folder = url.query["host"]
    assert isinstance(folder, str)
    listener = socket.create_server(("127.0.0.1", 0))
    through = url.set(host="127.0.0.1", port=listener.getsockname()[1], query={"sslmode": "disable"})
    wire = Wire(through.render_as_string(hide_password=False))

    def carry(client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(f"{folder}/.s.PGSQL.{url.port or 5432}")
            back = threading.Thread(target=_answers, args=(server, client), daemon=True)
            back.start()
            while piece := _received(client):
                if piece == _COMMIT and wire.breaks_now():
                    with suppress(OSError):  # from here on nothing comes back
                        client.shutdown(socket.SHUT_WR)
                    if wire.loss is Loss.ANSWER:
                        server.sendall(piece)
                        server.shutdown(socket.SHUT_WR)
                        back.join()  # the server has done it
                    break
                server.sendall(piece)
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=carry, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield wire
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _answers(server: socket.socket, client: socket.socket) -> None:
    while piece := _received(server):
        with suppress(OSError):
            client.sendall(piece)


def _received(connection: socket.socket) -> bytes:
    with suppress(OSError):
        return connection.recv(_PIECE)
    return b""
