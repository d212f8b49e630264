"""Reads what the monitor shows: the catalog says which systems there are, the ledger what became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING

from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from connectors.catalog import Catalog, load_catalog
from ledger import report
from ledger.engine import open_engine
from ledger.errors import LedgerUnavailable
from ledger.migrate import require_current
from ledger.reconcile import open_breaks
from plugins.overview import (
    BREAKS_SHOWN,
    PARTS,
    BreakLine,
    LastComparison,
    LastPull,
    Overview,
    SourceRow,
    TargetRow,
)
from sync.health import source_health, target_health

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from connectors.catalog_models import SourceEntry, TargetEntry
    from ledger.types import BreakRow

FRESH_FOR = timedelta(seconds=5)  # many people may look at once; the counts behind the page are not free
PATIENCE_S = 5.0


class Reader:
    """Keeps one engine for the process, opened by the first reading, and the last answer for a few seconds.

    One thread reads at a time. Who comes meanwhile gets the last answer, which says how old it is: a slow database
    must not tie up the threads that Airflow's own pages need.
    """

    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._last: Overview | None = None
        self._guard = Lock()

    def read(self, now: datetime) -> Overview:
        """Everything on the page. Raises ``LedgerError`` or ``CatalogError`` with words for people."""
        last = self._last
        if last and timedelta(0) <= now - last.at < FRESH_FOR:
            return last
        if not self._guard.acquire(timeout=0 if last else PATIENCE_S):
            if last:
                return last
            raise LedgerUnavailable("The database takes long to answer.")
        try:
            self._last = self._read(now)
            return self._last
        finally:
            self._guard.release()

    def _read(self, now: datetime) -> Overview:
        catalog = load_catalog()
        try:
            if self._engine is None:
                self._engine = open_engine()
            return gather(catalog, report.overview(self._engine), open_breaks(self._engine, None), now)
        except ProgrammingError as error:
            assert self._engine is not None, "only an opened engine executes statements"
            require_current(self._engine)
            raise LedgerUnavailable("The database refused a statement of the monitor.") from error
        except SQLAlchemyError as error:
            # Not chained into the words: a driver's message may name hosts and users.
            raise LedgerUnavailable(f"The database did not answer ({type(error).__name__}).") from error


def gather(catalog: Catalog, seen: report.Overview, breaks: Sequence[BreakRow], now: datetime) -> Overview:
    """Put the ledger's answers beside the catalog's systems, those that never ran included."""
    systems = {row.system: row for row in seen.systems}
    targets = {row.target: row for row in seen.targets}
    kinds: dict[str, Counter[str]] = {entry.system: Counter() for entry in catalog.targets}
    for row in breaks:
        kinds.setdefault(row.target, Counter())[row.kind] += 1
    titles = {entry.system: (entry.title.vi, entry.title.en) for entry in catalog.targets}
    return Overview(
        at=now,
        dossiers=sum(seen.states.values()),
        quarantined=sum(row.open_quarantine for row in seen.systems),
        open_breaks=len(breaks),
        sources=[_source(entry, systems.get(entry.system), now) for entry in catalog.sources],
        targets=[_target(entry, targets.get(entry.system), kinds[entry.system], now) for entry in catalog.targets],
        breaks=[
            BreakLine(
                key=row.code or row.key,
                target=titles.get(row.target, (row.target, row.target)),
                kind=row.kind,
                held_by_us=row.ours,
                held_there=row.theirs,
                first_seen_at=row.first_seen_at,
                status=row.status,
            )
            for row in breaks[:BREAKS_SHOWN]
        ],
    )


def _source(entry: SourceEntry, row: report.SystemRow | None, now: datetime) -> SourceRow:
    run = row.last_run if row else None
    return SourceRow(
        title=(entry.title.vi, entry.title.en),
        owner=(entry.owner.vi, entry.owner.en),
        dag_ids=(f"pull_{entry.system}",),
        health=source_health(row, entry.schedule, now),
        dossiers=row.dossiers if row else 0,
        success_at=row.last_success_at if row else None,
        last=_pull(run) if run else None,
    )


def _pull(run: report.PullRunRow) -> LastPull:
    return LastPull(
        at=run.finished_at or run.started_at,
        fetched=run.fetched,
        parts=tuple((name, getattr(run, name)) for name in PARTS),
        error=run.error,
    )


def _target(entry: TargetEntry, row: report.TargetRow | None, kinds: Counter[str], now: datetime) -> TargetRow:
    run = row.last_reconciliation if row else None
    return TargetRow(
        title=(entry.title.vi, entry.title.en),
        owner=(entry.owner.vi, entry.owner.en),
        dag_ids=tuple(f"{kind}_{entry.system}" for kind in ("push", *(["reconcile"] if entry.is_compared else []))),
        health=target_health(row, entry.schedule, now),
        delivered=row.settled if row else 0,
        due=row.due + row.leased + row.not_yet_expanded if row else 0,
        doubt=row.doubt if row else 0,
        doubtful=row.doubtful_sends if row else 0,
        perhaps_doubled=row.perhaps_doubled if row else 0,
        rejected=row.dead if row else 0,
        last=_comparison(run) if run else None,
        breaks=tuple(kinds.most_common()),
    )


def _comparison(run: report.ReconcileRunRow) -> LastComparison:
    by_counts = run.method == "counts"
    return LastComparison(
        at=run.finished_at or run.started_at,
        is_running=run.status == "running",
        method=run.method,
        unit="buckets" if by_counts else "asked_for" if run.scope == "asked" else "held",
        ours=run.buckets_matched + run.buckets_mismatched if by_counts else run.ours,
        matched=run.buckets_matched if by_counts else run.matched,
        in_flight=run.in_flight,
        error=run.error,
    )
