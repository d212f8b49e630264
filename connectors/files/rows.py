"""What a file is made of, whatever its format: rows of cells, each with its number and the bytes it came as."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

Cell = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Row:
    """One row that is not blank. ``number`` counts from 1 as people see it: a line, or the row of a sheet.

    ``raw`` is what it was read from, or, in a format that has no bytes of its own for a row, the cells as JSON.
    ``problems`` says, by place in ``cells``, why a cell cannot be read; it names cells and never their content.
    """

    number: int
    cells: Sequence[Cell]
    raw: bytes
    problems: Mapping[int, str] = field(default_factory=dict)


class RowFile(Protocol):
    """An open file of one format."""

    @property
    def media_type(self) -> str:
        """What ``join`` gives of rows as they came, once the header was read ..."""
        ...

    @property
    def rewritten_type(self) -> str:
        """... and of rewritten ones."""
        ...

    @property
    def cells_may_lack(self) -> bool:
        """Whether a row may be shorter than the header, its last cells being blank."""
        ...

    def rows(self) -> Iterator[Row]:
        """All rows from the first on, once. Raises ``FileProblem``."""
        ...

    def join(self, rows: Sequence[bytes]) -> bytes:
        """One document of the ``raw`` of several rows."""
        ...

    def rewritten(self, cells: Sequence[Cell], problems: Mapping[int, str]) -> bytes:
        """What ``raw`` would be, had the row only these cells and problems."""
        ...
