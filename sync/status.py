"""Where everything stands: one snapshot of the ledger, with the catalog's names beside it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from connectors.catalog_models import SourceProtocol
from connectors.traffic import quiet_until
from ledger import gate, inbox, report, reports, snapshots, waiting
from ledger import reconcile as books
from sync.woken import Woken, woken

if TYPE_CHECKING:
    from connectors.catalog_models import SourceEntry, TargetEntry
    from sync.context import Context


_LOOKS_MISSED = 3
_A_LOOK = timedelta(minutes=1)  # a long one takes time, and so does the restart of the follower


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class PullNumbers(_Part):
    """A source's last pull; ``fetched = new + changed + unchanged + stale + quarantined``.

    ``looks``: so many looks of an hour it adds up, where hosync follows; ``None``: it is an ordinary pull.
    """

    label: str
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
    looks: int | None = None


class Disappeared(_Part):
    """Dossiers not at their end that a source's whole list no longer holds; ``first_codes`` are a few of them."""

    dossiers: int
    since: datetime
    first_codes: tuple[str, ...]


class CallNumbers(_Part):
    """What a system that calls us has sent so far; ``waiting`` calls are stored, and no pull has taken them over."""

    stored: int
    repeated: int
    refused: int
    no_secret: int
    waiting: int
    oldest_waiting_at: datetime | None


class SourceStatus(_Part):
    """One source. ``lag_s``: seconds since it was last read to the end; ``calls``: where it calls us.

    ``follow_s``: how often it is looked at while hosync follows; ``is_followed``: whether that is so now.
    """

    system: str
    title_vi: str
    title_en: str
    dossiers: int = 0
    open_dossiers: int = 0
    open_quarantine: int = 0
    disappeared: Disappeared | None = None
    calls: CallNumbers | None = None
    follow_s: float | None = None
    is_followed: bool = False
    last_success_at: datetime | None = None
    lag_s: float | None = None
    last_run: PullNumbers | None = None


class ReconcileNumbers(_Part):
    """A target's last comparison. ``breaks`` counts by kind; a run that did not succeed proves nothing."""

    method: str
    status: str
    error: str | None
    as_of: datetime
    finished_at: datetime | None
    ours: int
    theirs: int
    matched: int
    in_flight: int
    breaks: Mapping[str, int]
    healed: int
    held_back: int


class Latency(_Part):
    """Seconds to the acknowledgement: from when the change could be seen (``called`` ones: from the call), and ``aged``
    from the change itself, where its source says when that was. First loads and the like are no changes.
    """

    called: bool
    messages: int
    p50_s: float
    p95_s: float
    max_s: float
    aged_p50_s: float | None = None
    aged_p95_s: float | None = None
    aged_max_s: float | None = None


class GateStatus(_Part):
    """Who may call a target. ``resting``: paused, quiet, asked (it wants to be left alone), broken (it does not answer)
    or day (its calls of the day are used up); until when, where that is known. ``pace``: share of its calls at once
    that it bears now.
    """

    resting: str | None = None
    resting_until: datetime | None = None
    paused_since: datetime | None = None
    paused_by: str | None = None
    broken_since: datetime | None = None
    failures: int = 0
    pace: float = 1.0
    calls_today: int | None = None


class ReportNumbers(_Part):
    """The reports of one kind to a target; ``changed``: acknowledged once, and no more what we would say.

    ``given_up``: nobody knows whether they arrived; ``last_month`` is the first day of the last month reported.
    """

    kind: str
    last_month: date
    sent: int
    due: int
    in_doubt: int
    refused: int
    given_up: int
    changed: int
    perhaps_doubled: int
    last_sent_at: datetime | None


class TargetStatus(_Part):
    """One target. ``settled`` dossiers have everything acknowledged; ``doubtful`` messages were given up in doubt.

    ``late`` changes have waited longer than the catalog allows; the oldest change waits since ``oldest_waiting_at``.
    ``perhaps_doubled``: so many messages may be there too often, having been sent again in doubt. ``is_compared``:
    whether it can be asked what it holds at all. ``takes_reports``: whether it is reported each month.
    """

    target: str
    title_vi: str
    title_en: str
    dossiers: int = 0
    settled: int = 0
    due: int = 0
    in_work: int = 0
    in_doubt: int = 0
    rejected: int = 0
    doubtful: int = 0
    perhaps_doubled: int = 0
    not_yet_expanded: int = 0
    late: int = 0
    oldest_waiting_at: datetime | None = None
    last_hour: tuple[Latency, ...] = ()
    last_day: tuple[Latency, ...] = ()
    gate: GateStatus = GateStatus()
    last_sent_at: datetime | None = None
    is_compared: bool = True
    open_breaks: Mapping[str, int] = {}
    last_reconciliation: ReconcileNumbers | None = None
    takes_reports: bool = False
    reports: tuple[ReportNumbers, ...] = ()

    @property
    def waiting(self) -> int:
        """Dossiers that have something left to send, refused ones aside."""
        return self.due + self.in_work + self.in_doubt + self.not_yet_expanded


class Status(_Part):
    """Everything at one glance. ``woken``: the ledger has, and something may wait for that."""

    at: datetime
    sources: tuple[SourceStatus, ...]
    targets: tuple[TargetStatus, ...]
    woken: Woken | None = None


def status(context: Context, now: datetime) -> Status:
    """The whole catalog, those that never ran included."""
    seen = report.overview(context.engine)
    systems = {row.system: row for row in seen.systems}
    missing = snapshots.missing(context.engine)
    calls = inbox.calls(context.engine)
    pulled = sum(row.dossiers for row in seen.systems)
    targets = {row.target: row for row in seen.targets}
    breaks: dict[str, dict[str, int]] = {}
    for row in books.open_breaks(context.engine, None):
        kinds = breaks.setdefault(row.target, {})
        kinds[row.kind.value] = kinds.get(row.kind.value, 0) + 1
    more = _about_targets(context, now)
    return Status(
        at=now,
        woken=woken(context.engine),
        sources=tuple(
            _source(entry, systems.get(entry.system), missing.get(entry.system), calls.get(entry.system), now)
            for entry in context.catalog.sources
        ),
        targets=tuple(
            _target(entry, targets.get(entry.system), breaks.get(entry.system, {}), pulled).model_copy(
                update=more[entry.system]
            )
            for entry in context.catalog.targets
        ),
    )


def _about_targets(context: Context, now: datetime) -> dict[str, dict[str, Any]]:
    """What waits, how long it took, and who may call, by target."""
    entries = context.catalog.targets
    callers = [each.system for each in context.catalog.sources if each.protocol is SourceProtocol.INBOUND]
    spans = {
        name: waiting.latencies(context.engine, span, callers=callers)
        for name, span in (("last_hour", timedelta(hours=1)), ("last_day", timedelta(days=1)))
    }
    late = waiting.late(context.engine, {entry.system: entry.deadline for entry in entries})
    gates = gate.gates(context.engine)
    reported = reports.counts(context.engine)
    return {
        entry.system: {
            "late": late[entry.system].late,
            "oldest_waiting_at": late[entry.system].oldest_at,
            "gate": _gate(entry, gates.get(entry.system), now),
            "takes_reports": entry.reports is not None,
            "reports": tuple(_reported(each) for each in reported if each.target == entry.system),
            **{
                name: tuple(
                    Latency.model_validate(each, from_attributes=True) for each in found if each.target == entry.system
                )
                for name, found in spans.items()
            },
        }
        for entry in entries
    }


def _reported(found: reports.ReportCounts) -> ReportNumbers:
    return ReportNumbers(
        kind=found.kind.value,
        last_month=found.last_period,
        sent=found.sent,
        due=found.due,
        in_doubt=found.doubt,
        refused=found.dead,
        given_up=found.given_up,
        changed=found.changed,
        perhaps_doubled=found.perhaps_doubled,
        last_sent_at=found.last_sent_at,
    )


def _gate(entry: TargetEntry, row: gate.GateRow | None, now: datetime) -> GateStatus:
    quiet = quiet_until(entry.quiet, now)
    if row is None:
        return GateStatus(resting="quiet" if quiet else None, resting_until=quiet)
    per_day = entry.quota.per_day
    reasons = (
        ("paused", row.paused_since is not None, row.paused_until),
        ("restored", row.is_behind, None),
        ("quiet", quiet is not None, quiet),
        ("asked", row.asked_until is not None, row.asked_until),
        ("broken", row.broken_since is not None, row.rest_until),
        ("day", per_day is not None and row.calls_today >= per_day, None),
    )
    resting, until = next(((why, until) for why, holds, until in reasons if holds), (None, None))
    return GateStatus(
        resting=resting,
        resting_until=until,
        paused_since=row.paused_since,
        paused_by=row.paused_by,
        broken_since=row.broken_since,
        failures=row.failures,
        pace=row.pace,
        calls_today=row.calls_today if per_day is not None else None,
    )


def _source(
    entry: SourceEntry,
    row: report.SystemRow | None,
    missing: snapshots.Missing | None,
    calls: inbox.Calls | None,
    now: datetime,
) -> SourceStatus:
    told = {
        "system": entry.system,
        "title_vi": entry.title.vi,
        "title_en": entry.title.en,
        "calls": CallNumbers.model_validate(calls, from_attributes=True) if calls else None,
        "follow_s": entry.follow.total_seconds() if entry.follow else None,
    }
    if row is None:
        return SourceStatus.model_validate(told)
    run = row.last_run
    return SourceStatus(
        **told,
        dossiers=row.dossiers,
        open_dossiers=row.open_dossiers,
        open_quarantine=row.open_quarantine,
        disappeared=Disappeared.model_validate(missing, from_attributes=True) if missing else None,
        is_followed=_is_followed(entry, row, now),
        last_success_at=row.last_success_at,
        lag_s=(now - row.last_success_at).total_seconds() if row.last_success_at else None,
        last_run=PullNumbers(
            label=run.mode.value,
            status=run.status,
            error=run.error,
            started_at=run.started_at,
            finished_at=run.finished_at,
            pages=run.pages,
            fetched=run.fetched,
            new=run.new,
            changed=run.changed,
            unchanged=run.unchanged,
            stale=run.stale,
            quarantined=run.quarantined,
            looks=run.looks,
        ),
    )


def _is_followed(entry: SourceEntry, row: report.SystemRow, now: datetime) -> bool:
    """Whether somebody looks at the source as often as its entry says, a few looks aside."""
    if entry.follow is None or row.last_run.looks is None:
        return False
    told_at = row.last_run.finished_at or row.last_run.started_at
    return row.last_run.status == "running" or now - told_at < _LOOKS_MISSED * entry.follow + _A_LOOK


_KINDS = ("duplicate", "rejected", "missing_at_target", "unknown_to_us", "stale_at_target", "mismatch")


def _target(
    entry: TargetEntry, row: report.TargetRow | None, open_breaks: Mapping[str, int], pulled: int
) -> TargetStatus:
    told = {
        "target": entry.system,
        "title_vi": entry.title.vi,
        "title_en": entry.title.en,
        "is_compared": entry.is_compared,
    }
    if row is None:  # never fed: everything is still on its way
        return TargetStatus.model_validate({**told, "not_yet_expanded": pulled})
    return TargetStatus(
        **told,
        dossiers=row.dossiers,
        settled=row.settled,
        due=row.due,
        in_work=row.leased,
        in_doubt=row.doubt,
        rejected=row.dead,
        doubtful=row.doubtful_sends,
        perhaps_doubled=row.perhaps_doubled,
        not_yet_expanded=row.not_yet_expanded,
        last_sent_at=row.last_sent_at,
        open_breaks=open_breaks,
        last_reconciliation=_comparison(row.last_reconciliation) if row.last_reconciliation else None,
    )


def _comparison(run: report.ReconcileRunRow) -> ReconcileNumbers:
    is_count = run.method == "counts"
    return ReconcileNumbers(
        method=run.method,
        status=run.status,
        error=run.error,
        as_of=run.as_of,
        finished_at=run.finished_at,
        ours=run.buckets_matched + run.buckets_mismatched if is_count else run.ours,
        theirs=run.buckets_matched + run.buckets_mismatched if is_count else run.theirs,
        matched=run.buckets_matched if is_count else run.matched,
        in_flight=run.in_flight,
        breaks={"count_mismatch": run.buckets_mismatched} if is_count else {k: getattr(run, k) for k in _KINDS},
        healed=run.healed,
        held_back=run.held_back,
    )
