"""The pull styles: what is asked for, in which order, and when the cursor may move.

Each style is a function that yields pages. ``Parts`` is what they are made of: the entry, its listings, and whatever
else it has. A cursor moves only with the last page of what it vouches for.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors import archived, windows
from connectors.api import Page, Window
from connectors.catalog_models import Pull
from connectors.errors import ContractBroken
from connectors.paging import LoopGuard, next_moment
from connectors.passes import Newest, Pass, Reach, until_whole
from connectors.rest.answers import Record
from connectors.rest.asking import Details, OpenList, Refreshes, chunks
from connectors.rest.calls import Values
from connectors.rest.listing import Listing, Sheet


@dataclass(frozen=True)
class Parts:
    """What a pull is made of. ``listings``: the request and the further ones."""

    system: str
    pull: Pull
    listings: Sequence[Listing]
    details: Details | None
    refreshes: Refreshes | None
    oldest_first: bool
    has_changes: bool
    monotonic: Callable[[], float]
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def pages(self, sheet: Sheet, cursor: str | None = None, *, completes: bool = False) -> Iterator[Page]:
        """The pages of one sheet, at least one; ``cursor`` and ``completes`` belong to the last."""
        waiting: Page | None = None
        for page, _ in self.pages_of(sheet, sheet.records):
            if waiting is not None:
                yield waiting
            waiting = page
        if waiting is not None:
            yield replace(waiting, cursor=cursor, completes=completes)

    def pages_of(self, sheet: Sheet, listed: Sequence[Record]) -> Iterator[tuple[Page, Sequence[Record]]]:
        """Pages with the listed records they are made of: those of the sheet, or some of them. Details cost a call
        each: then ``page_size`` to a page."""
        whole = len(listed) == len(sheet.records)
        if self.details is None:
            yield self.page(sheet.raw, listed) if whole else self.bundle(listed, items=listed), listed
            return
        answers = [sheet.raw] if whole else None
        for chunk in list(chunks(listed, self.pull.page_size)) or [[]]:
            records, told = self.details.add(chunk)
            yield self.bundle(records, listed=answers, items=None if answers else chunk, told=told), chunk
            answers = None

    def page(self, raw: bytes, records: Sequence[Record], media_type: str = archived.JSON) -> Page:
        """One page, with the answer that it is made of."""
        return Page(next(self.numbers), raw, media_type, records, datetime.now(UTC), None)

    def bundle(self, records: Sequence[Record], **answers: Any) -> Page:
        """One page that is made of several answers, given as to ``archived.bundled``."""
        return self.page(archived.bundled(**answers), records, archived.BUNDLE)


def moments(window: Window) -> dict[str, Any]:
    """The placeholders of a window."""
    return {"since": window.start, "until": window.end}


def changed_since(parts: Parts, window: Window | None, cursor: str | None, now: datetime) -> Iterator[Page]:
    """What has changed since the cursor. A ``window`` is one of changes, and moves no cursor."""
    held = windows.from_text(parts.system, cursor)
    span = window or Window(windows.since(parts.pull, held), now)
    position = _Position(parts.pull, held, now, moves=window is None)
    if parts.oldest_first:
        yield from _onward(parts, span, position, stop_at=window.end if window else None)
        return

    def reached(newest: datetime | None, took_s: float) -> str | None:
        if not parts.has_changes:
            return position.to(span.end)
        # The system's clock stood at least at the newest change when that was read, so at the beginning of the pass at
        # least this much earlier: up to there nothing can have changed behind our back.
        return position.to(newest - timedelta(seconds=took_s)) if newest else None

    yield from until_whole(parts.system, lambda: _pass(parts, moments(span), reached))


def window(
    parts: Parts, given: Window | None, cursor: str | None, open_codes: Sequence[str], now: datetime
) -> Iterator[Page]:
    """By windows over an unchanging date, then each open dossier that none of them brought up.

    With a given window the cursor never moves, and no dossier outside of it is asked for.
    """
    pull = parts.pull
    held = windows.from_text(parts.system, cursor)
    position = _Position(pull, held, now, moves=given is None)
    seen: set[str] = set()
    for part in windows.day_slices(given or Window(windows.since(pull, held), now), pull.window_days):
        whole = yield from _window(parts, part, position, seen)
        if not whole:
            position.stay()  # or the next window would carry it over this one
    if given is None and pull.refresh_open and parts.refreshes is not None:
        for codes in chunks((code for code in open_codes if code not in seen), pull.page_size):
            records, raws = parts.refreshes.read(codes)
            yield parts.bundle(records, told=raws)


def _window(parts: Parts, part: Window, position: "_Position", seen: set[str]) -> Pass:
    """One window; ``seen`` takes the keys of its records."""

    def note(sheet: Sheet) -> None:
        seen.update(map(str, sheet.keys))

    return until_whole(parts.system, lambda: _pass(parts, moments(part), lambda *_: position.to(part.end), note=note))


def newest_first(parts: Parts, given: Window | None, cursor: str | None, now: datetime) -> Iterator[Page]:
    """From the newest change down to the cursor, less the overlap. A ``window`` is one of changes."""
    held = windows.from_text(parts.system, cursor)
    span = given or Window(windows.since(parts.pull, held), now)
    reach = Reach(span.start, held, None if given else now - parts.pull.safety_lag)
    yield from until_whole(parts.system, lambda: _newest_pass(parts, span, reach))


def open_list(parts: Parts, open_codes: Sequence[str], asking: OpenList) -> Iterator[Page]:
    """What the system tells of the dossiers we hold; each is asked about once."""
    for codes in chunks(dict.fromkeys(open_codes), parts.pull.page_size):
        records, raws = asking.read(codes)
        told: Sequence[bytes | None] | None = None
        if parts.details is not None:
            records, told = parts.details.add(records)
        yield parts.bundle(records, listed=raws, told=told)


def snapshot(parts: Parts) -> Iterator[Page]:
    """Everything the system holds. The last page completes it, unless records moved in every pass."""
    yield from until_whole(parts.system, lambda: _pass(parts, {}, lambda *_: None, completes=True))


def _pass(
    parts: Parts,
    values: Values,
    reached: Callable[[datetime | None, float], str | None],
    *,
    completes: bool = False,
    note: Callable[[Sheet], None] | None = None,
) -> Pass:
    """One pass over all listings, in whatever order their records come.

    ``reached`` gives the cursor by the newest change seen and the seconds that the pass took; it and ``completes`` go
    with the very last page, when nothing slipped between two pages. ``note`` is shown every sheet.
    """
    began = parts.monotonic()
    newest: datetime | None = None
    whole = True
    for listing in parts.listings:
        reading = listing.read(values, parts.pull.page_size)
        for sheet in reading:
            if note:
                note(sheet)
            newest = max(filter(None, (newest, sheet.newest)), default=None)
            whole = whole and (not sheet.last or reading.whole)
            done = sheet.last and whole and listing is parts.listings[-1]
            cursor = reached(newest, parts.monotonic() - began) if done else None
            yield from parts.pages(sheet, cursor, completes=completes and done)
    return whole


def _onward(parts: Parts, span: Window, position: "_Position", stop_at: datetime | None) -> Iterator[Page]:
    """A listing sorted by change, oldest first: after each page asked for anew from the last change on.

    What changes meanwhile moves to the end and pulls the others up, but never past that last change. Only where one
    moment (as the request writes it) fills a page does the paging lead on.
    """
    (listing,) = parts.listings
    guard = LoopGuard(parts.system)
    asked: datetime | None = span.start

    def alike(one: datetime, other: datetime) -> bool:
        return not listing.asks_differently(moments(Window(one, span.end)), {"since": other})

    while asked is not None:
        since, asked = asked, None
        for number, sheet in enumerate(listing.read(moments(Window(since, span.end)), parts.pull.page_size)):
            guard.see(())  # the same page again is no circle here; no end at all is one
            changes = _sorted_changes(parts.system, sheet, newest_first=False)
            last = max(since, changes[-1]) if changes else since
            yield from parts.pages(sheet, position.to(changes[-1]) if changes else None)
            if stop_at is not None and last >= stop_at:
                return
            moved_on = not alike(since, last)
            if number and (moved_on or sheet.last):
                # Behind a moment of many pages: whoever left it has pulled the others up, past the last of them.
                asked = next_moment(since, alike)
                break
            if moved_on and not sheet.last:
                asked = last
                break


def _newest_pass(parts: Parts, span: Window, reach: Reach) -> Pass:
    newest = Newest(reach)
    reading = parts.listings[0].read(moments(span), parts.pull.page_size)
    for sheet in reading:
        changes = _sorted_changes(parts.system, sheet, newest_first=True)
        newest.see((change, windows.to_text(change)) for change in changes)
        done = sheet.last or reach.reached(changes)
        yield from parts.pages(sheet, newest.text if done and not reading.shrank else None)
        if done:
            break
    # A record that jumps to the top is missed, but newer than the new cursor: only leaving ones matter here.
    return not reading.shrank


class _Position:
    """Where the cursor goes: never back, never closer to now than the safety lag."""

    def __init__(self, pull: Pull, held: datetime | None, now: datetime, *, moves: bool) -> None:
        self._pull = pull
        self._held = held
        self._now = now
        self._moves = moves

    def stay(self) -> None:
        """From now on it does not move any more."""
        self._moves = False

    def to(self, moment: datetime) -> str | None:
        """The cursor once everything up to ``moment`` is stored; ``None`` when it stays."""
        safe = windows.safe(moment, pull=self._pull, now=self._now)
        if not self._moves or (self._held is not None and safe <= self._held):
            return None
        self._held = safe
        return windows.to_text(safe)


def _sorted_changes(system: str, sheet: Sheet, *, newest_first: bool) -> list[datetime]:
    """The readable changes of a page; raises when it is not sorted by them."""
    changes = [change for change in sheet.changes if change is not None]
    order = "newest first" if newest_first else "oldest first"
    problem = None
    if sheet.records and not changes:
        problem = "no record of a page has a time of change that can be read"
    elif changes != sorted(changes, reverse=newest_first):
        problem = f"a page is not sorted by the time of change, {order}"
    if problem:
        raise ContractBroken(
            system, problem, "Stopping there would lose changes: ask the owner, or pull by windows meanwhile"
        )
    return changes
