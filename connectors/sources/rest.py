"""Source for any system that answers HTTP calls with JSON, driven by its catalog entry alone (``options/rest.py``).

This puts the parts of ``connectors.rest`` together; how each pull style reads is told in ``rest/styles.py`` and
``rest/queue.py``. Records are JSON objects as they came, or ``{"list": …, "detail": …}`` where the entry asks for
details; what the entry cuts is gone from the records and from the raw bytes of the page.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors import archived
from connectors.api import CheckResult, Page, Window
from connectors.catalog_models import PullStyle, SourceEntry
from connectors.connections import ConnectionSettings
from connectors.cutting import Cuts
from connectors.http import HttpClient
from connectors.options.rest import RestOptions
from connectors.rest import styles
from connectors.rest.answers import Reader
from connectors.rest.asking import Acknowledgements, Details, OpenList, Refreshed, Refreshes, detail_in, joined
from connectors.rest.calls import Call, Caller
from connectors.rest.listing import Listing
from connectors.rest.queue import queue
from connectors.retry import RetryPolicy
from connectors.signing import signer
from connectors.sources.checking import Checks
from connectors.xroad_rest import XRoadRestClient

_UNKNOWN_CODE = "000.00.00.H00-000000-0000"
"""A dossier code that no system holds: what an open-list system is asked about in a check."""


class RestSource:
    """Pulls records by HTTP and JSON."""

    def __init__(
        self,
        entry: SourceEntry,
        settings: ConnectionSettings,
        *,
        retry: RetryPolicy | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``retry`` replaces how calls are repeated, ``monotonic`` the clock that says how long a pass took."""
        options = entry.options
        if not isinstance(options, RestOptions):
            raise TypeError("a rest source needs RestOptions")
        self._entry = entry
        self._options = options
        self._monotonic = monotonic
        self._clients: list[HttpClient] = []
        self._http = self._client(settings)
        # Signing in has a client of its own: the keeper may be used by the thread that reads and the one that stores.
        self._signer = signer(options.auth, self._sign_in_client(settings))
        policy = retry or RetryPolicy()
        self._caller = Caller(self._http, self._signer, policy)
        self._reader = Reader(entry.system, options.answer, Cuts(entry.cut))
        self._listings = [
            Listing(self._caller, Call(request), self._reader, options.paging)
            for request in (options.request, *options.more_requests)
        ]
        self._acknowledgements = (
            Acknowledgements(Caller(self._client(settings), self._signer, policy), options.acknowledge)
            if options.acknowledge
            else None
        )

    def pull(
        self, *, window: Window | None, cursor: str | None, open_codes: Sequence[str], now: datetime
    ) -> Iterator[Page]:
        """See ``connectors.api.Source``. A ``window`` means nothing to ``queue``, ``snapshot`` and ``open-list``."""
        parts, pull = self._parts(), self._entry.pull
        match pull.style:
            case PullStyle.CHANGED_SINCE:
                yield from styles.changed_since(parts, window, cursor, now)
            case PullStyle.WINDOW:
                yield from styles.window(parts, window, cursor, open_codes, now)
            case PullStyle.NEWEST_FIRST:
                yield from styles.newest_first(parts, window, cursor, now)
            case PullStyle.OPEN_LIST:
                yield from styles.open_list(parts, open_codes, self._open_list())
            case PullStyle.SNAPSHOT:
                yield from styles.snapshot(parts)
            case PullStyle.QUEUE if self._acknowledgements is not None:
                yield from queue(parts, self._reader, self._acknowledgements)
            case _:
                raise TypeError(f"no pull style {pull.style} for protocol rest")

    def check(self) -> list[CheckResult]:
        """Contract, connection, sign-in and one small read: a page of one record, or an unknown dossier asked for."""
        checks = Checks(self._entry, self._http)
        checks.contract()
        if checks.reachable() and checks.attempt("sign-in", self._signer.sign_in):
            checks.attempt("read", self._read_little, "the system answers as the catalog says")
        return checks.results

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients:
            client.close()

    def _client(self, settings: ConnectionSettings) -> HttpClient:
        entry, xroad = self._entry, self._options.xroad
        client = (
            HttpClient(entry.system, settings, timeouts=entry.timeouts, limits=entry.limits)
            if xroad is None
            else XRoadRestClient(entry.system, settings, xroad, timeouts=entry.timeouts, limits=entry.limits)
        )
        self._clients.append(client)
        return client

    def _sign_in_client(self, settings: ConnectionSettings) -> HttpClient:
        sso = settings.text("sso_url")
        if not sso:
            return self._client(settings)
        where = replace(settings, host=sso, port=None)
        entry = self._entry
        client = HttpClient(entry.system, where, timeouts=entry.timeouts, limits=entry.limits)
        self._clients.append(client)
        return client

    def _parts(self) -> styles.Parts:
        options, caller, reader = self._options, self._caller, self._reader
        return styles.Parts(
            system=self._entry.system,
            pull=self._entry.pull,
            listings=self._listings,
            details=Details(caller, reader, options.detail) if options.detail else None,
            refreshes=(
                Refreshes(caller, reader, options.refresh, options.detail, options.answer) if options.refresh else None
            ),
            oldest_first=options.answer.oldest_first,
            has_changes=options.answer.changed is not None,
            monotonic=self._monotonic,
        )

    def _open_list(self) -> OpenList:
        pull = self._entry.pull
        per_call = pull.open_list.per_call if pull.open_list else 1
        return OpenList(self._entry.system, self._listings, per_call, pull.page_size)

    def _read_little(self) -> None:
        now = datetime.now(UTC)
        values = {
            **styles.moments(Window(now - timedelta(days=1), now)),
            "ids": [_UNKNOWN_CODE],
            "id": _UNKNOWN_CODE,
        }
        for listing in self._listings:
            next(iter(listing.read(values, 1)))


def reread(entry: SourceEntry, raw: bytes, media_type: str) -> Sequence[Mapping[str, Any]]:
    """The records of a page as it was archived; see ``connectors.factory.reread``."""
    options = entry.options
    if not isinstance(options, RestOptions):
        raise TypeError("a rest source needs RestOptions")
    reader = Reader(entry.system, options.answer, Cuts(entry.cut))
    if media_type != archived.BUNDLE:
        return reader.listing_again(archived.document(entry.system, raw))
    bundle = archived.bundle(entry.system, raw)
    told = [document if document is None else reader.cut(document) for document in bundle.told or ()]
    if bundle.listed is None and bundle.items is None:
        if options.refresh is None:
            raise archived.unreadable(entry.system, "it holds refreshed dossiers, and the catalog entry refreshes none")
        shape = Refreshed(options.refresh, options.detail, options.answer)
        return [record for document in told if (record := shape.record_in(document)) is not None]
    listed = bundle.items
    if listed is None:
        listed = [record for document in bundle.listed or () for record in reader.listing_again(document)]
    if bundle.told is None:
        return listed
    if options.detail is None or len(listed) < len(told):
        raise archived.unreadable(entry.system, "it holds details, and not of what the catalog entry lists")
    # The first page of a long list has the answer about all of it, and the details of the first items only.
    items = listed[: len(told)]
    detail = options.detail
    pairs = zip(items, told, strict=True)
    return joined(items, [detail_in(document, detail, reader.key(item)) for item, document in pairs])
