"""What a receiver of the status feed keeps: the newest version of each dossier, and every message it took.

A message of an older version changes nothing, and neither does the same one again: so a sender may repeat itself, and
messages may overtake each other.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from sandbox.targets.feed.messages import Message
from sandbox.targets.store import DOSSIERS_BY_STATE, Effect, Store, Write, encode, fingerprint

_SCHEMA = """
CREATE TABLE IF NOT EXISTS dossiers (
    code TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    state INTEGER NOT NULL,
    changed_at TEXT NOT NULL,
    body BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL,
    code TEXT NOT NULL,
    state INTEGER NOT NULL,
    stored_at TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS messages_by_code ON messages (code);
CREATE TRIGGER IF NOT EXISTS messages_in AFTER INSERT ON messages BEGIN
    UPDATE tallies SET n = n + 1 WHERE name = 'steps';
END;
"""


class FeedStore(Store):
    """Dossiers and messages in ``feed.db``."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _SCHEMA + DOSSIERS_BY_STATE)

    def take(self, messages: Sequence[Message], now: datetime) -> None:
        """Take the messages of one call, all or none."""
        with self.transaction():
            for message in messages:
                self._take(message, now)

    def page(self, after: str, limit: int) -> tuple[list[dict[str, Any]], str | None]:
        """Dossiers by code from the one behind ``after``, and the code to go on after; None at the end."""
        rows = self.db.execute(
            "SELECT code, state, body FROM dossiers WHERE code > ? ORDER BY code LIMIT ?", (after, limit + 1)
        ).fetchall()
        # The state that is shown may not be the one that was told: damage sees to that.
        shown = [{**orjson.loads(body), "state": state} for _, state, body in rows[:limit]]
        return shown, rows[limit - 1][0] if len(rows) > limit else None

    def held(self, code: str | None = None) -> Iterator[dict[str, Any]]:
        """Every dossier, or the one of ``code``, as it was told last."""
        where, parameters = ("", ()) if code is None else (" WHERE code = ?", (code,))
        rows = self.stream(f"SELECT code, state, version, changed_at, body FROM dossiers{where}", parameters)
        return ({**row, "body": orjson.Fragment(row["body"])} for row in rows)

    def held_steps(self, code: str | None = None) -> Iterator[dict[str, Any]]:
        """Every message that changed something, or those of ``code``, in the order of arrival."""
        where, parameters = ("", ()) if code is None else (" WHERE code = ?", (code,))
        rows = self.stream(
            f"SELECT message_id, code, state, stored_at, body FROM messages{where} ORDER BY id", parameters
        )
        return ({**row, "body": orjson.Fragment(row["body"])} for row in rows)

    def delete(self, codes: Sequence[str]) -> int:
        """Lose dossiers, unseen by the ledger of writes. Gives how many were there."""
        with self.transaction() as db:
            return db.executemany("DELETE FROM dossiers WHERE code = ?", [(code,) for code in codes]).rowcount

    def set_state(self, code: str, state: int, now: datetime) -> bool:
        """Show a dossier in another state, unseen by the ledger. False when it is not there."""
        moved = self.db.execute(
            "UPDATE dossiers SET state = ?, changed_at = ? WHERE code = ?", (state, now.isoformat(), code)
        )
        return bool(moved.rowcount)

    def plant(self, code: str, state: int, fields: Mapping[str, Any], now: datetime) -> bool:
        """Hold a dossier nobody told of, unseen by the ledger. False when its code is taken."""
        body = encode({**fields, "code": code, "version": 1, "state": state})
        planted = self.db.execute(
            "INSERT INTO dossiers VALUES (?, 1, ?, ?, ?) ON CONFLICT DO NOTHING", (code, state, now.isoformat(), body)
        )
        return bool(planted.rowcount)

    def _take(self, message: Message, now: datetime) -> None:
        encoded = encode(message.body)
        held = self.db.execute("SELECT version, state, body FROM dossiers WHERE code = ?", (message.code,)).fetchone()
        if held is None:
            effect = Effect.INSERTED
        elif held[0] > message.version or held == (message.version, message.state, encoded):
            effect = Effect.NOOP
        else:
            effect = Effect.UPDATED
        if effect is not Effect.NOOP:
            self.db.execute(
                "INSERT INTO dossiers VALUES (?, ?, ?, ?, ?) ON CONFLICT (code) DO UPDATE"
                " SET version = excluded.version, state = excluded.state, changed_at = excluded.changed_at,"
                " body = excluded.body",
                (message.code, message.version, message.state, now.isoformat(), encoded),
            )
            self.db.execute(
                "INSERT INTO messages (message_id, code, state, stored_at, body) VALUES (?, ?, ?, ?, ?)",
                (message.id, message.code, message.state, now.isoformat(), encoded),
            )
        self.record(
            Write(
                at=now,
                operation="status",
                code=message.code,
                key=message.code,
                effect=effect,
                state=message.state,
                body_hash=fingerprint(encoded),
            )
        )
