"""How long changes wait for each target: those acknowledged, up to the acknowledgement, and those not yet.

Two times are kept. *Waited* counts from when a change could be seen: from the fetching of its page, or from the arrival
of the call that told it. *Aged* counts from the change itself, by its source's own word; it holds the time until we
looked, and also what the source itself was late (a paper entered days after). Where the source gives no moment, or one
ahead of our clock, there is none.

What catches up (first loads, full loads, spans of the past, replays) is no change that anybody waits for, and is left
out of the times; a delivery that is not acknowledged counts whatever it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, text

from ledger.engine import reading

_LATENCIES = text("""
    SELECT attempt.target, dossier.state_system = ANY(:callers) AS called,
           count(*) AS messages,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY waited_s) AS p50_s,
           percentile_cont(0.95) WITHIN GROUP (ORDER BY waited_s) AS p95_s,
           max(waited_s)::float8 AS max_s,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY aged_s) AS aged_p50_s,
           percentile_cont(0.95) WITHIN GROUP (ORDER BY aged_s) AS aged_p95_s,
           max(aged_s)::float8 AS aged_max_s
    FROM delivery_attempt attempt JOIN dossier ON dossier.id = attempt.dossier_id
    WHERE attempt.at > now() - make_interval(secs => :span_s) AND waited_s IS NOT NULL
    GROUP BY 1, 2
    ORDER BY 1, 2
""")
_LATE = text("""
    SELECT limits.target,
           count(waiting.since) FILTER (WHERE waiting.since < now() - make_interval(secs => limits.deadline_s)) AS late,
           min(waiting.since) AS oldest_at
    FROM unnest(CAST(:targets AS text[]), CAST(:deadlines AS float8[])) AS limits (target, deadline_s)
    LEFT JOIN LATERAL (
        SELECT wanted_since AS since FROM delivery
        WHERE delivery.target = limits.target AND state IN ('due', 'leased', 'doubt')
        UNION ALL
        SELECT changed_at_ledger FROM dossier
        WHERE change_no > (SELECT seen FROM target_feed WHERE target_feed.target = limits.target)
    ) waiting ON true
    GROUP BY limits.target
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Seconds until the acknowledgement at ``target``, from when a change could be seen, and ``aged`` from the change
    itself; ``called``: told by a system that called us.
    """

    target: str
    called: bool
    messages: int
    p50_s: float
    p95_s: float
    max_s: float
    aged_p50_s: float | None
    aged_p95_s: float | None
    aged_max_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """Changes not acknowledged: how many have waited longer than they may, and since when the oldest waits."""

    late: int
    oldest_at: datetime | None


def latencies(engine: Engine, span: timedelta, *, callers: Sequence[str]) -> list[Latency]:
    """What was acknowledged within ``span`` before now, by target; ``callers`` are the systems that call us."""
    with reading(engine) as connection:
        keys = {"span_s": span.total_seconds(), "callers": list(callers)}
        return [Latency(**row) for row in connection.execute(_LATENCIES, keys).mappings()]


def late(engine: Engine, deadlines: Mapping[str, timedelta]) -> dict[str, Late]:
    """What waits for each of the targets, given how long it may."""
    with reading(engine) as connection:
        keys = {"targets": list(deadlines), "deadlines": [each.total_seconds() for each in deadlines.values()]}
        rows = connection.execute(_LATE, keys).all()
    return {row.target: Late(late=row.late, oldest_at=row.oldest_at) for row in rows}
