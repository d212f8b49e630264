"""Where results go: tables for people or one JSON document for machines on stdout, everything else on stderr."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.messages import Language, Texts

_WIDEST_WORD = 24


@dataclass(frozen=True, slots=True)
class Output:
    """How one command talks."""

    texts: Texts
    as_json: bool
    out: Console = field(default_factory=Console)
    err: Console = field(default_factory=lambda: Console(stderr=True))

    @classmethod
    def of(cls, language: Language, *, as_json: bool) -> Output:
        """For the chosen language and form."""
        return cls(Texts(language), as_json)

    def json(self, document: Any) -> None:
        """One document, indented, without escapes of Vietnamese letters."""
        text = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str)
        self.out.file.write(text.decode() + "\n")

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
        """A table with translated headings; numbers stand right, with thousands apart."""
        return make_table(self.texts, title, columns, rows)

    @contextmanager
    def working(self, text: str) -> Iterator[Ticker]:
        """Show that something goes on, with running numbers; nothing but the result is seen when not on a terminal."""
        if self.as_json or not self.err.is_terminal:
            yield Ticker(None, text)
            return
        with self.err.status(text) as status:
            yield Ticker(status, text)


@dataclass(slots=True)
class Ticker:
    """The numbers beside the words while something goes on."""

    _status: Any
    _text: str

    def show(self, counts: dict[str, int]) -> None:
        """Replace the numbers."""
        if self._status is not None:
            numbers = "  ".join(f"{name} {number:,}" for name, number in counts.items() if number)
            self._status.update(f"{self._text}  {numbers}")


def make_table(texts: Texts, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table with translated headings; numbers stand right, with thousands apart. Words are never broken apart."""
    cells = [list(row) for row in rows]
    table = Table(
        title=texts(title),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for index, column in enumerate(columns):
        heading = texts(column)
        values = [_cell(row[index]).plain for row in cells]
        table.add_column(
            heading,
            justify="right" if any(isinstance(row[index], int) for row in cells) else "left",
            min_width=min(_longest_word([heading, *values]), _WIDEST_WORD),
            overflow="fold",
        )
    for row in cells:
        table.add_row(*(_cell(value) for value in row))
    return table


def _longest_word(texts: Iterable[str]) -> int:
    return max((len(word) for text in texts for word in text.split()), default=1)


def _cell(value: object) -> Text:
    if isinstance(value, Text):
        return value
    if isinstance(value, bool) or value is None:
        return Text("" if value is None else str(value))
    return Text(f"{value:,}" if isinstance(value, int) else str(value))
