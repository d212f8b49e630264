"""Source for systems that call us: what they said waits in the inbox, and is read from there in the order it came.

The cursor is the position of the last call that was stored in the ledger. A record is ``{"kind", "received_at",
"body"}``, and a page's raw bytes are the list of its records, with each body as it came.

Systems that only call about dossiers they were told of are told here too (``announce``), after the calls are read.
"""

import itertools
import logging
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from connectors import archived
from connectors.api import CheckResult, Page, Window
from connectors.auth import Keeper, bearer, oauth2_password, signed_in
from connectors.catalog_models import SourceEntry
from connectors.connections import ConnectionSettings
from connectors.errors import ContractBroken, Refused
from connectors.http import HttpClient
from connectors.inbound import secret_of
from connectors.inbox import Inbox, StoredCall
from connectors.options.inbound import Announce, InboundOptions
from connectors.retry import RetryPolicy, repeat
from connectors.sources.checking import Checks
from connectors.templates import value_template
from connectors.values import value_at
from schemas.identifiers import dossier_long, dossier_short

_log = logging.getLogger(__name__)


class InboundSource:
    """Reads the calls of one system."""

    def __init__(
        self,
        entry: SourceEntry,
        settings: ConnectionSettings,
        *,
        inbox: Inbox | None = None,
        retry: RetryPolicy | None = None,
    ) -> None:
        """Without an ``inbox`` it can be checked and not pulled. ``retry`` replaces how announcements are repeated."""
        options = entry.options
        if not isinstance(options, InboundOptions):
            raise TypeError("an inbound source needs InboundOptions")
        self._entry = entry
        self._options = options
        self._settings = settings
        self._inbox = inbox
        self._retry = retry or RetryPolicy()
        self._http = HttpClient(entry.system, settings, timeouts=entry.timeouts, limits=entry.limits)

    def pull(
        self, *, window: Window | None, cursor: str | None, open_codes: Sequence[str], now: datetime
    ) -> Iterator[Page]:
        """See ``connectors.api.Source``. With a ``window`` the calls that came in it and are still kept.

        ``open_codes`` are the codes of the dossiers that the system should know of.
        """
        inbox = self._inbox
        if inbox is None:
            raise TypeError("an inbound source is pulled from an inbox")
        size = self._entry.pull.page_size
        numbers = itertools.count(1)
        if window is not None:
            for calls in _pieces(
                lambda position: inbox.received(*_span(window), position=position, limit=size), 0, size
            ):
                yield _page(next(numbers), calls, cursor=None)
            return

        def forget() -> None:
            inbox.forget(now - self._options.keep)

        for calls in _pieces(lambda position: inbox.after(position, size), self._position(cursor), size):
            yield _page(next(numbers), calls, cursor=str(calls[-1].position), after_store=forget)
        if self._options.announce is not None and open_codes:
            _Announcer(self._entry, self._options.announce, self._http, self._retry).announce(inbox, open_codes)

    def check(self) -> list[CheckResult]:
        """Contract and secret; where dossiers are announced, connection and sign-in too."""
        checks = Checks(self._entry, self._http)
        checks.contract()
        checks.attempt("secret", lambda: secret_of(self._settings), "callers must know a secret, which is long enough")
        announce = self._options.announce
        if announce is not None and checks.reachable():
            announcer = _Announcer(self._entry, announce, self._http, self._retry)
            checks.attempt("sign-in", announcer.sign_in, "signed in")
        return checks.results

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _position(self, cursor: str | None) -> int:
        try:
            return int(cursor or 0)
        except ValueError:
            raise ContractBroken(
                self._entry.system,
                "the stored cursor is no position in the inbox",
                "The system was pulled in another way before: remove its row of pull_cursor",
            ) from None


def _span(window: Window) -> tuple[datetime, datetime]:
    return window.start, window.end


def _pieces(read: Callable[[int], Sequence[StoredCall]], position: int, size: int) -> Iterator[Sequence[StoredCall]]:
    """Everything behind ``position``, ``size`` calls at a time; a piece that is not full is the last."""
    while calls := read(position):
        yield calls
        if len(calls) < size:
            return
        position = calls[-1].position


def _page(
    number: int, calls: Sequence[StoredCall], *, cursor: str | None, after_store: Callable[[], None] | None = None
) -> Page:
    records = [
        {"kind": call.kind, "received_at": call.received_at.isoformat(), "body": orjson.loads(call.body)}
        for call in calls
    ]
    raw = b",".join(
        b'{"kind":%b,"received_at":%b,"body":%b}'
        % (orjson.dumps(record["kind"]), orjson.dumps(record["received_at"]), call.body)
        for record, call in zip(records, calls, strict=True)
    )
    return Page(
        number=number,
        raw=b"[" + raw + b"]",
        media_type=archived.JSON,
        records=records,
        fetched_at=datetime.now(UTC),
        cursor=cursor,
        after_store=after_store,
        told_at=min(call.received_at for call in calls),
    )


def reread(entry: SourceEntry, raw: bytes, media_type: str) -> Sequence[Mapping[str, Any]]:
    """The records of a page as it was archived; see ``connectors.factory.reread``."""
    records = archived.document(entry.system, raw) if media_type == archived.JSON else None
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise archived.unreadable(entry.system, "it is no list of calls")
    return records


class _Announcer:
    """Tells the system about dossiers."""

    def __init__(self, entry: SourceEntry, announce: Announce, http: HttpClient, retry: RetryPolicy) -> None:
        self._entry = entry
        self._announce = announce
        self._http = http
        self._retry = retry
        self._body = value_template(announce.body)
        self._keeper = Keeper(oauth2_password(http, announce.token_path))
        self._already = tuple(_folded(words) for words in announce.already)

    def sign_in(self) -> None:
        """Get a token."""
        self._keeper.value()

    def announce(self, inbox: Inbox, codes: Sequence[str]) -> None:
        """Announce what is new. Each is noted at once: whoever is killed in between repeats one at most."""
        refused = 0
        for code in inbox.to_announce(codes)[: self._announce.per_run]:
            accepted = self._tell(code)
            inbox.note_announced(code, accepted=accepted)
            refused += not accepted
        if refused:
            _log.warning(
                "%s: %d announced dossiers were refused; they are announced again in a day", self._entry.system, refused
            )

    def _tell(self, code: str) -> bool:
        """Whether the system takes the dossier. May be repeated: one that it knows already is as good."""
        form = dossier_long if self._announce.code == "long" else dossier_short
        body = self._body({"id": form(code)}.__getitem__)

        def call(token: str) -> Any:
            return self._http.request("POST", self._announce.path, json=body, headers=bearer(token)).json_object()

        try:
            answer = repeat(lambda: signed_in(self._keeper, call), policy=self._retry)
        except Refused:
            return False
        if value_at(answer, self._announce.success) is True:
            return True
        message = _folded(str(value_at(answer, self._announce.message) or ""))
        return any(words in message for words in self._already)


def _folded(text: str) -> str:
    """Without case and diacritics: "Hồ sơ đã tồn tại" as "ho so da ton tai"."""
    plain = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    return " ".join("".join(char for char in plain if not unicodedata.combining(char)).split())
