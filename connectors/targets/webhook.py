"""Receivers that are told by HTTP POST and answer with a status: kiosks, display boards, contact centres, SMS gateways.

What is told is made by the mapping alone; here are the id of a message, its signature, and reading back where the
receiver offers it (``webhook_options.py``). A 2xx is a yes; 400, 409, 413, 415 and 422 refuse the message; everything
else (a wrong path, 401, 429, 5xx) is no fault of the message and waits.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from typing import Any

import orjson

from connectors.api import CheckResult, Held, Item, Outcome, Verdict
from connectors.catalog_models import TargetEntry
from connectors.connections import ConnectionSettings
from connectors.errors import BrokenAnswer, ConnectionMissing, ConnectorError, Intent, NotSent, Refused, Repeated
from connectors.http import HttpClient, Params, new_message_id
from connectors.retry import repeat
from connectors.signing import Signature, signer
from connectors.targets.answers import Reply, of_bare_status, of_error
from connectors.targets.batches import Sequences
from connectors.targets.checks import checked
from connectors.targets.held import canonical_code, national_state
from connectors.targets.webhook_options import WebhookListing, WebhookOptions
from connectors.targets.webhook_signature import headers, key_of

_ID_HEADER = "Idempotency-Key"


class WebhookTarget:
    """Tells one receiver. Used by one thread."""

    def __init__(
        self, entry: TargetEntry, settings: ConnectionSettings, *, clock: Callable[[], float] = time.time
    ) -> None:
        """``entry`` with ``WebhookOptions``; ``clock`` gives Unix seconds for the signature."""
        options: WebhookOptions = entry.options
        self._system = entry.system
        self._options = options
        self._batch = entry.batch
        self._clock = clock
        self._keys = _keys(settings) if options.signed else ()
        self._http = HttpClient(entry.system, settings, timeouts=entry.timeouts, limits=entry.limits)
        self._signer = signer(options.auth, self._http)

    def send_dossiers(self, items: Sequence[Item]) -> list[Verdict]:
        """One call per batch; a refused batch is halved down to what is refused. One verdict per item."""
        return self._send(items, self._options.path, self._options.id_from, self._batch.dossiers)

    def send_steps(self, items: Sequence[Item]) -> list[Verdict]:
        """The same for steps, each dossier's in order."""
        path = self._options.steps_path or self._options.path
        return self._send(items, path, self._options.step_id_from, self._batch.steps)

    def lookup(self, code: str, others: Sequence[str] = ()) -> Held | None:
        """A webhook cannot be asked about one dossier: raises ``Refused``."""
        del code, others
        raise Refused(self._system, "a webhook cannot be asked about a dossier", "Set reconcile.method to listing")

    def listing(self) -> Iterator[Held]:
        """Everything the receiver holds, streamed; raises ``ConnectorError`` rather than be incomplete."""
        listing = self._listing_options()
        seen: set[str] = set()
        after: str | None = None
        while True:
            rows, after = repeat(partial(self._page, listing, after))
            yield from (_held(row, listing) for row in rows)
            if after is None:
                return
            if after in seen:
                raise Repeated(self._system, f"GET {listing.path}: it gives the same page again and again")
            seen.add(after)

    def counts(self) -> Mapping[str, int]:
        """A webhook tells no counts: raises ``Refused``."""
        raise Refused(self._system, "a webhook tells no counts", "Set reconcile.method to listing, or none")

    def check(self) -> list[CheckResult]:
        """Sign in, see whether anybody answers, and read a page where there is a listing. Sends no message."""
        trials = [("connection", self._answers)]
        if self._options.listing is not None:
            trials.append(("listing", self._first_page))
        return checked(*trials)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _send(self, items: Sequence[Item], path: str, id_from: Sequence[str], size: int) -> list[Verdict]:
        ids = {item.key: _message_id(item.payload, id_from) for item in items}
        nameless = [item for item in items if not ids[item.key]]
        named = [item for item in items if ids[item.key]]
        reason = f"the mapping gives no {' and '.join(id_from)}, of which the id of a message is made"
        return [
            *(Verdict(item.key, Outcome.REJECTED, reason) for item in nameless),
            *Sequences(lambda batch: self._push(path, batch, ids, is_array=size > 1)).send(named, size),
        ]

    def _push(self, path: str, items: Sequence[Item], ids: Mapping[str, str], *, is_array: bool) -> Reply:
        own = [ids[item.key] for item in items]
        message_id = own[0] if len(own) == 1 else _of_all(own)
        payloads = [item.payload for item in items]
        try:
            self._signed_in()
            return self._signer.call(lambda shown: self._post(path, message_id, payloads, shown, is_array=is_array))
        except ConnectorError as error:
            return of_error(error)

    def _post(
        self, path: str, message_id: str, payloads: Sequence[Mapping[str, Any]], shown: Signature, *, is_array: bool
    ) -> Reply:
        told = [{**payload, **shown.body} for payload in payloads]
        body = orjson.dumps(told if is_array else told[0])
        sent = {"Content-Type": "application/json", _ID_HEADER: message_id, **shown.headers}
        answer = self._http.request(
            "POST", path, params=shown.params or None, content=body, headers=sent | self._proof(message_id, body)
        )
        return of_bare_status(answer)

    def _proof(self, message_id: str, body: bytes) -> dict[str, str]:
        # Signed at the last moment: a receiver turns away what was signed minutes ago.
        return headers(self._keys, message_id, int(self._clock()), body) if self._keys else {}

    def _signed_in(self) -> None:
        """Sign in beforehand, so that trouble with that is never taken for an unclear outcome of the message."""
        try:
            self._signer.sign_in()
        except ConnectorError as error:
            if error.intent is not Intent.ASK:
                raise
            problem = NotSent(error.system, f"signing in: {error.message}", error.next_step)
        else:
            return
        raise problem

    def _page(self, listing: WebhookListing, after: str | None) -> tuple[Sequence[Mapping[str, Any]], str | None]:
        params = {"limit": str(listing.page_size), **({"after": after} if after is not None else {})}

        def read(shown: Signature) -> dict[str, Any]:
            query: Params = {**params, **shown.params}
            sent = {**shown.headers, **self._proof(new_message_id(), b"")}
            return self._http.request("GET", listing.path, params=query, headers=sent).json_object()

        body = self._signer.call(read)
        rows = body.get("data")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise BrokenAnswer(self._system, f"GET {listing.path}: 'data' is not a list of dossiers")
        if "next" not in body or not isinstance(body["next"], str | None):
            # Without it nobody could tell a last page from one that was cut.
            raise BrokenAnswer(self._system, f"GET {listing.path}: 'next' is neither a text nor null")
        if any(not isinstance(row.get(listing.code), str) for row in rows):
            raise BrokenAnswer(self._system, f"GET {listing.path}: a dossier without {listing.code}")
        return rows, body["next"]

    def _listing_options(self) -> WebhookListing:
        if self._options.listing is None:
            raise Refused(self._system, "the receiver has no listing", "Add options.listing, where it has one")
        return self._options.listing

    def _answers(self) -> str:
        self._signed_in()
        self._http.touch()
        how = "; whether it accepts our signature shows with the first message" if self._keys else ""
        return f"{self._http.settings.base_url} answers{how}"

    def _first_page(self) -> str:
        rows, after = self._page(self._listing_options(), None)
        return f"the listing begins with {len(rows)} dossiers{', and goes on' if after is not None else ''}"


def _keys(settings: ConnectionSettings) -> tuple[bytes, ...]:
    previous = settings.text("previous_secret")
    try:
        return (key_of(settings.password), *([key_of(previous)] if previous else []))
    except ValueError as error:
        raise ConnectionMissing(
            settings.conn_id,
            f"messages cannot be signed: {error}",
            "Put the receiver's secret into the password of the connection, or set signed: false in the catalog",
        ) from None


def _message_id(payload: Mapping[str, Any], id_from: Sequence[str]) -> str:
    """The id of a message, empty when the mapping does not give all of it. No dots: they part what is signed."""
    parts = [payload.get(name) for name in id_from]
    if any(part is None or part == "" for part in parts):
        return ""
    return "-".join(map(str, parts)).replace(".", "_")


def _of_all(ids: Sequence[str]) -> str:
    return "batch-" + blake2b("\n".join(ids).encode(), digest_size=16).hexdigest()


def _held(row: Mapping[str, Any], listing: WebhookListing) -> Held:
    fields: dict[str, str] = {
        ours: value for theirs, ours in listing.fields.items() if isinstance(value := row.get(theirs), str) and value
    }
    return Held(code=canonical_code(row[listing.code]), state=national_state(row.get(listing.state)), fields=fields)
