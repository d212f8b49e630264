"""The inbox: what a system that calls us said, durable before it is answered, read later in the order it came.

``put`` is one statement in a transaction of its own. Kill any process at any point: the call is either stored whole or
not at all, and a caller that heard no answer calls again; a call with the same content is stored once. ``after`` reads
on from a position, which is the system's pull cursor and moves in the transaction of the page it covers: a call is
taken over exactly when its page is stored, and no mark of its own can disagree with that.

Order: a system's calls take turns for as long as the statement runs, so their numbers commit in order and what is below
a number that was seen is final (``feed.py`` needs more, because its transactions are long). Calls of one system are
therefore stored one after the other, several hundred a second.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import psycopg
from sqlalchemy import Engine, text

from ledger import inbox_sql, intake_sql
from ledger.engine import Cursor, cursor_of, loss_explained, reading
from ledger.errors import LedgerError, WrongDataKey
from ledger.sealing import KEY_VARIABLE, Sealer


class Received(StrEnum):
    """What became of a call."""

    STORED = "stored"
    REPEATED = "repeated"  # stored before with the same content: nothing was added
    REFUSED = "refused"  # answered with what is wrong with it; only counted
    NO_SECRET = "no_secret"  # from somebody who does not know the secret; only counted


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxCall:
    """One stored call. ``position`` orders the calls of a system; ``body`` is as it came."""

    position: int
    kind: str
    received_at: datetime
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """How many calls of one system there ever were, by what became of them, and how many no pull has stored yet."""

    stored: int
    repeated: int
    refused: int
    no_secret: int
    waiting: int
    oldest_waiting_at: datetime | None


def calls(engine: Engine) -> Mapping[str, Calls]:
    """The calls of every system that ever called."""
    with reading(engine) as connection:
        rows = connection.execute(text(inbox_sql.CALLS)).mappings().all()
    return {row["system"]: Calls(**{name: value for name, value in row.items() if name != "system"}) for row in rows}


@contextmanager
def listening(engine: Engine) -> Iterator[Callable[[float], frozenset[str]]]:
    """Listen for calls, on a connection of its own. Yields ``heard(timeout_s)``: waits for calls and tells which
    systems made them, none when nobody called. What came before is not told.

    Raises ``LedgerUnavailable``. Like session locks it needs a direct connection, or a pooler in session mode.
    """
    with loss_explained(), engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        raw = connection.connection.driver_connection
        assert isinstance(raw, psycopg.Connection)
        connection.detach()  # it listens for ever: nobody else may get it from the pool
        raw.execute(inbox_sql.LISTEN)

        def heard(timeout_s: float) -> frozenset[str]:
            return frozenset(each.payload for each in raw.notifies(timeout=timeout_s, stop_after=1))

        yield heard


class Inbox:
    """The inbox of one system; safe to share between threads."""

    def __init__(self, engine: Engine, sealer: Sealer, system: str) -> None:
        """Touches no database yet."""
        self._engine = engine
        self._sealer = sealer
        self._system = system
        self._key_is_right = False

    def put(self, kind: str, body: bytes, *, content: bytes, remote: str | None) -> Received:
        """Store a call; it is durable when this returns.

        ``content`` is what makes two calls the same one: the body in a written form that does not depend on spaces or
        the order of keys. Raises ``LedgerUnavailable`` (the caller must call again), ``WrongDataKey`` or
        ``LedgerError``; whoever calls again after any of them does no harm.
        """
        with self._statement() as cursor:
            self._require_key(cursor)
            row = cursor.execute(
                inbox_sql.PUT,
                {
                    "system": self._system,
                    "kind": kind,
                    "digest": self._sealer.digest(kind.encode() + b"\0" + content),
                    "body": self._sealer.seal(body),
                    "remote": remote,
                },
            ).fetchone()
        assert row is not None, "the statement always gives one row"
        return Received(row[0])

    def count(self, outcome: Received, calls: int = 1) -> None:
        """Count calls of which nothing is stored."""
        self._execute(inbox_sql.COUNT, outcome=outcome, calls=calls)

    def tally(self) -> dict[Received, int]:
        """How many calls there ever were, by what became of them."""
        with self._statement() as cursor:
            rows = cursor.execute(inbox_sql.TALLY, {"system": self._system}).fetchall()
        return {Received(outcome): calls for outcome, calls in rows}

    def after(self, position: int, limit: int) -> list[InboxCall]:
        """The next calls behind ``position``, at most ``limit``; 0 is before the first. Nothing slips in below them."""
        return self._read(inbox_sql.AFTER, position=position, limit=limit)

    def received(self, start: datetime, end: datetime, *, position: int, limit: int) -> list[InboxCall]:
        """The next calls behind ``position`` that came from ``start`` on and before ``end``, and are still kept."""
        return self._read(inbox_sql.RECEIVED, start=start, end=end, position=position, limit=limit)

    def forget(self, before: datetime) -> int:
        """Drop calls that came before that moment, unless they still wait; returns how many."""
        return self._execute(inbox_sql.FORGET, before=before)

    def to_announce(self, codes: Sequence[str]) -> list[str]:
        """Those of the dossiers that the system has not accepted yet and did not refuse within the last day."""
        with self._statement() as cursor:
            rows = cursor.execute(inbox_sql.TO_ANNOUNCE, {"system": self._system, "codes": list(codes)}).fetchall()
        return [row[0] for row in rows]

    def note_announced(self, code: str, *, accepted: bool) -> None:
        """The system was told about this dossier, and took it or refused it."""
        self._execute(inbox_sql.NOTE_ANNOUNCED, code=code, accepted=accepted)

    def _read(self, statement: str, **parameters: Any) -> list[InboxCall]:
        with self._statement() as cursor:
            rows = cursor.execute(statement, {"system": self._system, **parameters}).fetchall()
        return [
            InboxCall(position=position, kind=kind, received_at=received_at, body=self._sealer.open(body))
            for position, kind, received_at, body in rows
        ]

    def _execute(self, statement: str, **parameters: Any) -> int:
        with self._statement() as cursor:
            cursor.execute(statement, {"system": self._system, **parameters})
            return cursor.rowcount

    @contextmanager
    def _statement(self) -> Iterator[Cursor]:
        """A cursor whose every statement is a transaction of its own."""
        try:
            with (
                loss_explained(),
                self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
                cursor_of(connection) as cursor,
            ):
                yield cursor
        except psycopg.Error as error:
            # Not chained: PostgreSQL's own message may quote the row.
            raise LedgerError(
                f"The inbox of {self._system} could not be used: {type(error).__name__}, SQLSTATE {error.sqlstate}."
            ) from None

    def _require_key(self, cursor: Cursor) -> None:
        if self._key_is_right:
            return
        cursor.execute(intake_sql.KEEP_KEY, [self._sealer.fingerprint])
        held = cursor.execute(intake_sql.FIND_KEY).fetchone()
        if held is None or held[0] != self._sealer.fingerprint:
            raise WrongDataKey(
                f"This ledger was sealed with another data key: put the former {KEY_VARIABLE} back. Nothing was stored."
            )
        self._key_is_right = True
