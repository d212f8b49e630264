"""A whole listing read in pages by offset, while rows come and go behind our back: complete, or an error.

Offsets move when rows in front of them are added or taken away. So every page overlaps the one before by one row, the
*anchor*:

* the anchor comes first: nothing moved;
* the anchor comes later: rows were added in front; those between were read before or are newer than the listing;
* the anchor is not there: rows in front were taken away and some were stepped over; the listing begins again.

Read that way, rows may be added all the time and still none that was there at the beginning is missed. A server that
repeats a page for ever, stops short of its own total, or gives rows twice is found out by the count.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.errors import Repeated

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OffsetPage:
    """Rows of one page, and how many rows the server says there are in all."""

    total: int
    rows: Sequence[Row]


class _LostPlaceError(Exception):
    """This pass cannot be complete; never leaves the module."""


def complete_listing(
    system: str,
    fetch: Callable[[int, int], OffsetPage],
    identity: Callable[[Row], Hashable],
    *,
    size: int,
    attempts: int,
) -> Iterator[Row]:
    """Every row once, streamed. ``fetch(start, end)`` reads one page, ``end`` exclusive; ``size`` is at least 2.

    After a lost place the listing is read again from the start, at most ``attempts`` times, giving only rows not given
    yet. Raises ``Repeated`` when no pass was complete, and whatever ``fetch`` and ``identity`` raise.
    """
    given: set[Hashable] = set()
    reason = ""
    for _ in range(attempts):
        seen: set[Hashable] = set()
        try:
            for key, row in _one_pass(fetch, identity, size, seen):
                if key not in given:
                    yield row
        except _LostPlaceError as lost:
            given |= seen
            reason = str(lost)
            continue
        return
    raise Repeated(
        system,
        f"the listing was read {attempts} times and was never complete: {reason}",
        "Read it when the system is quiet; if it stays so, ask the owner whether offsets and total can be trusted",
    )


def _one_pass(
    fetch: Callable[[int, int], OffsetPage], identity: Callable[[Row], Hashable], size: int, seen: set[Hashable]
) -> Iterator[tuple[Hashable, Row]]:
    offset = 0
    anchor: Hashable | None = None
    smallest_total: int | None = None
    while True:
        start = offset if anchor is None else offset - 1
        page = fetch(start, start + size)
        smallest_total = page.total if smallest_total is None else min(smallest_total, page.total)
        keyed = [(identity(row), row) for row in page.rows]
        fresh = keyed if anchor is None else _after(anchor, keyed, start)
        for key, row in fresh:
            if key not in seen:
                seen.add(key)
                yield key, row
        if keyed:
            offset, anchor = start + len(keyed), keyed[-1][0]
        if offset >= page.total and (len(keyed) < size or not fresh):
            break
        if not fresh:
            raise _LostPlaceError(f"the page at {start} brings nothing new, of {page.total} rows {len(seen)} were read")
    if len(seen) < smallest_total:
        raise _LostPlaceError(f"it ended after {len(seen)} different rows, though there are at least {smallest_total}")


def _after(anchor: Hashable, keyed: Sequence[tuple[Hashable, Row]], start: int) -> Sequence[tuple[Hashable, Row]]:
    for position, (key, _) in enumerate(keyed):
        if key == anchor:
            return keyed[position + 1 :]
    raise _LostPlaceError(f"at row {start} the rows had moved forward, so some were stepped over")
