"""Reading SOAP answers: record by record from the socket, at the memory of one page.

A listing is never held as a whole: elements are converted and dropped as they come (``portions``). What stands around
the records (fault, totals, header) is looked at when all is there, so the last portion only comes after the end of the
message was seen: an answer that is cut or not well-formed is an error and never a shorter list. Errors too are a
document type declaration, entities, and anything that is not a SOAP envelope with the answer of the operation.

Read as a whole are answers that must be: signed ones (nothing may be used before the signature is checked),
SOAP-encoded ones (elements refer to each other), and small ones without records.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from connectors.cutting import Cuts
from connectors.errors import BrokenAnswer, ConnectorError
from connectors.http import Streamed
from connectors.soap import encoding
from connectors.soap.multipart import root_part
from connectors.soap.operations import Operation, Records
from connectors.soap.shapes import is_nil, to_record, to_value
from connectors.xml_letters import fit
from connectors.xml_text import NotXml, parse

ENVELOPES = ("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope")
"""SOAP 1.1 and 1.2; some servers answer in one to the other."""
MEDIA_TYPE = "text/xml"
"""Of the raw bytes of portions."""
_BODIES = tuple(f"{{{namespace}}}Body" for namespace in ENVELOPES)
_MEDIA_TYPES = frozenset({"text/xml", "application/xml", "application/soap+xml", "application/xop+xml", ""})
_NOTHING: frozenset[str] = frozenset()
_UNSAFE = re.compile(r"[^\w.:\-]")
_XROAD_DETAIL = "{http://x-road.eu/xsd/xroad.xsd}faultDetail"

Verify = Callable[[etree._Element], None]
"""Checks the signature of an envelope; raises ``ConnectorError``."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A SOAP fault without its text, which may hold anything. ``codes``: the code, and SOAP 1.2's subcodes."""

    codes: tuple[str, ...]
    detail: Any = field(repr=False)
    """What stands in its detail, by local names."""
    xroad_id: str | None = None
    """The id that an X-Road security server gives to its errors."""


class FaultAnswered(Exception):
    """The answer is a fault. It goes no further than to whoever knows what it means."""

    def __init__(self, fault: Fault) -> None:
        super().__init__("a SOAP fault")
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around the records: the header's leaves, and the rest of the body's element, by local names."""

    header: Mapping[str, str]
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Portion:
    """Some records of an answer. ``raw``: the answer's own bytes when it is the only portion, else an envelope with
    just these records. ``notes``: per record, what breaks the contract. ``frame`` comes with the last portion."""

    records: Sequence[Mapping[str, Any]]
    notes: Sequence[frozenset[str]]
    raw: bytes
    frame: Frame | None


def portions(
    answer: Streamed, operation: Operation, records: Records, *, size: int, cuts: Cuts, verify: Verify | None = None
) -> Iterator[Portion]:
    """The records of an answer, at most ``size`` at once; at least one portion, even if it is empty.

    What ``cuts`` names is neither in records nor in raw bytes. Raises ``FaultAnswered`` and ``BrokenAnswer``, also in
    the middle.
    """
    reading = _Reading(answer, operation, records, size, cuts)
    if operation.encoded or verify is not None or not records.way:
        yield from reading.whole(verify)
    else:
        yield from reading.streamed()


def message(answer: Streamed, operation: Operation, verify: Verify | None = None) -> Mapping[str, Any]:
    """The body's element of a small answer, read by its type. Raises ``FaultAnswered`` and ``BrokenAnswer``."""
    root, _ = _parsed(answer, operation, verify)
    return to_record(_content(answer, root, operation), operation.shape, set())


def fault_of(answer: Streamed) -> Fault | None:
    """The fault that an answer with an error status is; ``None`` for anything else, such as a page for people."""
    try:
        root = parse(b"".join(_xml(answer)))
    except (ConnectorError, NotXml):
        return None
    try:
        _raise_fault(root)
    except FaultAnswered as answered:
        return answered.fault
    return None


class _Reading:
    """One answer on its way."""

    def __init__(self, answer: Streamed, operation: Operation, records: Records, size: int, cuts: Cuts) -> None:
        self._answer = answer
        self._operation = operation
        self._records = records
        self._size = size
        self._cuts = cuts
        self._parent: etree._Element | None = None
        self._found = 0

    def streamed(self) -> Iterator[Portion]:
        """Records as they come."""
        parser = etree.XMLPullParser(
            events=("end",),
            tag=self._records.tags[-1],
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
        whole: list[bytes] | None = []
        kept: list[etree._Element] = []

        def arriving() -> Iterator[bytes]:
            for chunk in _xml(self._answer):
                if whole is not None:
                    whole.append(chunk)
                yield chunk

        try:
            for chunk in fit(arriving()):
                parser.feed(chunk)
                events: Iterator[Any] = parser.read_events()
                for _, element in events:
                    if not self._is_record(element):
                        continue
                    if len(kept) == self._size:  # and here comes one more: this will be more than one portion
                        whole = None
                        yield self._portion(kept)
                        kept = []
                    kept.append(element)
            root = parser.close()
        except etree.XMLSyntaxError as error:
            empty = not self._found and not whole
            problem = "it is empty" if empty else f"it is cut or not well-formed XML (line {error.lineno})"
            raise _broken(self._answer, problem) from None
        yield self._last(root, kept, whole)

    def whole(self, verify: Verify | None) -> Iterator[Portion]:
        """Records of a tree that is read and checked before the first of them is used."""
        root, data = _parsed(self._answer, self._operation, verify)
        kept = self._at_way(_content(self._answer, root, self._operation))
        self._found = len(kept)
        whole: list[bytes] | None = [data]
        while len(kept) > self._size:
            portion, kept, whole = kept[: self._size], kept[self._size :], None
            yield self._portion(portion)
        yield self._last(root, kept, whole)

    def _is_record(self, element: etree._Element) -> bool:
        """Whether the element stands at the end of the way, not deeper or elsewhere."""
        parent = element.getparent()
        if parent is None or parent is not self._parent:
            above = parent
            for tag in reversed(self._records.tags[:-1]):
                if above is None or above.tag != tag:
                    return False
                above = above.getparent()
            if above is None or self._operation.response not in (None, above.tag):
                return False
            body = above.getparent()
            if body is None or body.tag not in _BODIES:
                return False
            self._parent = parent
        self._found += 1
        return True

    def _at_way(self, content: etree._Element) -> list[etree._Element]:
        found = [content]
        for step in self._records.way:
            # An encoded array names its items as it likes.
            found = [child for element in found for child in element if child.tag == step.tag or not step.tag]
        return found

    def _portion(self, kept: list[etree._Element]) -> Portion:
        """A portion that is not the last. Its records move out of the tree, which so stays small."""
        _refuse_document_type(self._answer, kept[0])
        outside = list(kept[0].iterancestors())
        top = bottom = _bare(outside[0])
        for ancestor in outside[1:]:
            around = _bare(ancestor)
            around.append(top)
            top = around
        lists = {id(found): found for element in kept if (found := element.getparent()) is not None}
        bottom.extend(kept)
        for emptied in lists.values() if len(self._records.way) > 1 else ():
            # Where records come in many lists, those behind us would stay for ever.
            above = emptied.getparent()
            if emptied is not self._parent and not len(emptied) and above is not None:
                above.remove(emptied)
        self._cuts.from_tree(top)
        read, notes = self._converted(kept)
        return Portion(read, notes, etree.tostring(top, encoding="UTF-8", xml_declaration=True), None)

    def _last(self, root: etree._Element, kept: list[etree._Element], whole: list[bytes] | None) -> Portion:
        _refuse_document_type(self._answer, root)
        content = _content(self._answer, root, self._operation)
        if not self._found:
            self._believe_empty(content)
        if whole is None:
            portion = self._portion(kept)
            read, notes, raw = portion.records, portion.notes, portion.raw
        else:
            self._cuts.from_tree(root)
            read, notes = self._converted(kept)
            raw = etree.tostring(root, encoding="UTF-8", xml_declaration=True) if self._cuts else b"".join(whole)
            for element in kept if self._records.way else ():
                parent = element.getparent()
                if parent is not None:
                    parent.remove(element)
        body = to_value(content)
        header = {_local(part): (part.text or "").strip() for part in root[0] if not len(part)}
        return Portion(read, notes, raw, Frame(header, body if isinstance(body, dict) else {}))

    def _converted(self, kept: list[etree._Element]) -> tuple[list[dict[str, Any]], list[frozenset[str]]]:
        shape, records, all_notes = self._records.shape, [], []
        notes: set[str] = set()
        for element in kept:
            if self._cuts and element.getparent() is None:
                continue  # cut as a whole
            records.append(to_record(element, shape, notes))
            all_notes.append(frozenset(filter(self._is_theirs, notes)) if notes else _NOTHING)
            if notes:
                notes = set()
        return records, all_notes

    def _is_theirs(self, note: str) -> bool:
        """Whether the system broke the contract, and not we by cutting something out."""
        names = [*(field.name for field in self._records.way), *note.partition(" ")[0].split(".")]
        return not self._cuts.covers(names)

    def _believe_empty(self, content: etree._Element) -> None:
        """No records are an empty list only where the list stands, or the contract lets it be left out."""
        around = [content]
        for step in self._records.way[:-1]:
            if any(map(is_nil, around)):
                return
            around = [child for element in around for child in element if child.tag == step.tag or not step.tag]
            if not around:
                if step.required:
                    raise _broken(self._answer, f"it has no {step.name}, which the contract requires")
                return


def _xml(answer: Streamed) -> Iterator[bytes]:
    """The bytes of the XML message: of the body, or of the root part of a multipart one."""
    media_type, chunks = answer.media_type, answer.chunks
    if media_type == "multipart/related":
        media_type, chunks = root_part(answer)
    if media_type not in _MEDIA_TYPES:
        fix = "This is usually a sign-in page or a firewall: check the address" if "html" in media_type else ""
        raise _broken(answer, f"{_UNSAFE.sub('/', media_type)[:60]} came where XML was expected", fix)
    return chunks


def _parsed(answer: Streamed, operation: Operation, verify: Verify | None) -> tuple[etree._Element, bytes]:
    """The tree of a whole message and its bytes; encoded ones made plain."""
    data = b"".join(_xml(answer))
    try:
        root = parse(b"".join(fit(iter((data,)))) if verify is None else data)
        _raise_fault(root)  # who cannot sign in gets no signed answer either
        if verify is not None:
            verify(root)
        if operation.encoded:
            encoding.make_plain(root)
    except NotXml as error:
        raise _broken(answer, str(error) if data.strip() else "it is empty") from None
    except encoding.Tangled as error:
        raise _broken(answer, str(error)) from None
    return root, data


def _content(answer: Streamed, root: etree._Element, operation: Operation) -> etree._Element:
    """The element in the body; raises ``FaultAnswered`` for a fault, wherever in the body it stands."""
    namespace = _namespace(root)
    if not namespace:
        raise _broken(answer, "it is not a SOAP envelope")
    _raise_fault(root)
    inside = root.findall(f"{{{namespace}}}Body/*")
    if not inside:
        raise _broken(answer, "its body is empty")
    if operation.response not in (None, inside[0].tag):
        raise _broken(answer, "its body is not the answer of this operation")
    return inside[0]


def _raise_fault(root: etree._Element) -> None:
    namespace = _namespace(root)
    for element in root.iterfind(f"{{{namespace}}}Body/*") if namespace else ():
        if _is_fault(element):
            raise FaultAnswered(_fault(element))


def _namespace(root: etree._Element) -> str:
    """The namespace of an envelope, empty for anything else."""
    name = etree.QName(root)
    return name.namespace if name.localname == "Envelope" and name.namespace in ENVELOPES else ""


def _is_fault(element: etree._Element) -> bool:
    name = etree.QName(element)
    return name.localname == "Fault" and name.namespace in ENVELOPES


def _fault(element: etree._Element) -> Fault:
    """SOAP 1.1 and 1.2 faults, also mixed up, as some servers write them."""
    codes = [element.findtext("{*}faultcode"), element.findtext("{*}Code/{*}Value")]
    codes += [value.text for value in element.iterfind("{*}Code//{*}Subcode/{*}Value")]
    detail = next(iter(element.findall("{*}detail") + element.findall("{*}Detail")), None)
    xroad_id = element.findtext(f".//{_XROAD_DETAIL}")
    return Fault(
        tuple(_UNSAFE.sub("?", code.strip())[:100] for code in codes if code and code.strip()),
        to_value(detail) if detail is not None else None,
        _UNSAFE.sub("?", xroad_id.strip())[:64] if xroad_id else None,
    )


def _refuse_document_type(answer: Streamed, element: etree._Element) -> None:
    if element.getroottree().docinfo.internalDTD is not None:
        raise _broken(answer, "it declares a document type, which SOAP forbids")


def _bare(element: etree._Element) -> etree._Element:
    names: Any = element.nsmap  # the stubs know no default namespace
    return etree.Element(element.tag, nsmap=names)


def _local(element: etree._Element) -> str:
    return etree.QName(element).localname


def _broken(answer: Streamed, problem: str, fix: str = "") -> BrokenAnswer:
    return BrokenAnswer(
        answer.system, f"{answer.where}: the answer cannot be used: {problem}", fix, status=answer.status
    )
