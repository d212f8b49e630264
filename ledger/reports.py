"""Periodic reports to targets: one row for target, kind, month and agency; what it says now, and what was acknowledged.

They go the way of deliveries, in small: claimed under a lease with a token that grows, the intent committed before the
call, settled with what came of it. A worker that dies in between leaves a doubt, which the next one claims. A report
holds counts and nothing personal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from sqlalchemy import Engine, text

from ledger import reports_sql
from ledger.audit import Action, note
from ledger.engine import reading, transaction
from ledger.types import Settled
from schemas.report import Figures, Levels, ReportKind, Votes, Workload, is_empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What an agency's report of a month says by now."""

    month: date
    agency_code: str
    agency_name: str | None
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedReport:
    """A report that this worker may send. ``written``: its figures as the ledger keeps them; ``doubt``: those that were
    about to be sent before, where nobody knows what became of them."""

    kind: ReportKind
    month: date
    agency_code: str
    agency_name: str | None
    figures: Figures
    token: int
    attempts: int
    written: Mapping[str, Any] = field(repr=False)
    doubt: Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """One report as people see it. ``has_changed``: it says something else now than what was acknowledged."""

    target: str
    kind: ReportKind
    period: date
    agency_code: str
    agency_name: str | None
    state: str
    due_at: datetime
    wanted: Figures
    acked: Figures | None
    acked_at: datetime | None
    attempts: int
    copies: int
    last_outcome: str | None
    last_reason: str | None
    last_at: datetime | None
    has_changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportCounts:
    """The reports of one kind to one target. ``changed``: acknowledged once, and no more what we would say."""

    target: str
    kind: ReportKind
    reports: int
    last_period: date
    sent: int
    due: int
    doubt: int
    dead: int
    given_up: int
    changed: int
    perhaps_doubled: int
    last_sent_at: datetime | None


def keep(engine: Engine, target: str, kind: ReportKind, rows: Sequence[Counted], *, replaces: bool) -> int:
    """Take over what was counted, all in one transaction; how many reports are new or say something else now.

    A report without anything in it is only kept where there was one before. One that had been made for a month of
    ``rows`` and is not among them any more says nothing now.
    """
    if not rows:
        return 0
    months = sorted({row.month for row in rows})
    keys = {"target": target, "kind": kind.value, "periods": months}
    with transaction(engine) as cursor:
        counted = {(row.month, row.agency_code): row for row in rows}
        for month, agency in cursor.execute(reports_sql.KNOWN, keys).fetchall():
            nothing = Votes() if kind is ReportKind.SATISFACTION else Workload()
            vanished = Counted(month=month, agency_code=agency, agency_name=None, figures=nothing)
            counted.setdefault((month, agency), vanished)
        told = list(counted.values())
        columns = {
            "periods": [row.month for row in told],
            "agencies": [row.agency_code for row in told],
            "names": [row.agency_name for row in told],
            "wanted": [Jsonb(_written(row.figures)) for row in told],
            "empty": [is_empty(row.figures) for row in told],
        }
        cursor.execute(reports_sql.KEEP, {**keys, **columns, "replaces": replaces})
        return cursor.rowcount


def last_period(engine: Engine, target: str, kind: ReportKind) -> date | None:
    """The last month of which a report of this kind was ever made for ``target``."""
    with reading(engine) as connection:
        keys = {"target": target, "kind": kind.value}
        found: date | None = connection.execute(text(reports_sql.LAST_PERIOD), keys).scalar()
    return found


def claim(engine: Engine, target: str, *, owner: UUID, limit: int, lease_s: float) -> list[ClaimedReport]:
    """Lease up to ``limit`` due reports to ``owner``, the oldest months first; leases that ran out are among them."""
    keys = {"target": target, "owner": owner, "limit": limit, "lease_s": lease_s}
    with transaction(engine) as cursor, cursor.connection.cursor(row_factory=dict_row) as named:
        rows = named.execute(reports_sql.CLAIM, keys).fetchall()
    rows.sort(key=lambda row: (row["period"], row["kind"], row["agency_code"]))
    return [_claimed(row) for row in rows]


def mark_sending(
    engine: Engine, target: str, report: ClaimedReport, *, owner: UUID, lease_s: float, doubles: bool = False
) -> bool:
    """Commit that it is about to be sent, and extend its lease; False when it is not ours any more: send nothing.

    ``doubles``: it was sent before, nobody knows whether it arrived, and the target would count both.
    """
    with transaction(engine) as cursor:
        parameters = {"owner": owner, "lease_s": lease_s, "copies": int(doubles)}
        cursor.execute(reports_sql.MARK_SENDING, {**_key(target, report), **parameters})
        return cursor.rowcount > 0


def release(engine: Engine, target: str, report: ClaimedReport, *, doubles: bool = False, delay_s: float = 0.0) -> None:
    """Give back what surely did not go out, as it was claimed; ``doubles`` as it was said to ``mark_sending``."""
    with transaction(engine) as cursor:
        parameters = {"copies": int(doubles), "delay_s": delay_s}
        cursor.execute(reports_sql.RELEASE, {**_key(target, report), **parameters})


def settle(
    engine: Engine,
    target: str,
    report: ClaimedReport,
    outcome: Settled,
    *,
    reason: str = "",
    delay_s: float = 0.0,
    replaces: bool,
    doubles: bool = False,
) -> bool:
    """Keep what became of it; False when another worker has it. ``doubles`` as it was said to ``mark_sending``.

    A report that was in doubt stays so when it surely did not arrive this time.
    """
    with transaction(engine) as cursor:
        told = {"outcome": outcome.value, "reason": reason, "delay_s": delay_s}
        parameters = {**told, "replaces": replaces, "copies": int(doubles)}
        cursor.execute(reports_sql.SETTLE, {**_key(target, report), **parameters})
        return cursor.rowcount > 0


def send_again(
    engine: Engine,
    target: str,
    *,
    by: str,
    month: date | None = None,
    agency: str | None = None,
    only_failed: bool = False,
) -> int:
    """Make reports due again, whatever was acknowledged: of a month, of an agency; ``only_failed``: those refused or
    given up. How many. What is on its way is left alone."""
    keys = {"target": target, "period": month, "agency": agency, "only_failed": only_failed}
    with transaction(engine) as cursor:
        number = cursor.execute(reports_sql.AGAIN, keys).rowcount
        asked: dict[str, Any] = {"month": f"{month:%Y-%m}" if month else None, "agency": agency}
        note(cursor, Action.RESEND, target, by=by, reports=number, only_failed=only_failed or None, **asked)
        return number


def reports(engine: Engine, target: str | None, *, month: date | None = None, limit: int = 1000) -> list[ReportRow]:
    """Reports to one target, or all, the newest months first."""
    with reading(engine) as connection:
        keys = {"target": target, "period": month, "limit": limit}
        rows = connection.execute(text(reports_sql.LIST), keys).mappings().all()
    return [_row(dict(row)) for row in rows]


def counts(engine: Engine) -> list[ReportCounts]:
    """How the reports stand, by target and kind."""
    with reading(engine) as connection:
        rows = connection.execute(text(reports_sql.COUNT)).mappings().all()
    return [ReportCounts(**{**row, "kind": ReportKind(row["kind"])}) for row in rows]


def next_due(engine: Engine, target: str) -> datetime | None:
    """When the next report to ``target`` may be claimed; ``None``: none waits."""
    with reading(engine) as connection:
        found: datetime | None = connection.execute(text(reports_sql.NEXT_DUE), {"target": target}).scalar()
    return found


def _key(target: str, report: ClaimedReport) -> dict[str, Any]:
    return {
        "target": target,
        "kind": report.kind.value,
        "period": report.month,
        "agency": report.agency_code,
        "token": report.token,
        "sent": Jsonb(report.written),
        "doubt": None if report.doubt is None else Jsonb(report.doubt),
    }


def _claimed(row: Mapping[str, Any]) -> ClaimedReport:
    kind = ReportKind(row["kind"])
    return ClaimedReport(
        kind=kind,
        month=row["period"],
        agency_code=row["agency_code"],
        agency_name=row["agency_name"],
        figures=_read(kind, row["wanted"]),
        token=row["token"],
        attempts=row["attempts"],
        written=row["wanted"],
        doubt=row["sending"],
    )


def _row(row: Mapping[str, Any]) -> ReportRow:
    kind = ReportKind(row["kind"])
    acked = None if row["acked"] is None else _read(kind, row["acked"])
    return ReportRow(**{**row, "kind": kind, "wanted": _read(kind, row["wanted"]), "acked": acked})


def _written(figures: Figures) -> dict[str, Any]:
    if isinstance(figures, Workload):
        return {name: getattr(figures, name) for name in _WORKLOAD}
    levels = {question: [each.very, each.satisfied, each.not_yet] for question, each in figures.by_criterion.items()}
    return {"raters": figures.raters, "by_criterion": levels}


def _read(kind: ReportKind, written: Mapping[str, Any]) -> Figures:
    if kind is ReportKind.STATISTICS:
        return Workload(**written)
    return Votes(
        raters=written["raters"],
        by_criterion={
            question: Levels(very=very, satisfied=satisfied, not_yet=not_yet)
            for question, (very, satisfied, not_yet) in written["by_criterion"].items()
        },
    )


_WORKLOAD = ("received", "brought_in", "solved_in_time", "solved_late", "pending", "overdue")
