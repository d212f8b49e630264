"""Rows of a CSV file: one line in memory at a time, however large the file.

All cells are text, formulas and apostrophes included. A quotation mark where none may be makes every row behind it
doubtful, so the file is refused there; the rows before it are good.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import BinaryIO
from urllib.parse import quote

from connectors.files import encodings
from connectors.files.problems import FileProblem, NotAsAgreed
from connectors.files.rows import Cell, Row
from connectors.options.files import CsvFormat, Encoding

_LONGEST_LINE = 1 << 20
_CHUNK = 1 << 16
_DELIMITERS = ",;\t|"
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


class CsvFile:
    """One open CSV file; ``stream`` stands at its beginning."""

    cells_may_lack = False
    rewritten_type = "text/csv; charset=utf-8"

    def __init__(self, stream: BinaryIO, form: CsvFormat, *, archived_as: str | None = None) -> None:
        """Raises ``FileProblem`` when the file is plainly not written as declared.

        ``archived_as``: the codec of rows out of the archive, which were looked at before and are all there, blank
        ones too.
        """
        sample, mark = b"", 0
        self._keeps_blanks = archived_as is not None
        if archived_as is None:
            sample = stream.read(encodings.SAMPLE_BYTES)
            if sample.startswith(_WORKBOOKS):
                raise NotAsAgreed(
                    "it is an Excel workbook and no CSV", "Ask the owner for CSV, or declare format: xlsx"
                )
            encodings.check(form.encoding, sample)
            archived_as, mark = encodings.codec_of(form.encoding, sample)
            stream.seek(mark)
        self._codec = archived_as
        self._stream, self._form, self._offset, self._sample = stream, form, mark, sample
        self._decode = encodings.decoder(form.encoding, self._codec)
        self._delimiter: str = form.delimiter

    @property
    def media_type(self) -> str:
        """See ``RowFile``; names the delimiter where the file chose it itself."""
        own = self._delimiter != self._form.delimiter
        return f"text/csv; charset={self._codec}" + (f"; delimiter={quote(self._delimiter)}" if own else "")

    def rows(self) -> Iterator[Row]:
        """See ``RowFile``."""
        lines = self._lines()
        taken: list[bytes] = []
        first = next(lines, b"")
        skipped = 1 if self._names_delimiter(first) else 0
        reader = csv.reader(
            self._texts(first, lines, taken, skipped),
            delimiter=self._delimiter,
            quotechar=self._form.quote,
            strict=True,
        )
        number = 1 + skipped
        try:
            for cells in reader:
                if any(cells) or self._keeps_blanks:
                    yield Row(number, cells, b"".join(taken))
                taken.clear()
                number = reader.line_num + skipped + 1
        except csv.Error as error:
            raise FileProblem(
                f"row {number} is not CSV: {error}",
                f"Ask the owner to quote cells with {self._form.quote} and to double it inside them",
            ) from None

    def join(self, rows: Sequence[bytes]) -> bytes:
        """See ``RowFile``."""
        return b"".join(rows)

    def rewritten(self, cells: Sequence[Cell], problems: Mapping[int, str]) -> bytes:
        """See ``RowFile``; in UTF-8. In a CSV file every cell can be read."""
        del problems
        form, text = self._form, io.StringIO()
        csv.writer(text, delimiter=form.delimiter, quotechar=form.quote, lineterminator="\n").writerow(cells)
        return text.getvalue().encode("utf-8", "surrogatepass")

    def _names_delimiter(self, first: bytes) -> bool:
        """Whether this is Excel's line ``sep=;``, which then is obeyed."""
        text = self._text(first, 1).rstrip("\r\n").strip(self._form.quote)
        if len(text) != 5 or not text.startswith("sep=") or text[4] not in _DELIMITERS:
            return False
        self._delimiter = text[4]
        return True

    def _texts(self, first: bytes, lines: Iterator[bytes], taken: list[bytes], skipped: int) -> Iterator[str]:
        """The lines decoded; what has been handed out is added to ``taken``."""
        if skipped:
            self._offset += len(first)
        else:
            lines = _before(first, lines)
        for number, line in enumerate(lines, 1 + skipped):
            taken.append(line)
            yield self._text(line, number)
            self._offset += len(line)

    def _text(self, line: bytes, number: int) -> str:
        try:
            return self._decode(line)
        except UnicodeDecodeError as error:
            like = encodings.hint(self._sample) if self._form.encoding is Encoding.UTF_8 else ""
            raise NotAsAgreed(
                f"row {number} is not {self._form.encoding}: the byte at offset {self._offset + error.start} "
                f"(0x{line[error.start]:02x}) means nothing there{like}",
                "Ask the owner to write the declared encoding, or correct 'encoding' in the catalog entry",
            ) from None

    def _lines(self) -> Iterator[bytes]:
        if self._form.encoding is Encoding.UTF_16:
            found = _wide_lines(self._stream, "\n".encode(self._codec))
        else:
            found = iter(partial(self._stream.readline, _LONGEST_LINE + 1), b"")
        for number, line in enumerate(found, 1):
            if len(line) > _LONGEST_LINE:
                raise FileProblem(
                    f"row {number} is longer than {_LONGEST_LINE >> 20} MB", "Ask the owner whether this is a CSV file"
                )
            yield line


def _before(first: bytes, lines: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from lines


def _wide_lines(stream: BinaryIO, newline: bytes) -> Iterator[bytes]:
    """Lines of two-byte text: the bytes of a line's end also occur across two letters, and do not count there."""
    pending = b""
    while chunk := stream.read(_CHUNK):
        pending += chunk
        start, found = 0, pending.find(newline)
        while found >= 0:
            if found % 2 == 0:
                yield pending[start : found + 2]
                start = found + 2
            found = pending.find(newline, max(start, found + 1))
        pending = pending[start:]
        if len(pending) > _LONGEST_LINE:
            break
    if pending:
        yield pending
