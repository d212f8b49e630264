"""A source that says what a test wants, with the shipped catalog and mappings and a real ledger behind it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import text

import mappings
from connectors.api import Page, Window
from sync.context import Context
from sync.pull import PullReport, plan, pull

NOW = datetime(2025, 8, 20, 8, 0, tzinfo=UTC)
CODE = "H12.101-250812-0002"


def record(system: str, **changes: Any) -> dict[str, Any]:
    """The first example of a system's mapping with changes, by path with __ between names."""
    given = mappings.load(system, mappings.Direction.SOURCE).sections["dossier"].examples[0].given
    native: dict[str, Any] = copy.deepcopy(given or {})
    for path, value in changes.items():
        *objects, leaf = path.split("__")
        holder = native
        for name in objects:
            holder = holder[name]
        holder[leaf] = value
    return native


def birth(code: str = CODE, **changes: Any) -> dict[str, Any]:
    """A birth that the one-stop system has forwarded."""
    return record(
        "igate", **{"code": code, "id": f"id of {code}", "nationCode": None, "dossierStatus__id": 2} | changes
    )


def registration(code: str = CODE, status: str = "4", at: str = "14/08/2025 09:30:00") -> dict[str, Any]:
    """What the civil-status system says of it."""
    return record("hotich", maHoSoMCDT=code, trangThai=status, thoiGianThucHien=at)


@dataclass
class Script:
    """A source that tells the pages it is given, and keeps what it is asked."""

    pages: list[Page] = field(default_factory=list)
    asked: list[tuple[Window | None, Sequence[str]]] = field(default_factory=list)

    def pull(
        self, *, window: Window | None, cursor: str | None, open_codes: Sequence[str], now: datetime
    ) -> Iterator[Page]:
        """The pages, in order."""
        del cursor, now
        self.asked.append((window, list(open_codes)))
        yield from self.pages


@dataclass(frozen=True)
class Speaking(Context):
    """A context in which every system has the same scripted source."""

    script: Script = field(default_factory=Script)

    @contextmanager
    def source(self, system: str) -> Iterator[Any]:
        """The script, whatever the system is called."""
        del system
        yield self.script

    def say(self, system: str, *pages: Page, full: bool = False) -> list[PullReport]:
        """One run of a system that tells these pages."""
        self.script.pages = list(pages)
        pieces = plan(self, system, now=NOW, full=full)
        return [pull(self, piece, started_by="test", now=NOW) for piece in pieces]

    def states(self) -> dict[str, int]:
        """What the ledger holds."""
        with self.engine.connect() as connection:
            return {row.code: row.state for row in connection.execute(text("SELECT code, state FROM dossier"))}

    def one(self, statement: str) -> Any:
        """The one value of a query."""
        with self.engine.connect() as connection:
            return connection.execute(text(statement)).scalar_one()


def page(*records: dict[str, Any], number: int = 1, **changes: Any) -> Page:
    """A page of these records."""
    given: dict[str, Any] = {
        "number": number,
        "raw": orjson.dumps([number, *records]),
        "media_type": "application/json",
        "records": records,
        "fetched_at": NOW,
        "cursor": None,
    }
    return Page(**(given | changes))
