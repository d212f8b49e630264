"""What people did by hand, kept in the same transaction as its effect: nobody resends or pauses unseen."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import Engine, text

from ledger.engine import Cursor, reading

_NOTE = """
    INSERT INTO person_action (person, action, system, details, dossiers) VALUES (%s, %s, %s, %s, %s)
"""
_LAST = """
    SELECT at, person, action, system, details, dossiers FROM person_action
    WHERE CAST(:system AS text) IS NULL OR system = :system
    ORDER BY at DESC, action_id DESC
    LIMIT :limit
"""


class Action(StrEnum):
    """What a person can do by hand that changes what systems get."""

    RESEND = "resend"
    REPLAY = "replay"
    PAUSE = "pause"
    RESUME = "resume"
    CAUGHT_UP = "caught_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One thing done: ``details`` as they were asked for, ``dossiers`` touched where that is known."""

    at: datetime
    person: str
    action: Action
    system: str
    details: Mapping[str, Any]
    dossiers: int | None


def note(cursor: Cursor, action: Action, system: str, *, by: str, dossiers: int | None = None, **details: Any) -> None:
    """Write down in the cursor's transaction that ``by`` did this; details that are ``None`` are left out."""
    told = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in details.items()
        if value is not None
    }
    cursor.execute(_NOTE, [by, action, system, Jsonb(told), dossiers])


def last(engine: Engine, *, system: str | None = None, limit: int = 50) -> list[Done]:
    """The last things done, to one system or to any, newest first."""
    with reading(engine) as connection:
        rows = connection.execute(text(_LAST), {"system": system, "limit": limit}).mappings()
        return [Done(**{**row, "action": Action(row["action"])}) for row in rows]
