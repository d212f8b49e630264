"""Rows as they are archived where a format has no bytes of its own for a row: a JSON list, the header first.

A row is the list of its cells, or ``{"cells": […], "problems": {place: why it cannot be read}}``.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from connectors.files.rows import Cell, Row


class JsonForm:
    """What such rows have in common, whatever they are read from."""

    cells_may_lack = True
    media_type = rewritten_type = "application/json"

    def join(self, rows: Sequence[bytes]) -> bytes:
        """See ``RowFile``."""
        return b"[" + b",".join(rows) + b"]"

    def rewritten(self, cells: Sequence[Cell], problems: Mapping[int, str]) -> bytes:
        """See ``RowFile``."""
        return written(cells, problems)


class JsonRows(JsonForm):
    """Rows out of the archive; ``document`` is what ``join`` made of them."""

    def __init__(self, document: Any) -> None:
        self._rows = document if isinstance(document, list) else []

    def rows(self) -> Iterator[Row]:
        """See ``RowFile``."""
        for number, row in enumerate(self._rows, 1):
            cells, problems = (row["cells"], row["problems"]) if isinstance(row, dict) else (row, {})
            yield Row(number, cells, b"", {int(place): problem for place, problem in problems.items()})


def written(cells: Sequence[Cell], problems: Mapping[int, str]) -> bytes:
    """One row."""
    if not problems:
        return orjson.dumps(list(cells))
    return orjson.dumps({"cells": list(cells), "problems": dict(problems)}, option=orjson.OPT_NON_STR_KEYS)
