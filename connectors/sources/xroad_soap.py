"""Source for a "what has changed since" operation (SOAP) behind an X-Road security server.

The answer is sorted by the time of last change, oldest first, and asked for page by page. Paging by number alone would
lose records: one that changes meanwhile moves to the end and pulls the others up past a page boundary. So after each
page the question is asked anew from the last change seen (ties come twice, which does no harm); a page number above 1
is only used where one moment fills a whole page.

Because of the order the cursor can move with every page: it is the last change read, held back from now.
"""

import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connectors import soap, windows, wsdl, xroad
from connectors.api import CheckResult, Page, Window
from connectors.catalog import contract_path
from connectors.catalog_models import SourceEntry
from connectors.connections import ConnectionSettings
from connectors.errors import BrokenAnswer, ContractBroken, OutcomeUnknown
from connectors.http import Answer, HttpClient, new_message_id
from connectors.options.xroad_soap import XRoadSoapOptions
from connectors.paging import LoopGuard
from connectors.retry import RetryPolicy, repeat
from connectors.sources.checking import Checks
from schemas.times import VN, with_zone

_log = logging.getLogger(__name__)
_DRIFT_FROM = 10
"""From this many records on, a required element that all of them lack is drift of the contract, not bad data."""

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """One request: page ``page`` (from 1) of what has changed at or after ``since``."""

    since: datetime
    page: int = 1


class XRoadSoapSource:
    """Pulls records by one operation of a WSDL."""

    def __init__(self, entry: SourceEntry, settings: ConnectionSettings, *, retry: RetryPolicy | None = None) -> None:
        """``retry`` replaces how reads are repeated."""
        options = entry.options
        if not isinstance(options, XRoadSoapOptions):
            raise TypeError("an xroad-soap source needs XRoadSoapOptions")
        self._entry = entry
        self._retry = retry or RetryPolicy()
        self._options = options
        self._client = settings.text("client", options.client)
        self._service = settings.text("service", options.service)
        self._user_id = settings.text("user_id", options.user_id or "")
        self._http = HttpClient(entry.system, settings, timeouts=entry.timeouts, limits=entry.limits)

    def pull(
        self, *, window: Window | None, cursor: str | None, open_codes: Sequence[str], now: datetime
    ) -> Iterator[Page]:
        """See ``connectors.api.Source``; ``open_codes`` are not needed, every change comes up.

        A ``window`` is one of changes: what changed within it and did not change again since.
        """
        del open_codes
        pull = self._entry.pull
        held = windows.from_text(self._entry.system, cursor)
        question = Question(window.start if window else windows.since(pull, held))
        guard = LoopGuard(self._entry.system)
        for number in itertools.count(1):
            answer, message = self._ask(question, pull.page_size)
            records = message.records
            guard.see([str(record.get(self._options.answer.key)) for record in records])
            changes = self._changes(records)
            last = changes[-1] if changes else question.since
            done = self._is_last(question, message) or (window is not None and last >= window.end)
            position = windows.safe(last, pull=pull, now=now)
            moves = window is None and bool(changes) and (held is None or position > held)
            cursor_text = windows.to_text(position) if moves else None
            held = position if moves else held
            yield Page(number, answer.body, "text/xml", records, datetime.now(UTC), cursor_text)
            if done:
                return
            question = following(question, changes)

    def check(self) -> list[CheckResult]:
        """Contract, connection, and one record through the security server."""
        checks = Checks(self._entry, self._http)
        if checks.contract() and checks.attempt(
            "operation", lambda: self._records(self._operation()), "the contract has the operation"
        ):
            question = Question(datetime.now(UTC))
            if checks.reachable():
                checks.attempt("read", lambda: self._ask(question, 1), "the service answers through X-Road")
        return checks.results

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _operation(self) -> wsdl.Operation:
        return wsdl.load_operation(self._entry.system, contract_path(self._entry), self._options.operation)

    def _records(self, operation: wsdl.Operation) -> wsdl.Records:
        return operation.records(self._options.answer.records)

    def _ask(self, question: Question, size: int) -> tuple[Answer, soap.Message]:
        """One page; raises for faults, and for an answer that does not say how many records there are."""
        operation = self._operation()
        names = self._options.request
        values = {names.since: question.since.astimezone(VN), names.page: question.page, names.size: size}

        def attempt() -> tuple[Answer, soap.Message]:
            # A fresh id for every attempt: both sides' logs, and signed evidence, are looked up by it.
            return self._exchange(operation, values, new_message_id())

        answer, message = repeat(attempt, policy=self._retry)
        self._verify(operation, message.records)
        return answer, message

    def _exchange(
        self, operation: wsdl.Operation, values: Mapping[str, Any], message_id: str
    ) -> tuple[Answer, soap.Message]:
        system = self._entry.system
        headers = xroad.header(client=self._client, service=self._service, message_id=message_id, user_id=self._user_id)
        answer = self._http.request(
            "POST",
            self._options.path,
            content=operation.envelope(headers, values),
            headers={
                "Content-Type": "text/xml; charset=utf-8",
                "SOAPAction": f'"{operation.soap_action}"',
                "Accept": "text/xml",
            },
            accept_status=frozenset({500}),  # how SOAP 1.1 sends faults when no security server is in between
        )
        where = f"{operation.name} (message {message_id})"
        try:
            message = soap.read(answer, response=operation.response, records=self._records(operation))
        except BrokenAnswer:
            if answer.status != 500:
                raise
            raise OutcomeUnknown(system, f"{where}: HTTP 500 without a SOAP fault", status=500) from None
        if message.fault is not None:
            raise xroad.of_fault(system, where, message.fault)
        if message.header.get("id", message_id) != message_id:
            raise BrokenAnswer(system, f"{where}: the answer is to another message")
        self._total(message)
        return answer, message

    def _total(self, message: soap.Message) -> int:
        name = self._options.answer.total
        text = (message.leaves.get(name) or "").strip()
        if not text.isascii() or not text.isdigit():
            raise BrokenAnswer(
                self._entry.system,
                f"{self._options.operation}: the answer has no {name}, so an empty list cannot be believed",
                "Tell the owner of the service",
            )
        return int(text)

    def _is_last(self, question: Question, message: soap.Message) -> bool:
        total, size = self._total(message), self._entry.pull.page_size
        read = (question.page - 1) * size + len(message.records)
        if not message.records and read < total:
            raise BrokenAnswer(
                self._entry.system,
                f"{self._options.operation}: page {question.page} is empty, yet {total} records are announced",
                "If this stays, the contract has drifted: compare it with the service",
            )
        return read >= total

    def _changes(self, records: Sequence[Record]) -> list[datetime]:
        """The times of change on one page, in order; raises when the page is not sorted by them."""
        name = self._options.answer.changed
        changes = [moment for record in records if (moment := _moment(record.get(name)))]
        if any(later < earlier for earlier, later in itertools.pairwise(changes)):
            raise ContractBroken(
                self._entry.system,
                f"{self._options.operation}: a page is not sorted by {name}, oldest first",
                "Reading on from the last change would lose records: ask the owner of the service",
            )
        return changes

    def _verify(self, operation: wsdl.Operation, records: Sequence[Record]) -> None:
        """Compare the records with the contract: single ones are the mapping's business, all of them are drift."""
        shape = self._records(operation).shape
        lacking = [frozenset(shape.lacking(record)) for record in records]
        if not any(lacking):
            return
        system, count = self._entry.system, sum(map(bool, lacking))
        always = frozenset.intersection(*lacking)
        if always and len(records) >= _DRIFT_FROM:
            raise ContractBroken(
                system,
                f"{self._options.operation}: every record lacks the required {', '.join(sorted(always))}",
                "The service has changed: get its contract again, compare, and adapt the mapping",
            )
        _log.warning("%s: %d of %d records lack elements that the contract requires", system, count, len(records))


def following(question: Question, changes: Sequence[datetime]) -> Question:
    """What to ask after a page with these times of change (in order): on from the last one.

    Where one moment fills the page, asking from that moment would give the same page again: then its next page.
    """
    if not changes or changes[-1] == question.since:
        return Question(question.since, question.page + 1)
    last = changes[-1]
    filled = changes[0] == last and question.page == 1
    return Question(last, 2 if filled else 1)


def _moment(value: Any) -> datetime | None:
    """An xsd:dateTime as an aware moment, ``None`` when it is not one; the mapping will say so."""
    try:
        return with_zone(datetime.fromisoformat(value))
    except (TypeError, ValueError):
        return None
