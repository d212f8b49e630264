"""Source for any system that lists its records in one operation of a WSDL: protocol ``soap``.

What differs between systems stands in the entry's options; here is only how the pull styles use them:

* ``changed-since``: from the overlap before the cursor on. With ``answer.oldest_first`` the cursor moves with every
  page, else with the last one, to the newest change seen (without ``answer.changed``: to now), held back from now.
* ``window``: slices of ``window_days`` days, the cursor moves with the end of each; then the open dossiers, if asked.
* ``snapshot``: everything, every time; the last page says so when surely nothing is missing.

Answers are read while they arrive. A large one becomes several pages; see ``connectors/soap/answers.py``.
"""

import itertools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from connectors import archived, windows
from connectors.api import CheckResult, Page, Window
from connectors.catalog_models import PullStyle, SourceEntry
from connectors.connections import ConnectionSettings
from connectors.errors import Refused
from connectors.options.soap import SoapOptions
from connectors.retry import RetryPolicy
from connectors.soap.answers import MEDIA_TYPE
from connectors.soap.archive import records_again
from connectors.soap.checking import check_service
from connectors.soap.client import Call, SoapClient
from connectors.soap.faults import Absent
from connectors.soap.listing import Listing, Sheet

_log = logging.getLogger(__name__)
_MOST_PASSES = 3
_REFRESHED = f"{MEDIA_TYPE}; of=refresh"
"""Of the raw bytes of refreshed dossiers, whose answers are of another operation."""


class SoapSource:
    """Pulls records by one operation."""

    def __init__(self, entry: SourceEntry, settings: ConnectionSettings, *, retry: RetryPolicy | None = None) -> None:
        """``retry`` replaces how reads are repeated."""
        options = entry.options
        if not isinstance(options, SoapOptions):
            raise TypeError("a soap source needs SoapOptions")
        self._entry = entry
        self._options = options
        self._client = SoapClient(entry, settings, options, retry)
        call = Call(options.operation, options.request, options.answer.success, options.action)
        self._listing = Listing(self._client, call, options.paging, options.answer, entry.pull.page_size)

    def pull(
        self, *, window: Window | None, cursor: str | None, open_codes: Sequence[str], now: datetime
    ) -> Iterator[Page]:
        """See ``connectors.api.Source``. With an explicit ``window`` the cursor never moves."""
        held = windows.from_text(self._entry.system, cursor)
        numbers = itertools.count(1)
        style = self._entry.pull.style
        if style is PullStyle.SNAPSHOT:
            yield from self._snapshot(now, numbers)
        elif style is PullStyle.WINDOW:
            span = window or Window(windows.since(self._entry.pull, held), now)
            yield from self._slices(span, numbers, lambda end: None if window else self._moved(end, held, now))
            if window is None and self._entry.pull.refresh_open:
                yield from self._refreshed(open_codes, numbers)
        elif self._options.answer.oldest_first:
            yield from self._oldest_first(window, held, now, numbers)
        else:
            yield from self._changed(window, held, now, numbers)

    def check(self) -> list[CheckResult]:
        """Contract, operations, connection, drift of the live WSDL, sign-in, and one small read."""
        now = datetime.now(UTC)
        names = [self._options.operation]
        if self._options.refresh is not None:
            names.append(self._options.refresh.operation)
        return check_service(
            self._entry,
            self._client,
            self._options,
            names,
            lambda: self._listing.records,
            lambda: self._listing.try_one({"since": now, "until": now}),
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _changed(
        self, window: Window | None, held: datetime | None, now: datetime, numbers: Iterator[int]
    ) -> Iterator[Page]:
        """What has changed in a span; read again when records moved between its pages meanwhile."""
        pull = self._entry.pull
        span = window or Window(windows.since(pull, held), now)
        newest: datetime | None = None
        for sheet in self._passes({"since": span.start, "until": span.end}):
            newest = max(filter(None, (newest, sheet.newest)), default=None)
            reached = newest if self._options.answer.changed else span.end
            moves = sheet.last and window is None and self._listing.whole and reached is not None
            yield self._page(sheet, numbers, self._moved(reached, held, now) if moves and reached else None)

    def _oldest_first(
        self, window: Window | None, held: datetime | None, now: datetime, numbers: Iterator[int]
    ) -> Iterator[Page]:
        """What has changed, in the order of the changes. A window is one of changes: what changed within it and did
        not change again since."""
        start = window.start if window else windows.since(self._entry.pull, held)
        for sheet in self._listing.read_on(start, {"until": window.end if window else now}):
            cursor = self._moved(sheet.newest, held, now) if sheet.newest and window is None else None
            yield self._page(sheet, numbers, cursor)
            held = windows.from_text(self._entry.system, cursor) or held
            if window is not None and sheet.newest is not None and sheet.newest >= window.end:
                return

    def _slices(self, span: Window, numbers: Iterator[int], cursor: Callable[[datetime], str | None]) -> Iterator[Page]:
        """A span by days; ``cursor`` says where it moves at the end of each slice."""
        whole = True
        for part in windows.day_slices(span, self._entry.pull.window_days):
            for sheet in self._passes({"since": part.start, "until": part.end}):
                reached = sheet.last and whole and self._listing.whole
                yield self._page(sheet, numbers, cursor(part.end) if reached else None)
            whole = whole and self._listing.whole  # the cursor never goes past a slice with a gap in it

    def _passes(self, values: Mapping[str, Any]) -> Iterator[Sheet]:
        """One pass over the listing, and another one each time records moved between its pages meanwhile."""
        for _ in range(_MOST_PASSES):
            yield from self._listing.read(values)
            if self._listing.whole:
                return
        _log.warning("%s: the listing moved in each of %d passes; the cursor stays", self._entry.system, _MOST_PASSES)

    def _snapshot(self, now: datetime, numbers: Iterator[int]) -> Iterator[Page]:
        for sheet in self._passes({"since": windows.first_moment(self._entry.pull), "until": now}):
            yield self._page(sheet, numbers, None, completes=sheet.last and self._listing.whole)

    def _refreshed(self, codes: Sequence[str], numbers: Iterator[int]) -> Iterator[Page]:
        """The open dossiers, one by one. One that the system will not show does not hold up the others."""
        refresh = self._options.refresh
        if refresh is None:
            return
        call = Call(refresh.operation, refresh.request, refresh.success)
        records = self._client.operation(refresh.operation).records(refresh.records)
        refusal, gone = None, 0
        for code in codes:
            try:
                for portion in self._client.listing(call, {"id": code}, records, self._entry.pull.page_size):
                    if portion.records:
                        page = self._page(Sheet(portion, False, None), numbers, None)
                        yield replace(page, media_type=_REFRESHED)
            except Refused as error:
                refusal, gone = error, gone + 1
            except Absent:
                gone += 1
        if refusal is not None and gone == len(codes):
            raise refusal
        if gone:
            _log.warning("%s: does not tell about %d of %d open dossiers", self._entry.system, gone, len(codes))

    def _moved(self, reached: datetime, held: datetime | None, now: datetime) -> str | None:
        return windows.moved(reached, held=held, pull=self._entry.pull, now=now)

    def _page(self, sheet: Sheet, numbers: Iterator[int], cursor: str | None, *, completes: bool = False) -> Page:
        portion = sheet.portion
        records: Sequence[Mapping[str, Any]] = portion.records
        fetched = datetime.now(UTC)
        return Page(next(numbers), portion.raw, MEDIA_TYPE, records, fetched, cursor, completes=completes)


def reread(entry: SourceEntry, raw: bytes, media_type: str) -> Sequence[Mapping[str, Any]]:
    """The records of a page as it was archived; see ``connectors.factory.reread``."""
    options = entry.options
    if not isinstance(options, SoapOptions):
        raise TypeError("a soap source needs SoapOptions")
    if media_type != _REFRESHED:
        return records_again(entry, options, options.operation, options.answer.records, raw)
    if options.refresh is None:
        raise archived.unreadable(entry.system, "it holds a refreshed dossier, and the catalog entry refreshes none")
    return records_again(entry, options, options.refresh.operation, options.refresh.records, raw)
