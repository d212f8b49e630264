"""How files are written: CSV in the encodings that old systems use, and workbooks.

TCVN3 is what the ABC fonts show: one byte a letter, and no toned capitals. Those are written as small letters, which is
what a text in such a font becomes when it leaves its font. Windows-1258 has a byte for every vowel of the alphabet and
one for each tone, which follows its vowel.
"""

import csv
import io
import unicodedata
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal

from openpyxl import Workbook

from sandbox.systems.drops import Cell, Line

Encode = Callable[[str], bytes]

# The tones in the order of the alphabet: grave, hook above, tilde, acute, dot below.
_TONES = "\u0300\u0309\u0303\u0301\u0323"
_TONES_1258 = dict(zip(_TONES, b"\xcc\xd2\xde\xec\xf2", strict=True))
_TONED_TCVN3 = {
    "a": "b5 b6 b7 b8 b9", "ă": "bb bc bd be c6", "â": "c7 c8 c9 ca cb", "e": "cc ce cf d0 d1", "ê": "d2 d3 d4 d5 d6",
    "i": "d7 d8 dc dd de", "o": "df e1 e2 e3 e4", "ô": "e5 e6 e7 e8 e9", "ơ": "ea eb ec ed ee", "u": "ef f1 f2 f3 f4",
    "ư": "f5 f6 f7 f8 f9", "y": "fa fb fc fd fe",
}  # fmt: skip
_PLAIN_TCVN3 = dict(zip("ĂÂÊÔƠƯĐăâêôơưđ", range(0xA1, 0xAF), strict=True))
_TCVN3 = {
    unicodedata.normalize("NFC", letter + tone): bytes([code])
    for letter, codes in _TONED_TCVN3.items()
    for tone, code in zip(_TONES, bytes.fromhex(codes), strict=True)
} | {letter: bytes([code]) for letter, code in _PLAIN_TCVN3.items()}


def tcvn3(text: str) -> bytes:
    """``text`` as TCVN3; what is neither ASCII nor Vietnamese becomes a question mark."""
    letters = unicodedata.normalize("NFC", text)
    return b"".join(_TCVN3.get(one) or _TCVN3.get(one.lower()) or one.encode("ascii", "replace") for one in letters)


def windows_1258(text: str) -> bytes:
    """``text`` as Windows-1258; what is not in it becomes a question mark."""
    written = bytearray()
    for letter in unicodedata.normalize("NFC", text):
        parts = unicodedata.normalize("NFD", letter)
        tones = bytes(_TONES_1258[part] for part in parts if part in _TONES_1258)
        vowel = unicodedata.normalize("NFC", "".join(part for part in parts if part not in _TONES_1258))
        written += vowel.encode("cp1258", "replace") + tones
    return bytes(written)


def csv_file(lines: Sequence[Line], *, encode: Encode, delimiter: str = ",", quote_all: bool = False) -> bytes:
    """At least one line, below a header, ended as on Windows."""
    text = io.StringIO()
    quoting: Literal[0, 1] = csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator="\r\n")
    writer.writerow(lines[0])
    writer.writerows(line.values() for line in lines)
    return encode(text.getvalue())


def workbook(lines: Sequence[Line], *, sheet: str, above: Sequence[str]) -> bytes:
    """At least one line in a workbook, below text merged over all columns, as offices like it."""
    book = Workbook()
    page = book.active
    if page is None:
        raise AssertionError("a new workbook has a sheet")
    page.title = sheet
    headings = list(lines[0])
    for number, text in enumerate(above, 1):
        page.append([text])
        page.merge_cells(start_row=number, start_column=1, end_row=number, end_column=len(headings))
    page.append(headings)
    for line in lines:
        page.append([_plain(cell) for cell in line.values()])
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _plain(cell: Cell) -> Cell:
    """Workbooks know no zones: a time is written as the clock on the wall showed it."""
    return cell.replace(tzinfo=None) if isinstance(cell, datetime) else cell
