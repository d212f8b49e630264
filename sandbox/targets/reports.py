"""The periodic reports that a target was given, in the file of its store: what it holds now, and each applied write.

Whether a second report of one month and agency takes the place of the first is the target's own affair: see ``Second``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.http import json_lines
from sandbox.targets.store import Effect, Store, Write, encode, fingerprint

SCHEMA = """
CREATE TABLE IF NOT EXISTS reports (
    id INTEGER PRIMARY KEY,
    service TEXT NOT NULL,
    unit TEXT NOT NULL,
    key TEXT NOT NULL,
    stored_at TEXT NOT NULL,
    body BLOB NOT NULL,
    body_hash BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS reports_by_key ON reports (service, key);
"""


class Second(StrEnum):
    """What becomes of a second report under one key."""

    REPLACES = "replaces"
    COUNTS_TOO = "counts-too"
    IS_REFUSED = "is-refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One report: by which service, of which agency, and what it is known by (month and agency, and more)."""

    service: str
    unit: str
    key: str
    body: Mapping[str, Any]


def store_reports(store: Store, told: Sequence[Told], second: Second, now: datetime) -> bool:
    """Apply them all, each to the ledger of writes too; False, and nothing done, when one is there and may not be."""
    with store.transaction() as db:
        if second is Second.IS_REFUSED and any(_held(store, each) for each in told):
            return False
        for each in told:
            held = _held(store, each) if second is Second.REPLACES else None
            body, body_hash = encode(each.body), fingerprint(encode(each.body))
            if held is None:
                effect = Effect.INSERTED
                db.execute(
                    "INSERT INTO reports (service, unit, key, stored_at, body, body_hash) VALUES (?, ?, ?, ?, ?, ?)",
                    (each.service, each.unit, each.key, now.isoformat(), body, body_hash),
                )
            elif held[1] == body_hash:
                effect = Effect.NOOP
            else:
                effect = Effect.UPDATED
                db.execute(
                    "UPDATE reports SET stored_at = ?, body = ?, body_hash = ? WHERE id = ?",
                    (now.isoformat(), body, body_hash, held[0]),
                )
            store.record(
                Write(
                    at=now,
                    operation=each.service,
                    code=each.unit,
                    key=each.key,
                    effect=effect,
                    state=None,
                    body_hash=body_hash,
                )
            )
    return True


def reports_route(store: Store) -> Route:
    """``GET reports``: what is held, JSON lines: service, unit, key, stored_at, body."""

    async def reports(_request: Request) -> Response:
        return json_lines(_all(store))

    return Route("/reports", reports, methods=["GET"])


def _all(store: Store) -> Iterator[dict[str, Any]]:
    rows = store.stream("SELECT service, unit, key, stored_at, body FROM reports ORDER BY id")
    return ({**row, "body": orjson.Fragment(row["body"])} for row in rows)


def _held(store: Store, told: Told) -> tuple[int, bytes] | None:
    query = "SELECT id, body_hash FROM reports WHERE service = ? AND key = ?"
    row: tuple[int, bytes] | None = store.db.execute(query, (told.service, told.key)).fetchone()
    return row
