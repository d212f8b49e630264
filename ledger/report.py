"""What people see of the ledger: counts, codes, times and reasons. Nothing here opens a sealed value."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine, RowMapping, text

from ledger import report_sql
from ledger.engine import reading
from ledger.types import PullMode, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRunRow:
    """One pull with the equation's numbers: fetched = new + changed + unchanged + stale + quarantined.

    ``looks``: how many looks of a follower it adds up; ``None`` for any other. ``repeated_pages`` of its ``pages`` only
    repeated what was kept before.
    """

    run_id: UUID
    system: str
    mode: PullMode
    window_start: datetime | None
    window_end: datetime | None
    started_by: str
    status: str
    error: str | None
    started_at: datetime
    finished_at: datetime | None
    pages: int
    fetched: int
    new: int
    changed: int
    unchanged: int
    stale: int
    quarantined: int
    looks: int | None
    repeated_pages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileRunRow:
    """One reconciliation; a run that did not succeed proves nothing, whatever its numbers."""

    run_id: UUID
    target: str
    method: str
    scope: Scope | None
    as_of: datetime
    grace_s: int
    status: str
    error: str | None
    started_at: datetime
    finished_at: datetime | None
    ours: int
    theirs: int
    matched: int
    in_flight: int
    duplicate: int
    rejected: int
    missing_at_target: int
    unknown_to_us: int
    stale_at_target: int
    mismatch: int
    buckets_matched: int
    buckets_mismatched: int
    opened: int
    closed: int
    healed: int
    held_back: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemRow:
    """One source; its lag is the time since ``last_success_at``."""

    system: str
    dossiers: int
    open_dossiers: int
    newest_change_at: datetime | None
    last_success_at: datetime | None
    cursor: str | None
    cursor_moved_at: datetime | None
    open_quarantine: int
    last_run: PullRunRow


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRow:
    """One target. ``settled`` dossiers have everything acknowledged; ``not_yet_expanded`` changes are on their way."""

    target: str
    dossiers: int
    settled: int
    due: int
    leased: int
    doubt: int
    dead: int
    not_yet_expanded: int
    oldest_due_at: datetime | None
    last_sent_at: datetime | None
    doubtful_sends: int
    perhaps_doubled: int
    open_breaks: int
    last_reconciliation: ReconcileRunRow | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Everything at one glance; ``states`` counts dossiers per national state."""

    systems: list[SystemRow]
    targets: list[TargetRow]
    states: Mapping[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineRow:
    """One record that was set aside, without its content."""

    quarantine_id: int
    system: str
    stage: str
    field: str
    rule: str
    message: str
    mapping_version: str
    record_key: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    times_seen: int
    state: str
    resolved_at: datetime | None
    resolution: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadRow:
    """One dossier that a target refused for good."""

    target: str
    code: str
    reason: str | None
    last_at: datetime | None
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IllegalJumpRow:
    """One accepted transition that the rules do not allow."""

    code: str
    at: datetime
    system: str
    state: int
    former_state: int | None


def overview(engine: Engine) -> Overview:
    """All systems that were ever pulled and all targets that were ever fed, on one snapshot."""
    with reading(engine) as connection:
        runs = {row["system"]: _pull_run(row) for row in connection.execute(text(report_sql.LAST_PULL_RUNS)).mappings()}
        reconciled = {
            row["target"]: _reconcile_run(row)
            for row in connection.execute(text(report_sql.LAST_RECONCILE_RUNS)).mappings()
        }
        systems = connection.execute(text(report_sql.SYSTEMS)).mappings().all()
        targets = connection.execute(text(report_sql.TARGETS)).mappings().all()
        states = connection.execute(text(report_sql.STATES)).all()
    return Overview(
        systems=[SystemRow(**row, last_run=runs[row["system"]]) for row in systems],
        targets=[TargetRow(**row, last_reconciliation=reconciled.get(row["target"])) for row in targets],
        states={row.state: row.dossiers for row in states},
    )


def pull_runs(engine: Engine, limit: int, *, system: str | None = None) -> list[PullRunRow]:
    """The newest pulls first; of one system, or of all."""
    with reading(engine) as connection:
        parameters = {"limit": limit, "system": system}
        return [_pull_run(row) for row in connection.execute(text(report_sql.PULL_RUNS), parameters).mappings()]


def reconcile_runs(engine: Engine, limit: int, *, target: str | None = None) -> list[ReconcileRunRow]:
    """The newest reconciliations first; of one target, or of all."""
    with reading(engine) as connection:
        parameters = {"limit": limit, "target": target}
        rows = connection.execute(text(report_sql.RECONCILE_RUNS), parameters).mappings()
        return [_reconcile_run(row) for row in rows]


def quarantine(engine: Engine, system: str | None, limit: int, *, only_open: bool = True) -> list[QuarantineRow]:
    """Records set aside, last seen first; of one system, or of all."""
    with reading(engine) as connection:
        parameters = {"system": system, "limit": limit, "only_open": only_open}
        rows = connection.execute(text(report_sql.QUARANTINE), parameters).mappings()
        return [QuarantineRow(**row) for row in rows]


def dead_deliveries(engine: Engine, target: str | None, limit: int) -> list[DeadRow]:
    """Dossiers that a target refused for good and that no newer version has revived."""
    with reading(engine) as connection:
        rows = connection.execute(text(report_sql.DEAD_DELIVERIES), {"target": target, "limit": limit}).mappings()
        return [DeadRow(**row) for row in rows]


def illegal_jumps(engine: Engine, limit: int) -> list[IllegalJumpRow]:
    """The newest transitions that sources reported against the rules."""
    with reading(engine) as connection:
        rows = connection.execute(text(report_sql.ILLEGAL_JUMPS), {"limit": limit}).mappings()
        return [IllegalJumpRow(**row) for row in rows]


def _pull_run(row: RowMapping) -> PullRunRow:
    return PullRunRow(**{**row, "mode": PullMode(row["mode"])})


def _reconcile_run(row: RowMapping) -> ReconcileRunRow:
    return ReconcileRunRow(**{**row, "scope": Scope(row["scope"]) if row["scope"] else None})
