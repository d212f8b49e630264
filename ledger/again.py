"""Deliveries that a person makes due again: what was refused or given up, and what was delivered in some span of time.

Nothing here sends. Each call may be repeated: what is due already stays due once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, text

from ledger import again_sql, audit
from ledger.audit import Action
from ledger.engine import reading, transaction

_PIECE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadGroup:
    """Dossiers of one agency that one target does not get, for one reason; ``example`` is the code of one of them.

    ``outcome``: ``rejected`` by the target or our mapping, else given up after failing too often.
    """

    target: str
    agency: str
    outcome: str
    reason: str
    dossiers: int
    first_at: datetime
    last_at: datetime
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """Dossiers of the span: ``made_due`` are sent again, ``in_work`` were on their way already, ``dead`` stay dead."""

    made_due: int
    in_work: int
    dead: int


def dead_groups(engine: Engine, target: str | None = None) -> list[DeadGroup]:
    """What is dead at one target, or at all, by agency and reason; the largest groups of each target first."""
    with reading(engine) as connection:
        rows = connection.execute(text(again_sql.DEAD_BY_REASON), {"target": target}).mappings()
        return [DeadGroup(**row) for row in rows]


def resend_dead(
    engine: Engine, target: str, *, by: str, codes: Sequence[str] | None = None, reason: str | None = None
) -> int:
    """Make dead deliveries due again and return how many: those of ``codes`` (short form), or whose reason holds
    ``reason``; all when neither is given. ``by``: the person who does it."""
    with transaction(engine) as cursor:
        parameters = {"target": target, "codes": list(codes) if codes is not None else None, "reason": reason}
        number = cursor.execute(again_sql.RESEND_DEAD, parameters).rowcount
        audit.note(cursor, Action.RESEND, target, by=by, dossiers=number, codes=parameters["codes"], reason=reason)
        return number


def replay(engine: Engine, target: str, *, by: str, start: datetime, end: datetime) -> Replayed:
    """Make the dossiers whose state began in [``start``, ``end``) due again, acknowledged or not, behind all news.

    ``by``: the person who does it; written down before the first piece."""
    after = made_due = in_work = dead = 0
    with transaction(engine) as cursor:
        audit.note(cursor, Action.REPLAY, target, by=by, start=start, end=end)
    while True:
        with transaction(engine) as cursor:
            keys = {"target": target, "start": start, "end": end, "after": after, "limit": _PIECE}
            row = cursor.execute(again_sql.REPLAY_PIECE, keys).fetchone()
        if row is None or row[0] is None:
            return Replayed(made_due=made_due, in_work=in_work, dead=dead)
        after = row[0]
        made_due, in_work, dead = made_due + row[1], in_work + row[2], dead + row[3]
