"""Deliveries: leased to workers, sent with the intent written first, settled with what came of it.

One row per target and dossier holds the version and the step that the target has acknowledged and those we want it to
have. What a worker may do with a row hangs on its *token*, which grows with each claim: whoever was overtaken changes
nothing any more. How long it may is said once for all that it has claimed, in its *lease*. There, too, the intent of a
call is committed before the call goes out, so that a worker that dies leaves a doubt and not a gap; a doubt is claimed
like anything due, and whoever claims it asks the target first.

All waiting times are counted by the database's clock, which all workers share.
"""

import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from psycopg.rows import args_row, dict_row
from sqlalchemy import Engine, text

from ledger import delivery_sql, life
from ledger.engine import Cursor, reading, transaction
from ledger.feed import expand_feed as expand_feed
from ledger.rows import open_step_personal, opened
from ledger.sealing import Sealer
from ledger.types import Backlog, Claimed, Doubt, Patience, Phase, SettleCounts, Settled, Settlement

_STEP_FROM_DOSSIER = (
    "code",
    "procedure_code",
    "procedure_name",
    "channel",
    "agency_code",
    "agency_name",
    "level",
    "due_at",
    "online_payment",
    "national_code",
)


def claim(
    engine: Engine,
    sealer: Sealer,
    target: str,
    *,
    owner: UUID,
    limit: int,
    lease_s: float,
    only_news: bool = False,
    with_steps: bool = True,
    with_other_codes: bool = False,
) -> list[Claimed]:
    """Lease up to ``limit`` due dossiers of ``target`` to ``owner`` for ``lease_s`` seconds.

    Corrections first, then news, then what catches up; within each the agencies take turns, the oldest of each first.
    ``only_news`` leaves what catches up to others; without ``with_steps`` no steps are read, without
    ``with_other_codes`` not what the target calls the dossiers. Leases that ran out come before all: without a written
    intent they are due again, with one they are in doubt.
    """
    with transaction(engine) as cursor:
        cursor.execute(delivery_sql.OPEN_LEASE, {"target": target, "owner": owner, "lease_s": lease_s})
        cursor.execute(delivery_sql.END_EXPIRED_LEASES, {"target": target})
        caught_up_at = life.caught_up_at(cursor)
        keys = {"target": target, "owner": owner, "caught_up_at": caught_up_at}
        rows: list[_Leased] = []
        priorities = _array(delivery_sql.NEWS if only_news else delivery_sql.PRIORITIES)
        waiting = cursor.execute(delivery_sql.WAITING_PRIORITIES, {"target": target, "priorities": priorities})
        for (priority,) in waiting.fetchall():
            rows += _in_turns(cursor, {**keys, "priority": priority}, limit - len(rows))
        if not rows:
            return []
        asked = {"target": target, "ids": _array(row.dossier_id for row in rows), "other_codes": with_other_codes}
        dossiers = _dossiers(cursor, asked, sealer)
        steps = _steps(cursor, rows, dossiers) if with_steps else {}
    return [_claimed(row, dossiers[row.dossier_id], steps.get(row.dossier_id, []), sealer) for row in rows]


def mark_sending(
    engine: Engine, target: str, *, owner: UUID, lease_s: float, phase: Phase, messages: Sequence[tuple[int, int, int]]
) -> bool:
    """Commit what is about to be sent and extend the lease; False when the lease was lost: then send nothing.

    ``messages``: dossier, its version, and the last step of the call (0 for a dossier). They stand as being sent until
    this owner settles, or marks others.
    """
    keys = {"target": target, "owner": owner, "lease_s": lease_s, "phase": phase, "messages": _json(messages)}
    with transaction(engine) as cursor:
        return cursor.execute(delivery_sql.MARK_SENDING, keys).rowcount > 0


def keep_known(engine: Engine, target: str, rows: Sequence[Claimed]) -> None:
    """Write down that the target, when asked, was found to hold these dossiers, in whatever state."""
    if rows:
        keys = _json([{"dossier_id": row.dossier_id, "token": row.token} for row in rows])
        with transaction(engine) as cursor:
            cursor.execute(delivery_sql.KEEP_KNOWN, {"target": target, "rows": keys})


def send_doubts_again(engine: Engine, target: str, rows: Sequence[Claimed]) -> int:
    """Write down that what is in doubt in ``rows`` is about to be sent again, to a target that cannot tell.

    Each message may be there once more than it should; each doubt counts once. Returns how many were written down:
    those still ours, and not written down before. A dossier that has changed since is told something else.
    """
    doubts = [
        (
            row.dossier_id,
            row.token,
            str(doubt.phase),
            0 if doubt.phase is Phase.STEP else doubt.version,
            doubt.step,
            doubt.since,
        )
        for row in rows
        if (doubt := row.doubt) and (doubt.phase is Phase.STEP or doubt.version == row.version)
    ]
    if not doubts:
        return 0
    names = ("ids", "tokens", "phases", "versions", "steps", "since")
    columns = map(list, zip(*doubts, strict=True))
    with transaction(engine) as cursor:
        cursor.execute(delivery_sql.RECORD_SENT_AGAIN, {"target": target, **dict(zip(names, columns, strict=True))})
        return cursor.rowcount


def settle(
    engine: Engine, target: str, rows: Sequence[Settlement], *, owner: UUID, patience: Patience | None = None
) -> SettleCounts:
    """Keep what became of the messages of ``owner``, one attempt record for each; one message of a dossier at a time.

    What was marked as being sent and is not among ``rows`` surely never went out. A row whose token has gone on, or
    that has been settled before, is left alone and counted as lost. Accepted messages make the row idle when nothing
    more is wanted, else due (or leased on, with ``hold``). ``patience``: when a failing record is given up.

    Raises ``ValueError`` where a dossier stands twice in ``rows``.
    """
    if len({row.dossier_id for row in rows}) < len(rows):
        raise ValueError(f"{target}: more than one message of a dossier is settled in one call")
    limit = patience or Patience()
    keys = {"target": target, "owner": owner}
    with transaction(engine) as cursor:
        sent = cursor.execute(delivery_sql.SENT, keys).fetchone()
        if not rows:
            return SettleCounts()
        given_up = [row for row in rows if row.outcome is Settled.GIVEN_UP]
        if given_up:
            cursor.execute(delivery_sql.RECORD_GIVEN_UP, {"target": target, "rows": _json(given_up)})
        limits = {"most_strikes": limit.strikes, "longest_s": limit.longest_s, "alone_s": limit.alone_s}
        told = {"target": target, "rows": _json(rows), "sent_at": sent and sent[0], **limits}
        counts: dict[str, int] = dict(cursor.execute(delivery_sql.SETTLE, told).fetchall())
    return SettleCounts(**counts, lost=len(rows) - sum(counts.values()))


def release(engine: Engine, target: str, owner: UUID, *, delay_s: float = 0.0) -> int:
    """Give back everything ``owner`` still holds: due again after ``delay_s``, or in doubt where an intent stands.

    This does not count as an attempt.
    """
    with transaction(engine) as cursor:
        keys = {"target": target, "owner": owner, "delay_s": delay_s}
        return cursor.execute(delivery_sql.RELEASE, keys).rowcount


def has_news(engine: Engine, target: str) -> bool:
    """Whether there is something to send now, or to look at, that is not only catching up; next to nothing to ask."""
    with reading(engine) as connection:
        return bool(connection.execute(text(delivery_sql.HAS_NEWS), {"target": target}).scalar())


def backlog(engine: Engine, target: str) -> Backlog:
    """What waits for ``target``."""
    with reading(engine) as connection:
        row = connection.execute(text(delivery_sql.BACKLOG), {"target": target}).one()
    return Backlog(**row._mapping)


# --- what a worker gets -----------------------------------------------------------------------------------------


class _Leased(NamedTuple):
    """A row that ``CLAIM`` returns."""

    dossier_id: int
    bucket: int
    token: int
    acked_version: int
    acked_step: int
    acked_fingerprint: bytes | None
    known: bool
    attempts: int
    unsure: bool
    sending_phase: str | None
    sending_version: int
    sending_step: int
    sending_at: datetime


class _Held(NamedTuple):
    """A dossier as it is told to targets, and what its steps are found by."""

    last_step: int
    first_step_at: datetime
    last_step_at: datetime
    held_as: str | None
    record: dict[str, Any]


def _in_turns(cursor: Cursor, keys: Mapping[str, Any], limit: int) -> list[_Leased]:
    """Equal shares of all buckets; what some do not use goes to the others in another round."""
    buckets = list(range(delivery_sql.BUCKETS))
    first = random.randrange(
        delivery_sql.BUCKETS
    )  # where there are fewer to give than buckets, another begins each time
    buckets = buckets[first:] + buckets[:first]
    rows: list[_Leased] = []
    with cursor.connection.cursor(row_factory=args_row(_Leased)) as leased:
        while buckets and len(rows) < limit:
            left = limit - len(rows)
            share = math.ceil(left / len(buckets))
            taken = leased.execute(
                delivery_sql.CLAIM, {**keys, "buckets": _array(buckets), "share": share, "limit": left}
            ).fetchall()
            rows += taken
            given = Counter(row.bucket for row in taken)
            buckets = [bucket for bucket in buckets if given[bucket] == share]
    return rows


def _dossiers(cursor: Cursor, asked: Mapping[str, Any], sealer: Sealer) -> dict[int, _Held]:
    cursor.execute(delivery_sql.CLAIMED_DOSSIERS, asked, binary=True)
    names = [column.name for column in cursor.description or ()][7:]
    held = {}
    for dossier_id, last_step, first_step_at, last_step_at, attributes, personal, held_as, *values in cursor:
        record = dict(zip(names, values, strict=True))
        record |= opened(attributes, personal, sealer)
        held[dossier_id] = _Held(last_step, first_step_at, last_step_at, held_as, record)
    return held


def _steps(cursor: Cursor, rows: Sequence[_Leased], dossiers: Mapping[int, _Held]) -> dict[int, list[dict[str, Any]]]:
    owing = [row for row in rows if dossiers[row.dossier_id].last_step > row.acked_step]
    if not owing:
        return {}
    parameters = {
        "ids": [row.dossier_id for row in owing],
        "acked": [row.acked_step for row in owing],
        "first": min(dossiers[row.dossier_id].first_step_at for row in owing),
        "last": max(dossiers[row.dossier_id].last_step_at for row in owing),
    }
    steps: dict[int, list[dict[str, Any]]] = {}
    with cursor.connection.cursor(row_factory=dict_row) as named:
        for step in named.execute(delivery_sql.CLAIMED_STEPS, parameters):
            # A step newer than the dossier as it was read belongs to its next version.
            if step["step_no"] <= dossiers[step["dossier_id"]].last_step:
                steps.setdefault(step["dossier_id"], []).append(step)
    return steps


def _claimed(row: _Leased, held: _Held, steps: Sequence[Mapping[str, Any]], sealer: Sealer) -> Claimed:
    dossier = held.record
    doubt = None
    if row.sending_phase:
        doubt = Doubt(
            phase=Phase(row.sending_phase),
            version=row.sending_version,
            step=row.sending_step,
            since=row.sending_at,
        )
    return Claimed(
        dossier_id=row.dossier_id,
        code=dossier["code"],
        token=row.token,
        version=dossier["version"],
        acked_version=row.acked_version,
        acked_step=row.acked_step,
        last_step=held.last_step,
        acked_fingerprint=row.acked_fingerprint,
        known=row.known,
        held_as=held.held_as,
        unsure=row.unsure,
        attempts=row.attempts,
        doubt=doubt,
        dossier=dossier,
        steps=[_outgoing(step, dossier, sealer) for step in steps],
    )


def _outgoing(step: Mapping[str, Any], dossier: Mapping[str, Any], sealer: Sealer) -> dict[str, Any]:
    officer, content = open_step_personal(step["personal"], sealer)
    return {
        **{name: dossier[name] for name in _STEP_FROM_DOSSIER},
        "step_no": step["step_no"],
        "at": step["at"],
        "state": step["state"],
        "unit": step["unit"],
        "officer": officer,
        "content": content,
    }


def _array(numbers: Iterable[int]) -> str:
    return f"{{{','.join(map(str, numbers))}}}"


def _json(rows: Sequence[Any]) -> str:
    """Rows for ``json_to_recordset``: dictionaries or dataclasses; bytes as PostgreSQL writes them."""
    return orjson.dumps(rows, default=lambda value: f"\\x{value.hex()}").decode()
