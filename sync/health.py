"""How a system is doing, in one word: judged from what the ledger tells, the same everywhere it is shown."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from croniter import croniter

from ledger import report
from schemas.times import VN

GRACE = timedelta(minutes=2)  # a run takes time, too


class Health(StrEnum):
    """One word about a system."""

    GOOD = "good"
    RUNNING = "running"
    LATE = "late"
    UNVERIFIED = "unverified"
    ATTENTION = "attention"
    FAILED = "failed"
    NEVER = "never"


def source_health(row: report.SystemRow | None, schedule: str | None, now: datetime) -> Health:
    """One word about a source, the worst that is true."""
    if row is None:
        return Health.NEVER
    if row.last_run.status == "running":
        return Health.RUNNING
    if row.last_run.status != "succeeded":
        return Health.FAILED
    if is_late(row.last_success_at, schedule, now):
        return Health.LATE
    return Health.ATTENTION if row.open_quarantine else Health.GOOD


def target_health(row: report.TargetRow | None, schedule: str | None, now: datetime) -> Health:
    """One word about a target, the worst that is true; good only when a comparison proved it."""
    if row is None:
        return Health.NEVER
    compared = row.last_reconciliation
    if compared and compared.status in ("failed", "interrupted"):
        return Health.FAILED
    if is_late(row.oldest_due_at, schedule, now):
        return Health.LATE
    if row.dead or row.doubt or row.doubtful_sends or row.open_breaks:
        return Health.ATTENTION
    return Health.GOOD if compared else Health.UNVERIFIED


def is_late(since: datetime | None, schedule: str | None, now: datetime) -> bool:
    """Whether two scheduled times have passed after ``since``: one may be missed, two are late."""
    if since is None or schedule is None:
        return False
    clock = croniter(schedule, since.astimezone(VN))
    clock.get_next(datetime)
    second: datetime = clock.get_next(datetime)
    return second + GRACE < now
