"""One thread for each target, that brings news there as soon as there is any; a slow target delays no other.

Each delivery is an ordinary one (``deliver.py``), under the same claims and the same gate as those of all workers, for
news alone: what catches up is left to the scheduled pushes, so that no news waits behind it. Between deliveries nothing
is held, neither calls of the target's quota nor a connection to it: one that was left open may be dead by the time it
is needed, and where a lost answer is for ever (EMC) that would cost an event.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from ledger import delivery
from sync.context import now
from sync.deliver import DeliverReport, deliver

if TYPE_CHECKING:
    from sync.context import Context

_LOOK_EVERY_S = 2.0  # for what others have made due: a pull by the clock, a retry, a person
_RUN_S = 30.0
_LONGEST_REST_S = 30.0  # a pause may be lifted at any time
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 2.0, 60.0

_log = logging.getLogger("hosync.follow")


class Couriers:
    """Brings news to all targets until it is told to stop. ``on_delivery`` is called by the couriers' threads."""

    def __init__(
        self,
        context: Context,
        stop: threading.Event,
        *,
        reason: Callable[[BaseException], str],
        on_delivery: Callable[[DeliverReport], None],
    ) -> None:
        self._context, self._stop = context, stop
        self._reason, self._on_delivery = reason, on_delivery
        self._calls = {entry.system: threading.Event() for entry in context.catalog.targets}
        self._threads = [
            threading.Thread(target=self._serve, args=(target,), name=f"courier {target}", daemon=True)
            for target in self._calls
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def call(self) -> None:
        """There may be news, or it is time to stop."""
        for call in self._calls.values():
            call.set()

    def join(self, deadline: float) -> None:
        """Wait for the couriers until ``deadline`` (monotonic seconds)."""
        self.call()
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _serve(self, target: str) -> None:
        call, pause_s = self._calls[target], _FIRST_PAUSE_S
        while not self._stop.is_set():
            call.wait(_LOOK_EVERY_S)
            call.clear()
            try:
                if self._stop.is_set() or not delivery.has_news(self._context.engine, target):
                    continue
                report = deliver(self._context, target, budget_s=_RUN_S, only_news=True)
            except Exception as error:  # of whatever kind: the other targets, and the next try, must go on
                _log.warning("%s: %s", target, self._reason(error))
                self._stop.wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            pause_s = _FIRST_PAUSE_S
            if report.sent or report.unchanged or report.resolved_by_asking:
                self._on_delivery(report)
            if report.resting is not None:
                self._stop.wait(_rest_s(report.resting_until))


def _rest_s(until: datetime | None) -> float:
    left = _LONGEST_REST_S if until is None else (until - now()).total_seconds()
    return min(max(left, 0.1), _LONGEST_REST_S)
