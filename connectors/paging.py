"""Reading page after page without being led in circles.

A paging server can repeat a page for ever, ignore the page number, announce a thousand million pages, or send an empty
page in the middle. None of these may look like an end, and none may run for ever.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors.errors import BrokenAnswer, Repeated
from connectors.http import Answer

MOST_PAGES = 100_000
"""No listing is longer than this; a server that announces more is not believed."""

MOST_RETURNS = 3
"""Records that change while they are read can bring the same page again; one that comes more often is a circle."""


_STEPS = tuple(timedelta(**{unit: 1}) for unit in ("microseconds", "milliseconds", "seconds", "minutes", "days"))


def next_moment(moment: datetime, alike: Callable[[datetime, datetime], bool]) -> datetime:
    """The next moment that a question can ask from; ``alike``: whether two are written alike in it."""
    later = (moment + step for step in _STEPS)
    return next((each for each in later if not alike(each, moment)), moment + _STEPS[-1])


class LoopGuard:
    """Watches one pass over a listing: raises ``Repeated`` when a page comes again or there is no end."""

    def __init__(self, system: str, *, most_pages: int = MOST_PAGES) -> None:
        self._system = system
        self._most = most_pages
        self._count = 0
        self._previous: int | None = None
        self._seen: Counter[int] = Counter()
        self._total: int | None = None
        self.shrank = False
        """Whether the total went down meanwhile: records moved up, and one may have slipped between two pages."""

    def see(self, keys: Sequence[Hashable], total: int | None = None) -> None:
        """Take note of one page by the identities of its records, in order, and of the total it announces."""
        self._count += 1
        current = hash(tuple(keys))
        self._seen[current] += bool(keys)
        if keys and (current == self._previous or self._seen[current] > MOST_RETURNS):
            raise Repeated(
                self._system,
                f"page {self._count} holds the same records as the page before, or as several earlier ones",
                "The system ignores the page number or repeats a page: tell its owner",
            )
        if self._count > self._most:
            raise Repeated(self._system, f"no end after {self._most} pages", "Narrow the window, or tell its owner")
        self.shrank = self.shrank or (total is not None and self._total is not None and total < self._total)
        self._previous, self._total = current, total


@dataclass(frozen=True, slots=True)
class SpringPage:
    """One page as Spring Data writes it. ``total`` is ``None`` for slices, which do not count."""

    content: Sequence[Mapping[str, Any]]
    last: bool
    total: int | None


def spring_page(answer: Answer, asked: int | None) -> SpringPage:
    """Read a Spring page and check that it is the one asked for (numbers from 0); raises ``BrokenAnswer``.

    ``None``: it is known to be."""
    body = answer.json_object()
    content, last, number, total = (body.get(key) for key in ("content", "last", "number", "totalElements"))

    def broken(problem: str) -> BrokenAnswer:
        page = "" if asked is None else f", page {asked}"
        return BrokenAnswer(answer.system, f"{answer.where}{page}: {problem}")

    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise broken("'content' is not a list of objects")
    if not isinstance(last, bool):
        raise broken("'last' does not say whether this is the last page")
    if total is not None and (isinstance(total, bool) or not isinstance(total, int) or total < 0):
        raise broken("'totalElements' is not a count")
    if None not in (asked, number) and number != asked:
        raise Repeated(answer.system, f"{answer.where}: asked for page {asked}, got another", "Tell its owner")
    if not content and not last:
        raise broken("it is empty, yet not the last")
    return SpringPage(content, last, total)
