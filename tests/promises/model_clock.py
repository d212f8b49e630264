"""The product's clocks in the model's hands.

Time that *passes* is seen by all of them: the database's, the host's, and the one that only counts. The database's own
clock cannot be moved, so its rows are: what was an hour ago is two hours ago now. A clock that *jumps* is one of them
moving alone, forward or back.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta, tzinfo
from unittest.mock import patch

import connectors.targets.npsp
import sync.context
import sync.deliver
import sync.gate
import sync.waves
from ledger.engine import Cursor

_MOMENTS = {
    "delivery_lease": ("until", "sending_at"),  # before deliveries, as everybody locks them
    "delivery": (
        "due_at",
        "wanted_since",
        "sending_at",
        "last_at",
        "verified_at",
        "failing_since",
    ),
    "target_gate": (
        "answered_at",
        "taken_at",
        "broken_since",
        "rest_until",
        "probe_until",
        "asked_until",
        "pace_cut_at",
        "next_turn_at",
        "credit_at",
        "paused_since",
        "paused_until",
    ),
    "sent_again": ("doubt_at",),
    "pull_run": ("started_at", "finished_at"),
}


class Clock:
    """``skew``: how far the host's clock is from the true time; ``passed_s``: what has passed beside real seconds."""

    def __init__(self) -> None:
        self.skew = timedelta()
        self.passed_s = 0.0

    def monotonic(self) -> float:
        """In place of ``time.monotonic``."""
        return time.monotonic() + self.passed_s

    def sleep(self, seconds: float) -> None:
        """In place of ``time.sleep``."""
        time.sleep(seconds)

    def now(self, zone: tzinfo | None = None) -> datetime:
        """In place of ``datetime.now``."""
        return datetime.now(zone) + self.skew

    def passes(self, cursor: Cursor, seconds: float) -> None:
        """Time passes everywhere."""
        self.passed_s += seconds
        self.database_jumps(cursor, seconds)

    def database_jumps(self, cursor: Cursor, seconds: float) -> None:
        """The database's clock alone goes forward, or back."""
        for table, columns in _MOMENTS.items():
            moved = ", ".join(f"{column} = {column} - make_interval(secs => %(seconds)s)" for column in columns)
            cursor.execute(f"UPDATE {table} SET {moved}", {"seconds": seconds})


@contextmanager
def ours() -> Iterator[Clock]:
    """The product in this process reads a clock of the model's for the length of the block."""
    clock = Clock()
    with ExitStack() as stack:
        for module in (sync.waves, sync.deliver):
            stack.enter_context(patch.object(module, "time", clock))
        for module in (sync.gate, connectors.targets.npsp):
            stack.enter_context(patch.object(module, "monotonic", clock.monotonic))
        stack.enter_context(patch.object(sync.context, "datetime", clock))
        yield clock
