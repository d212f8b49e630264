"""Reading a listing that moves while it is read: again, until one pass was whole.

Records that leave a listing pull the others up, and one can slip between two pages. Whoever reads notices (the total
shrinks, or fewer different records come than are announced), and then the only cure is to read once more.
"""

import logging
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.api import Page

MOST_PASSES = 3

Pass = Generator[Page, None, bool]
"""The pages of one pass; gives back whether surely nothing slipped between them."""

_log = logging.getLogger(__name__)


def until_whole(system: str, one_pass: Callable[[], Pass]) -> Pass:
    """The pages of as many passes as it takes, at most three; gives back whether the last one was whole.

    Whoever makes the pages moves no cursor on those of a pass that was not whole.
    """
    for _ in range(MOST_PASSES):
        if (yield from one_pass()):
            return True
    _log.warning(
        "%s: records moved in each of %d passes over the listing; the cursor stays, and no snapshot is complete",
        system,
        MOST_PASSES,
    )
    return False


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a pass from the newest change down reads, and where the cursor may go.

    ``until``: stop below this change; ``held``: where the cursor is; ``limit``: the latest it may become, ``None`` when
    it must not move.
    """

    until: datetime | None
    held: datetime | None
    limit: datetime | None

    def reached(self, changes: Sequence[datetime]) -> bool:
        """Whether a page with these changes, newest first, goes below what is read."""
        return self.until is not None and bool(changes) and changes[-1] < self.until


class Newest:
    """The newest change that the cursor may point at, in the words of the cursor."""

    def __init__(self, reach: Reach) -> None:
        self._held = reach.held
        self._limit = reach.limit
        self.text: str | None = None

    def see(self, changes: Iterable[tuple[datetime, str]]) -> None:
        """Take note of the changes on one page."""
        for moment, text in changes:
            if self._limit is None or moment > self._limit or (self._held is not None and moment <= self._held):
                continue
            self._held, self.text = moment, text
