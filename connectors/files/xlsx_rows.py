"""Rows of an Excel workbook, read as a stream.

What Excel makes of things and what becomes of it here: dates (of both its calendars) become ISO text; a whole number
comes as such, whatever its format; a formula counts by the value stored with it, and a row with a formula that has none
is set aside, like one with an error (#N/A). Cells merged over several rows have a value in the first only.

A workbook is a zip of XML: how large it gets when unpacked is checked before anything is read, and a document type
(which is how XML brings bombs) is refused.
"""

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import chain, repeat
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from connectors.files.json_rows import JsonForm, written
from connectors.files.problems import FileProblem, NotAsAgreed
from connectors.files.rows import Cell, Row
from connectors.options.files import XlsxFormat

_MOST_PARTS = 1000
_WIDEST = 500
_EXACT_DIGITS = 15
_HEAD_BYTES = 4096
_CHUNK = 1 << 16
_NO_WORKBOOK = "Ask the owner for an .xlsx file without a password, saved by Excel"
_UNREADABLE = (
    InvalidFileException, zipfile.BadZipFile, zlib.error, ParseError, KeyError, ValueError, IndexError, AttributeError,
    TypeError, EOFError, OSError, NotImplementedError,
)  # fmt: skip
"""What openpyxl is seen to raise for workbooks that are not as they should be: it checks little itself."""


class XlsxFile(JsonForm):
    """One open workbook; ``stream`` can be read from any place. ``limit`` is how many bytes it may unpack to."""

    def __init__(self, stream: BinaryIO, form: XlsxFormat, limit: int) -> None:
        """Raises ``FileProblem``."""
        has_formulas = _screen(stream, limit)
        self._stored = _open(stream, form, as_stored=True)
        self._written = _open(stream, form, as_stored=False) if has_formulas else None

    def rows(self) -> Iterator[Row]:
        """See ``RowFile``."""
        written: Iterator[tuple[Any, ...]] = repeat(()) if self._written is None else iter(self._written.rows)
        number = 0
        try:
            for number, (cells, formulas) in enumerate(zip(self._stored.rows, written, strict=False), 1):
                if len(cells) > _WIDEST:
                    raise NotAsAgreed(
                        f"row {number} has more than {_WIDEST} cells", "Ask the owner what the sheet holds"
                    )
                row = _row(number, cells, formulas)
                if row.problems or any(cell not in (None, "") for cell in row.cells):
                    yield row
        except _UNREADABLE as error:
            raise _broken(f"cannot be read behind row {number}", error) from None


def _screen(stream: BinaryIO, limit: int) -> bool:
    """Refuse what is no workbook, or a bomb; tells whether any sheet holds a formula."""
    if stream.read(4) != b"PK\x03\x04":
        raise NotAsAgreed("it is not an Excel workbook (.xlsx); old (.xls) and protected ones are none", _NO_WORKBOOK)
    try:
        with zipfile.ZipFile(stream) as parts:
            infos = parts.infolist()
            # zipfile reads no more of a part than is announced here, so the announced size is the true limit.
            if sum(info.file_size for info in infos) > limit or len(infos) > _MOST_PARTS:
                raise FileProblem(
                    f"it unpacks to more than {limit >> 20} MB or {_MOST_PARTS} parts",
                    "If such files are to be expected, raise limits.max_response_mb in the catalog entry",
                )
            for info in infos:
                with parts.open(info) as part:
                    head = part.read(_HEAD_BYTES)
                if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
                    raise FileProblem("its XML brings a document type, which Excel never writes", _NO_WORKBOOK)
            sheets = [info for info in infos if info.filename.startswith("xl/worksheets/")]
            return any(_holds(parts, info, b"f>") for info in sheets)
    except (*_UNREADABLE, RuntimeError) as error:
        raise _broken("its zip archive is broken or protected", error) from None


def _holds(parts: zipfile.ZipFile, info: zipfile.ZipInfo, mark: bytes) -> bool:
    tail = b""
    with parts.open(info) as part:
        while chunk := part.read(_CHUNK):
            if mark in tail + chunk:
                return True
            tail = chunk[-len(mark) :]
    return False


def _open(stream: BinaryIO, form: XlsxFormat, *, as_stored: bool) -> Any:
    """The sheet, with the values stored for formulas, or with the formulas as they are written."""
    stream.seek(0)
    try:
        book = openpyxl.load_workbook(stream, read_only=True, data_only=as_stored, keep_links=False)
        sheets = {sheet.title: sheet for sheet in book.worksheets}
        sheet = sheets.get(form.sheet) if form.sheet else next(iter(sheets.values()), None)
        if sheet is not None:
            sheet.reset_dimensions()
    except _UNREADABLE as error:
        raise _broken("it cannot be opened", error) from None
    if sheet is None:
        raise NotAsAgreed(
            f"it has no sheet {form.sheet!r}" if form.sheet else "it has no sheet",
            "Ask the owner what the sheet is called now, and correct 'sheet' in the catalog entry",
        )
    return sheet


def _broken(what: str, error: Exception) -> FileProblem:
    # Only the kind is told: the text of these errors may hold cells.
    return FileProblem(f"the workbook is broken: {what} ({type(error).__name__})", _NO_WORKBOOK)


def _row(number: int, cells: Sequence[Any], formulas: Sequence[Any]) -> Row:
    values: list[Cell] = []
    problems: dict[int, str] = {}
    for place, (cell, formula) in enumerate(zip(cells, chain(formulas, repeat(None)), strict=False)):
        value, wrong = _value(cell, formula)
        values.append(value)
        if wrong:
            problems[place] = f"cell {_letters(place)}{number} {wrong}"
    return Row(number, values, written(values, problems), problems)


def _value(cell: Any, formula: Any) -> tuple[Cell, str]:
    """A cell's value, and what is wrong with it."""
    value = cell.value
    if value is None:
        lost = formula is not None and formula.value is not None
        return None, "holds a formula without its value: open the file in Excel and save it" if lost else ""
    if cell.data_type == "e":
        return None, "holds an error instead of a value"
    if isinstance(value, str | bool):
        return value, ""
    if isinstance(value, int | float):
        whole = int(value) if float(value).is_integer() else value
        if abs(whole) >= 10**_EXACT_DIGITS:
            return None, f"holds a number of more than {_EXACT_DIGITS} digits, the last of which Excel has lost"
        return whole, ""
    return _time_text(value), ""


def _time_text(value: Any) -> str:
    """A date or time as ISO text, to the second: Excel counts in fractions of days, which hold no exact seconds."""
    if isinstance(value, datetime):
        return (value + timedelta(milliseconds=500)).replace(microsecond=0).isoformat()
    if isinstance(value, date):
        return datetime.combine(value, time()).isoformat()
    return value.isoformat(timespec="seconds") if isinstance(value, time) else str(value)


def _letters(place: int) -> str:
    """The column's name in Excel: 0 is A, 26 is AA."""
    name = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        name = chr(ord("A") + rest) + name
    return name
