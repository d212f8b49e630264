"""What a target holds: one SQLite file, an append-only ledger of the writes it applied, and running totals.

The file is in WAL mode with ``synchronous=NORMAL``: a committed write survives the death of the process at any point
(not a power cut), which is what a test that kills servers needs, at a cost of tens of microseconds per commit.

Nothing here walks a whole table during an ordinary call. Totals are kept by triggers in ``tallies``, so they are right
after damage too; listings stream from a connection of their own, in a snapshot of their own, while writes go on.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

_SCHEMA = """
CREATE TABLE IF NOT EXISTS writes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    operation TEXT NOT NULL,
    code TEXT NOT NULL,
    key TEXT NOT NULL,
    effect TEXT NOT NULL,
    state INTEGER,
    body_hash BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS tallies (name TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS writes_tally AFTER INSERT ON writes BEGIN
    INSERT INTO tallies VALUES ('write:' || NEW.operation || ':' || NEW.effect, 1)
        ON CONFLICT (name) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER IF NOT EXISTS writes_never_change BEFORE UPDATE ON writes BEGIN
    SELECT RAISE(ABORT, 'the ledger of writes is append-only');
END;
CREATE TRIGGER IF NOT EXISTS writes_never_go BEFORE DELETE ON writes BEGIN
    SELECT RAISE(ABORT, 'the ledger of writes is append-only');
END;
"""

DOSSIERS_BY_STATE = """
INSERT OR IGNORE INTO tallies VALUES ('dossiers', 0), ('steps', 0);
CREATE TRIGGER IF NOT EXISTS dossiers_in AFTER INSERT ON dossiers BEGIN
    INSERT INTO tallies VALUES ('dossiers', 1), ('state:' || NEW.state, 1) ON CONFLICT (name) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER IF NOT EXISTS dossiers_move AFTER UPDATE OF state ON dossiers WHEN NEW.state <> OLD.state BEGIN
    UPDATE tallies SET n = n - 1 WHERE name = 'state:' || OLD.state;
    INSERT INTO tallies VALUES ('state:' || NEW.state, 1) ON CONFLICT (name) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER IF NOT EXISTS dossiers_out AFTER DELETE ON dossiers BEGIN
    UPDATE tallies SET n = n - 1 WHERE name IN ('dossiers', 'state:' || OLD.state);
END;
"""
"""Totals of a table ``dossiers`` that has a column ``state``: DDL for targets that hold one."""

_CHUNK = 500

Clock = Callable[[], datetime]
"""Gives the present moment, with a zone."""


class Effect(StrEnum):
    """What a write did to what was stored."""

    INSERTED = "inserted"
    UPDATED = "updated"
    NOOP = "noop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One applied write, as the ledger keeps it.

    ``key`` is the identity of the thing written (the dossier code, or the identity of a step); ``state`` is the state
    of that thing after the write, in the numbers of the target's own dialect.
    """

    at: datetime
    operation: str
    code: str
    key: str
    effect: Effect
    state: int | None
    body_hash: bytes


def fingerprint(body: bytes) -> bytes:
    """128 bits of a body, to tell equal from different."""
    return hashlib.blake2b(body, digest_size=16).digest()


def encode(record: Mapping[str, Any]) -> bytes:
    """A record as JSON with sorted keys, so that equal records give equal bytes."""
    return orjson.dumps(record, option=orjson.OPT_SORT_KEYS)


class Store:
    """The file of one target. Used from one thread; a stream opens a read-only connection of its own."""

    def __init__(self, path: Path, schema: str) -> None:
        """Open or create ``path``; ``schema`` (idempotent DDL) adds the target's own tables."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self.db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = NORMAL")
        self.db.execute("PRAGMA wal_autocheckpoint = 10000")  # pages: folding 40 MB at a time costs fewer fsyncs
        self.db.execute("PRAGMA cache_size = -65536")  # KiB; keeps the inner pages of the indexes of 10^6 rows
        self.db.execute("PRAGMA busy_timeout = 5000")
        self.db.executescript(_SCHEMA + schema)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; durable when the block ends."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield self.db
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def record(self, write: Write) -> None:
        """Append one applied write to the ledger (inside the transaction that applies it)."""
        self.db.execute(
            "INSERT INTO writes (at, operation, code, key, effect, state, body_hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                write.at.isoformat(timespec="milliseconds"),
                write.operation,
                write.code,
                write.key,
                write.effect.value,
                write.state,
                write.body_hash,
            ),
        )

    def tally(self, name: str) -> None:
        """Count something that happened and left no other trace (a refusal, an ignored event)."""
        self.db.execute(
            "INSERT INTO tallies VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET n = n + 1",
            (name,),
        )

    def tallies(self) -> dict[str, int]:
        """Every running total by name."""
        return dict(self.db.execute("SELECT name, n FROM tallies ORDER BY name"))

    def stream(self, query: str, parameters: Sequence[Any] = ()) -> Iterator[dict[str, Any]]:
        """The rows of ``query`` by column name, from one snapshot, while writes go on beside it."""
        reader = sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)
        with closing(reader):
            cursor = reader.execute(query, parameters)
            names = [column[0] for column in cursor.description]
            while rows := cursor.fetchmany(_CHUNK):
                for row in rows:
                    yield dict(zip(names, row, strict=True))

    def writes(self, after: int = 0) -> Iterator[dict[str, Any]]:
        """The ledger of writes in order, from the one after ``after``."""
        return self.stream(
            "SELECT seq, at, operation, code, key, effect, state, lower(hex(body_hash)) AS body_hash"
            " FROM writes WHERE seq > ? ORDER BY seq",
            (after,),
        )

    def close(self) -> None:
        """Fold the WAL back into the file and close it."""
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.db.close()
