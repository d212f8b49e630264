"""Ctrl-C at any moment: the first one starts the orderly way out, the second one ends the waiting in it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from cli.up.errors import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """Turns the first stop signal into ``Interrupted``, later ones into ``impatient``.

    Main thread only. Inside ``uninterrupted()`` the exception is held back until the block ends, so that no process
    is started without being booked.
    """

    def __init__(self) -> None:
        self.stopping = False
        self.impatient = False
        self._held = 0
        self._pending = False

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Handle the stop signals within the block; afterwards everything is as before."""
        before = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def uninterrupted(self) -> Iterator[None]:
        """Hold the exception back until the end of the block."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
            if self._pending and not self._held:
                self._pending = False
                raise Interrupted

    def begin_stop(self) -> None:
        """From now on a signal does not interrupt any more, it only shortens the waiting."""
        self.stopping = True
        self._pending = False

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self.stopping:
            self.impatient = True
        elif self._held:
            self._pending = True
        else:
            self.stopping = True
            raise Interrupted
