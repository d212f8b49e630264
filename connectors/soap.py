"""Reading SOAP answers: fault first, then record by record, at the memory of one record.

Values stay text; the mapping gives them types. Told apart are: a missing element (no key), ``xsi:nil`` (``None``), an
empty element (``""``), an empty list (``[]``). A message that is cut or not well-formed is an error however much of it
could be read, and so are a document type declaration, entities, and anything that is not a SOAP envelope.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from itertools import islice
from typing import Any

from lxml import etree

from connectors.errors import BrokenAnswer
from connectors.http import Answer
from connectors.wsdl import Records, Shape

_ENVELOPES = frozenset(
    {"http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"}
)  # SOAP 1.1, and 1.2 from servers that answer in it unasked
_MEDIA_TYPES = frozenset({"text/xml", "application/xml", "application/soap+xml", ""})
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_UNSAFE = re.compile(r"[^\w.:\-]")
_TRUE = ("true", "1")


@dataclass(frozen=True, slots=True)
class Fault:
    """A SOAP fault without its text, which may hold anything. ``detail_id`` only from an X-Road security server."""

    code: str
    detail_id: str | None


@dataclass(slots=True)
class Message:
    """One answer: either a fault, or the leaves of the response element and the records found at the path."""

    fault: Fault | None = None
    header: dict[str, str] = field(default_factory=dict)
    """Text of the header's direct leaves by local name."""
    leaves: dict[str, str | None] = field(default_factory=dict)
    records: list[Mapping[str, Any]] = field(default_factory=list)


def read(answer: Answer, *, response: str, records: Records) -> Message:
    """Read the answer whose body element is ``response``; ``records`` says where its records are, and their shape."""
    if answer.media_type not in _MEDIA_TYPES:
        fix = "This is usually a sign-in page or a firewall: check the address" if "html" in answer.media_type else ""
        raise _broken(answer, f"{answer.media_type} came where XML was expected", fix)
    message = Message()
    # Only the ends of records come up to Python; what is around them is small and looked at when all is there.
    events = etree.iterparse(
        BytesIO(answer.body),
        events=("end",),
        tag=records.tags[-1],
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    above = [*reversed(records.tags[:-1]), response]
    try:
        for _, element in events:
            if _ancestors(element, len(above)) == above:
                message.records.append(to_record(element, records.shape))
                _forget(element)
    except etree.XMLSyntaxError as error:
        raise _broken(answer, f"it is cut or not well-formed XML (line {error.lineno})") from None
    _read_frame(answer, events.root, response, message)
    return message


def _read_frame(answer: Answer, envelope: etree._Element | None, response: str, message: Message) -> None:
    """Check what stands around the records, and take the fault, the header and the response's own leaves from it."""
    name = etree.QName(envelope) if envelope is not None else None
    if envelope is None or name is None or name.localname != "Envelope" or name.namespace not in _ENVELOPES:
        raise _broken(answer, "it is not a SOAP envelope")
    if envelope.getroottree().docinfo.internalDTD is not None:
        raise _broken(answer, "it declares a document type, which SOAP forbids")
    content = envelope.find(f"{{{name.namespace}}}Body/*")
    if content is None:
        raise _broken(answer, "its body is empty")
    if content.tag == f"{{{name.namespace}}}Fault":
        message.fault = _fault(content)
        return
    if content.tag != response:
        raise _broken(answer, "its body is not the answer of this operation")
    message.header.update((_local(part), (part.text or "").strip()) for part in envelope[0] if not len(part))
    message.leaves.update((_local(part), _value(part, None)) for part in content if not len(part))


def to_record(element: etree._Element, shape: Shape) -> dict[str, Any]:
    """A complex element as a dict by ``shape``. What the shape does not know is kept under its local name."""
    fields = shape.fields
    record: dict[str, Any] = {name: [] for name in shape.lists}
    for child in element:
        part = fields.get(child.tag)
        value = _value(child, None if part is None else part.shape)
        if part is None:
            name = _local(child)
        elif part.many:
            record[part.name].append(value)
            continue
        else:
            name = part.name
        if name in record:  # twice where once is allowed: keep both, so that the mapping stumbles over it
            value = [record[name], value]
        record[name] = value
    return record


def _value(element: etree._Element, shape: Shape | None) -> Any:
    if element.get(_NIL) in _TRUE:
        return None
    if shape is not None:
        return to_record(element, shape)
    if len(element):
        return to_record(element, _ANYTHING)
    return element.text or ""


_ANYTHING = Shape({}, [])


def _fault(element: etree._Element) -> Fault:
    """SOAP 1.1 and 1.2 faults, also mixed up, as some servers write them."""
    code = element.findtext("{*}faultcode") or element.findtext("faultcode") or element.findtext("{*}Code/{*}Value")
    detail = element.findtext(".//{http://x-road.eu/xsd/xroad.xsd}faultDetail")
    return Fault(
        _UNSAFE.sub("?", (code or "").strip())[:100], _UNSAFE.sub("?", detail.strip())[:64] if detail else None
    )


def _ancestors(element: etree._Element, count: int) -> list[str]:
    """The tags of the elements around this one, the nearest first."""
    return [ancestor.tag for ancestor in islice(element.iterancestors(), count)]


def _forget(element: etree._Element) -> None:
    """Free an element that has been read, and the ones before it."""
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _local(element: etree._Element) -> str:
    return etree.QName(element).localname


def _broken(answer: Answer, problem: str, fix: str = "") -> BrokenAnswer:
    return BrokenAnswer(
        answer.system, f"{answer.where}: the answer cannot be used: {problem}", fix, status=answer.status
    )
