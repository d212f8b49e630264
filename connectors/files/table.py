"""From rows to records, by the names in the header.

A record is ``{"at": "row 17 of name.csv", <column>: <cell>, …}``: wanted columns under the names of the catalog entry,
all others under their own heading, so that a column that is new shows up as drift. A row that cannot be read becomes
``{"at", "problem", "cells"}``, which holds none of the columns: the mapping misses what it requires and sets it aside.
"""

import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import Any

from connectors.files.problems import NotAsAgreed, shown
from connectors.files.rows import Cell, Row, RowFile
from connectors.options.files import RESERVED, Column

_SEARCHED_ROWS = 20
_FIX = "Ask the owner what has changed, and correct 'columns' in the catalog entry and the contract"


@dataclass(frozen=True, slots=True)
class Record:
    """One record, the bytes of its row that may be kept, and the row's number."""

    values: Mapping[str, Any]
    raw: bytes
    number: int


class Table:
    """A file whose header has been found. ``header_raw`` are its bytes, to begin each page with.

    ``cut`` names columns of which nothing may be kept: neither records nor raw bytes hold them. They must be there even
    if they are optional: under another heading they would slip through.
    """

    def __init__(self, file: RowFile, name: str, wanted: Mapping[str, Column], cut: Sequence[str]) -> None:
        """Finds the header. Raises ``FileProblem``, naming the columns, when it does not hold what is wanted."""
        self._file = file
        self._name = name
        self._rows = file.rows()
        header, places = _header(self._rows, wanted, cut)
        self._width = len(header.cells)
        self._names = _names(header.cells, {place: name for name, place in places.items()})
        self._pads = [(places[name], one.width) for name, one in wanted.items() if one.width and name in places]
        self._wanted = frozenset(places.values())
        self._cut = [place for place, name in enumerate(self._names) if name in cut]
        self._left_out = ("", *(self._names[place] for place in self._cut))
        self.header_raw = self._kept(header)
        self.media_type = file.rewritten_type if self._cut else file.media_type

    def records(self) -> Iterator[Record]:
        """All records, in order. Raises ``FileProblem``."""
        for row in self._rows:
            yield Record(self._record(row), self._kept(row), row.number)

    def _record(self, row: Row) -> Mapping[str, Any]:
        at = place_of(row.number, self._name)
        cells, problem = self._fitted(row)
        if problem:
            # What is cut cannot be told apart in a row that does not fit its header.
            return {"at": at, "problem": problem, **({} if self._cut else {"cells": list(row.cells)})}
        record: dict[str, Any] = dict(zip(self._names, cells, strict=True))
        for name in self._left_out:
            record.pop(name, None)
        record["at"] = at
        return record

    def _fitted(self, row: Row) -> tuple[Sequence[Cell], str]:
        """The cells, one for each column of the header, or what is wrong."""
        cells, width = list(row.cells), self._width
        if self._file.cells_may_lack:
            cells += [None] * (width - len(cells))
            while len(cells) > width and cells[-1] in (None, ""):
                cells.pop()
        if len(cells) != width:
            return cells, f"{len(cells)} cells under {width} columns"
        # Of columns that nobody asked for, a cell that cannot be read is as good as blank.
        if unreadable := [problem for place, problem in row.problems.items() if place in self._wanted]:
            return cells, unreadable[0]
        if any(cells[place] not in (None, "") for place, name in enumerate(self._names) if not name):
            return cells, "a cell is filled in a column without a heading"
        for place, digits in self._pads:
            padded = _padded(cells[place], digits)
            if padded is None:
                return cells, f"column {self._names[place]} holds a number that is no code of {digits} digits"
            cells[place] = padded
        return cells, ""

    def _kept(self, row: Row) -> bytes:
        if not self._cut:
            return row.raw
        if len(row.cells) > self._width or (len(row.cells) < self._width and not self._file.cells_may_lack):
            return self._file.rewritten(["?"] * (self._width - len(self._cut) + 1), {})  # fits the header no better
        kept = [place for place in range(len(row.cells)) if place not in self._cut]
        problems = {place: row.problems[old] for place, old in enumerate(kept) if old in row.problems}
        return self._file.rewritten([row.cells[place] for place in kept], problems)


def place_of(number: int, name: str) -> str:
    """How a record says where it stands: ``row 17 of name.csv``."""
    return f"row {number} of {shown(name)}"


def _header(rows: Iterator[Row], wanted: Mapping[str, Column], cut: Sequence[str]) -> tuple[Row, dict[str, int]]:
    """The first row with all required headings, and the place of each wanted column in it."""
    best: Row | None = None
    most = -1
    required = {name for name, one in wanted.items() if not one.optional or name in cut}
    for row in islice(rows, _SEARCHED_ROWS):
        places = _places(row.cells, wanted)
        if required <= places.keys():
            _refuse_doubles(row.cells, wanted)
            return row, places
        if len(places) > most:
            best, most = row, len(places)
    if best is None:
        raise NotAsAgreed("it is empty: there is no header", _FIX)
    raise NotAsAgreed(_missing(best.cells, wanted, required), _FIX)


def _places(cells: Sequence[Cell], wanted: Mapping[str, Column]) -> dict[str, int]:
    headings = [_plain(cell) for cell in cells]
    found: dict[str, int] = {}
    for name, column in wanted.items():
        place = next((headings.index(text) for one in column.headers if (text := _plain(one)) in headings), None)
        if place is not None:
            found[name] = place
    return found


def _refuse_doubles(cells: Sequence[Cell], wanted: Mapping[str, Column]) -> None:
    headings = [_plain(cell) for cell in cells]
    doubled = [
        column.headers[0]
        for column in wanted.values()
        if sum(headings.count(_plain(one)) for one in column.headers) > 1
    ]
    if doubled:
        raise NotAsAgreed(f"the header names a column twice: {_listed(doubled)}", _FIX)


def _missing(cells: Sequence[Cell], wanted: Mapping[str, Column], required: Collection[str]) -> str:
    """Which columns are missing; what they may be called now is told only where the row surely is a header."""
    places = _places(cells, wanted)
    lost = [one.headers[0] for name, one in wanted.items() if name in required and name not in places]
    what = f"the header lacks {_listed(lost)}"
    if len(places) * 2 < len(wanted):
        return (
            what
            if places
            else f"no row among the first {_SEARCHED_ROWS} is the header, which would begin with {lost[0]!r}"
        )
    strange = [str(cell) for place, cell in enumerate(cells) if cell and place not in places.values()]
    renamed = [f"{old!r} may be {match[0]!r} now" for old in lost if (match := get_close_matches(old, strange, 1, 0.5))]
    return f"{what}; {', '.join(renamed)}" if renamed else what


def _listed(headers: Sequence[str]) -> str:
    return ", ".join(repr(header) for header in headers)


def _names(cells: Sequence[Cell], wanted: Mapping[int, str]) -> list[str]:
    """The name of each column in records, all different; empty for a column without a heading."""
    names: list[str] = []
    taken = set(wanted.values()) | RESERVED
    for place, cell in enumerate(cells):
        name = wanted.get(place)
        if name is None:
            own = " ".join(unicodedata.normalize("NFC", str(cell or "")).split())
            name, number = own, 2
            while name and name in taken:
                name, number = f"{own} ({number})", number + 1
            taken.add(name)
        names.append(name)
    return names


def _plain(heading: object) -> str:
    return " ".join(unicodedata.normalize("NFC", str(heading or "")).casefold().split()).strip("\ufeff")


def _padded(cell: Cell, digits: int) -> Cell:
    """A code with its leading zeros; ``None`` for a number that cannot be one. Text that is no number stays."""
    if isinstance(cell, int) and not isinstance(cell, bool):
        text = str(cell)
        return text.zfill(digits) if cell >= 0 and len(text) <= digits else None
    if isinstance(cell, float):
        return None
    if isinstance(cell, str):
        text = cell.strip()
        return text.zfill(digits) if text.isdigit() else cell
    return "" if cell is None else cell
