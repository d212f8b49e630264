"""Gates of targets: the one state that all processes share, read, decided upon and written under a row's lock.

The lock is held for about a millisecond; a process speaks about once a second, or for every half second's worth of
turns. What is decided stands in ``turns.py``.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from sqlalchemy import Engine, text

from ledger import audit, gate_sql
from ledger.audit import Action
from ledger.engine import reading, transaction
from ledger.turns import GateRules, GateState, Grant, Holder, Told, decide, is_paused
from schemas.times import VN


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRow:
    """A target's gate as people see it; ``calling`` processes hold slots right now."""

    target: str
    paused_since: datetime | None
    paused_until: datetime | None
    paused_by: str | None
    broken_since: datetime | None
    rest_until: datetime | None
    failures: int
    asked_until: datetime | None
    is_behind: bool
    pace: float
    calls_today: int
    calling: int


def sync(engine: Engine, target: str, rules: GateRules, told: Told) -> Grant:
    """Tell what became of this process's calls, and get what it may do next."""
    with transaction(engine) as cursor, cursor.connection.cursor(row_factory=dict_row) as named:
        row = named.execute(gate_sql.LOCK, {"target": target}).fetchone()
        if row is None:
            named.execute(gate_sql.OPEN, [target])
            row = named.execute(gate_sql.LOCK, {"target": target}).fetchone()
        assert row is not None, "the gate has just been opened"
        now = row.pop("now")
        state, grant = decide(_state(row), rules, told, now)
        named.execute(gate_sql.KEEP, {"target": target, **_columns(state)})
    return grant


def pause(engine: Engine, target: str, *, by: str, until: datetime | None = None) -> None:
    """Stop deliveries to ``target``; all workers see it before their next calls. ``until``: then they go on."""
    with transaction(engine) as cursor:
        cursor.execute(gate_sql.PAUSE, {"target": target, "until": until, "by": by})
        audit.note(cursor, Action.PAUSE, target, by=by, until=until)


def resume(engine: Engine, target: str, *, by: str) -> bool:
    """Let deliveries go on; False when they were not paused."""
    with transaction(engine) as cursor:
        was_paused = cursor.execute(gate_sql.RESUME, {"target": target}).rowcount > 0
        if was_paused:
            audit.note(cursor, Action.RESUME, target, by=by)
        return was_paused


def gates(engine: Engine) -> dict[str, GateRow]:
    """The gates of all targets that were ever called or paused; what is over is left out."""
    with reading(engine) as connection:
        rows = [dict(row) for row in connection.execute(text(gate_sql.ALL)).mappings()]
    return {row["target"]: _row(row) for row in rows}


def _row(row: dict[str, Any]) -> GateRow:
    target, paused_by, now = row.pop("target"), row.pop("paused_by"), row.pop("now")
    state = _state(row)
    paused = is_paused(state, now)
    return GateRow(
        target=target,
        paused_since=state.paused_since if paused else None,
        paused_until=state.paused_until if paused else None,
        paused_by=paused_by if paused else None,
        broken_since=state.broken_since,
        rest_until=state.rest_until,
        failures=state.failures,
        asked_until=state.asked_until if state.asked_until and state.asked_until > now else None,
        is_behind=state.is_behind,
        pace=state.pace,
        calls_today=state.day_turns if state.day == now.astimezone(VN).date() else 0,
        calling=sum(each.until > now for each in state.holders),
    )


def _state(row: Mapping[str, Any]) -> GateState:
    holders = [
        Holder(
            holder=UUID(each["holder"]),
            slots=each["slots"],
            wants=each["wants"],
            until=datetime.fromisoformat(each["until"]),
        )
        for each in row["holders"]
    ]
    return GateState(**{**row, "holders": holders})


def _columns(state: GateState) -> dict[str, Any]:
    columns = {name: getattr(state, name) for name in gate_sql.STATE_COLUMNS}
    holders = [{**asdict(each), "holder": str(each.holder), "until": each.until.isoformat()} for each in state.holders]
    return {**columns, "holders": Jsonb(holders)}
