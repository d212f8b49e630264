"""The gate of a target as one process passes it: every call takes a turn, and tells how it ended.

The limits are those of all processes together (``ledger.gate``). This process speaks to the ledger about once a second,
or when it has run out of turns; in between everything is decided here, without a round trip.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic, sleep
from typing import TYPE_CHECKING
from uuid import uuid4

from connectors.api import Outcome, Verdict
from connectors.connections import Turn
from connectors.errors import NoTurn
from connectors.traffic import quiet_until
from ledger import gate as shared
from ledger.turns import GateRules, Grant, Told
from sync.context import now

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from sqlalchemy import Engine

    from connectors.catalog_models import TargetEntry

_SPEAK_S = 1.0  # how often a process speaks while all is well ...
_SHORT_S = 0.1  # ... and while it has too little
_SLOT_MARGIN_S = 10.0  # slots outlive the longest call that may begin on them by this
_TOO_LATE_S = 0.01  # a turn is used at its moment or not at all ...
_OVERSLEPT_S = 0.05  # ... even when the machine is busy and wakes us late
_TURNS_PER_CALL = 4
_STEP_ASIDE_S = 0.0001  # after a call, for whoever waits for the turn: Python lets a thread run on for 50 times as long
_SLOW_SHARE = 0.9  # of the read time limit: such a call timed out


@dataclass(frozen=True, slots=True)
class Rest:
    """Why nobody calls the target now, in a word, and until when; ``None``: until a person opens it."""

    why: str
    until: datetime | None


QUIET = "quiet"
FULL = "full"  # other processes hold all the calls that are allowed at once


def gate_rules(entry: TargetEntry) -> GateRules:
    """What the catalog entry says, in the ledger's terms."""
    return GateRules(
        concurrent=entry.quota.concurrent,
        per_second=entry.quota.per_second,
        per_day=entry.quota.per_day,
        failures=entry.breaker.failures,
        rest_s=entry.breaker.rest.total_seconds(),
        longest_rest_s=entry.breaker.longest_rest.total_seconds(),
        retry_share=entry.retries.share,
        slot_s=entry.timeouts.total_s + _SLOT_MARGIN_S,
    )


class Gate:
    """One process's way to one target; shared by its threads. A ``Turnstile`` for connectors."""

    def __init__(
        self,
        engine: Engine,
        entry: TargetEntry,
        *,
        reads_only: bool = False,
        clock: Callable[[], datetime] = now,
    ) -> None:
        """``reads_only``: a pause of deliveries does not matter."""
        self._engine, self._entry, self._clock = engine, entry, clock
        self._rules = gate_rules(entry)
        self._metered = self._rules.per_second is not None or self._rules.per_day is not None
        self._told = self._silent = Told(holder=uuid4(), wants=entry.concurrency, reads_only=reads_only)
        self._grant = Grant()
        self._turns: deque[float] = deque()
        self._busy = self._waiting = 0
        self._spoke_at = self._slots_until = float("-inf")
        self._changed = threading.Condition()
        self._local = threading.local()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Tell the rest and give everything back."""
        with self._changed:
            if self._spoke_at > float("-inf"):
                self._speak(wants=0)

    # -- before calls ------------------------------------------------------------------------------------------

    def rest(self) -> Rest | None:
        """Why there is nothing to do now; ``None``: calls may go."""
        quiet = quiet_until(self._entry.quiet, self._clock())
        if quiet is not None:
            return Rest(QUIET, quiet)
        with self._changed:
            if self._is_stale(monotonic(), _SPEAK_S):
                self._speak()
            if self._grant.shut is not None:
                return Rest(self._grant.shut.value, self._grant.until)
            is_full = self._grant.slots == 0 and not self._busy
            return Rest(FULL, self._clock() + timedelta(seconds=_SPEAK_S)) if is_full else None

    @property
    def retries(self) -> int:
        """How many messages that failed before may be tried now; what ails the target is not made worse by them."""
        with self._changed:
            return max(0, self._grant.retries - self._told.failed_retries)

    @contextmanager
    def begun_before(self, deadline: float) -> Iterator[None]:
        """Calls of this thread inside the block begin before ``deadline`` (monotonic seconds) or not at all.

        What is ``sent`` inside is told before anybody else takes the place of a call that did not go well.
        """
        self._local.deadline, self._local.refused, self._local.longest_s = deadline, False, 0.0
        try:
            yield
        finally:
            self._local.deadline = None
            self._leave_at_last()

    @property
    def refused(self) -> bool:
        """Whether a call of this thread's last ``begun_before`` block was not let go."""
        return bool(getattr(self._local, "refused", False))

    # -- calls -------------------------------------------------------------------------------------------------

    @contextmanager
    def turn(self) -> Iterator[Turn]:
        """See ``connectors.connections.Turnstile``."""
        self._leave_at_last()
        deadline = getattr(self._local, "deadline", None)
        while not self._awake_for(self._enter(deadline)):
            pass
        began, turn = monotonic(), Turn()
        try:
            yield turn
        finally:
            self._local.longest_s = max(getattr(self._local, "longest_s", 0.0), monotonic() - began)
            if deadline is None or (turn.went_well and not self._grant.trying):
                self._leave()
            else:
                self._local.stays = True

    def sent(self, verdicts: Sequence[Verdict], *, again: bool) -> None:
        """What became of this thread's ``begun_before`` block; ``again``: its messages had failed before."""
        good = any(each.outcome not in (Outcome.RETRY, Outcome.IN_DOUBT) for each in verdicts)
        asked = max((each.retry_after_s or 0.0 for each in verdicts if each.outcome is Outcome.RETRY), default=0.0)
        timed_out = self._local.longest_s >= self._entry.timeouts.read_s * _SLOW_SHARE
        refused = any(each.outcome is Outcome.RETRY for each in verdicts)
        self._note(good=good, taken=good, slowed=not good and (timed_out or refused), again=again, asked_s=asked)

    def asked(self, *, good: bool) -> None:
        """How a look-up ended."""
        self._note(good=good)

    # -- inside ------------------------------------------------------------------------------------------------

    def _note(
        self, *, good: bool, taken: bool = False, slowed: bool = False, again: bool = False, asked_s: float = 0.0
    ) -> None:
        with self._changed:
            told = self._told
            self._told = replace(
                told,
                answered=told.answered + good,
                failed=told.failed + (not good),
                trailing=0 if good else told.trailing + 1,
                taken=told.taken or taken,
                slowed=told.slowed or slowed,
                failed_retries=told.failed_retries + (again and not good),
                asked_s=max(told.asked_s, asked_s),
            )
            # What concerns everybody is told at once.
            if asked_s or slowed or self._told.trailing >= self._rules.failures or self._grant.trying:
                self._speak()

    def _enter(self, deadline: float | None) -> float:
        """Wait for a slot and a turn; when the call may begin (monotonic seconds)."""
        deadline = monotonic() + self._entry.timeouts.total_s if deadline is None else deadline
        if (quiet := quiet_until(self._entry.quiet, self._clock())) is not None:
            raise self._no_turn("these are quiet hours", quiet)
        with self._changed:
            while True:
                moment = monotonic()
                if self._is_stale(moment, _SPEAK_S) or (self._is_short(moment) and self._is_stale(moment, _SHORT_S)):
                    self._speak()
                    moment = monotonic()  # the ledger may have taken its time
                if moment >= deadline:
                    raise self._no_turn("it waited too long for its turn", None)
                if self._grant.shut is not None:
                    raise self._no_turn(f"calls are stopped ({self._grant.shut})", self._grant.until)
                if self._busy < self._grant.slots and moment < self._slots_until:
                    begins = self._next_turn(moment)
                    if begins is not None:
                        self._busy += 1
                        return begins
                self._waiting += 1
                self._changed.wait(_SHORT_S)
                self._waiting -= 1

    def _awake_for(self, begins: float) -> bool:
        """Sleep until the turn; False when it has gone by, and was given back."""
        if (wait := begins - monotonic()) > 0:
            sleep(wait)
        if not self._rules.per_second or monotonic() - begins <= _OVERSLEPT_S:
            return True
        with self._changed:
            self._busy -= 1
            self._told = replace(self._told, unused=self._told.unused + 1)
            self._changed.notify_all()
        return False

    def _leave(self) -> None:
        with self._changed:
            self._busy -= 1
            self._changed.notify_all()
            is_awaited = self._waiting > 0
        if is_awaited:
            sleep(_STEP_ASIDE_S)

    def _leave_at_last(self) -> None:
        if getattr(self._local, "stays", False):
            self._local.stays = False
            self._leave()

    def _next_turn(self, moment: float) -> float | None:
        if not self._metered:
            return moment
        while self._turns:
            begins = self._turns.popleft()
            if begins >= moment - _TOO_LATE_S or not self._rules.per_second:
                return begins
            self._told = replace(self._told, unused=self._told.unused + 1)
        return None

    def _is_short(self, moment: float) -> bool:
        few = self._grant.slots < self._told.wants and self._busy >= self._grant.slots
        return few or moment >= self._slots_until or (self._metered and not self._turns)

    def _is_stale(self, moment: float, age_s: float) -> bool:
        return moment - self._spoke_at >= age_s

    def _speak(self, *, wants: int | None = None) -> None:
        """One round trip. The lock is held meanwhile: whoever waits for a turn waits for the answer anyway."""
        began = monotonic()
        leaving = wants == 0
        turns = 0 if self._turns or not self._metered or leaving else self._entry.concurrency * _TURNS_PER_CALL
        unused = self._told.unused + (len(self._turns) if leaving else 0)
        told = replace(self._told, busy=self._busy, turns=turns, unused=unused)
        self._grant = shared.sync(
            self._engine, self._entry.system, self._rules, replace(told, wants=0) if leaving else told
        )
        self._told = self._silent
        self._spoke_at = monotonic()
        limited = self._rules.concurrent is not None
        self._slots_until = began + _SLOT_MARGIN_S if limited else float("inf")
        first = self._spoke_at + self._grant.first_turn_s
        self._turns.extend(first + number * self._grant.turn_gap_s for number in range(self._grant.turns))
        self._changed.notify_all()

    def _no_turn(self, why: str, until: datetime | None) -> NoTurn:
        self._local.refused = True
        wait_s = max((until - self._clock()) / timedelta(seconds=1), 0.0) if until else None
        return NoTurn(self._entry.system, f"the call was not made: {why}", retry_after_s=wait_s)
