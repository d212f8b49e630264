"""What a provincial iGate holds: dossiers by their code, with the moment of their last change."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from sandbox.systems.igate import STATUS_IDS
from sandbox.targets.store import Effect, Store, Write, encode, fingerprint
from schemas.states import State

NATIONAL: Mapping[int, State] = {number: state for state, number in STATUS_IDS.items()}

_SCHEMA = """
CREATE TABLE IF NOT EXISTS dossiers (
    id INTEGER PRIMARY KEY,
    code TEXT NOT NULL UNIQUE,
    status INTEGER NOT NULL,
    updated_at TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS dossiers_by_change ON dossiers (updated_at, id);
INSERT OR IGNORE INTO tallies VALUES ('dossiers', 0), ('steps', 0);
CREATE TRIGGER IF NOT EXISTS dossiers_in AFTER INSERT ON dossiers BEGIN
    UPDATE tallies SET n = n + 1 WHERE name = 'dossiers';
END;
CREATE TRIGGER IF NOT EXISTS dossiers_out AFTER DELETE ON dossiers BEGIN
    UPDATE tallies SET n = n - 1 WHERE name = 'dossiers';
END;
"""


class IgateStore(Store):
    """Dossiers in ``igate.db``."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _SCHEMA)

    def save(self, body: Mapping[str, Any], now: datetime) -> int:
        """Store or replace a dossier by its code; gives its number here."""
        code, status = str(body["code"]), int(body["dossierStatus"]["id"])
        encoded = encode(body)
        with self.transaction() as db:
            held = db.execute("SELECT status, body FROM dossiers WHERE code = ?", (code,)).fetchone()
            effect = Effect.UPDATED if held else Effect.INSERTED
            if held == (status, encoded):
                effect = Effect.NOOP
            if effect is not Effect.NOOP:
                self._put(code, status, encoded, now)
            self.record(
                Write(
                    at=now,
                    operation="--sync",
                    code=code,
                    key=code,
                    effect=effect,
                    state=int(NATIONAL[status]),
                    body_hash=fingerprint(encoded),
                )
            )
            (number,) = db.execute("SELECT id FROM dossiers WHERE code = ?", (code,)).fetchone()
        return int(number)

    def page(self, code: str | None, page: int, size: int) -> tuple[int, list[dict[str, Any]]]:
        """How many dossiers there are (of that code), and those of the page, the last changed first."""
        where, parameters = ("", ()) if code is None else (" WHERE code = ?", (code,))
        (total,) = self.db.execute(f"SELECT count(*) FROM dossiers{where}", parameters).fetchone()
        rows = self.db.execute(
            f"SELECT id, status, updated_at, body FROM dossiers{where} ORDER BY updated_at DESC, id DESC"
            " LIMIT ? OFFSET ?",
            (*parameters, size, page * size),
        )
        return total, [
            {"id": f"{number:024x}", **orjson.loads(body), "updatedDate": updated, "dossierStatus": {"id": status}}
            for number, status, updated, body in rows
        ]

    def held(self, code: str | None = None) -> Iterator[dict[str, Any]]:
        """Every dossier, or the one of ``code``: state 1..10, body as sent."""
        where, parameters = ("", ()) if code is None else (" WHERE code = ?", (code,))
        for row in self.stream(f"SELECT code, status, updated_at, body FROM dossiers{where}", parameters):
            yield {**row, "state": int(NATIONAL[row["status"]]), "body": orjson.Fragment(row["body"])}

    def held_steps(self, code: str | None = None) -> Iterator[dict[str, Any]]:
        """None: this door takes no steps."""
        del code
        return iter(())

    def delete(self, codes: Sequence[str]) -> int:
        """Lose dossiers, unseen by the ledger of writes. Gives how many were there."""
        with self.transaction() as db:
            return db.executemany("DELETE FROM dossiers WHERE code = ?", [(code,) for code in codes]).rowcount

    def set_state(self, code: str, state: int, now: datetime) -> bool:
        """Put a dossier in another status, unseen by the ledger. False when it is not there."""
        del now
        status = STATUS_IDS[State(state)]
        return bool(self.db.execute("UPDATE dossiers SET status = ? WHERE code = ?", (status, code)).rowcount)

    def plant(self, code: str, state: int, fields: Mapping[str, Any], now: datetime) -> bool:
        """Hold a dossier nobody sent, unseen by the ledger. False when its code is taken."""
        if self.db.execute("SELECT 1 FROM dossiers WHERE code = ?", (code,)).fetchone():
            return False
        status = STATUS_IDS[State(state)]
        body = {"agency": {"code": "H12"}, "procedure": {"code": "1.001612"}, **fields, "code": code}
        self._put(code, status, encode({**body, "dossierStatus": {"id": status}}), now)
        return True

    def _put(self, code: str, status: int, body: bytes, now: datetime) -> None:
        updated = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}{now:%z}"
        self.db.execute(
            "INSERT INTO dossiers (code, status, updated_at, body) VALUES (?, ?, ?, ?) ON CONFLICT (code) DO UPDATE"
            " SET status = excluded.status, updated_at = excluded.updated_at, body = excluded.body",
            (code, status, updated, body),
        )
