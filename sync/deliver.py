"""Ledger -> target: claim what is due, send it, book a verdict for every item, until nothing is due or nobody may call.

A process works in *lanes*: while one waits for the target, another talks to the ledger. What a lane does with a claimed
batch stands in ``waves.py``, who may call when in ``gate.py``.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

import mappings
from connectors.catalog_models import InDoubt, Message, TargetEntry
from ledger import delivery
from ledger.types import Backlog
from sync.context import now
from sync.gate import Gate, Rest
from sync.senders import Senders
from sync.waves import Waves

if TYPE_CHECKING:
    from sync.context import Context

_CLAIM_CALLS = 2  # wire calls' worth of dossiers per claim and sender: long enough to be cheap, short enough to share
_CLAIM_AT_LEAST = 200
_FRUITLESS_BATCHES = 3
_LOOK_EVERY_S = 1.0  # for what has changed meanwhile; a claim that finds nothing looks at once
_SHORTEST_PAUSE_S = 0.05  # our clock and the database's may differ by a little
_OTHERS_S = 0.5  # how often to look whether other workers are done with what they have ...
_OTHERS_LONGEST_S = 10.0  # ... and how long in all: they may be dead, and their lease long
_LANES = 3


class DeliverReport(BaseModel):
    """What one delivery run did, in messages, and what is left for later, in dossiers.

    ``resting``: why nobody could be called at the end of the run, in a word, and ``resting_until`` when.
    """

    model_config = ConfigDict(frozen=True)

    target: str
    accepted: int = 0
    unchanged: int = 0
    rejected: int = 0
    retry: int = 0
    in_doubt: int = 0
    given_up: int = 0
    resolved_by_asking: int = 0
    remaining: int = 0
    resting: str | None = None
    resting_until: datetime | None = None

    @property
    def sent(self) -> int:
        """Messages that went over the wire."""
        return self.accepted + self.rejected + self.retry + self.in_doubt + self.given_up


def deliver(
    context: Context,
    target: str,
    *,
    limit: int | None = None,
    budget_s: float | None = None,
    wait_s: float = 0.0,
    only_news: bool = False,
    on_batch: Callable[[Mapping[str, int]], None] | None = None,
) -> DeliverReport:
    """Deliver what is due to one target until nothing is, ``limit`` dossiers are done, or ``budget_s`` is used up.

    ``wait_s``: how long to wait, in all, for rows that become due again soon (a retry's delay), that other workers
    have, or for a target that rests. ``only_news``: what catches up is left to others. Many workers may run this
    at once. Raises ``CatalogError``, ``MappingError`` or ``LedgerError``; what a target answers is never an exception
    but a verdict in the report.
    """
    entry = context.catalog.target(target)
    mapping = mappings.load(entry.mapping, mappings.Direction.TARGET)
    course = _Course(context, entry, limit=limit, only_news=only_news, on_batch=on_batch)
    with ExitStack() as stack:
        gate = stack.enter_context(Gate(context.engine, entry))
        senders = stack.enter_context(Senders(lambda: context.open_target(target, gate), entry.concurrency, gate))
        course.expand()

        def lane(_: int) -> None:
            clock = _Clock(budget_s=budget_s, wait_s=wait_s)
            course.run(Waves(context, entry, mapping, senders, gate, lambda: clock.is_over), gate, clock)

        with ThreadPoolExecutor(_lanes(entry), thread_name_prefix="lane") as pool:
            list(pool.map(lane, range(_lanes(entry))))
    backlog = delivery.backlog(context.engine, target)
    return DeliverReport(
        target=target,
        remaining=backlog.due + backlog.due_later + backlog.leased + backlog.doubt,
        resting=course.rest.why if course.rest else None,
        resting_until=course.rest.until if course.rest else None,
        **course.counts,
    )


def _lanes(entry: TargetEntry) -> int:
    """Where doubt is for ever, no more may be written down as sent than one lane's calls carry."""
    operations = (entry.operations.dossier, entry.operations.step)
    return 1 if any(each and each.in_doubt in (InDoubt.GIVE_UP, InDoubt.RISK_DOUBLE) for each in operations) else _LANES


class _Clock:
    """A lane's time: the run's budget, and how much of its patience is left."""

    def __init__(self, *, budget_s: float | None, wait_s: float) -> None:
        self._end = None if budget_s is None else time.monotonic() + budget_s
        self._patience_s = wait_s
        self._for_others_s = _OTHERS_LONGEST_S

    @property
    def is_over(self) -> bool:
        return self._end is not None and time.monotonic() >= self._end

    def wait_for(self, backlog: Backlog, sleep: Callable[[float], object]) -> bool:
        """Sleep until something may be due, within the patience left; False when there is nothing to wait for.

        Nobody can tell when other workers will be done with what they have: mostly long before their lease ends.
        """
        due_at = backlog.next_due_at
        if backlog.leased and self._for_others_s > 0:
            look_at = now() + timedelta(seconds=_OTHERS_S)
            if due_at is None or look_at < due_at:
                patience_s = self._patience_s
                waited = self.wait_until(look_at, sleep)
                self._for_others_s -= patience_s - self._patience_s
                return waited
        return self.wait_until(due_at, sleep)

    def wait_until(self, moment: datetime | None, sleep: Callable[[float], object] = time.sleep) -> bool:
        """Sleep until ``moment``; False when that is beyond the patience left, or nobody knows when."""
        if moment is None:
            return False
        pause = max((moment - now()).total_seconds(), _SHORTEST_PAUSE_S)
        if pause > self._patience_s:
            return False
        began = time.monotonic()
        sleep(pause)
        self._patience_s -= time.monotonic() - began
        return True


class _Course:
    """What the lanes of one run share: how much is done, how it went, and why it ends."""

    def __init__(
        self,
        context: Context,
        entry: TargetEntry,
        *,
        limit: int | None,
        only_news: bool,
        on_batch: Callable[[Mapping[str, int]], None] | None,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.rest: Rest | None = None
        self._context, self._entry, self._on_batch = context, entry, on_batch
        calls = max(entry.batch.dossiers, entry.batch.steps) * entry.concurrency * _CLAIM_CALLS
        self._claim_size = max(calls, _CLAIM_AT_LEAST)
        self._only_news = only_news
        self._left = limit
        self._looked_at = float("-inf")
        self._fruitless = 0
        self._failed = False
        self._guard = threading.Lock()
        self._settled, self._batches = threading.Condition(self._guard), 0

    def expand(self) -> bool:
        """Make due what changed; whether there was anything."""
        self._looked_at = time.monotonic()
        made_due = 0
        while more := delivery.expand_feed(self._context.engine, self._entry.system):
            made_due += more
        return made_due > 0

    def run(self, waves: Waves, gate: Gate, clock: _Clock) -> None:
        """One lane, from claim to claim."""
        try:
            self._run(waves, gate, clock)
        except BaseException:
            with self._settled:
                self._failed = True
                self._settled.notify_all()
            raise
        finally:
            waves.give_back()

    def _run(self, waves: Waves, gate: Gate, clock: _Clock) -> None:
        # A target that takes nothing, time and again, is down: what is due waits for the next run.
        while not clock.is_over and not self._failed and self._fruitless < _FRUITLESS_BATCHES and self._left != 0:
            self.rest = gate.rest()
            if self.rest is not None:
                if clock.wait_until(self.rest.until):
                    continue
                return
            if time.monotonic() - self._looked_at >= _LOOK_EVERY_S:
                self.expand()
            batches = self._batches
            size = self._take()
            rows = delivery.claim(
                self._context.engine,
                self._context.sealer,
                self._entry.system,
                owner=waves.owner,
                limit=size,
                lease_s=self._entry.lease_s,
                only_news=self._only_news,
                with_steps=Message.STEP in self._entry.messages,
                with_other_codes=self._entry.other_codes,
            )
            self._put_back(size - len(rows))
            if not rows:
                if self.expand():
                    continue
                backlog = delivery.backlog(self._context.engine, self._entry.system)
                if clock.wait_for(backlog, partial(self._sleep, batches)):
                    continue
                return
            before, known = waves.progress, Counter(waves.counts)
            waves.process(rows)
            self._add(waves.counts - known, fruitful=waves.progress > before)

    def _sleep(self, batches: int, longest_s: float) -> None:
        """What is leased may be the other lane's, which is done with it long before the lease ends."""
        with self._settled:
            self._settled.wait_for(lambda: self._failed or self._batches != batches, longest_s)

    def _take(self) -> int:
        with self._guard:
            size = self._claim_size if self._left is None else min(self._claim_size, self._left)
            self._left = None if self._left is None else self._left - size
        return size

    def _put_back(self, size: int) -> None:
        with self._guard:
            self._left = None if self._left is None else self._left + size

    def _add(self, counts: Counter[str], *, fruitful: bool) -> None:
        with self._guard:
            self.counts += counts
            self._fruitless = 0 if fruitful else self._fruitless + 1
            self._batches += 1
            self._settled.notify_all()
            if self._on_batch:
                self._on_batch(dict(self.counts))
