"""Ledger -> target, by the month: count what is to be reported, keep it, send what is due, once.

A report is known by target, kind, month and agency. Its intent is committed before the call; should this process die in
between, or the answer be lost, the next worker does what the catalog declares: send it again where the service replaces
a month, else give it up or risk a second one. What changes later (a late rating, a corrected dossier) is told again
only where the service replaces. Calls pass the target's gate like deliveries.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, cast
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict

import mappings
from connectors.api import Item, Outcome, TakesReports, Verdict
from connectors.catalog_models import InDoubt
from ledger import intake, ratings, reports, workload
from ledger.reports import ClaimedReport, Counted
from ledger.types import Settled
from schemas.report import Figures, ReportKind, begin_of, month_after, month_of, months_between, outgoing
from sync import decisions
from sync.errors import SyncError
from sync.gate import Gate, Rest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from connectors.catalog_models import SourceEntry, TargetEntry
    from connectors.reporting import Report, Reports
    from ledger.reports import ReportRow
    from sync.context import Context

_CLAIMED_AT_ONCE = 10
_LEASE_SHARE = 0.5  # a call must begin within this share of its lease, or not at all
_POSTPONED_S = 20.0
_FRUITLESS = 3
_SHORTEST_PAUSE_S = 0.05


class SentReports(BaseModel):
    """What one run did, in reports. ``changed`` were new or said something else; ``remaining`` are left for later.

    ``resting``: why nobody could be called at the end, in a word, and ``resting_until`` when. ``waiting_for``: systems
    that have not been read since the end of the last month, so that it would be told without what they know.
    """

    model_config = ConfigDict(frozen=True)

    target: str
    waiting_for: tuple[str, ...] = ()
    changed: int = 0
    accepted: int = 0
    rejected: int = 0
    retry: int = 0
    in_doubt: int = 0
    given_up: int = 0
    remaining: int = 0
    resting: str | None = None
    resting_until: datetime | None = None


def with_reports(entries: Sequence[TargetEntry]) -> list[str]:
    """The targets that take reports."""
    return [entry.system for entry in entries if entry.reports]


def report_to(
    context: Context, target: str, *, now: datetime, since: date | None = None, wait_s: float = 0.0
) -> SentReports:
    """Count the ended months again, keep what they say, and send what is due.

    ``since``: from this month on, rather than the few that the catalog says; ``wait_s``: how long to wait, in all, for
    what is due again soon. Many workers may run this at once. Raises ``SyncError`` for a target without reports,
    ``CatalogError``, ``MappingError`` or ``LedgerError``; what the target answers is never an exception.
    """
    entry = context.catalog.target(target)
    changed, waiting_for = count_months(context, target, now=now, since=since)
    mapping = mappings.load(entry.mapping, mappings.Direction.TARGET)
    with ExitStack() as stack:
        gate = stack.enter_context(Gate(context.engine, entry))
        connector = context.open_target(target, gate)
        stack.callback(connector.close)
        sender = _Sender(context, entry, _rules(entry), mapping, gate, cast(TakesReports, connector))
        sender.run(wait_s)
    left = sum(each.due + each.doubt for each in reports.counts(context.engine) if each.target == target)
    return SentReports(
        target=target,
        waiting_for=waiting_for,
        changed=changed,
        remaining=left,
        resting=sender.rest.why if sender.rest else None,
        resting_until=sender.rest.until if sender.rest else None,
        **sender.counts,
    )


def count_months(
    context: Context, target: str, *, now: datetime, since: date | None = None
) -> tuple[int, tuple[str, ...]]:
    """Count the ended months and keep what they say. Sends nothing.

    Gives how many reports are new or have changed, and the systems that the last month waits for: where a report cannot
    be replaced by a better one, it is made once all that tell of it have been read after its days of grace.
    """
    entry = context.catalog.target(target)
    rules = _rules(entry)
    changed, waited_for = 0, set()
    for kind, report in rules.kinds.items():
        months = _months(rules, now, since, reports.last_period(context.engine, target, kind))
        late = {} if _replaces(report) else {month: _unread(context, rules, kind, month) for month in months}
        waited_for |= {system for systems in late.values() for system in systems}
        rows = [row for month in months if not late.get(month) for row in _counted(context, rules, kind, report, month)]
        changed += reports.keep(context.engine, target, kind, rows, replaces=_replaces(report))
    return changed, tuple(sorted(waited_for))


def send_again(
    context: Context, target: str, *, by: str, month: date | None, agency: str | None = None, only_failed: bool = False
) -> int:
    """Make reports due again, whatever was acknowledged; the next run sends them. How many. ``by``: who does it."""
    entry = context.catalog.target(target)
    _rules(entry)
    return reports.send_again(context.engine, entry.system, by=by, month=month, agency=agency, only_failed=only_failed)


def listed(context: Context, target: str, *, month: date | None = None) -> list[ReportRow]:
    """The reports to one target as they stand, without asking it. Raises ``SyncError`` for one without reports."""
    entry = context.catalog.target(target)
    _rules(entry)
    return reports.reports(context.engine, entry.system, month=month)


def last_month(rules: Reports, now: datetime) -> date:
    """The last month that is reported by now: ended, and its days of grace over."""
    month = month_of(now)
    while _over_at(rules, month) > now:
        month = month_after(month, -1)
    return month


def _over_at(rules: Reports, month: date) -> datetime:
    return begin_of(month_after(month)) + timedelta(days=rules.after_days)


def _unread(context: Context, rules: Reports, kind: ReportKind, month: date) -> list[str]:
    """The systems that tell of what is counted and have not been read since the month's days of grace."""
    read_at = intake.last_successes(context.engine)
    over_at = _over_at(rules, month)
    telling = [
        entry.system for entry in context.catalog.sources if _tells_ratings(entry) == (kind is ReportKind.SATISFACTION)
    ]
    return [system for system in telling if system not in read_at or read_at[system] < over_at]


def _tells_ratings(entry: SourceEntry) -> bool:
    return mappings.load(entry.mapping, mappings.Direction.SOURCE).tells is mappings.Tells.RATING


def _months(rules: Reports, now: datetime, since: date | None, reported: date | None) -> Sequence[date]:
    """Those that may still change, and all that follow on the last one that was ``reported``; the first time all."""
    last = last_month(rules, now)
    first = since or (reported and min(month_after(reported), month_after(last, 1 - rules.months_back)))
    return months_between(max(rules.since, first or rules.since), last)


def _counted(context: Context, rules: Reports, kind: ReportKind, report: Report, month: date) -> Iterator[Counted]:
    if kind is ReportKind.SATISFACTION:
        whole, agencies = ratings.votes(context.engine, month)
        names: Mapping[str, str] = {}
        everything: Figures = whole
        by_agency: Mapping[str, Figures] = agencies
    else:
        desks = workload.desks(context.engine, month)
        everything, by_agency, names = desks.whole, desks.agencies, desks.names
    if "province" in report.per:
        yield Counted(month=month, agency_code=rules.unit, agency_name=None, figures=everything)
    if "agency" in report.per:
        for agency, figures in by_agency.items():
            if agency.startswith(f"{rules.unit}."):
                yield Counted(month=month, agency_code=agency, agency_name=names.get(agency), figures=figures)


def _replaces(report: Report) -> bool:
    return InDoubt(report.in_doubt) is InDoubt.RESEND


def _rules(entry: TargetEntry) -> Reports:
    if entry.reports is None:
        raise SyncError(
            f"{entry.system} takes no reports.",
            next_step="Name a target whose catalog entry has 'reports', or add it there.",
        )
    return entry.reports


class _Sender:
    """One worker's way of bringing due reports to the target, one call each."""

    def __init__(
        self,
        context: Context,
        entry: TargetEntry,
        rules: Reports,
        mapping: mappings.Mapping,
        gate: Gate,
        connector: TakesReports,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.rest: Rest | None = None
        self._engine = context.engine
        self._entry, self._rules, self._mapping = entry, rules, mapping
        self._gate, self._connector = gate, connector
        self._owner: UUID = uuid4()

    def run(self, patience_s: float) -> None:
        """Send until nothing is due, nobody may call, or the target takes nothing time and again."""
        fruitless = 0
        while fruitless < _FRUITLESS:
            self.rest = self._gate.rest()
            if self.rest is not None:
                waits_until = self.rest.until
            else:
                claimed = self._claim()
                if claimed:
                    taken = self.counts["accepted"] + self.counts["rejected"] + self.counts["given_up"]
                    for report in claimed:
                        self._bring(report)
                    now_taken = self.counts["accepted"] + self.counts["rejected"] + self.counts["given_up"]
                    fruitless = 0 if now_taken > taken else fruitless + 1
                    continue
                waits_until = reports.next_due(self._engine, self._entry.system)
            if waits_until is None:
                return
            pause_s = max((waits_until - datetime.now(waits_until.tzinfo)).total_seconds(), _SHORTEST_PAUSE_S)
            if pause_s > patience_s:
                return
            time.sleep(pause_s)
            patience_s -= pause_s

    def _claim(self) -> list[ClaimedReport]:
        return reports.claim(
            self._engine, self._entry.system, owner=self._owner, limit=_CLAIMED_AT_ONCE, lease_s=self._entry.lease_s
        )

    def _bring(self, report: ClaimedReport) -> None:
        """Send one report and book what came of it; afterwards it is not leased by us any more."""
        policy = InDoubt(self._rules.kinds[report.kind].in_doubt)
        if report.doubt is not None and policy is InDoubt.GIVE_UP:
            self._settle(report, Settled.GIVEN_UP, "nobody knows whether it arrived, and the target can't be asked")
            return
        doubles = report.doubt is not None and policy is InDoubt.RISK_DOUBLE
        record = outgoing(report.month, report.agency_code, report.agency_name, report.figures)
        converted = self._mapping.convert_reports(report.kind, [record])
        if converted.bad:
            problem = converted.bad[0]
            self._settle(report, Settled.REJECTED, f"{problem.field}: {problem.message} ({problem.rule})")
            return
        if self._gate.rest() is not None:
            self._give_back(report)
            return
        marked_at = time.monotonic()
        if not reports.mark_sending(
            self._engine, self._entry.system, report, owner=self._owner, lease_s=self._entry.lease_s, doubles=doubles
        ):
            return
        verdict = self._call(report, converted.good[0][1], begin_before=marked_at + self._entry.lease_s * _LEASE_SHARE)
        if verdict is None:
            self._give_back(report, doubles=doubles)
            return
        outcome = decisions.settled(verdict, policy)
        waits = outcome in (Settled.RETRY, Settled.IN_DOUBT)
        delay_s = decisions.backoff_s(report.attempts, verdict.retry_after_s, random.uniform) if waits else 0.0
        self._settle(report, outcome, verdict.reason, delay_s=delay_s, doubles=doubles)

    def _call(self, report: ClaimedReport, payload: Mapping[str, object], *, begin_before: float) -> Verdict | None:
        """The target's verdict; ``None`` when the gate did not let the call go."""
        item = Item(
            key=f"{report.kind} {report.month:%Y-%m} {report.agency_code}",
            code="",
            payload=payload,
            known=report.doubt is not None,
        )
        with self._gate.begun_before(begin_before):
            verdict = self._connector.send_report(report.kind, item)
            if self._gate.refused and verdict.outcome is Outcome.RETRY:
                return None
            self._gate.sent([verdict], again=report.attempts > 0)
        return verdict

    def _give_back(self, report: ClaimedReport, *, doubles: bool = False) -> None:
        delay_s = _POSTPONED_S * random.uniform(0.5, 1.5) if self._gate.rest() is None else 0.0
        reports.release(self._engine, self._entry.system, report, doubles=doubles, delay_s=delay_s)

    def _settle(
        self, report: ClaimedReport, outcome: Settled, reason: str, *, delay_s: float = 0.0, doubles: bool = False
    ) -> None:
        replaces = _replaces(self._rules.kinds[report.kind])
        if reports.settle(
            self._engine,
            self._entry.system,
            report,
            outcome,
            reason=reason,
            delay_s=delay_s,
            replaces=replaces,
            doubles=doubles,
        ):
            self.counts[outcome.value] += 1
