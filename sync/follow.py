"""Following: what changes in a source, or is told by a call, is at all targets within seconds to a minute.

One loop looks at every system as often as its catalog entry says (``follow``), with the very pull that the clock runs
(``pull.look``) and under the same lock. A thread listens for calls of systems that call us, and their inbox is looked
at at once. Whatever is new or changed calls the couriers (``couriers.py``), one for each target.

Nothing here is needed for any promise: schedules go on beside it, two followers at once only look at what the other has
not just looked at, and one that is killed leaves what a killed pull or push leaves. A system that fails is looked at
ever more seldom, and holds up no other: of those that take long only a few may be under way at once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from connectors.catalog_models import SourceEntry, SourceProtocol
from connectors.errors import ConnectorError
from ledger import inbox
from ledger.errors import AlreadyRunning, LedgerError
from ledger.intake import NoLook
from ledger.types import PageCounts
from mappings.errors import MappingError
from sync.context import now
from sync.couriers import Couriers
from sync.errors import SyncError
from sync.pull import PullReport, look

if TYPE_CHECKING:
    from connectors.api import Source
    from sync.context import Context
    from sync.deliver import DeliverReport

CONNECTIONS = 32
"""To the ledger, at most; a handful while nothing happens."""

_AT_ONCE = 4  # looks under way that are not slow ...
_SLOW_S = 10.0
_AT_MOST = 12  # ... and all of them
_FRESH_SHARE = 0.5  # of its interval: a system that somebody has just looked at is left alone
_BUSY_S = 1.0  # somebody else reads the system: soon again
_AGAIN_S = 0.2  # called while we looked: what comes in the meantime is looked at together
_DEAF_S, _LONGEST_PAUSE_S = 5.0, 300.0
_LISTEN_S = 1.0
_TICK_S = 0.5
_PARTING_S = 30.0
_ACCOUNT_EVERY_S = 300.0

_log = logging.getLogger("hosync.follow")


class FollowReport(BaseModel):
    """What one follower did. ``looks`` of sources, those that failed, and messages that targets took."""

    model_config = ConfigDict(frozen=True)

    looks: int
    failed: int
    fetched: int
    new: int
    changed: int
    delivered: int


@dataclass(slots=True)
class _Watched:
    """One system that is followed. Times are monotonic seconds."""

    entry: SourceEntry
    next_at: float
    began_at: float | None = None
    failures: int = 0
    called: bool = False
    source: Source | None = field(default=None, repr=False)
    stack: ExitStack = field(default_factory=ExitStack, repr=False)

    @property
    def interval_s(self) -> float:
        assert self.entry.follow is not None
        return self.entry.follow.total_seconds()

    def close(self) -> None:
        """Close the connection; the next look opens another."""
        self.source = None
        with suppress(ConnectorError):
            self.stack.close()


def follow(
    context: Context,
    *,
    started_by: str,
    stop: threading.Event | None = None,
    budget_s: float | None = None,
    on_look: Callable[[PullReport], None] | None = None,
    on_delivery: Callable[[DeliverReport], None] | None = None,
) -> FollowReport:
    """Follow the sources of the catalog that say ``follow``, until ``stop`` is set or ``budget_s`` is used up.

    ``on_look`` hears of looks that brought something, ``on_delivery`` of deliveries; both are called by other threads.
    An exception in the caller's thread (Ctrl-C, the end of a task) ends it as well. Errors of systems, targets and the
    ledger are logged and survived.
    """
    return _Follower(context, started_by, stop or threading.Event(), on_look, on_delivery).run(budget_s)


class _Follower:
    def __init__(
        self,
        context: Context,
        started_by: str,
        stop: threading.Event,
        on_look: Callable[[PullReport], None] | None,
        on_delivery: Callable[[DeliverReport], None] | None,
    ) -> None:
        self._context, self._started_by, self._stop = context, started_by, stop
        self._on_look, self._on_delivery = on_look, on_delivery
        begin = time.monotonic()
        followed = [entry for entry in context.catalog.sources if entry.follow]
        self._watched = {entry.system: _Watched(entry, begin) for entry in followed}
        self._counts: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._couriers = Couriers(context, stop, reason=_reason, on_delivery=self._delivered)

    def run(self, budget_s: float | None) -> FollowReport:
        """The loop; the couriers, the listener and each look have threads of their own."""
        _log.info(
            "follows %s", ", ".join(f"{one.entry.system} ({one.interval_s:g} s)" for one in self._watched.values())
        )
        end = None if budget_s is None else time.monotonic() + budget_s
        account_at = time.monotonic() + _ACCOUNT_EVERY_S
        ears = threading.Thread(target=self._listen, name="ears", daemon=True)
        try:
            self._couriers.start()
            ears.start()
            while not self._stop.is_set() and (end is None or time.monotonic() < end):
                with self._changed:
                    self._begin_looks()
                    self._changed.wait(_TICK_S)
                if time.monotonic() >= account_at:
                    account_at += _ACCOUNT_EVERY_S
                    _log.info("so far: %s", " ".join(f"{name}={n}" for name, n in self._report()))
        finally:
            self._stop.set()
            deadline = time.monotonic() + _PARTING_S
            with self._changed:
                while any(one.began_at is not None for one in self._watched.values()) and time.monotonic() < deadline:
                    self._changed.wait(_TICK_S)
            self._couriers.join(deadline)
            ears.join(max(0.0, deadline - time.monotonic()))
            for one in self._watched.values():
                if one.began_at is None:
                    one.close()
        return self._report()

    def _report(self) -> FollowReport:
        names = FollowReport.model_fields
        return FollowReport(**{name: self._counts[name] for name in names})

    # -- looks -------------------------------------------------------------------------------------------------

    def _begin_looks(self) -> None:
        """Begin what is due, the longest due first, as far as there is room."""
        moment = time.monotonic()
        under_way = [one.began_at for one in self._watched.values() if one.began_at is not None]
        quick = sum(moment - began < _SLOW_S for began in under_way)
        room = min(_AT_ONCE - quick, _AT_MOST - len(under_way))
        due = [one for one in self._watched.values() if one.began_at is None and one.next_at <= moment]
        for one in sorted(due, key=lambda each: (not each.called, each.next_at))[: max(0, room)]:
            one.began_at, one.called = moment, False
            threading.Thread(target=self._look, args=(one,), name=f"look {one.entry.system}", daemon=True).start()

    def _look(self, one: _Watched) -> None:
        began = time.monotonic()
        pause_s = _BUSY_S
        try:
            pause_s = self._looked(one, began)
        except Exception as error:  # of whatever kind: the other systems must go on
            one.failures += 1
            pause_s = min(_LONGEST_PAUSE_S, max(one.interval_s, 1.0) * 2.0 ** min(one.failures, 10))
            one.close()
            _log.warning("%s: %s (again in %.0f s)", one.entry.system, _reason(error), pause_s)
            with self._changed:
                self._counts["failed"] += 1
        finally:
            with self._changed:
                one.began_at = None
                if one.called and not one.failures:
                    pause_s = min(pause_s, _AGAIN_S)
                one.next_at = time.monotonic() + pause_s
                self._changed.notify_all()

    def _looked(self, one: _Watched, began: float) -> float:
        """One look; how long to wait for the next."""
        system = one.entry.system
        fresh_s = 0.0 if one.entry.protocol is SourceProtocol.INBOUND else _FRESH_SHARE * one.interval_s
        if one.source is None:
            one.source = one.stack.enter_context(self._context.source(system))
        try:
            report = look(
                self._context,
                system,
                one.source,
                started_by=self._started_by,
                now=now(),
                fresh_s=fresh_s,
                on_page=self._page,
            )
        except AlreadyRunning:
            return _BUSY_S
        if one.entry.protocol is SourceProtocol.FILES:
            one.close()  # a way to files that stands idle may be cut, and is quickly made
        one.failures = 0
        if isinstance(report, NoLook):
            return one.interval_s
        with self._changed:
            self._counts += Counter(looks=1, fetched=report.fetched, new=report.new, changed=report.changed)
        if self._on_look and report.new + report.changed:
            self._on_look(report)
        took_s = time.monotonic() - began
        return max(one.interval_s - took_s, took_s)

    def _page(self, counts: PageCounts) -> None:
        if counts.new + counts.changed:
            self._couriers.call()

    def _delivered(self, report: DeliverReport) -> None:
        with self._changed:
            self._counts["delivered"] += report.accepted + report.resolved_by_asking
        if self._on_delivery:
            self._on_delivery(report)

    # -- calls -------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                with inbox.listening(self._context.engine) as heard:
                    # What came while nobody listened was told to nobody.
                    self._wake(one.entry.system for one in self._watched.values() if _calls_us(one))
                    while not self._stop.is_set():
                        self._wake(heard(_LISTEN_S))
            except Exception as error:
                _log.warning("calls are not heard, only looked for: %s", _reason(error))
                self._stop.wait(_DEAF_S)

    def _wake(self, systems: Iterable[str]) -> None:
        with self._changed:
            for system in systems:
                one = self._watched.get(system)
                if one is not None and not one.failures:
                    one.called = True
                    one.next_at = min(one.next_at, time.monotonic())
            self._changed.notify_all()


def _calls_us(one: _Watched) -> bool:
    return one.entry.protocol is SourceProtocol.INBOUND


def _reason(error: BaseException) -> str:
    """What may be logged: messages written for people; of any other error only the kind."""
    known = isinstance(error, ConnectorError | LedgerError | MappingError | SyncError)
    return str(error) if known else type(error).__name__
