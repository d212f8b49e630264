"""What every use case needs: the ledger, the key for personal data, the catalog, and connectors on demand."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from connectors import connections, factory
from connectors.catalog import Catalog, load_catalog
from ledger.engine import open_engine
from ledger.errors import LedgerUnavailable, SchemaOutOfDate, WrongDataKey
from ledger.inbox import Inbox
from ledger.migrate import require_current
from ledger.sealing import Sealer

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from connectors.api import Source, Target
    from connectors.connections import Turnstile


@dataclass(frozen=True, slots=True)
class Context:
    """Open resources of one process; safe to share between threads."""

    engine: Engine
    sealer: Sealer
    catalog: Catalog

    @classmethod
    @contextmanager
    def from_env(cls, *, connections: int = 15) -> Iterator[Context]:
        """Open what the environment names (HOSYNC_DATABASE_URL, HOSYNC_DATA_KEY, HOSYNC_CATALOG) and close it after.

        ``connections``: how many of the ledger's there may be at once.
        """
        _suit_many_records()
        engine = open_engine(connections=connections)
        try:
            yield cls(engine=engine, sealer=Sealer.from_env(), catalog=load_catalog())
        finally:
            engine.dispose()

    @classmethod
    @contextmanager
    def if_there(cls) -> Iterator[Context | None]:
        """The same where there is a ledger; ``None`` where none is named, or it does not answer as it should."""
        try:
            engine = open_engine()
        except LedgerUnavailable:
            yield None
            return
        try:
            yield _found(engine)
        finally:
            engine.dispose()

    @contextmanager
    def source(self, system: str) -> Iterator[Source]:
        """A connector to the sector system, closed at the end. One thread only."""
        entry = self.catalog.source(system)
        inbox = Inbox(self.engine, self.sealer, system)
        source = factory.open_source(entry, connections.resolve(entry.connection), inbox=inbox)
        try:
            yield source
        finally:
            source.close()

    def open_target(self, target: str, turnstile: Turnstile | None) -> Target:
        """A new connector to the target whose calls pass the ``turnstile``; the caller closes it. One thread only."""
        entry = self.catalog.target(target)
        return factory.open_target(entry, replace(connections.resolve(entry.connection), turnstile=turnstile))


def _suit_many_records() -> None:
    """Set the interpreter up for thousands of records at once, and for threads of which most wait.

    None of the records is in a reference cycle: looking for one takes a tenth of a delivery's time. A thread whose
    answer has come would wait 5 ms for one that translates, at every turn of a call.
    """
    gc.freeze()
    gc.set_threshold(50_000)
    sys.setswitchinterval(0.0005)


def _found(engine: Engine) -> Context | None:
    try:
        require_current(engine)
        return Context(engine=engine, sealer=Sealer.from_env(), catalog=load_catalog())
    except (LedgerUnavailable, SchemaOutOfDate, WrongDataKey):
        return None


def now() -> datetime:
    """The present moment, with a zone."""
    return datetime.now(UTC)
