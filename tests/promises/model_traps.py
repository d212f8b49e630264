"""Points in a worker's life that can be counted: every time it begins or ends a transaction with the ledger."""

from __future__ import annotations

import threading
from collections.abc import Callable

from sqlalchemy import Engine, event


class Trap:
    """Does something at the n-th such point of an engine; one thing at a time."""

    def __init__(self, engine: Engine) -> None:
        self._left = 0
        self._unlocked_only = False
        self._act: Callable[[], object] = lambda: None
        self._guard = threading.Lock()
        event.listen(engine, "begin", lambda _: self._pass())
        event.listen(engine, "commit", lambda _: self._pass(is_locked=True))
        event.listen(engine, "checkin", lambda *_: self._pass())

    def set(self, at: int, act: Callable[[], object], *, unlocked_only: bool = False) -> None:
        """``act`` at the ``at``-th point from now; ``unlocked_only``: counting those where no lock is held."""
        with self._guard:
            self._left, self._act, self._unlocked_only = at, act, unlocked_only

    def clear(self) -> None:
        """Nothing happens any more."""
        with self._guard:
            self._left = 0

    def _pass(self, *, is_locked: bool = False) -> None:
        with self._guard:
            if not self._left or (self._unlocked_only and is_locked):
                return
            self._left -= 1
            is_now = self._left == 0
        if is_now:
            self._act()
