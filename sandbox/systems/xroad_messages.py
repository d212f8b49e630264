"""X-Road SOAP messages (message protocol 4.0): what must be in them, and what a security server writes.

The fault codes are those of the X-Road sources: ``Client.*`` for what the client sent, ``Server.ClientProxy.*`` for the
client's own security server, ``Server.ServerProxy.*`` for the provider's.
"""

import uuid
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from lxml import etree

SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
XROAD = "{http://x-road.eu/xsd/xroad.xsd}"
IDENTIFIERS = "{http://x-road.eu/xsd/identifiers}"
SHA512 = "http://www.w3.org/2001/04/xmlenc#sha512"

_CLIENT_PARTS = ("xRoadInstance", "memberClass", "memberCode", "subsystemCode")
_SERVICE_PARTS = (*_CLIENT_PARTS, "serviceCode", "serviceVersion")
_OPTIONAL_PARTS = ("serviceVersion",)  # a client and a service without subsystem are not known here
_REQUIRED = ("client", "service", "id", "protocolVersion")
_ECHOED = ("client", "service", "userId", "issue", "id", "protocolVersion")
_PROTOCOL = "4.0"

_FAULT = """<?xml version="1.0" encoding="UTF-8"?>
<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xroad="http://x-road.eu/xsd/xroad.xsd">\
<SOAP-ENV:Body><SOAP-ENV:Fault><faultcode>{code}</faultcode><faultstring>{text}</faultstring><faultactor></faultactor>\
<detail><xroad:faultDetail>{detail}</xroad:faultDetail></detail></SOAP-ENV:Fault></SOAP-ENV:Body></SOAP-ENV:Envelope>"""


class FaultError(Exception):
    """The security server refuses the message, or could not get an answer to it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Message:
    """A request that may be passed on. ``headers`` are its X-Road fields in order, as canonical XML."""

    client: str
    service: str
    headers: tuple[bytes, ...]


def fault(code: str, text: str) -> bytes:
    """A security server's own fault, with an id of its own for the operators."""
    return _FAULT.format(code=escape(code), text=escape(text), detail=uuid.uuid4()).encode()


def parse_xml(document: bytes) -> Any:
    """The root element; ValueError for what is not XML. Entities are left alone and nothing is fetched."""
    try:
        return etree.fromstring(document, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        raise ValueError(str(error)) from None


def is_fault(envelope: Any) -> bool:
    """Whether the envelope's body is a SOAP fault."""
    return envelope.find(f"{SOAP}Body/{SOAP}Fault") is not None


def parse_request(document: bytes) -> Message:
    """Check a client's message as far as its form goes; raises :class:`FaultError`."""
    try:
        envelope = parse_xml(document)
    except ValueError:
        raise FaultError("Client.InvalidXml", "Malformed SOAP message: not XML") from None
    if envelope.tag != f"{SOAP}Envelope":
        raise FaultError("Client.InvalidSoap", "Malformed SOAP message: no envelope")
    header, body = envelope.find(f"{SOAP}Header"), envelope.find(f"{SOAP}Body")
    if header is None:
        raise FaultError("Client.MissingHeader", "Malformed SOAP message: header missing")
    if body is None:
        raise FaultError("Client.MissingBody", "Malformed SOAP message: body missing")
    for name in _REQUIRED:
        found = header.findall(f"{XROAD}{name}")
        if not found:
            raise FaultError("Client.MissingHeaderField", f"Required field '{name}' is missing")
        if len(found) > 1:
            raise FaultError("Client.DuplicateHeaderField", f"SOAP header contains duplicate field '{name}'")
    if (header.findtext(f"{XROAD}protocolVersion") or "").strip() != _PROTOCOL:
        raise FaultError("Client.InvalidProtocolVersion", f"Invalid protocol version, {_PROTOCOL} is expected")
    service = _identifier(header.find(f"{XROAD}service"), _SERVICE_PARTS, "SERVICE")
    content = [element for element in body if isinstance(element.tag, str)]
    if len(content) != 1 or etree.QName(content[0]).localname != service.split("/")[4]:
        raise FaultError("Client.InvalidBody", "Malformed SOAP message: the body is not the service's element")
    client = _identifier(header.find(f"{XROAD}client"), _CLIENT_PARTS, "SUBSYSTEM")
    return Message(client, service, _echoed(header))


def check_answer(message: Message, envelope: Any) -> None:
    """Check that the provider repeated the header fields, unchanged and in order; raises :class:`FaultError`."""
    header = envelope.find(f"{SOAP}Header")
    if header is None:
        raise FaultError("Server.ServerProxy.ServiceFailed.MissingHeader", "Malformed SOAP message: header missing")
    if _echoed(header) != message.headers:
        raise FaultError(
            "Server.ClientProxy.ServiceFailed.InconsistentResponse", "Response message is not consistent with request"
        )


def add_request_hash(envelope: Any, digest: str) -> bytes:
    """The answer with ``requestHash`` at the end of its header."""
    element = etree.SubElement(envelope.find(f"{SOAP}Header"), f"{XROAD}requestHash", algorithmId=SHA512)
    element.text = digest
    return etree.tostring(envelope, encoding="UTF-8", xml_declaration=True)


def _echoed(header: Any) -> tuple[bytes, ...]:
    names = [f"{XROAD}{name}" for name in _ECHOED]
    return tuple(
        etree.tostring(element, method="c14n", exclusive=True, with_comments=False, with_tail=False)
        for element in header
        if element.tag in names
    )


def _identifier(element: Any, parts: tuple[str, ...], object_type: str) -> str:
    """The parts of an X-Road identifier, joined by slashes."""
    if element.get(f"{IDENTIFIERS}objectType") != object_type:
        raise FaultError("Client.InvalidXml", f"Malformed SOAP message: objectType {object_type} is expected")
    values = []
    for part in parts:
        value = (element.findtext(f"{IDENTIFIERS}{part}") or "").strip()
        if value:
            values.append(value)
        elif part not in _OPTIONAL_PARTS:
            raise FaultError("Client.InvalidXml", f"Malformed SOAP message: {part} is missing")
    return "/".join(values)
