"""Calling the operations of one system: write the message, sign it, send it, and make sense of what comes back.

Every attempt is a message of its own (id, nonce, time stamp). Reads are repeated while they may be; a listing only
until its first portion is there: what went out cannot be taken back, and the next run repeats it anyway.
"""

import base64
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from lxml import etree

from connectors import xroad
from connectors.catalog import contract_path
from connectors.catalog_models import SourceEntry
from connectors.connections import ConnectionSettings
from connectors.cutting import Cuts
from connectors.errors import BrokenAnswer, ConnectorError, NotSignedIn, OutcomeUnknown, Refused, SignInFailed
from connectors.http import HttpClient, Streamed, new_message_id
from connectors.options.auth import BasicAuth, BearerAuth, NoAuth, OAuth2Auth
from connectors.options.rest import Success
from connectors.options.soap import HeaderElement, SoapService, WsseSignature
from connectors.outcomes import of_status
from connectors.retry import RetryPolicy, repeat
from connectors.signing import Signature, secrets, signer
from connectors.soap import answers, faults, wsse
from connectors.soap.answers import FaultAnswered, Frame, Portion
from connectors.soap.faults import Absent
from connectors.soap.operations import Operation, Records, load_operation
from connectors.templates import Lookup, template, value_template
from connectors.values import value_at

T = TypeVar("T")

_LARGEST_ERROR = 1 << 20
_ACCEPT = "text/xml, application/soap+xml, multipart/related"
_HTTP_AUTH = (NoAuth, BasicAuth, BearerAuth, OAuth2Auth)

_ELSEWHERE = frozenset({404, 405})


@dataclass(frozen=True, slots=True)
class Call:
    """One call as the catalog entry describes it."""

    operation: str
    request: Mapping[str, Any]
    success: Success | None = None
    action: str | None = None


class SoapClient:
    """One system. Used by one thread."""

    def __init__(
        self, entry: SourceEntry, settings: ConnectionSettings, service: SoapService, retry: RetryPolicy | None = None
    ) -> None:
        """Connects to nothing yet. Raises ``CertificateProblem`` for key files that cannot be used."""
        self.system = entry.system
        self.http = HttpClient(entry.system, settings, timeouts=entry.timeouts, limits=entry.limits)
        self._entry = entry
        self._settings = settings
        self._service = service
        self._retry = retry or RetryPolicy()
        self._cuts = Cuts(entry.cut)
        auth = service.auth
        self._signer = signer(auth if isinstance(auth, _HTTP_AUTH) else NoAuth(), self.http)
        self._sign = wsse.applier(settings, auth)
        signed = isinstance(auth, WsseSignature) and auth.verify_answer
        self._verify = wsse.verifier(entry.system, settings) if signed else None

    def operation(self, name: str) -> Operation:
        """An operation of the contract; raises ``ContractBroken``."""
        return load_operation(self.system, contract_path(self._entry), name, self._service.port)

    def ask(self, call: Call, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """A call whose answer is small: the body's element as a record. Raises ``Absent`` and ``ConnectorError``."""
        operation = self.operation(call.operation)

        def attempt(signature: Signature) -> Mapping[str, Any]:
            with self._answer(operation, call, values, signature) as (answer, _):
                body = answers.message(answer, operation, self._verify)
                self._judge(answer.where, call.success, body)
                return body

        return repeat(lambda: self._known(attempt), policy=self._retry)

    def listing(self, call: Call, values: Mapping[str, Any], records: Records, size: int) -> Iterator[Portion]:
        """The records of one answer, at most ``size`` at once. Raises ``Absent`` and ``ConnectorError``."""
        operation = self.operation(call.operation)

        def attempt(signature: Signature) -> tuple[Portion, Generator[Portion, None, None]]:
            rest = self._portions(operation, call, values, records, size, signature)
            return next(rest), rest

        first, rest = repeat(lambda: self._known(attempt), policy=self._retry)
        with closing(rest):
            yield first
            yield from rest

    def sign_in(self) -> str:
        """Try whether signing in works, and say what that showed; raises ``ConnectorError``."""
        return self._signer.sign_in()

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def _known(self, attempt: Callable[[Signature], T]) -> T:
        """An attempt, and once more with a fresh message when the system does not know us."""
        try:
            return self._signer.call(attempt)
        except SignInFailed as error:
            if self._sign is None:
                raise
            stale = error
        try:
            return self._signer.call(attempt)
        except SignInFailed as error:
            fix = f"Check login, password and keys of connection '{self._settings.conn_id}', and our clock"
            raise SignInFailed(self.system, stale.message, fix) from error

    def _portions(
        self,
        operation: Operation,
        call: Call,
        values: Mapping[str, Any],
        records: Records,
        size: int,
        signature: Signature,
    ) -> Generator[Portion, None, None]:
        with self._answer(operation, call, values, signature) as (answer, message_id):
            for portion in answers.portions(
                answer, operation, records, size=size, cuts=self._cuts, verify=self._verify
            ):
                if portion.frame is not None:
                    self._judge(answer.where, call.success, portion.frame.body)
                    self._same_message(answer.where, portion.frame, message_id)
                yield portion

    @contextmanager
    def _answer(
        self, operation: Operation, call: Call, values: Mapping[str, Any], signature: Signature
    ) -> Iterator[tuple[Streamed, str]]:
        """The answer to a fresh message, and the message's id; faults come out of the block as what they mean."""
        message_id = new_message_id()
        lookup = self._lookup({**values, "message": message_id})
        where = f"{operation.name} (message {message_id})"
        sent = self._message(operation, call, lookup, message_id)
        headers = {**self._http_headers(operation, call, lookup), **signature.headers}
        fault: ConnectorError | Absent | None = None
        with self.http.stream("POST", self._service.path, content=sent, headers=headers, where=where) as answer:
            if not 200 <= answer.status < 300:
                raise self._problem(answer)
            try:
                yield answer, message_id
            except FaultAnswered as answered:
                fault = self._meaning(answer, answered.fault)
        if fault is not None:  # outside the handler: a fault's detail may hold anything and is not chained
            raise fault

    def _message(self, operation: Operation, call: Call, lookup: Lookup, message_id: str) -> bytes:
        headers = [_header_element(element, lookup) for element in self._service.header]
        if self._service.xroad is not None:
            text, options = self._settings.text, self._service.xroad
            headers += xroad.header(
                client=text("client", options.client),
                service=text("service", options.service),
                message_id=message_id,
                user_id=text("user_id", options.user_id or ""),
            )
        envelope = operation.envelope(headers, value_template(call.request)(lookup))
        if self._sign is not None:
            self._sign(envelope)
        return etree.tostring(envelope, encoding="UTF-8", xml_declaration=True)

    def _http_headers(self, operation: Operation, call: Call, lookup: Lookup) -> dict[str, str]:
        action = operation.action if call.action is None else call.action
        headers = {"Accept": _ACCEPT}
        if operation.soap12:
            headers["Content-Type"] = "application/soap+xml; charset=utf-8" + (f'; action="{action}"' if action else "")
        else:
            headers["Content-Type"] = "text/xml; charset=utf-8"
            headers["SOAPAction"] = f'"{action}"'
        return {**headers, **{name: template(text).text(lookup) for name, text in self._service.http_headers.items()}}

    def _lookup(self, values: Mapping[str, Any]) -> Lookup:
        ours = secrets(self._settings)
        return lambda name: values[name] if name in values else ours(name)

    def _problem(self, answer: Streamed) -> ConnectorError | Absent:
        """What an error status means: the fault that came with it, or the status alone."""
        body = b""
        try:
            for chunk in answer.chunks:
                body += chunk
                if len(body) > _LARGEST_ERROR:
                    break
        except BrokenAnswer:
            body = b""  # the status says more than that its page was cut
        fault = answers.fault_of(replace(answer, chunks=iter((body,))))
        if fault is not None:
            return self._meaning(answer, fault)
        problem = of_status(self.system, answer.where, answer.status, answer.headers, body)
        if isinstance(problem, Refused) and answer.status in _ELSEWHERE:
            fix = "Compare options.path in the catalog entry and the connection's host with the service's address"
            return Refused(self.system, problem.message, fix, status=answer.status)
        return problem or OutcomeUnknown(self.system, f"{answer.where}: HTTP {answer.status}", status=answer.status)

    def _meaning(self, answer: Streamed, fault: answers.Fault) -> ConnectorError | Absent:
        return faults.of_fault(
            self.system,
            answer.where,
            fault,
            faults=self._service.faults,
            status=answer.status,
            headers=answer.headers,
            behind_xroad=self._service.xroad is not None,
        )

    def _same_message(self, where: str, frame: Frame, message_id: str) -> None:
        """A security server copies our headers into the answer."""
        if self._service.xroad is not None and frame.header.get("id", message_id) != message_id:
            raise BrokenAnswer(self.system, f"{where}: the answer is to another message")

    def _judge(self, where: str, success: Success | None, body: Mapping[str, Any]) -> None:
        """Raise for an answer that is an error without being a fault. Values are compared as text."""
        if success is None:
            return
        said = as_text(value_at(body, success.at))
        if said in map(as_text, success.values):
            return
        message = as_text(value_at(body, success.message)) if success.message else None
        if said in map(as_text, success.absent) or (message is not None and message in map(as_text, success.absent)):
            raise Absent
        code = faults.shown(said)
        problem = f"{where}: {success.at} is {code}, which is no success"
        if said in map(as_text, success.expired):
            raise NotSignedIn(self.system, problem)
        raise Refused(self.system, problem, "Ask the owner what this means", code=code)


def as_text(value: Any) -> str | None:
    """A value of an answer or of the catalog as XML writes it; ``None`` for nothing."""
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value).strip()


def _header_element(element: HeaderElement, lookup: Lookup) -> etree._Element:
    return _element(element.namespace, element.name, value_template(element.value)(lookup), element.base64)


def _element(namespace: str, name: str, value: Any, encoded: bool) -> etree._Element:
    element = etree.Element(f"{{{namespace}}}{name}" if namespace else name)
    if isinstance(value, Mapping):
        element.extend(_element(namespace, child, inner, encoded) for child, inner in value.items())
    else:
        text = str(value)
        element.text = base64.b64encode(text.encode()).decode() if encoded else text
    return element
