"""Comparing two WSDLs by what matters on the wire: operations, messages, names, types, how often, in which order.

Addresses, prefixes, documentation, the names of types, and the order of definitions change nothing there and are not
compared. What the schema language can say beyond types (lists of allowed values, lengths, patterns) is not either.
"""

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import zeep
from lxml import etree
from zeep.exceptions import Error as ZeepError
from zeep.transports import Transport
from zeep.wsdl.bindings.soap import Soap12Binding

from connectors.soap.operations import KNOWN, SETTINGS, bindings, load
from connectors.soap.shapes import Field, Shape, shape_of
from connectors.xml_text import NotXml, parse

Fetch = Callable[[str], bytes]
"""Gets what a WSDL imports, by its absolute URL; raises ``OSError`` when it does not want to."""


class NotWsdl(ValueError):
    """Not a WSDL that can be read; the text says why, without any of its content."""


def differences(snapshot: Path, live: bytes, *, address: str, fetch: Fetch) -> list[str]:
    """How ``live`` differs from ``snapshot``: one sentence each, by operation and element; empty when it does not.

    ``address`` is where ``live`` came from; what it imports from there is got by ``fetch``. Raises ``NotWsdl`` for a
    live WSDL that cannot be read, and what ``load`` raises for the snapshot.
    """
    ours, theirs = _operations(load(snapshot)), _operations(_live(live, address, fetch))
    found = [f"operation {name} is gone" for name in ours if name not in theirs]
    found += [f"operation {name} is new" for name in theirs if name not in ours]
    for name, ways in ours.items():
        found += _of_operation(name, ways, theirs[name]) if name in theirs else []
    return found


def _live(body: bytes, address: str, fetch: Fetch) -> Any:
    document: Any = zeep.wsdl.Document  # untyped
    try:
        if parse(body).tag != "{http://schemas.xmlsoap.org/wsdl/}definitions":
            raise NotWsdl("it is no WSDL")
    except NotXml as error:
        raise NotWsdl(str(error)) from None
    try:
        return document(BytesIO(body), _Fetching(address, fetch), base=address, settings=SETTINGS)
    except (ZeepError, etree.LxmlError, OSError, NotImplementedError, ValueError, KeyError, AttributeError) as error:
        reason = type(error).__name__
    raise NotWsdl(f"it cannot be read as a WSDL ({reason})")


class _Fetching(Transport):
    """Gets imports in the way that the caller allows."""

    def __init__(self, address: str, fetch: Fetch) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # zeep has no types
        self._address = address
        self._fetch = fetch

    def load(self, url: str) -> bytes:
        """What a WSDL or a schema imports."""
        return KNOWN[url].read_bytes() if url in KNOWN else self._fetch(urljoin(self._address, url))


def _operations(document: Any) -> dict[str, dict[str, Any]]:
    """Operations by name, and of each the ways to call it by SOAP version."""
    found: dict[str, dict[str, Any]] = {}
    for binding in bindings(document).values():
        version = "SOAP 1.2" if isinstance(binding, Soap12Binding) else "SOAP 1.1"
        for name, operation in binding._operations.items():
            found.setdefault(name, {}).setdefault(version, operation)
    return found


def _of_operation(name: str, ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[str]:
    for version, operation in ours.items():
        if version not in theirs:
            yield f"{name}: {version} is gone"
            continue
        other = theirs[version]
        if (operation.soapaction or "") != (other.soapaction or ""):
            yield f"{name}: another SOAPAction"
        if operation.style != other.style:
            yield f"{name}: was of style {operation.style}, is {other.style}"
    for version in [version for version in ours if version in theirs][:1]:  # the messages are the same in all
        yield from _of_message(f"{name} request", ours[version].input, theirs[version].input)
        yield from _of_message(f"{name} answer", ours[version].output, theirs[version].output)


def _of_message(name: str, ours: Any, theirs: Any) -> Iterator[str]:
    body, other = getattr(ours, "body", None), getattr(theirs, "body", None)
    if body is None or other is None:
        if (body is None) != (other is None):
            yield f"{name}: {'is new' if body is None else 'is gone'}"
        return
    if str(body.qname) != str(other.qname):
        yield f"{name}: was the element {body.qname}, is {other.qname}"
    yield from _of_shapes(f"{name}: ", shape_of(body.type), shape_of(other.type), set())


def _of_shapes(at: str, ours: Shape, theirs: Shape, seen: set[tuple[int, int]]) -> Iterator[str]:
    """Field by field; two shapes are compared once, wherever they meet again."""
    if (id(ours), id(theirs)) in seen:
        return
    seen.add((id(ours), id(theirs)))
    mine, yours = ({field.name: field for field in shape.fields.values()} for shape in (ours, theirs))
    yield from (f"{at}{name} is gone" for name in mine if name not in yours)
    yield from (f"{at}{name} is new ({_written(yours[name])})" for name in yours if name not in mine)
    common = [name for name in mine if name in yours]
    if common != [name for name in yours if name in mine]:
        yield f"{at.removesuffix('.').removesuffix(': ')}: its elements come in another order"
    for name in common:
        before, now = mine[name], yours[name]
        if _written(before) != _written(now):
            yield f"{at}{name} was {_written(before)}, is {_written(now)}"
        if before.tag != now.tag:
            yield f"{at}{name} has another namespace"
        if before.shape is not None and now.shape is not None:
            yield from _of_shapes(f"{at}{name}.", before.shape, now.shape, seen)
    if ours.item is not None and theirs.item is not None:
        if _written(ours.item) != _written(theirs.item):
            yield f"{at}items were {_written(ours.item)}, are {_written(theirs.item)}"
        if ours.item.shape is not None and theirs.item.shape is not None:
            yield from _of_shapes(f"{at}item.", ours.item.shape, theirs.item.shape, seen)
    had, has = ({name: kind for name, kind, _ in shape.attributes.values()} for shape in (ours, theirs))
    yield from (f"{at}attribute {name} is gone" for name in had if name not in has)
    yield from (f"{at}attribute {name} is new" for name in has if name not in had)
    yield from (
        f"{at}attribute {name} was {had[name]}, is {has[name]}" for name in had if has.get(name, had[name]) != had[name]
    )


def _written(field: Field) -> str:
    kind = field.kind if field.shape is None else "a record"
    times = {
        (True, True): "1 or more",
        (True, False): "once",
        (False, True): "any number",
        (False, False): "at most once",
    }
    return f"{kind}, {times[field.required, field.many]}"
