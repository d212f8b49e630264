"""Answers with attachments (MTOM/XOP, SOAP with attachments): the root part is read, everything else passes by.

The message stands in one part of a ``multipart/related`` body, usually the first. Attachments may be hundreds of
megabytes, and nothing here wants them: their bytes are dropped as they come, never gathered. Only when the closing
boundary was seen is the message known to be whole.
"""

from collections.abc import Iterator
from email.message import Message
from email.parser import BytesHeaderParser

from connectors.errors import BrokenAnswer
from connectors.http import Streamed

_LONGEST_HEADERS = 16 << 10
_PLAIN = frozenset({"", "7bit", "8bit", "binary"})


def root_part(answer: Streamed) -> tuple[str, Iterator[bytes]]:
    """The media type of the root part, and its bytes; raises ``BrokenAnswer``, from the iterator too.

    The iterator goes on to the end of the whole answer, and ends only if the closing boundary is there.
    """
    head = _header(answer.headers.get("content-type", ""))
    boundary, start = head.get_boundary(), head.get_param("start")
    if not boundary or len(boundary) > 200 or not boundary.isascii():
        raise _broken(answer, "its multipart body has no boundary")
    scanner = _Scanner(answer, boundary.encode())
    scanner.preamble()
    while True:
        part = scanner.headers()
        if not isinstance(start, str) or start.strip("<>") == str(part.get("Content-ID", "")).strip().strip("<>"):
            break
        for _ in scanner.body():
            pass
        if scanner.closed:
            raise _broken(answer, "its multipart body has no root part")
    encoding = str(part.get("Content-Transfer-Encoding", "")).strip().lower()
    if encoding not in _PLAIN:
        raise _broken(answer, "its root part is written in a transfer encoding that nobody asked for")
    return part.get_content_type() if "Content-Type" in part else "", _through(scanner)


def _through(scanner: "_Scanner") -> Iterator[bytes]:
    yield from scanner.body()
    while not scanner.closed:
        scanner.headers()
        for _ in scanner.body():
            pass


class _Scanner:
    """Goes through the parts in order: ``headers`` and then ``body``, until ``closed``."""

    def __init__(self, answer: Streamed, boundary: bytes) -> None:
        self._answer = answer
        self._chunks = answer.chunks
        self._line = b"\r\n--" + boundary
        # The first boundary may stand at the very beginning, without a line before it.
        self._buffer = b"\r\n"
        self.closed = False

    def preamble(self) -> None:
        """Go behind the first boundary."""
        for _ in self.body():
            pass
        if self.closed:
            raise _broken(self._answer, "its multipart body has no part")

    def headers(self) -> Message:
        """The headers of the part that begins here."""
        while (end := self._buffer.find(b"\r\n\r\n", 0, _LONGEST_HEADERS)) < 0:
            if len(self._buffer) > _LONGEST_HEADERS:
                raise _broken(self._answer, "the headers of one of its parts have no end")
            self._more()
        head, self._buffer = self._buffer[: end + 4], self._buffer[end + 2 :]
        return BytesHeaderParser().parsebytes(head.lstrip(b"\r\n"))

    def body(self) -> Iterator[bytes]:
        """The bytes up to the next boundary, which is passed."""
        skip = b"\r\n"  # of the blank line before it
        while True:
            at = self._buffer.find(self._line)
            if at >= 0:
                break
            safe = len(self._buffer) - len(self._line) - 2
            if safe > len(skip):
                piece, self._buffer = self._buffer[:safe], self._buffer[safe:]
                yield piece.removeprefix(skip)
                skip = b""
            self._more()
        yield self._buffer[:at].removeprefix(skip)
        self._buffer = self._buffer[at + len(self._line) :]
        self._end_of_line()

    def _end_of_line(self) -> None:
        while len(self._buffer) < 2:
            self._more()
        self.closed = self._buffer.startswith(b"--")
        if self.closed:
            for _ in self._chunks:  # what comes after is said to be ignored; it is only waited for
                pass

    def _more(self) -> None:
        try:
            self._buffer += next(self._chunks)
        except StopIteration:
            raise _broken(self._answer, "its multipart body is cut before the closing boundary") from None


def _header(content_type: str) -> Message:
    head = Message()
    head["Content-Type"] = content_type
    return head


def _broken(answer: Streamed, problem: str) -> BrokenAnswer:
    return BrokenAnswer(answer.system, f"{answer.where}: the answer cannot be used: {problem}", status=answer.status)
