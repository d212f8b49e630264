"""WSDL snapshots: what to send and what to expect, taken once from the contract file, never from the network.

zeep reads the contract and writes requests: SOAP 1.1 or 1.2, document or rpc, literal or encoded, as the contract says.
Answers are not given to zeep; from the contract's types a ``Shape`` is derived once, and
``answers`` reads by it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

import zeep
from lxml import etree
from zeep.exceptions import Error as ZeepError
from zeep.transports import Transport
from zeep.wsdl.bindings.soap import Soap12Binding, SoapBinding

from connectors.catalog_explain import nearest
from connectors.errors import ContractBroken
from connectors.soap.shapes import Field, Shape, shape_of

_KNOWN = Path(__file__).parent / "known"
KNOWN: Mapping[str, Path] = MappingProxyType(
    {
        "http://schemas.xmlsoap.org/soap/encoding/": _KNOWN / "soap-encoding.xsd",
        "http://www.w3.org/2005/05/xmlmime": _KNOWN / "xmlmime.xsd",
        "http://x-road.eu/xsd/xroad.xsd": _KNOWN / "xroad.xsd",
        "http://x-road.eu/xsd/identifiers.xsd": _KNOWN / "xroad-identifiers.xsd",
        "http://x-road.eu/xsd/identifiers": _KNOWN / "xroad-identifiers.xsd",
    }
)
"""Schemas that contracts import from all over the world, by the addresses they name; kept here, never fetched."""

SETTINGS = zeep.Settings(strict=True, forbid_dtd=True, forbid_entities=True, xml_huge_tree=False)
"""How zeep reads WSDLs: nothing is forgiven, nothing is fetched."""


@dataclass(frozen=True, slots=True)
class Records:
    """Where an answer has its records: the elements on the way down from the body's element, and their shape."""

    way: tuple[Field, ...]
    shape: Shape

    @property
    def tags(self) -> tuple[str, ...]:
        """The qualified tags below the body's element."""
        return tuple(field.tag for field in self.way)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a contract.

    ``response`` is the qualified tag of the answer's body element; ``None`` in rpc style, where its name is not fixed.
    ``encoded``: answers are SOAP-encoded, with references between elements and types written into the message.
    """

    system: str
    name: str
    action: str
    soap12: bool
    response: str | None
    encoded: bool
    shape: Shape
    _binding: SoapBinding

    def records(self, path: str) -> Records:
        """What the contract says about ``path`` (local names with dots); ``ContractBroken`` if it has no such."""
        shape: Shape | None = self.shape
        way: list[Field] = []
        for name in filter(None, path.split(".")):
            field = shape.child(name) if shape is not None else None
            if field is None:
                known = ", ".join(part.name for part in shape.fields.values()) if shape is not None else ""
                problem = f"the answer of '{self.name}' has no '{name}' as in {path}; there is: {known or 'nothing'}"
                raise ContractBroken(self.system, problem, "Correct the path in the catalog entry")
            way.append(field)
            shape = field.shape
        if shape is None:
            problem = f"what the answer of '{self.name}' has at {path} is text, not a record"
            raise ContractBroken(self.system, problem, "Correct the path in the catalog entry")
        return Records(tuple(way), shape)

    def envelope(self, headers: Sequence[etree._Element], values: Mapping[str, Any]) -> etree._Element:
        """The request's envelope; ``ContractBroken`` when the contract does not take these ``values``."""
        operation: Any = self._binding._operations[self.name]
        try:
            envelope: etree._Element = operation.create(_soapheaders=list(headers), **dict(values)).content
        except (ZeepError, TypeError, ValueError, AttributeError):
            names = ", ".join(values) or "nothing"
            takes = operation.input.signature()
            problem = f"the contract's operation '{self.name}' does not take: {names}; it takes: {takes or 'nothing'}"
            raise ContractBroken(self.system, problem, "Correct its request in the catalog entry") from None
        return envelope


def load_operation(system: str, path: Path, name: str, port: str | None = None) -> Operation:
    """An operation of the contract at ``path``; raises ``ContractBroken`` that says what is missing.

    ``port`` names a port or a binding; the first for SOAP over HTTP when ``None``.
    """
    fix = f"Put the right contract snapshot at {path}"
    try:
        document = load(path)
    except (OSError, ZeepError, etree.LxmlError, NotImplementedError) as error:
        raise ContractBroken(system, f"the contract cannot be read ({type(error).__name__})", fix) from error
    ports = bindings(document)
    if not ports:
        raise ContractBroken(system, "the contract has no binding for SOAP over HTTP", fix)
    if port is not None and port not in ports:
        known = ", ".join(ports)
        raise ContractBroken(
            system, f"the contract has no port '{port}'; it has: {known}", "Correct options.port in the catalog entry"
        )
    binding = ports[port] if port is not None else next(iter(ports.values()))
    operation = binding._operations.get(name)
    if operation is None:
        names = sorted(binding._operations)
        raise ContractBroken(
            system,
            f"the contract has no operation '{name}'; it has: {', '.join(names) or 'none'}",
            f"{nearest(name, names)}Correct the operation in the catalog entry, or put the right contract at {path}",
        )
    output = operation.output.body if operation.output is not None else None
    if output is None or operation.output._is_body_wrapped:
        raise ContractBroken(system, f"the operation '{name}' does not answer with one element", fix)
    encoded = _is_encoded(path, binding.name.localname, name)
    return Operation(
        system=system,
        name=name,
        action=operation.soapaction or "",
        soap12=isinstance(binding, Soap12Binding),
        response=None if operation.style == "rpc" else str(output.qname),
        encoded=encoded,
        shape=shape_of(output.type, qualified=not encoded),
        _binding=binding,
    )


@lru_cache(maxsize=64)
def load(path: Path) -> Any:
    """zeep's document of a contract, one per process: reading one takes some 20 ms. Raises zeep's and I/O errors."""
    document: Any = zeep.wsdl.Document  # untyped
    return document(str(path.resolve()), _LocalTransport(path.parent), settings=SETTINGS)


class _LocalTransport(Transport):
    """Serves the contract's own folder and refuses everything else, whatever a contract imports."""

    def __init__(self, folder: Path) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # zeep has no types
        self._folder = folder.resolve()

    def load(self, url: str) -> bytes:
        """A file of the folder; an absolute URL stands for the file of the same name in it, or for a known schema."""
        parts = urlsplit(url)
        path = Path(unquote(parts.path))
        local = (self._folder / path.name if parts.scheme in ("http", "https") else path).resolve()
        if url in KNOWN and not local.is_file():
            return KNOWN[url].read_bytes()
        if not local.is_relative_to(self._folder):
            raise OSError("a contract may only import files of its own folder")
        return local.read_bytes()

    def post(self, *_: Any) -> NoReturn:
        """Requests go through ``HttpClient``, never through zeep."""
        raise RuntimeError("zeep only writes messages here")


def bindings(document: Any) -> dict[str, SoapBinding]:
    """The SOAP bindings by the names of their ports, then by their own; those with ports first."""
    ports = [(port.name, port.binding) for service in document.services.values() for port in service.ports.values()]
    named = [*ports, *((binding.name.localname, binding) for binding in document.bindings.values())]
    found: dict[str, SoapBinding] = {}
    for name, binding in named:
        if isinstance(binding, SoapBinding):
            found.setdefault(name, binding)
    return found


def _is_encoded(path: Path, binding: str, operation: str) -> bool:
    """Whether the operation's answer is SOAP-encoded, which zeep forgets after loading."""
    query = (
        "//wsdl:binding[@name=$binding]/wsdl:operation[@name=$operation]/wsdl:output"
        "/*[local-name()='body'][@use='encoded']"
    )
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    names = {"wsdl": "http://schemas.xmlsoap.org/wsdl/"}
    return any(
        etree.parse(file, parser).xpath(query, namespaces=names, binding=binding, operation=operation)
        for file in {path, *path.parent.glob("*.wsdl")}
    )
