"""Reading SOAP answers: fault first, then record by record, at the memory of one record.

Values stay text; the mapping gives them types. Told apart are: a missing element (no key), ``xsi:nil`` (``None``), an
empty element (``""``), an empty list (``[]``). A message that is cut or not well-formed is an error however much of it
could be read, and so are a document type declaration, entities, and anything that is not a SOAP envelope.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from lxml import etree

from connectors.errors import BrokenAnswer
from connectors.http import Answer
from connectors.wsdl import Shape

_ENVELOPES = frozenset(
    {"http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"}
)  # SOAP 1.1, and 1.2 from servers that answer in it unasked
_MEDIA_TYPES = frozenset({"text/xml", "application/xml", "application/soap+xml", ""})
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_UNSAFE = re.compile(r"[^\w.:\-]")
_BODY_DEPTH, _CONTENT_DEPTH = 2, 3  # Envelope is 1


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


def read(answer: Answer, *, response: str, shape: Shape, path: Sequence[str]) -> Message:
    """Read the answer whose body element is ``response``; ``path`` are the local names down to the records."""
    if answer.media_type not in _MEDIA_TYPES:
        fix = "This is usually a sign-in page or a firewall: check the address" if "html" in answer.media_type else ""
        raise _broken(answer, f"{answer.media_type} came where XML was expected", fix)
    reader = _Reader(answer, response, shape, list(path))
    try:
        events = etree.iterparse(
            BytesIO(answer.body),
            events=("start", "end"),
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
        for event, element in events:
            reader.start(element) if event == "start" else reader.end(element)
    except etree.XMLSyntaxError as error:
        line = error.lineno
        raise _broken(answer, f"it is cut or not well-formed XML (line {line})") from None
    return reader.finish()


def to_record(element: etree._Element, shape: Shape) -> dict[str, Any]:
    """A complex element as a dict by ``shape``. What the shape does not know is kept under its local name."""
    record: dict[str, Any] = {part.name: [] for part in shape.fields.values() if part.many}
    for child in element:
        part = shape.fields.get(str(child.tag))
        name = part.name if part is not None else _local(child)
        value = _value(child, part.shape if part is not None else None)
        if part is not None and part.many:
            record[name].append(value)
        elif name in record:  # twice where once is allowed: keep both, so that the mapping stumbles over it
            record[name] = [record[name], value]
        else:
            record[name] = value
    return record


def _value(element: etree._Element, shape: Shape | None) -> Any:
    if element.get(_NIL) in ("true", "1"):
        return None
    if shape is not None:
        return to_record(element, shape)
    if len(element):
        return to_record(element, _ANYTHING)
    return element.text or ""


_ANYTHING = Shape({})


class _Reader:
    """Follows the parser down the tree and converts each record as soon as it is complete."""

    def __init__(self, answer: Answer, response: str, shape: Shape, path: list[str]) -> None:
        self._answer = answer
        self._response = response
        self._path = path
        self._record_shape = shape_at(shape, path)
        self._open: list[str] = []
        self._complete = False
        self._message = Message()

    def start(self, element: etree._Element) -> None:
        """An element begins; only its tag is known yet."""
        self._open.append(_local(element))
        depth = len(self._open)
        if depth == 1:
            name = etree.QName(element)
            if name.localname != "Envelope" or name.namespace not in _ENVELOPES:
                raise _broken(self._answer, "it is not a SOAP envelope")
            if element.getroottree().docinfo.internalDTD is not None:
                raise _broken(self._answer, "it declares a document type, which SOAP forbids")
        elif depth == _CONTENT_DEPTH and self._open[1] == "Body":
            self._complete = True
            if element.tag != self._response and self._open[2] != "Fault":
                raise _broken(self._answer, "its body is not the answer of this operation")

    def end(self, element: etree._Element) -> None:
        """An element is complete."""
        depth, parents = len(self._open), self._open
        if depth == _CONTENT_DEPTH and parents[1] == "Header" and not len(element):
            self._message.header[parents[2]] = (element.text or "").strip()
        elif depth == _CONTENT_DEPTH and parents[1] == "Body" and parents[2] == "Fault":
            self._message.fault = _fault(element)
        elif depth == _CONTENT_DEPTH + len(self._path) and parents[3:] == self._path:
            self._message.records.append(to_record(element, self._record_shape))
            _forget(element)
        elif depth == _CONTENT_DEPTH + 1 and parents[1] == "Body" and parents[2] != "Fault" and not len(element):
            self._message.leaves[parents[3]] = None if element.get(_NIL) in ("true", "1") else (element.text or "")
        parents.pop()

    def finish(self) -> Message:
        """The message, once the parser came to the end."""
        if not self._complete:
            raise _broken(self._answer, "its body is empty")
        return self._message


def shape_at(shape: Shape, path: Sequence[str]) -> Shape:
    """The shape of the records; an empty one if the contract does not have the path (checked when it is opened)."""
    for name in path:
        inner = next((part.shape for part in shape.fields.values() if part.name == name), None)
        if inner is None:
            return _ANYTHING
        shape = inner
    return shape


def _fault(element: etree._Element) -> Fault:
    """SOAP 1.1 and 1.2 faults, also mixed up, as some servers write them."""
    code = element.findtext("{*}faultcode") or element.findtext("faultcode") or element.findtext("{*}Code/{*}Value")
    detail = element.findtext(".//{http://x-road.eu/xsd/xroad.xsd}faultDetail")
    return Fault(
        _UNSAFE.sub("?", (code or "").strip())[:100], _UNSAFE.sub("?", detail.strip())[:64] if detail else None
    )


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
