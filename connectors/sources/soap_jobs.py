"""Source for a system that makes its lists as jobs: protocol ``soap-jobs``.

For each window a list is ordered, its job is asked about with growing pauses until it is done, its result is fetched
page by page, and the job is deleted. A job never outlives its run: when one is killed, the next orders anew. So does a
run whose job is forgotten over there, as by a restart; records that it had read by then are unchanged.
"""

import itertools
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors import windows
from connectors.api import CheckResult, Page, Window
from connectors.catalog_models import PullStyle, SourceEntry
from connectors.connections import ConnectionSettings
from connectors.errors import BrokenAnswer, ConnectorError, ContractBroken, NotSent, OutcomeUnknown
from connectors.options.soap import SoapJobsOptions
from connectors.retry import RetryPolicy
from connectors.soap.answers import MEDIA_TYPE
from connectors.soap.archive import records_again
from connectors.soap.checking import check_service
from connectors.soap.client import Call, SoapClient, as_text
from connectors.soap.faults import Absent, shown
from connectors.soap.listing import Listing, Sheet
from connectors.values import value_at

_log = logging.getLogger(__name__)
_LONGEST_JOB = 200
_ORDERS = 3


class SoapJobsSource:
    """Pulls records by jobs."""

    def __init__(
        self,
        entry: SourceEntry,
        settings: ConnectionSettings,
        *,
        retry: RetryPolicy | None = None,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``retry`` replaces how calls are repeated; ``sleep`` and ``monotonic`` how a job is waited for."""
        options = entry.options
        if not isinstance(options, SoapJobsOptions):
            raise TypeError("a soap-jobs source needs SoapJobsOptions")
        self._entry = entry
        self._options = options
        self._sleep = sleep
        self._monotonic = monotonic
        self._client = SoapClient(entry, settings, options, retry)
        result = options.result
        call = Call(result.operation, result.request, result.answer.success)
        self._result = Listing(self._client, call, result.paging, result.answer, entry.pull.page_size)

    def pull(
        self, *, window: Window | None, cursor: str | None, open_codes: Sequence[str], now: datetime
    ) -> Iterator[Page]:
        """See ``connectors.api.Source``; ``open_codes`` are not needed. The last page of a job moves the cursor to the
        end of its window, held back from now; an explicit ``window`` never moves it."""
        del open_codes
        pull = self._entry.pull
        held = windows.from_text(self._entry.system, cursor)
        span = window or Window(windows.since(pull, held), now)
        numbers = itertools.count(1)
        for part in windows.day_slices(span, pull.window_days):
            newest: datetime | None = None
            for sheet in self._sheets(part):
                newest = max(filter(None, (newest, sheet.newest)), default=None)
                reached = self._reached(part, span, newest) if sheet.last and window is None else None
                text = windows.moved(reached, held=held, pull=pull, now=now) if reached else None
                portion = sheet.portion
                yield Page(next(numbers), portion.raw, MEDIA_TYPE, portion.records, datetime.now(UTC), text)

    def check(self) -> list[CheckResult]:
        """Contract, operations, connection, drift of the live WSDL, and one job for the last minute."""
        now = datetime.now(UTC)
        parts = (self._options.order, self._options.status, self._options.result, self._options.delete)

        def one() -> None:
            for _ in self._job(Window(now - timedelta(minutes=1), now)):
                pass

        names = [part.operation for part in parts if part is not None]
        return check_service(self._entry, self._client, self._options, names, lambda: self._result.records, one)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _reached(self, part: Window, span: Window, newest: datetime | None) -> datetime | None:
        """Up to where everything is read: the end of the slice; of the last one, as far as the system's own clock is
        known to have come."""
        follows_changes = self._entry.pull.style is PullStyle.CHANGED_SINCE and self._options.result.answer.changed
        return newest if follows_changes and part.end == span.end else part.end

    def _sheets(self, window: Window) -> Iterator[Sheet]:
        """The records of one window, by a new job as often as one is forgotten over there."""
        for _ in range(_ORDERS):
            try:
                yield from self._job(window)
                return
            except Absent:
                _log.warning("%s: the job is not known any more over there, and is ordered anew", self._entry.system)
        raise NotSent(
            self._entry.system,
            f"{_ORDERS} jobs one after the other are not known over there any more",
            "The next run orders anew; if it stays, ask the owner how long a list is kept",
        )

    def _job(self, window: Window) -> Iterator[Sheet]:
        """The records of one window, by a job of its own, which is deleted however it ends."""
        job = self._order(window)
        try:
            self._wait(job)
            yield from self._result.read({"job": job})
        finally:
            self._delete(job)

    def _order(self, window: Window) -> str:
        order = self._options.order
        call = Call(order.operation, order.request, order.success)
        try:
            answer = self._client.ask(call, {"since": window.start, "until": window.end})
        except Absent:
            raise ContractBroken(
                self._entry.system,
                f"{order.operation}: 'absent' means nothing where a job is ordered",
                "Take it out of the catalog entry",
            ) from None
        job = as_text(value_at(answer, order.job)) or ""
        if not job or len(job) > _LONGEST_JOB:
            raise BrokenAnswer(self._entry.system, f"{order.operation}: the answer names no job at {order.job}")
        return job

    def _wait(self, job: str) -> None:
        """Return when the job is done; raises when it fails, is too slow, or in a state that nobody knows."""
        status, poll, system = self._options.status, self._options.poll, self._entry.system
        call = Call(status.operation, status.request, status.success)
        give_up = self._monotonic() + poll.deadline.total_seconds()
        pause = poll.first.total_seconds()
        while True:
            state = as_text(value_at(self._client.ask(call, {"job": job}), status.state))
            if state in status.done:
                return
            if state in status.failed:
                raise NotSent(
                    system,
                    f"{status.operation}: the job has failed over there (state {shown(state)})",
                    "The next run orders it anew; if it stays, tell the owner",
                )
            if state not in status.running:
                raise ContractBroken(
                    system,
                    f"{status.operation}: state {shown(state)} of a job is unknown",
                    "Ask the owner what it means, and add it to options.status in the catalog entry",
                )
            if self._monotonic() + pause > give_up:
                raise OutcomeUnknown(
                    system,
                    f"{status.operation}: the job is not done within {poll.deadline.total_seconds():g} s",
                    "If the system is only slow, raise options.poll.deadline, or lower pull.window_days",
                )
            self._sleep(pause)
            pause = min(pause * 2, poll.longest.total_seconds())

    def _delete(self, job: str) -> None:
        delete = self._options.delete
        if delete is None:
            return
        try:
            self._client.ask(Call(delete.operation, delete.request), {"job": job})
        except Absent:
            pass  # what a deletion wants
        except ConnectorError as error:
            _log.warning("%s: a job is left behind: %s", self._entry.system, error.message)


def reread(entry: SourceEntry, raw: bytes, media_type: str) -> Sequence[Mapping[str, Any]]:
    """The records of a page as it was archived; see ``connectors.factory.reread``."""
    del media_type
    options = entry.options
    if not isinstance(options, SoapJobsOptions):
        raise TypeError("a soap-jobs source needs SoapJobsOptions")
    return records_again(entry, options, options.result.operation, options.result.answer.records, raw)
