"""A listing from its first page to its last, and whether anything can have slipped between its pages.

While a listing is read, records change: they come in, leave, or move to another page. Who moves down comes twice, which
does no harm. Who moves up past a page boundary is missed, and then either the total has shrunk, or some record came
twice, so that fewer different ones came than there are.
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from connectors.http import Answer
from connectors.options.rest import Paging
from connectors.paging import LoopGuard
from connectors.rest.answers import Found, Reader, Record
from connectors.rest.calls import Call, Caller, Values
from connectors.rest.paging import Seen, Step, first, following


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page of a listing. ``changes`` belongs to ``records`` one by one; ``last``: no page follows."""

    raw: bytes = field(repr=False)
    records: list[Record] = field(repr=False)
    keys: list[Hashable] = field(repr=False)
    changes: list[datetime | None] = field(repr=False)
    total: int | None
    last: bool

    @property
    def newest(self) -> datetime | None:
        """The newest change on the page."""
        return max((change for change in self.changes if change), default=None)


class Listing:
    """One of the entry's listings: the call, how it is paged, how its answers are read."""

    def __init__(self, caller: Caller, call: Call, reader: Reader, paging: Paging) -> None:
        self._caller = caller
        self._call = call
        self._reader = reader
        self._paging = paging

    def read(self, values: Values, size: int) -> "Reading":
        """One reading of it, with ``values`` for the placeholders that do not depend on the page."""
        return Reading(self._caller, self._call, self._reader, self._paging, values, size)

    def asks_differently(self, values: Values, other: Values) -> bool:
        """Whether the request is written otherwise once ``other`` stands in place of some of its ``values``."""
        return self._call.written(values) != self._call.written({**values, **other})


class Reading:
    """One way through a listing; iterate over it once."""

    def __init__(self, caller: Caller, call: Call, reader: Reader, paging: Paging, values: Values, size: int) -> None:
        self._caller = caller
        self._call = call
        self._reader = reader
        self._paging = paging
        self._values = values
        self._size = size
        self._guard = LoopGuard(caller.system)
        self._distinct: set[Hashable] = set()
        self._total: int | None = None
        self._pages = 0

    @property
    def shrank(self) -> bool:
        """Whether the announced total went down meanwhile."""
        return self._guard.shrank

    @property
    def whole(self) -> bool:
        """After the last page: whether surely nothing slipped between two pages, as far as the system tells."""
        counted = self._total is None or len(self._distinct) >= self._total
        return self._pages == 1 or (counted and not self.shrank)

    def __iter__(self) -> Iterator[Sheet]:
        """Page by page. Raises ``BrokenAnswer`` for a listing that ends early, ``Repeated`` for one that circles."""
        step: Step | None = first(self._paging, self._size)
        arrived = 0
        while step is not None:
            found = self._page(step)
            keys = self._reader.identities(found.records)
            changes = self._reader.changes(found.records)
            # With its last change: a record that changed and moved on may come again, even with the same neighbours.
            self._guard.see(list(zip(keys, changes, strict=True)), found.total)
            self._distinct.update(keys)
            self._total = found.total
            self._pages += 1
            arrived += len(found.records)
            step = following(
                self._paging,
                step,
                Seen(
                    system=self._caller.system,
                    where=self._call.where,
                    document=found.document,
                    headers=found.headers,
                    count=len(found.records),
                    arrived=arrived,
                    total=found.total,
                ),
                self._size,
            )
            yield Sheet(
                found.raw,
                found.records,
                keys,
                changes,
                found.total,
                last=step is None,
            )

    def _page(self, step: Step) -> Found:
        def read(answer: Answer) -> Found:
            if answer.status in self._call.absent_status:
                return Found(b"null", None, answer.headers, [])
            return self._reader.listing(answer)

        values = {**self._values, **step.values}
        return self._caller.ask(self._call, values, read, link=step.link, accept_status=self._call.absent_status)
