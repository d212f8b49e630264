"""What EMC holds: every event, in the order of arrival, and the counts its dashboard shows.

There is no key: the same event twice is two events. ``counts`` and ``profiles`` are kept by triggers, so that the
dashboard reads a few hundred numbers however many events there are.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from sandbox.targets.emc.events import Event
from sandbox.targets.store import Effect, Store, Write, encode, fingerprint

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY,
    code TEXT NOT NULL,
    procedure TEXT NOT NULL,
    status INTEGER NOT NULL,
    stored_at TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS events_by_code ON events (code);
CREATE TABLE IF NOT EXISTS profiles (code TEXT PRIMARY KEY, events INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counts (
    procedure TEXT NOT NULL,
    status INTEGER NOT NULL,
    events INTEGER NOT NULL,
    PRIMARY KEY (procedure, status)
) WITHOUT ROWID;
INSERT OR IGNORE INTO tallies VALUES ('dossiers', 0), ('steps', 0);
CREATE TRIGGER IF NOT EXISTS profiles_in AFTER INSERT ON profiles BEGIN
    UPDATE tallies SET n = n + 1 WHERE name = 'dossiers';
END;
CREATE TRIGGER IF NOT EXISTS profiles_out AFTER DELETE ON profiles BEGIN
    UPDATE tallies SET n = n - 1 WHERE name = 'dossiers';
END;
CREATE TRIGGER IF NOT EXISTS events_in AFTER INSERT ON events BEGIN
    UPDATE tallies SET n = n + 1 WHERE name = 'steps';
    INSERT INTO profiles VALUES (NEW.code, 1) ON CONFLICT (code) DO UPDATE SET events = events + 1;
    INSERT INTO counts VALUES (NEW.procedure, NEW.status, 1)
        ON CONFLICT (procedure, status) DO UPDATE SET events = events + 1;
END;
CREATE TRIGGER IF NOT EXISTS events_move AFTER UPDATE OF status ON events WHEN NEW.status <> OLD.status BEGIN
    UPDATE counts SET events = events - 1 WHERE procedure = OLD.procedure AND status = OLD.status;
    INSERT INTO counts VALUES (NEW.procedure, NEW.status, 1)
        ON CONFLICT (procedure, status) DO UPDATE SET events = events + 1;
END;
CREATE TRIGGER IF NOT EXISTS events_out AFTER DELETE ON events BEGIN
    UPDATE tallies SET n = n - 1 WHERE name = 'steps';
    UPDATE counts SET events = events - 1 WHERE procedure = OLD.procedure AND status = OLD.status;
    UPDATE profiles SET events = events - 1 WHERE code = OLD.code;
    DELETE FROM profiles WHERE code = OLD.code AND events = 0;
END;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Events of one procedure with one status."""

    procedure: str
    status: int
    events: int


class EventStore(Store):
    """Events in ``emc.db``."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _SCHEMA)

    def count(self, event: Event, now: datetime) -> None:
        """Take one event."""
        encoded = encode(event.body)
        with self.transaction():
            self._insert(event.code, event.procedure, event.status, encoded, now)
            self.record(
                Write(
                    at=now,
                    operation="TrackingMCDT",
                    code=event.code,
                    key=f"{event.code}|{event.status.value}",
                    effect=Effect.INSERTED,
                    state=event.status.value,
                    body_hash=fingerprint(encoded),
                )
            )

    def counts(self) -> list[Count]:
        """Events by procedure and status, where there are any; ordered by both."""
        rows = self.db.execute("SELECT procedure, status, events FROM counts WHERE events > 0 ORDER BY 1, 2")
        return [Count(procedure=procedure, status=status, events=events) for procedure, status, events in rows]

    def distinct(self) -> int:
        """How many different dossiers (codeProfile) the events are about."""
        return self.tallies()["dossiers"]

    def held(self, code: str | None = None) -> Iterator[dict[str, Any]]:
        """Every codeProfile, or the one asked for: how many events, and the status of the last one as its state."""
        where, parameters = ("", ()) if code is None else (" WHERE code = ?", (code,))
        return self.stream(
            "SELECT code, events, (SELECT status FROM events e WHERE e.code = p.code ORDER BY id DESC LIMIT 1) AS state"
            f" FROM profiles p{where}",
            parameters,
        )

    def held_steps(self, code: str | None = None) -> Iterator[dict[str, Any]]:
        """Every event, or those of ``code``, in the order of arrival."""
        where, parameters = ("", ()) if code is None else (" WHERE code = ?", (code,))
        rows = self.stream(
            f"SELECT code, procedure, status AS state, stored_at, body FROM events{where} ORDER BY id", parameters
        )
        return ({**row, "body": orjson.Fragment(row["body"])} for row in rows)

    def delete(self, codes: Sequence[str]) -> int:
        """Lose every event of these dossiers, unseen by the ledger of writes. Gives how many dossiers had any."""
        before = self.distinct()
        with self.transaction() as db:
            db.executemany("DELETE FROM events WHERE code = ?", [(code,) for code in codes])
        return before - self.distinct()

    def set_state(self, code: str, state: int, now: datetime) -> bool:
        """Give the last event of a dossier another status, unseen by the ledger. False when it has none."""
        changed = self.db.execute(
            "UPDATE events SET status = ?, stored_at = ?"
            " WHERE id = (SELECT id FROM events WHERE code = ? ORDER BY id DESC LIMIT 1)",
            (state, now.isoformat(), code),
        )
        return bool(changed.rowcount)

    def plant(self, code: str, state: int, fields: Mapping[str, Any], now: datetime) -> bool:
        """Count an event nobody sent, unseen by the ledger and unchecked. Always true: there is no key to clash."""
        body = {"codeTTHC": "1.001612", **fields, "codeProfile": code, "status": str(state)}
        with self.transaction():
            self._insert(code, str(body["codeTTHC"]), state, encode(body), now)
        return True

    def _insert(self, code: str, procedure: str, status: int, body: bytes, now: datetime) -> None:
        self.db.execute(
            "INSERT INTO events (code, procedure, status, stored_at, body) VALUES (?, ?, ?, ?, ?)",
            (code, procedure, int(status), now.isoformat(), body),
        )
