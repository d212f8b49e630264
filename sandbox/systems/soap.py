"""What the SOAP services written here have in common: the contract, envelopes in and out, faults, both versions.

The contract is the WSDL in ``schemas/wire``: handed out at ``?wsdl`` with the service's own address in it, and what
every request is held against. Answers are written piece by piece, so that a long list costs no memory.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from lxml import etree
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

import schemas

_WIRE = Path(schemas.__file__).parent / "wire"
_SNAPSHOT_ADDRESS = b"http://example.org/dich-vu"
_SCHEMA = "{http://www.w3.org/2001/XMLSchema}schema"
_PIECES_PER_CHUNK = 200
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of SOAP. ``sender`` and ``receiver`` are its words for who is to blame, with the HTTP status."""

    namespace: str
    media_type: str
    sender: tuple[str, int]
    receiver: tuple[str, int]


SOAP11 = Version(
    namespace="http://schemas.xmlsoap.org/soap/envelope/",
    media_type="text/xml",
    sender=("Client", 500),
    receiver=("Server", 500),
)
SOAP12 = Version(
    namespace="http://www.w3.org/2003/05/soap-envelope",
    media_type="application/soap+xml",
    sender=("Sender", 400),
    receiver=("Receiver", 500),
)


class FaultError(Exception):
    """The request is answered with a fault that blames its sender.

    ``subcode`` is a namespace and a name, shown in SOAP 1.2 alone; ``detail`` is XML, written as it is.
    """

    def __init__(self, text: str, *, subcode: tuple[str, str] | None = None, detail: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.subcode = subcode
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Message:
    """A request that is a SOAP envelope with one element in its body. ``header`` is None when there is none."""

    envelope: etree._Element
    header: etree._Element | None
    body: etree._Element
    content: etree._Element

    @property
    def operation(self) -> str:
        """The local name of the body's element."""
        return etree.QName(self.content).localname

    def values(self) -> dict[str, str]:
        """The text of the content's direct children by local name."""
        return {etree.QName(one).localname: one.text or "" for one in self.content.iterchildren("{*}*")}


class Contract:
    """The WSDL of one service and its schema."""

    def __init__(self, name: str, document: Path | None = None) -> None:
        """Of the system ``name``: its snapshot, or ``document``."""
        self._document = (document or _WIRE / name / f"{name}.wsdl").read_bytes()
        definitions = etree.fromstring(self._document)
        schema = definitions.find(f".//{_SCHEMA}")
        assert schema is not None  # contracts of this project have one
        self.schema = etree.XMLSchema(schema)
        self.namespace = str(definitions.get("targetNamespace"))

    def at(self, address: str) -> bytes:
        """The WSDL of the service at ``address``."""
        return self._document.replace(_SNAPSHOT_ADDRESS, escape(address).encode())

    def check(self, content: etree._Element) -> None:
        """Hold a request against the schema: names, order and types; raises :class:`FaultError`."""
        try:
            self.schema.assertValid(content)
        except etree.DocumentInvalid as error:
            raise FaultError(f"Thông điệp không đúng hợp đồng: {error}") from None


Operation = Callable[[Message], Iterator[str] | Response]
"""Answers a request: the pieces of the response element, or a whole response. Raises :class:`FaultError`."""


class SoapService:
    """One endpoint: ``GET ?wsdl``, and POST for every operation. ``admit`` sees each message before its operation."""

    def __init__(
        self,
        contract: Contract,
        version: Version,
        operations: Mapping[str, Operation],
        admit: Callable[[Message], None],
    ) -> None:
        self._contract = contract
        self._version = version
        self._operations = operations
        self._admit = admit

    async def respond(self, request: Request) -> Response:
        """The endpoint."""
        if request.method == "GET":
            if "wsdl" not in {key.lower() for key in request.query_params}:
                return Response("Đây là dịch vụ SOAP; hợp đồng ở ?wsdl", 405, {"Allow": "POST"})
            return Response(self._contract.at(str(request.url.replace(query=""))), media_type="text/xml")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != self._version.media_type:
            return Response(f"Cần Content-Type {self._version.media_type}", 415)
        body = await request.body()
        return await run_in_threadpool(self._answer, body)

    def _answer(self, document: bytes) -> Response:
        try:
            message = read(document, self._version)
            self._admit(message)
            operation = self._operations.get(message.operation)
            if operation is None or etree.QName(message.content).namespace != self._contract.namespace:
                raise FaultError(f"Không có thao tác {message.operation}")
            self._contract.check(message.content)
            answer = operation(message)
        except FaultError as error:
            return fault(self._version, error)
        if isinstance(answer, Response):
            return answer
        return StreamingResponse(envelope(self._version, answer), media_type=content_type(self._version))


def read(document: bytes, version: Version) -> Message:
    """A request's envelope; raises :class:`FaultError` for what is none, or has more or less than one body element."""
    try:
        root = etree.fromstring(document, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        raise FaultError("Thông điệp không phải XML") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise FaultError("Thông điệp SOAP không được có DTD")
    space = f"{{{version.namespace}}}"
    body = root.find(f"{space}Body")
    if root.tag != f"{space}Envelope" or body is None:
        raise FaultError("Thông điệp không phải phong bì SOAP của phiên bản này")
    content = list(body.iterchildren("{*}*"))
    if len(content) != 1:
        raise FaultError("Thân thông điệp phải có đúng một phần tử")
    return Message(root, root.find(f"{space}Header"), body, content[0])


def content_type(version: Version) -> str:
    """The Content-Type of an answer."""
    return f"{version.media_type}; charset=utf-8"


def envelope(version: Version, content: Iterable[str]) -> Iterator[bytes]:
    """An envelope around ``content``, in chunks."""
    chunk = [f'{_DECLARATION}<soap:Envelope xmlns:soap="{version.namespace}"><soap:Body>']
    for piece in content:
        chunk.append(piece)
        if len(chunk) == _PIECES_PER_CHUNK:
            yield "".join(chunk).encode()
            chunk = []
    yield "".join([*chunk, "</soap:Body></soap:Envelope>"]).encode()


def fault(version: Version, error: FaultError) -> Response:
    """The answer that refuses."""
    code, status = version.sender
    text = escape(error.text)
    if version is SOAP11:
        detail = f"<detail>{error.detail}</detail>" if error.detail else ""
        content = f"<faultcode>soap:{code}</faultcode><faultstring>{text}</faultstring>{detail}"
    else:
        content = (
            f"<soap:Code><soap:Value>soap:{code}</soap:Value>{_subcode(error)}</soap:Code>"
            f'<soap:Reason><soap:Text xml:lang="vi">{text}</soap:Text></soap:Reason>'
            + (f"<soap:Detail>{error.detail}</soap:Detail>" if error.detail else "")
        )
    document = b"".join(envelope(version, [f"<soap:Fault>{content}</soap:Fault>"]))
    return Response(document, status, media_type=content_type(version))


def _subcode(error: FaultError) -> str:
    if error.subcode is None:
        return ""
    namespace, name = error.subcode
    return f"<soap:Subcode><soap:Value xmlns:why={quoteattr(namespace)}>why:{name}</soap:Value></soap:Subcode>"


def leaf(name: str, value: Any) -> str:
    """An element with text; nothing for None."""
    return "" if value is None else f"<{name}>{escape(str(value))}</{name}>"


def element(name: str, *inside: str) -> str:
    """An element around others."""
    return f"<{name}>{''.join(inside)}</{name}>"


def operation_of(_path: str, body: bytes) -> str:
    """The operation that a request asks for, for faults that are meant for one; empty for nonsense."""
    for version in (SOAP11, SOAP12):
        try:
            return read(body, version).operation
        except FaultError:
            continue
    return ""
