"""Takes the pictures that the decision is made from: the ledger's status, and Airflow's runs beside it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cli.up.airflow_api import AirflowApi, DagRun, RunState
from cli.up.course import Compared, Delivered, Picture, Pulled, Reported
from ledger.report import pull_runs
from sync.context import Context
from sync.status import ReconcileNumbers, ReportNumbers, Status, TargetStatus, status

_COUNTS = ("fetched", "new", "changed", "unchanged", "stale", "quarantined")
_SUCCEEDED = "succeeded"
_RATE_OVER_S = 10.0
_RECENT_PULLS = 50  # among which those of this start surely are


@dataclass(slots=True)
class Watch:
    """Looks at one start of `hosync up`."""

    _context: Context
    _api: AirflowApi
    _began_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    _runs: Mapping[str, str] = field(default_factory=dict)
    _fetched: dict[str, deque[tuple[float, int]]] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def opened(cls, api: AirflowApi) -> Iterator[Watch]:
        """Opens the ledger that the environment names."""
        with Context.from_env() as context:
            yield cls(context, api)

    @property
    def systems(self) -> list[str]:
        """The sources of the catalog."""
        return [entry.system for entry in self._context.catalog.sources]

    @property
    def targets(self) -> list[str]:
        """The targets of the catalog."""
        return [entry.system for entry in self._context.catalog.targets]

    @property
    def dag_ids(self) -> list[str]:
        """The DAGs without which nothing moves."""
        pulls = [f"pull_{system}" for system in self.systems]
        compared = [entry.system for entry in self._context.catalog.targets if entry.is_compared]
        pushes = [f"push_{target}" for target in self.targets]
        reported = [entry.system for entry in self._context.catalog.targets if entry.reports]
        return [
            *pulls,
            *pushes,
            *(f"reconcile_{target}" for target in compared),
            *(f"reports_{target}" for target in reported),
        ]

    def begin(self, at: datetime, runs: Mapping[str, str]) -> None:
        """From this moment on things count. ``runs``: source -> the run that must succeed, of those that have begun."""
        self._began_at = at
        self._runs = runs

    def look(self) -> Picture:
        """The picture of this moment."""
        runs = self._api.runs(self.dag_ids, since=self._began_at)
        seen = status(self._context, datetime.now(UTC))
        pulls = [self._pulled(system, runs) for system in self.systems]
        for pull in pulls:
            self._fetched.setdefault(pull.system, deque()).append((time.monotonic(), pull.counts["fetched"]))
        return picture_of(seen, runs, began_at=self._began_at, pulls=pulls)

    def rates(self) -> dict[str, float]:
        """Records per second of each source, over the last seconds."""
        rates = {}
        for system, points in self._fetched.items():
            while len(points) > 2 and points[-1][0] - points[0][0] > _RATE_OVER_S:
                points.popleft()
            seconds = points[-1][0] - points[0][0]
            rates[system] = (points[-1][1] - points[0][1]) / seconds if seconds > 0 else 0.0
        return rates

    def _pulled(self, system: str, runs: Sequence[DagRun]) -> Pulled:
        dag_id, run_id = f"pull_{system}", self._runs.get(system, "")
        run = next((run for run in runs if run.dag_id == dag_id and run.run_id == run_id), None)
        recent = pull_runs(self._context.engine, _RECENT_PULLS, system=system)
        booked = [row for row in recent if row.started_at >= self._began_at]
        return Pulled(
            system=system,
            run=run or DagRun(dag_id=dag_id, run_id=run_id, state=RunState.QUEUED, started_at=None, ended_at=None),
            counts={name: sum(getattr(row, name) for row in booked) for name in _COUNTS},
            error=next((row.error for row in booked if row.error), None),
        )


def picture_of(seen: Status, runs: Sequence[DagRun], *, began_at: datetime, pulls: Sequence[Pulled]) -> Picture:
    """The ledger's status and Airflow's runs as one picture."""
    known = sum(source.dossiers for source in seen.sources)
    return Picture(began_at=began_at, pulls=pulls, targets=[_delivered(target, runs, known) for target in seen.targets])


def _delivered(seen: TargetStatus, runs: Sequence[DagRun], known: int) -> Delivered:
    # The ledger has nothing to say of a target before its first push has looked at the feed: all is still due then.
    was_fed = seen.dossiers or seen.not_yet_expanded
    return Delivered(
        target=seen.target,
        delivered=seen.settled,
        due=seen.due + seen.not_yet_expanded if was_fed else known,
        sending=seen.in_work,
        in_doubt=seen.in_doubt,
        refused=seen.rejected,
        given_up=seen.doubtful,
        last_delivery_at=seen.last_sent_at,
        can_be_asked=seen.is_compared,
        compared=_compared(seen.last_reconciliation) if seen.last_reconciliation else None,
        open_breaks=sum(seen.open_breaks.values()),
        push=_newest(runs, f"push_{seen.target}"),
        reconcile=_newest(runs, f"reconcile_{seen.target}"),
        reports=_newest(runs, f"reports_{seen.target}"),
        takes_reports=seen.takes_reports,
        reported=[_reported(each) for each in seen.reports],
    )


def _reported(numbers: ReportNumbers) -> Reported:
    return Reported(
        kind=numbers.kind,
        last_month=numbers.last_month,
        sent=numbers.sent,
        left=numbers.due + numbers.in_doubt,
        refused=numbers.refused,
        given_up=numbers.given_up,
    )


def _compared(numbers: ReconcileNumbers) -> Compared:
    return Compared(
        began_at=numbers.as_of,
        is_complete=numbers.status == _SUCCEEDED,
        ours=numbers.ours,
        theirs=numbers.theirs,
        matched=numbers.matched,
        in_flight=numbers.in_flight,
        breaks=numbers.breaks,
    )


def _newest(runs: Sequence[DagRun], dag_id: str) -> DagRun | None:
    # One that still works counts before one that has ended: several may be queued at once.
    own = [run for run in runs if run.dag_id == dag_id]
    return next((run for run in own if run.state.is_active), own[-1] if own else None)
