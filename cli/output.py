"""Where results go: tables for people or one JSON document for machines on stdout, everything else on stderr."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from cli.messages import Language, Texts

_WIDEST_WORD = 24
_NARROWEST = 8


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

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> RenderableType:
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


def make_table(texts: Texts, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> RenderableType:
    """A table with translated headings; numbers stand right, with thousands apart.

    Words are broken apart only where the terminal leaves no other way, and numbers never: nothing is cut off.
    """
    return _Fitting(texts(title), [texts(column) for column in columns], [list(row) for row in rows])


@dataclass(frozen=True, slots=True)
class _Fitting:
    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[object]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = Table(
            title=self.title,
            title_justify="left",
            title_style="bold",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            padding=(0, 1, 0, 0),
        )
        columns = range(len(self.headings))
        values = [[_cell(row[index]).plain for row in self.rows] for index in columns]
        is_number = [any(isinstance(row[index], int) for row in self.rows) for index in columns]
        widths = _widths(self.headings, values, is_number, options.max_width - 2 * len(columns))
        for heading, numeric, width in zip(self.headings, is_number, widths, strict=True):
            table.add_column(heading, justify="right" if numeric else "left", width=width, overflow="fold")
        for row in self.rows:
            table.add_row(*(_cell(value) for value in row))
        yield table


def _widths(
    headings: Sequence[str], values: Sequence[Sequence[str]], is_number: Sequence[bool], room: int
) -> list[int]:
    """The width of each column: as wide as its texts, then down to whole words, then to parts of words, first where
    there are no numbers."""
    columns = list(zip(headings, values, is_number, strict=True))
    widths = [max(map(len, [heading, *texts])) for heading, texts, _ in columns]
    words = [min(_longest_word([heading, *texts]), _WIDEST_WORD) for heading, texts, _ in columns]
    numbers = [_longest_word(texts) if numeric else 1 for _, texts, numeric in columns]
    parts = [word if numeric else _NARROWEST for word, numeric in zip(words, is_number, strict=True)]
    both = [number if numeric else _NARROWEST for number, numeric in zip(numbers, is_number, strict=True)]
    for least in (words, parts, both, numbers):
        while sum(widths) > room:
            spare = [width if width > floor else 0 for width, floor in zip(widths, least, strict=True)]
            if not max(spare):
                break
            widths[spare.index(max(spare))] -= 1
    return widths


def _longest_word(texts: Iterable[str]) -> int:
    return max((len(word) for text in texts for word in text.split()), default=1)


def _cell(value: object) -> Text:
    if isinstance(value, Text):
        return value
    if isinstance(value, bool) or value is None:
        return Text("" if value is None else str(value))
    return Text(f"{value:,}" if isinstance(value, int) else str(value))
