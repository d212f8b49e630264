"""What the portal holds: dossiers by the code they were sent under, and the steps of each.

The code is kept as sent: the two written forms of one agency make two dossiers here, as they would on the portal.
Two kinds of dossier are held under another code than their sender's, which is kept beside it once it is known:

* those that were born here. A citizen filed them before anybody else heard of them, so whoever names a code of the
  portal's own agency names one of these: newly registered, until the province says more;
* those that were given a code, where the portal does that (seen: for codes without the sender's province, in the form
  ``<agency>-<yyMMdd>-<five digits>``).
A step belongs to its dossier and is known by (MaHoSo, ThoiDiemXuLy, TrangThai, NoiDungXuLy); the same step again
changes nothing; a notice about a dossier born here likewise. Neither moves the dossier: its state is the TrangThaiHoSo
of its last record (assumed, no public source says that the portal derives one from the other).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson

from sandbox.targets import reports
from sandbox.targets.store import DOSSIERS_BY_STATE, Effect, Store, Write, encode, fingerprint
from schemas.states import State

_SCHEMA = """
CREATE TABLE IF NOT EXISTS dossiers (
    id INTEGER PRIMARY KEY,
    code TEXT NOT NULL UNIQUE,
    state INTEGER NOT NULL,
    unit TEXT NOT NULL,
    created_at TEXT NOT NULL,
    changed_at TEXT NOT NULL,
    body BLOB NOT NULL,
    body_hash BLOB NOT NULL,
    sender_code TEXT
);
CREATE INDEX IF NOT EXISTS dossiers_by_sender_code ON dossiers (sender_code) WHERE sender_code IS NOT NULL;
CREATE TABLE IF NOT EXISTS steps (
    id INTEGER PRIMARY KEY,
    code TEXT NOT NULL,
    key TEXT NOT NULL,
    state INTEGER NOT NULL,
    stored_at TEXT NOT NULL,
    body BLOB NOT NULL,
    body_hash BLOB NOT NULL,
    UNIQUE (code, key)
);
CREATE TABLE IF NOT EXISTS notices (
    id INTEGER PRIMARY KEY,
    code TEXT NOT NULL,
    key TEXT NOT NULL,
    state INTEGER NOT NULL,
    stored_at TEXT NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (code, key)
);
CREATE TRIGGER IF NOT EXISTS steps_in AFTER INSERT ON steps BEGIN
    INSERT INTO tallies VALUES ('steps', 1) ON CONFLICT (name) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER IF NOT EXISTS steps_out AFTER DELETE ON steps BEGIN
    UPDATE tallies SET n = n - 1 WHERE name = 'steps';
END;
"""


class Clash(StrEnum):
    """Why a batch of well-formed records cannot be applied."""

    EXISTS = "exists"
    UNKNOWN = "unknown"


class _ClashError(Exception):
    """Leaves the transaction, undoing it; never leaves this module."""

    def __init__(self, clash: Clash) -> None:
        super().__init__(clash)
        self.clash = clash


@dataclass(frozen=True, slots=True)
class Held:
    """A dossier as the portal shows it in a look-up; ``sender_code`` where it is another and known."""

    code: str
    state: int
    sender_code: str | None = None


class PortalStore(Store):
    """Dossiers and steps in ``npsp.db``."""

    def __init__(self, path: Path, *, own_agency: str = "", gives_codes: bool = False) -> None:
        """``own_agency``: how the codes of dossiers born here begin; ``gives_codes``: to those of other provinces."""
        super().__init__(path, _SCHEMA + DOSSIERS_BY_STATE + reports.SCHEMA)
        self._born = f"{own_agency}-" if own_agency else None
        self._gives_codes = gives_codes

    def insert(self, unit: str, records: Sequence[Mapping[str, Any]], now: datetime) -> Clash | None:
        """Store new dossiers, all or none; EXISTS when any of them is already there (or comes twice)."""
        return self._apply(records, lambda record: self._insert_one(unit, record, now))

    def update(self, records: Sequence[Mapping[str, Any]], now: datetime) -> Clash | None:
        """Replace dossiers, all or none; UNKNOWN when any of them is not there."""
        return self._apply(records, lambda record: self._replace(record, now))

    def add_steps(self, records: Sequence[Mapping[str, Any]], now: datetime) -> Clash | None:
        """Store steps, all or none; UNKNOWN when any of their dossiers is not there."""
        return self._apply(records, lambda record: self._add_step(record, now))

    def add_notice(self, record: Mapping[str, Any], now: datetime) -> Clash | None:
        """Store a notice about a dossier born here, which tells its sender's code; UNKNOWN when it was not."""
        return self._apply([record], lambda notice: self._add_notice(notice, now))

    def notices(self) -> Iterator[dict[str, Any]]:
        """Every notice in the order of storing."""
        rows = self.stream("SELECT code, key, state, stored_at, body FROM notices ORDER BY id")
        return ({**row, "body": orjson.Fragment(row["body"])} for row in rows)

    def find(self, code: str) -> Held | None:
        """The dossier stored under exactly this code, or born here with it."""
        row = self.db.execute("SELECT code, state, sender_code FROM dossiers WHERE code = ?", (code,)).fetchone()
        if row is not None:
            return Held(*row)
        return Held(code, State.REGISTERED) if self._born and code.startswith(self._born) else None

    def find_by_any(self, code: str) -> Held | None:
        """The same, or the one that its sender calls so."""
        query = "SELECT code, state, sender_code FROM dossiers WHERE sender_code = ?"
        row = None if (found := self.find(code)) else self.db.execute(query, (code,)).fetchone()
        return found if row is None else Held(*row)

    def held(self, code: str | None = None) -> Iterator[dict[str, Any]]:
        """Every dossier, or the one of ``code``, as the control endpoint lists it: state 1..10, body as sent."""
        where, parameters = ("", ()) if code is None else (" WHERE code = ?", (code,))
        columns = "code, sender_code, state, unit, created_at, changed_at, body"
        rows = self.stream(f"SELECT {columns} FROM dossiers{where}", parameters)
        return ({**row, "body": orjson.Fragment(row["body"])} for row in rows)

    def held_steps(self, code: str | None = None) -> Iterator[dict[str, Any]]:
        """Every step, or those of ``code``, in the order they were stored."""
        where, parameters = ("", ()) if code is None else (" WHERE code = ?", (code,))
        rows = self.stream(f"SELECT code, key, state, stored_at, body FROM steps{where} ORDER BY id", parameters)
        return ({**row, "body": orjson.Fragment(row["body"])} for row in rows)

    def delete(self, codes: Sequence[str]) -> int:
        """Lose dossiers together with their steps, unseen by the ledger of writes. Gives how many were there."""
        with self.transaction() as db:
            db.executemany("DELETE FROM steps WHERE code = ?", [(code,) for code in codes])
            return db.executemany("DELETE FROM dossiers WHERE code = ?", [(code,) for code in codes]).rowcount

    def set_state(self, code: str, state: int, now: datetime) -> bool:
        """Put a dossier in another state, in its body too, unseen by the ledger. False when it is not there."""
        row = self.db.execute("SELECT body FROM dossiers WHERE code = ?", (code,)).fetchone()
        if row is None:
            return False
        with self.transaction():
            self._replace(orjson.loads(row[0]) | {"TrangThaiHoSo": str(state)}, now)
        return True

    def plant(self, code: str, state: int, fields: Mapping[str, Any], now: datetime) -> bool:
        """Hold a dossier nobody sent, unseen by the ledger and unchecked. False when its code is taken."""
        if self.db.execute("SELECT 1 FROM dossiers WHERE code = ?", (code,)).fetchone():
            return False
        with self.transaction():
            self._store("", {**fields, "MaHoSo": code, "TrangThaiHoSo": str(state)}, now)
        return True

    def _apply(self, records: Sequence[Mapping[str, Any]], one: Callable[[Mapping[str, Any]], Write]) -> Clash | None:
        try:
            with self.transaction():
                for record in records:
                    self.record(one(record))
        except _ClashError as error:
            return error.clash
        return None

    def given_codes(self, records: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
        """The codes given to these dossiers of senders, beside the senders' own."""
        found = [self.find_by_any(record["MaHoSo"]) for record in records] if self._gives_codes else []
        return [{"MaHoSo": one.code, "MaHoSoDonVi": one.sender_code} for one in found if one and one.sender_code]

    def _insert_one(self, unit: str, record: Mapping[str, Any], now: datetime) -> Write:
        code = record["MaHoSo"]
        if self.find_by_any(code) is not None:
            raise _ClashError(Clash.EXISTS)
        province = unit.rpartition(".")[2]
        if not self._gives_codes or province in code.partition("-")[0].split("."):
            return self._store(unit, record, now)
        (number,) = self.db.execute("SELECT count(*) + 1 FROM dossiers").fetchone()
        given = f"{unit}-{record['NgayTiepNhan'][2:8]}-{number:05d}"
        return self._store(unit, {**record, "MaHoSo": given}, now, sender_code=code)

    def _store(self, unit: str, record: Mapping[str, Any], now: datetime, *, sender_code: str | None = None) -> Write:
        write = _dossier_write(record, now, Effect.INSERTED)
        self.db.execute(
            "INSERT INTO dossiers (code, state, unit, created_at, changed_at, body, body_hash, sender_code)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                write.code,
                write.state,
                unit,
                now.isoformat(),
                now.isoformat(),
                encode(record),
                write.body_hash,
                sender_code,
            ),
        )
        return write

    def _replace(self, record: Mapping[str, Any], now: datetime) -> Write:
        write = _dossier_write(record, now, Effect.UPDATED)
        held = self.db.execute("SELECT body_hash FROM dossiers WHERE code = ?", (write.code,)).fetchone()
        if held is None:
            if self.find(write.code) is None:
                raise _ClashError(Clash.UNKNOWN)
            return replace(self._store("", record, now), effect=Effect.UPDATED)
        if held[0] == write.body_hash:
            return replace(write, effect=Effect.NOOP)
        self.db.execute(
            "UPDATE dossiers SET state = ?, changed_at = ?, body = ?, body_hash = ? WHERE code = ?",
            (write.state, now.isoformat(), encode(record), write.body_hash, write.code),
        )
        return write

    def _add_step(self, record: Mapping[str, Any], now: datetime) -> Write:
        if self.find(record["MaHoSo"]) is None:
            raise _ClashError(Clash.UNKNOWN)
        body = encode(record)
        write = Write(
            at=now,
            operation="CapNhatTienDoHoSoMC",
            code=record["MaHoSo"],
            key=step_key(record),
            effect=Effect.INSERTED,
            state=int(record["TrangThai"]),
            body_hash=fingerprint(body),
        )
        stored = self.db.execute(
            "INSERT INTO steps (code, key, state, stored_at, body, body_hash) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (code, key) DO NOTHING",
            (write.code, write.key, write.state, now.isoformat(), body, write.body_hash),
        )
        return write if stored.rowcount else replace(write, effect=Effect.NOOP)

    def _add_notice(self, record: Mapping[str, Any], now: datetime) -> Write:
        code, body = record["MaHoSo"], encode(record)
        if not (self._born and code.startswith(self._born)):
            raise _ClashError(Clash.UNKNOWN)
        self.db.execute("UPDATE dossiers SET sender_code = ? WHERE code = ?", (record["MaHoSoDonVi"], code))
        content = fingerprint(record["NoiDung"].encode()).hex()
        write = Write(
            at=now,
            operation="DongBoTrangThaiHoSo",
            code=code,
            key=f"{record['NgayXuLy']}|{record['TrangThai']}|{content}",
            effect=Effect.INSERTED,
            state=int(record["TrangThai"]),
            body_hash=fingerprint(body),
        )
        stored = self.db.execute(
            "INSERT INTO notices (code, key, state, stored_at, body) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (code, key) DO NOTHING",
            (code, write.key, write.state, now.isoformat(), body),
        )
        return write if stored.rowcount else replace(write, effect=Effect.NOOP)


def step_key(record: Mapping[str, Any]) -> str:
    """What makes a step of a dossier the same step: moment, state and content (as a digest, it may be long)."""
    return f"{record['ThoiDiemXuLy']}|{record['TrangThai']}|{fingerprint(record['NoiDungXuLy'].encode()).hex()}"


def _dossier_write(record: Mapping[str, Any], now: datetime, effect: Effect) -> Write:
    return Write(
        at=now,
        operation="DongBoHoSoMC",
        code=record["MaHoSo"],
        key=record["MaHoSo"],
        effect=effect,
        state=int(record["TrangThaiHoSo"]),
        body_hash=fingerprint(encode(record)),
    )
