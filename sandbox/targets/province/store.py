"""What the provincial system holds: dossiers by DocCode, and the traces of each.

A trace is known by (DocCode, DateCreated, UserName, Comment, Status). The same one again is kept once, but the status
it names is applied again, as by a system that takes what it is told.

``blocks`` counts the dossiers per 1024 ids, so that page 50,000 of an unfiltered search is found by adding up a
thousand numbers and not by walking over a million rows. A filtered search costs what it matches.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from sandbox.targets import reports
from sandbox.targets.province.documents import Document, Trace, parse_document
from sandbox.targets.province.published import Published
from sandbox.targets.province.search import Found, Search
from sandbox.targets.province.statuses import BY_NATIONAL, NATIONAL, Status, after_document, after_trace
from sandbox.targets.store import Effect, Store, Write, encode, fingerprint
from schemas.states import State
from schemas.times import VN

_BLOCK = 1024

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS dossiers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    code TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    received TEXT NOT NULL,
    created_at TEXT NOT NULL,
    changed_at TEXT NOT NULL,
    last_action TEXT NOT NULL DEFAULT '',
    last_user TEXT NOT NULL DEFAULT '',
    last_action_at TEXT NOT NULL DEFAULT '',
    body BLOB NOT NULL,
    body_hash BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS dossiers_by_receipt ON dossiers (received);
CREATE INDEX IF NOT EXISTS dossiers_by_status ON dossiers (status);
CREATE TABLE IF NOT EXISTS blocks (block INTEGER PRIMARY KEY, n INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS traces (
    id INTEGER PRIMARY KEY,
    code TEXT NOT NULL,
    key TEXT NOT NULL,
    state INTEGER,
    stored_at TEXT NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (code, key)
);
INSERT OR IGNORE INTO tallies VALUES ('dossiers', 0), ('steps', 0);
CREATE TRIGGER IF NOT EXISTS dossiers_in AFTER INSERT ON dossiers BEGIN
    INSERT INTO tallies VALUES ('dossiers', 1), ('status:' || NEW.status, 1)
        ON CONFLICT (name) DO UPDATE SET n = n + 1;
    INSERT INTO blocks VALUES (NEW.id / {_BLOCK}, 1) ON CONFLICT (block) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER IF NOT EXISTS dossiers_move AFTER UPDATE OF status ON dossiers WHEN NEW.status <> OLD.status BEGIN
    UPDATE tallies SET n = n - 1 WHERE name = 'status:' || OLD.status;
    INSERT INTO tallies VALUES ('status:' || NEW.status, 1) ON CONFLICT (name) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER IF NOT EXISTS dossiers_out AFTER DELETE ON dossiers BEGIN
    UPDATE tallies SET n = n - 1 WHERE name IN ('dossiers', 'status:' || OLD.status);
    UPDATE blocks SET n = n - 1 WHERE block = OLD.id / {_BLOCK};
END;
CREATE TRIGGER IF NOT EXISTS traces_in AFTER INSERT ON traces BEGIN
    UPDATE tallies SET n = n + 1 WHERE name = 'steps';
END;
CREATE TRIGGER IF NOT EXISTS traces_out AFTER DELETE ON traces BEGIN
    UPDATE tallies SET n = n - 1 WHERE name = 'steps';
END;
"""

_FOUND = "id, status, created_at, changed_at, last_action, last_user, last_action_at, body"

_BLANK = {
    "DocTypeCode": "1.001612",
    "DocTypeName": "Thủ tục mẫu dùng cho kiểm thử",
    "CitizenName": "",
    "ApplicantsId": "",
    "ApplicantsType": 1,
    "Phone": "",
    "DateAppointed": "",
    "IsSuccess": False,
    "SuccessDate": "",
    "IsReturned": False,
    "ReturnedDate": "",
    "ReturnedType": 0,
    "Status": 1,
    "ProcessingOrganName": "",
    "OrganInchargeIdLevel1": "",
    "OrganInchargeName": "",
}


class ProvinceStore(Store):
    """Dossiers and traces in ``province.db``."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _SCHEMA + reports.SCHEMA)

    def sync(self, document: Document, body: Mapping[str, Any], now: datetime) -> Effect:
        """Store or replace a dossier and move its status by what the document says of it."""
        held = self._status_and_hash(document.code)
        status = after_document(held and held[0], document.status, returned=document.returned)
        return self._replace("SyncDocument", document, status, body, now)

    def publish(self, published: Published, now: datetime) -> tuple[int, Effect] | None:
        """Store or replace a dossier with its status; gives its number here, None when its code has another key."""
        row = self.db.execute("SELECT body FROM dossiers WHERE code = ?", (published.document.code,)).fetchone()
        known = orjson.loads(row[0]).get("ReferenceUid") if row else None
        if known is not None and known != published.body["ReferenceUid"]:
            return None
        effect = self._replace("publish", published.document, published.status, published.body, now)
        (number,) = self.db.execute("SELECT id FROM dossiers WHERE code = ?", (published.document.code,)).fetchone()
        return number, effect

    def _replace(
        self, operation: str, document: Document, status: Status, body: Mapping[str, Any], now: datetime
    ) -> Effect:
        encoded = encode(body)
        write = Write(
            at=now,
            operation=operation,
            code=document.code,
            key=document.code,
            effect=Effect.INSERTED,
            state=int(NATIONAL[status]),
            body_hash=fingerprint(encoded),
        )
        held = self._status_and_hash(document.code)
        with self.transaction():
            if held is None:
                self._insert(document, status, encoded, write.body_hash, now)
            elif held == (status, write.body_hash):
                write = replace(write, effect=Effect.NOOP)
            else:
                self.db.execute(
                    "UPDATE dossiers SET status = ?, received = ?, changed_at = ?, body = ?, body_hash = ?"
                    " WHERE code = ?",
                    (status.value, document.received, _wall(now), encoded, write.body_hash, document.code),
                )
                write = replace(write, effect=Effect.UPDATED)
            self.record(write)
        return write.effect

    def trace(self, trace: Trace, body: Mapping[str, Any], now: datetime) -> Effect | None:
        """Store a trace and move its dossier's status; None when there is no such dossier.

        The effect is INSERTED for a new trace, UPDATED for a known one that moved the status back to what it names,
        NOOP for a known one that changed nothing.
        """
        held = self._status_and_hash(trace.code)
        if held is None:
            return None
        encoded, key = encode(body), trace_key(trace)
        status = after_trace(held[0], trace.status)
        with self.transaction():
            stored = self.db.execute(
                "INSERT INTO traces (code, key, state, stored_at, body) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (code, key) DO NOTHING",
                (trace.code, key, trace.status, _wall(now), encoded),
            )
            moved = status != held[0]
            if stored.rowcount or moved:
                self.db.execute(
                    "UPDATE dossiers SET status = ?, changed_at = ?, last_action = ?, last_user = ?,"
                    " last_action_at = ? WHERE code = ?",
                    (status.value, _wall(now), trace.comment, trace.user, trace.created, trace.code),
                )
            effect = Effect.INSERTED if stored.rowcount else Effect.UPDATED if moved else Effect.NOOP
            self.record(
                Write(
                    at=now,
                    operation="UpdateDocumentTraces",
                    code=trace.code,
                    key=key,
                    effect=effect,
                    state=int(NATIONAL[status]),
                    body_hash=fingerprint(encoded),
                )
            )
        return effect

    def search(self, search: Search) -> tuple[int, list[Found]]:
        """How many dossiers the search matches, and those of the page it asks for."""
        if search.is_filtered:
            total, rows = self._filtered(search)
        else:
            total, rows = self._unfiltered(search)
        return total, [_found(row) for row in rows]

    def held(self, code: str | None = None) -> Iterator[dict[str, Any]]:
        """Every dossier, or the one of ``code``: state 1..10, status as the search shows it, body as sent."""
        where, parameters = ("", ()) if code is None else (" WHERE code = ?", (code,))
        rows = self.stream(f"SELECT code, status, created_at, changed_at, body FROM dossiers{where}", parameters)
        for row in rows:
            state = int(NATIONAL[Status(row["status"])])
            yield {"code": row["code"], "state": state, **row, "body": orjson.Fragment(row["body"])}

    def held_steps(self, code: str | None = None) -> Iterator[dict[str, Any]]:
        """Every trace, or those of ``code``, in the order they were stored; state as sent, null without one."""
        where, parameters = ("", ()) if code is None else (" WHERE code = ?", (code,))
        rows = self.stream(f"SELECT code, key, state, stored_at, body FROM traces{where} ORDER BY id", parameters)
        return ({**row, "body": orjson.Fragment(row["body"])} for row in rows)

    def delete(self, codes: Sequence[str]) -> int:
        """Lose dossiers together with their traces, unseen by the ledger of writes. Gives how many were there."""
        with self.transaction() as db:
            db.executemany("DELETE FROM traces WHERE code = ?", [(code,) for code in codes])
            return db.executemany("DELETE FROM dossiers WHERE code = ?", [(code,) for code in codes]).rowcount

    def set_state(self, code: str, state: int, now: datetime) -> bool:
        """Put a dossier in another status, unseen by the ledger. False when it is not there."""
        status = BY_NATIONAL[State(state)].value
        moved = self.db.execute(
            "UPDATE dossiers SET status = ?, changed_at = ? WHERE code = ?", (status, _wall(now), code)
        )
        return bool(moved.rowcount)

    def plant(self, code: str, state: int, fields: Mapping[str, Any], now: datetime) -> bool:
        """Hold a dossier nobody sent, unseen by the ledger. False when its code is taken; ValueError for bad fields."""
        if self._status_and_hash(code) is not None:
            return False
        body = {**_BLANK, "DateReceived": f"{_wall(now)}.000Z", **fields, "DocCode": code}
        document = parse_document(body)
        with self.transaction():
            self._insert(document, BY_NATIONAL[State(state)], encode(body), fingerprint(encode(body)), now)
        return True

    def _status_and_hash(self, code: str) -> tuple[Status, bytes] | None:
        row = self.db.execute("SELECT status, body_hash FROM dossiers WHERE code = ?", (code,)).fetchone()
        return None if row is None else (Status(row[0]), row[1])

    def _insert(self, document: Document, status: Status, body: bytes, body_hash: bytes, now: datetime) -> None:
        self.db.execute(
            "INSERT INTO dossiers (code, status, received, created_at, changed_at, body, body_hash)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (document.code, status.value, document.received, _wall(now), _wall(now), body, body_hash),
        )

    def _unfiltered(self, search: Search) -> tuple[int, list[tuple[Any, ...]]]:
        blocks = self.db.execute("SELECT block, n FROM blocks ORDER BY block").fetchall()
        total = sum(n for _, n in blocks)
        first, last = min(search.start, total), min(search.end, total)
        if search.newest_first:
            first, last = total - last, total - first
        rows: list[tuple[Any, ...]] = []
        if first < last:
            block, skip = _seek(blocks, first)
            rows = self.db.execute(
                f"SELECT {_FOUND} FROM dossiers WHERE id >= ? ORDER BY id LIMIT ? OFFSET ?",
                (block * _BLOCK, last - first, skip),
            ).fetchall()
        return total, rows[::-1] if search.newest_first else rows

    def _filtered(self, search: Search) -> tuple[int, list[tuple[Any, ...]]]:
        clauses: list[str] = []
        parameters: list[Any] = []
        for clause, value in (
            ("code = ?", search.code),
            ("received >= ?", search.received_from),
            ("received < ?", search.received_before),
        ):
            if value is not None:
                clauses.append(clause)
                parameters.append(value)
        if search.statuses:
            clauses.append(f"status IN ({', '.join('?' * len(search.statuses))})")
            parameters.extend(sorted(search.statuses))
        where = " AND ".join(clauses)
        total = self.db.execute(f"SELECT COUNT(*) FROM dossiers WHERE {where}", parameters).fetchone()[0]
        order = "DESC" if search.newest_first else "ASC"
        page = f"SELECT id FROM dossiers WHERE {where} ORDER BY id {order} LIMIT ? OFFSET ?"
        rows = self.db.execute(
            f"SELECT {_FOUND} FROM dossiers WHERE id IN ({page}) ORDER BY id {order}",
            [*parameters, search.end - search.start, search.start],
        ).fetchall()
        return total, rows


def trace_key(trace: Trace) -> str:
    """What makes a trace of a dossier the same trace; user and comment as a digest (they name people)."""
    told = fingerprint(orjson.dumps([trace.user, trace.comment])).hex()
    return f"{trace.created}|{trace.status or ''}|{told}"


def _seek(blocks: Sequence[tuple[int, int]], offset: int) -> tuple[int, int]:
    """The block in which the dossier at ``offset`` lies, and how many of that block come before it."""
    for block, n in blocks:
        if offset < n:
            return block, offset
        offset -= n
    raise IndexError("offset is past the last dossier")


def _found(row: tuple[Any, ...]) -> Found:
    return Found(
        id=row[0],
        status=Status(row[1]),
        created=row[2],
        changed=row[3],
        last_action=row[4],
        last_user=row[5],
        last_action_at=row[6],
        document=orjson.loads(row[7]),
    )


def _wall(now: datetime) -> str:
    """A moment as local wall time, ISO without zone."""
    return now.astimezone(VN).replace(tzinfo=None, microsecond=0).isoformat()
