"""Source -> ledger: plan what to fetch, then fetch, map, validate and store page by page.

Three stages run at once (fetch, map, load), joined by short queues. What fails in mapping or validation is
quarantined with its reason; its neighbours are stored. The cursor moves in the transaction of the page it covers, and
what a page asks for once it is durable (an acknowledgement, a file's way to the archive) is done right behind it.

A system that is asked about the dossiers of others is given their codes; progress that came before its dossier is
mapped again once a pull has brought the dossier; what a whole snapshot lacks is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

import mappings
from connectors.api import Window
from connectors.catalog_models import PullStyle, SourceProtocol
from ledger import intake, quarantine, snapshots
from ledger.errors import AlreadyRunning
from ledger.types import PageCounts, PageIntake, PullMode
from mappings.errors import MappingError
from schemas.times import VN
from sync.errors import SyncError
from sync.mapped import Mapped, Snapshot, mapped
from sync.pipeline import ahead
from sync.redrive import redrive

if TYPE_CHECKING:
    from connectors.api import Source
    from connectors.catalog_models import SourceEntry
    from sync.context import Context


class Reach(StrEnum):
    """How far a pull looks."""

    NEW = "new"  # what changed since the cursor
    FULL = "full"  # everything since the system's first day
    RANGE = "range"  # what was received in a given span


class PullPlan(BaseModel):
    """One piece of work for one task: a system, and a window or (``None``) whatever is new since the cursor."""

    model_config = ConfigDict(frozen=True)

    system: str
    reach: Reach
    start: AwareDatetime | None = None
    end: AwareDatetime | None = None

    @property
    def label(self) -> str:
        """A short name for people: the window's days, or "new"."""
        if self.start is None or self.end is None:
            return self.reach.value
        return f"{self.start.astimezone(VN):%Y-%m-%d}..{self.end.astimezone(VN):%Y-%m-%d}"

    @property
    def lock(self) -> str:
        """Pulls with the same name exclude each other; windows of one system may run side by side."""
        return self.system if self.start is None else f"{self.system} {self.label}"


class PullReport(BaseModel):
    """What one pull did, in numbers: ``fetched = new + changed + unchanged + stale + quarantined``."""

    model_config = ConfigDict(frozen=True)

    run_id: UUID
    system: str
    label: str
    pages: int
    fetched: int
    new: int
    changed: int
    unchanged: int
    stale: int
    quarantined: int


def plan(
    context: Context,
    system: str,
    *,
    now: datetime,
    full: bool = False,
    start: datetime | None = None,
    end: datetime | None = None,
) -> list[PullPlan]:
    """Cut the asked-for reach into pieces that can run side by side, oldest first.

    Without arguments one piece: what is new since the cursor. ``full`` or ``start``/``end`` give one piece per
    calendar month, which do not move the cursor, and a single one where a listing can be given no end, since each would
    hold everything after it. A system that only tells what is now is read as always.
    """
    entry = context.catalog.source(system)
    if (start is None and end is None and not full) or _tells_only_now(entry):
        return [PullPlan(system=system, reach=Reach.NEW)]
    begin = start or datetime.combine(entry.pull.start, time.min, tzinfo=VN)
    finish = end or now
    if begin >= finish:
        raise SyncError(
            f"{system}: the range to pull ends before it begins ({begin.isoformat()} .. {finish.isoformat()}).",
            next_step="Give --from an earlier moment than --to.",
        )
    reach = Reach.RANGE if start or end else Reach.FULL
    months = _months(begin, finish) if _can_be_given_an_end(entry) else [(begin, finish)]
    return [PullPlan(system=system, reach=reach, start=first, end=last) for first, last in months]


def _tells_only_now(entry: SourceEntry) -> bool:
    # Files keep their days, whatever is in them.
    return entry.pull.style in _OF_NOW and entry.protocol is not SourceProtocol.FILES


def _can_be_given_an_end(entry: SourceEntry) -> bool:
    """Whether the listing of changes is asked up to a moment, or stops there by itself, being sorted."""
    if entry.pull.style is not PullStyle.CHANGED_SINCE:
        return True
    written = entry.options.model_dump_json()
    return "{until" in written or '"oldest_first":true' in written


def _months(begin: datetime, finish: datetime) -> Iterator[tuple[datetime, datetime]]:
    first = begin
    while first < finish:
        local = first.astimezone(VN)
        following = (local.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=32)).replace(
            day=1
        )
        last = min(following, finish)
        yield first, last
        first = last


def pull(
    context: Context,
    plan: PullPlan,
    *,
    started_by: str,
    now: datetime,
    on_page: Callable[[PageCounts], None] | None = None,
    wait_s: float = 0.0,
) -> PullReport:
    """Carry out one plan; ``wait_s``: how long to wait for another pull of the same.

    Raises ``AlreadyRunning``, ``ConnectorError``, ``MappingError`` or ``LedgerError``, or what a page's ``after_store``
    raises; every page stored before stays stored, and the run's record says why it ended.
    """
    entry = context.catalog.source(plan.system)
    window = Window(plan.start, plan.end) if plan.start and plan.end else None
    mapping = mappings.load(entry.mapping, mappings.Direction.SOURCE)
    with ExitStack() as stack:
        stack.enter_context(intake.system_lock(context.engine, plan.lock, wait_s=wait_s))
        source = stack.enter_context(context.source(plan.system))
        run_id = intake.start_pull(
            context.engine,
            system=plan.system,
            mode=_MODES[plan.reach],
            window=(window.start, window.end) if window else None,
            started_by=started_by,
            tells_once=entry.tells_once,
        )
        numbers = _read(context, _Reading(entry, mapping, source, run_id, window, now), on_page)
    _let_in_what_waited(context, started_by)
    return PullReport(run_id=run_id, system=plan.system, label=plan.label, **numbers)


def look(
    context: Context,
    system: str,
    source: Source,
    *,
    started_by: str,
    now: datetime,
    fresh_s: float = 0.0,
    on_page: Callable[[PageCounts], None] | None = None,
) -> PullReport | intake.NoLook:
    """Pull what is new, as one of many looks through the same open ``source``; pages without news are not kept again.

    Not done where another look or pull came to its end within ``fresh_s`` seconds, nor before a pull has once read the
    system to the end. Raises like ``pull``.
    """
    entry = context.catalog.source(system)
    mapping = mappings.load(entry.mapping, mappings.Direction.SOURCE)
    with intake.system_lock(context.engine, system):
        begun = intake.start_look(
            context.engine, system=system, started_by=started_by, fresh_s=fresh_s, tells_once=entry.tells_once
        )
        if isinstance(begun, intake.NoLook):
            return begun
        reading = _Reading(entry, mapping, source, begun.run_id, None, now, looks=True, pages_before=begun.pages)
        numbers = _read(context, reading, on_page)
    if numbers["new"] or mapping.tells is mappings.Tells.PROGRESS:
        _let_in_what_waited(context, started_by)
    return PullReport(run_id=begun.run_id, system=system, label=Reach.NEW.value, **numbers)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What is read: all of a window, or (``None``) what is new; by a look, ``pages_before`` others of its run."""

    entry: SourceEntry
    mapping: mappings.Mapping
    source: Source
    run_id: UUID
    window: Window | None
    now: datetime
    looks: bool = False
    pages_before: int = 0

    def intake(self, page: Mapped) -> PageIntake:
        found = page.intake(self.run_id, self.entry)
        return replace(found, number=self.pages_before + found.number, only_news=True) if self.looks else found


def _read(context: Context, what: _Reading, on_page: Callable[[PageCounts], None] | None) -> dict[str, int]:
    """Fetch, map and store page by page, and close the run; returns the equation's numbers."""
    total, snapshot, entry = _Total(), Snapshot(), what.entry
    try:
        pages = what.source.pull(
            window=what.window,
            cursor=intake.cursor(context.engine, entry.system),
            open_codes=open_codes(context, entry, now=what.now) if what.window is None else (),
            now=what.now,
        )
        with ahead(pages) as fetched, ahead(mapped(what.mapping, fetched)) as ready:
            for page in ready:
                counts = intake.store_page(context.engine, context.sealer, what.intake(page))
                snapshot.add(page)
                if snapshot.is_whole and what.window is None:
                    # Before its file is put away: whoever is killed here reads it once more.
                    snapshots.complete(context.engine, system=entry.system, run_id=what.run_id, seen=snapshot.seen)
                if page.page.after_store is not None:
                    page.page.after_store()
                total.add(counts)
                if on_page:
                    on_page(counts)
    except BaseException as error:
        intake.finish_pull(context.engine, what.run_id, error=_reason(error))
        raise
    intake.finish_pull(context.engine, what.run_id, error=None)
    return total.numbers


_OF_NOW = frozenset({PullStyle.OPEN_LIST, PullStyle.QUEUE, PullStyle.SNAPSHOT})
_MODES = {Reach.NEW: PullMode.INCREMENTAL, Reach.FULL: PullMode.FULL, Reach.RANGE: PullMode.WINDOW}


def open_codes(context: Context, entry: SourceEntry, *, now: datetime) -> Sequence[str]:
    """The dossiers that a regular pull asks a system about: others' by their codes, or its own by its ids; or none.

    (A window asks for a given span only, so it asks about none of them.)
    """
    asked = entry.pull.open_list
    if asked is not None:
        return intake.open_codes(
            context.engine,
            entry.system,
            procedures=asked.procedures,
            homes=asked.home,
            turn=int(now.timestamp()),
        )
    return intake.open_source_ids(context.engine, entry.system) if entry.pull.refresh_open else ()


def _let_in_what_waited(context: Context, started_by: str) -> None:
    """Map progress again whose dossier has become known, by this pull or by one that died before it came to this.

    What keeps another system's records from being mapped again is no fault of this pull: they wait on, and
    ``hosync redrive`` says why.
    """
    sources = {entry.system for entry in context.catalog.sources}
    for system in quarantine.found_a_home(context.engine):
        if system in sources:
            with suppress(AlreadyRunning, MappingError):
                redrive(context, system, started_by=started_by, rule=quarantine.UNKNOWN_DOSSIER, only_known=True)


def _reason(error: BaseException) -> str:
    # The message of an expected error is written for people and free of payload; of any other only the kind is kept.
    from connectors.errors import ConnectorError
    from ledger.errors import LedgerError
    from mappings.errors import MappingError

    if isinstance(error, ConnectorError | LedgerError | MappingError | SyncError):
        return str(error)
    return f"stopped by {type(error).__name__}"


class _Total:
    def __init__(self) -> None:
        self.numbers = dict.fromkeys(("pages", "fetched", "new", "changed", "unchanged", "stale", "quarantined"), 0)

    def add(self, counts: PageCounts) -> None:
        self.numbers["pages"] += 1
        for name in self.numbers.keys() - {"pages"}:
            self.numbers[name] += getattr(counts, name)
