"""Reading a queue: it hands out messages until each is acknowledged, which happens once the message is stored.

The pages are fetched ahead of being stored, so the queue goes on handing out what is on its way; those messages are
known by their keys and passed over. A listing as long as ``page_size`` may be a batch of more: then it is asked for
again when its messages are acknowledged, by the thread that stores them. Nobody waits long for that thread: when it
acknowledges nothing for a while (it failed, or only looks), the rest is left for the next run.
"""

import logging
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final, Protocol

from connectors.api import Page
from connectors.rest.answers import Reader, Record
from connectors.rest.listing import Sheet
from connectors.rest.styles import Parts

PATIENCE_S: Final = 10.0
"""Seconds without an acknowledgement after which nobody is believed to be storing."""

_log = logging.getLogger(__name__)


class Outstanding:
    """How many pages are yet to be acknowledged."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._count = 0
        self._given_up = False
        self._changed = threading.Condition()

    def add(self) -> None:
        """One more is on its way."""
        with self._changed:
            self._count += 1

    def done(self) -> None:
        """One is acknowledged."""
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def give_up(self) -> None:
        """One could not be acknowledged: the run fails, and nobody comes for the others."""
        with self._changed:
            self._given_up = True
            self._changed.notify_all()

    def wait(self) -> bool:
        """Wait until none is left; false when it was given up, or nothing happened for as long as patience lasts."""
        with self._changed:
            while self._count and not self._given_up:
                if not self._changed.wait(self._patience_s):
                    return False
        return not self._given_up


class Acknowledger(Protocol):
    """Tells the system that messages have arrived; used by the thread that stores them."""

    def send(self, keys: Iterable[Any]) -> None:
        """Acknowledge the messages with these keys."""
        ...


def queue(
    parts: Parts, reader: Reader, acknowledgements: Acknowledger, *, patience_s: float = PATIENCE_S
) -> Iterator[Page]:
    """All messages in the queue, ``page_size`` to a page, at least one page."""
    size = parts.pull.page_size
    seen: set[Any] = set()
    outstanding = Outstanding(patience_s)
    while True:
        listed, before = 0, len(seen)
        for listing in parts.listings:
            for sheet in listing.read({}, size):
                listed += len(sheet.records)
                fresh = [record for key, record in _unseen(sheet, seen)]
                if fresh or not before:
                    yield from _stored(parts, sheet, fresh, reader, acknowledgements, outstanding)
        if len(seen) == before or listed < size:
            return
        if not outstanding.wait():
            _log.warning("%s: nobody acknowledges what was read; the rest stays in the queue", parts.system)
            return


def _unseen(sheet: Sheet, seen: set[Any]) -> Iterator[tuple[Any, Record]]:
    """The records of a sheet that did not come before in this run, and are noted now."""
    for key, record in zip(sheet.keys, sheet.records, strict=True):
        if key not in seen:
            seen.add(key)
            yield key, record


def _stored(
    parts: Parts,
    sheet: Sheet,
    fresh: list[Record],
    reader: Reader,
    acknowledgements: Acknowledger,
    outstanding: Outstanding,
) -> Iterator[Page]:
    """The pages of one sheet, each acknowledged once it is stored. A message whose detail was refused is stored as far
    as it goes, and stays in the queue, so that its detail is asked for again."""
    for page, listed in parts.pages_of(sheet, fresh):
        found = [
            record
            for record, stored in zip(listed, page.records, strict=True)
            if parts.details is None or stored["detail"] is not None
        ]
        if len(found) < len(listed):
            _log.warning("%s: %d messages stay in the queue, without detail", parts.system, len(listed) - len(found))
        keys = [key for record in found if (key := reader.key(record)) is not None]
        if len(keys) < len(found):
            _log.warning("%s: %d messages have no key to acknowledge", parts.system, len(found) - len(keys))

        def after_store(keys: list[Any] = keys) -> None:
            try:
                acknowledgements.send(keys)
            except BaseException:
                outstanding.give_up()
                raise
            outstanding.done()

        outstanding.add()
        yield replace(page, after_store=after_store)
