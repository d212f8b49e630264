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
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict

import mappings
from connectors.api import Page, Window
from connectors.catalog_models import PullStyle, SourceProtocol
from ledger import intake, quarantine, snapshots
from ledger.errors import AlreadyRunning
from ledger.types import PageCounts, PageIntake, Problem, PullMode
from mappings.errors import MappingError
from schemas.identifiers import dossier_short
from schemas.times import VN
from sync.errors import SyncError
from sync.pipeline import ahead
from sync.redrive import redrive

if TYPE_CHECKING:
    from connectors.catalog_models import SourceEntry
    from schemas.dossier import Dossier, Progress
    from sync.context import Context


_DEEPEST = 200  # levels; the writer of JSON knows 254


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
) -> PullReport:
    """Carry out one plan. Raises ``AlreadyRunning``, ``ConnectorError``, ``MappingError`` or ``LedgerError``, or what
    a page's ``after_store`` raises; every page stored before stays stored, and the run's record says why it ended.
    """
    entry = context.catalog.source(plan.system)
    window = Window(plan.start, plan.end) if plan.start and plan.end else None
    mapping = mappings.load(entry.mapping, mappings.Direction.SOURCE)
    with ExitStack() as stack:
        stack.enter_context(intake.system_lock(context.engine, plan.lock))
        source = stack.enter_context(context.source(plan.system))
        run_id = intake.start_pull(
            context.engine,
            system=plan.system,
            mode=_MODES[plan.reach],
            window=(window.start, window.end) if window else None,
            started_by=started_by,
        )
        total, snapshot = _Total(), _Snapshot()
        try:
            pages = source.pull(
                window=window,
                cursor=intake.cursor(context.engine, plan.system),
                open_codes=open_codes(context, entry, now=now) if window is None else (),
                now=now,
            )
            with ahead(pages) as fetched, ahead(_mapped(mapping, fetched)) as ready:
                for page in ready:
                    counts = intake.store_page(context.engine, context.sealer, page.intake(run_id, entry))
                    snapshot.add(page)
                    if snapshot.is_whole and window is None:
                        # Before its file is put away: whoever is killed here reads it once more.
                        snapshots.complete(context.engine, system=plan.system, run_id=run_id, seen=snapshot.seen)
                    if page.page.after_store is not None:
                        page.page.after_store()
                    total.add(counts)
                    if on_page:
                        on_page(counts)
        except BaseException as error:
            intake.finish_pull(context.engine, run_id, error=_reason(error))
            raise
        intake.finish_pull(context.engine, run_id, error=None)
    _let_in_what_waited(context, started_by)
    return PullReport(run_id=run_id, system=plan.system, label=plan.label, **total.numbers)


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


@dataclass(frozen=True, slots=True)
class _Mapped:
    """A page after mapping and validation, ready for the ledger."""

    page: Page
    dossiers: Sequence[Dossier | Progress]
    natives: Sequence[bytes]
    problems: Sequence[Problem]
    mapping_version: str

    def intake(self, run_id: UUID, entry: SourceEntry) -> PageIntake:
        return PageIntake(
            run_id=run_id,
            system=entry.system,
            precedence=entry.precedence,
            number=self.page.number,
            raw=self.page.raw,
            media_type=self.page.media_type,
            fetched_at=self.page.fetched_at,
            fetched=len(self.page.records),
            dossiers=self.dossiers,
            problems=self.problems,
            # Who is asked about what we hold has no position to move to.
            cursor=None if entry.pull.style is PullStyle.OPEN_LIST else self.page.cursor,
            mapping_version=self.mapping_version,
            natives=self.natives,
            told_at=self.page.told_at,
        )


def _mapped(mapping: mappings.Mapping, pages: Iterator[Page]) -> Iterator[_Mapped]:
    is_progress = mapping.tells is mappings.Tells.PROGRESS
    for page in pages:
        validated = mappings.validate_page(mapping, page.records)
        yield _Mapped(
            page=page,
            dossiers=[dossier for _, dossier in validated.good],
            natives=[native_bytes(page.records[index]) for index, _ in validated.good] if is_progress else (),
            problems=[
                Problem(
                    index=problem.index,
                    record_key=mapping.key_of(page.records[problem.index]),
                    native=native_bytes(page.records[problem.index]),
                    stage=problem.stage,
                    field=problem.field,
                    rule=problem.rule,
                    message=problem.message,
                )
                for problem in validated.bad
            ],
            mapping_version=mapping.version,
        )


def native_bytes(record: Any) -> bytes:
    """A native record as it is set aside: equal for equal records.

    What is nested deeper than can be written is cut off; all of it stands in the archived page.
    """
    option = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
    try:
        return orjson.dumps(record, option=option, default=str)
    except orjson.JSONEncodeError:
        return orjson.dumps(_cut_off(record, _DEEPEST), option=option, default=str)


def _cut_off(value: Any, levels: int) -> Any:
    if isinstance(value, dict):
        return {key: _cut_off(inner, levels - 1) for key, inner in value.items()} if levels else "…"
    if isinstance(value, list):
        return [_cut_off(inner, levels - 1) for inner in value] if levels else "…"
    return value


class _Snapshot:
    """What the pages of a pull held altogether, and whether that is all that the system holds.

    A record whose own key cannot be read may be any dossier: then nothing can be said to be missing.
    """

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.is_whole = False
        self._is_readable = True

    def add(self, mapped: _Mapped) -> None:
        """Another page; only the last one of a snapshot completes it."""
        self.seen.update(dossier.source_id for dossier in mapped.dossiers)
        for problem in mapped.problems:
            if problem.record_key:
                self.seen |= {problem.record_key, _as_code(problem.record_key)}
        self._is_readable &= all(problem.record_key for problem in mapped.problems)
        self.is_whole = mapped.page.completes and self._is_readable


def _as_code(key: str) -> str:
    """The key in the form of a dossier code in the ledger, if it is one."""
    try:
        return dossier_short(key)
    except ValueError:
        return key


class _Total:
    def __init__(self) -> None:
        self.numbers = dict.fromkeys(("pages", "fetched", "new", "changed", "unchanged", "stale", "quarantined"), 0)

    def add(self, counts: PageCounts) -> None:
        self.numbers["pages"] += 1
        for name in self.numbers.keys() - {"pages"}:
            self.numbers[name] += getattr(counts, name)
