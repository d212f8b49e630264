"""WSDL snapshots: what to send and what to expect, taken once from the contract file, never from the network.

zeep reads the contract and writes requests. Answers are not given to zeep: it turns what it cannot parse into ``None``
without a word and builds an object tree many times the size of the message. From its schema a ``Shape`` is derived
once, and ``soap`` reads answers by that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

import zeep
from lxml import etree
from zeep.exceptions import Error as ZeepError
from zeep.transports import Transport

from connectors.errors import ContractBroken


@dataclass(frozen=True, slots=True)
class Field:
    """One element of a complex type. ``shape`` is ``None`` for a leaf, which holds text."""

    name: str
    required: bool
    many: bool
    shape: "Shape | None"


@dataclass(frozen=True, slots=True)
class Shape:
    """A complex type: its elements by qualified tag, and the names of those that may come many times."""

    fields: dict[str, Field]
    lists: list[str]

    def lacking(self, record: Mapping[str, Any]) -> list[str]:
        """Required elements that ``record`` (read by this shape) does not have, as dotted names."""
        lacking: list[str] = []
        for field in self.fields.values():
            value = record.get(field.name)
            if field.required and (value is None or value == []):
                lacking.append(field.name)
            elif field.shape is not None:
                for part in value if isinstance(value, list) else [value]:
                    if isinstance(part, Mapping):
                        lacking += [f"{field.name}.{name}" for name in field.shape.lacking(part)]
        return lacking


@dataclass(frozen=True, slots=True)
class Records:
    """Where an answer has its records: the qualified tags below the response element, and their shape."""

    tags: tuple[str, ...]
    shape: Shape


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a contract. ``response`` is the qualified tag of the answer's body element."""

    system: str
    name: str
    soap_action: str
    response: str
    shape: Shape
    _client: Any

    def records(self, path: str) -> Records:
        """What the contract says about ``path`` (local names with slashes); ``ContractBroken`` if it has no such."""
        shape: Shape | None = self.shape
        tags = []
        for name in path.split("/"):
            fields = shape.fields if shape is not None else {}
            tag = next((tag for tag, part in fields.items() if part.name == name), None)
            if tag is None:
                known = ", ".join(part.name for part in fields.values()) or "nothing"
                problem = f"the answer of '{self.name}' has no '{name}' as in {path}; there is: {known}"
                raise ContractBroken(self.system, problem, "Correct options.answer.records in the catalog entry")
            tags.append(tag)
            shape = fields[tag].shape
        return Records(tuple(tags), shape or Shape({}, []))

    def envelope(self, headers: Sequence[etree._Element], values: Mapping[str, Any]) -> bytes:
        """The request as bytes; ``ContractBroken`` when the contract does not take these ``values``."""
        try:
            message = self._client.create_message(
                self._client.service, self.name, _soapheaders=list(headers), **dict(values)
            )
        except (ZeepError, TypeError, ValueError):
            names = ", ".join(values)
            problem = f"the contract's operation '{self.name}' does not take: {names}"
            raise ContractBroken(self.system, problem, "Correct options.request in the catalog entry") from None
        return etree.tostring(message, encoding="UTF-8", xml_declaration=True)


def load_operation(system: str, path: Path, name: str) -> Operation:
    """An operation of the contract at ``path``; raises ``ContractBroken`` that says what is missing."""
    fix = f"Put the right contract snapshot at {path}"
    try:
        client = _client(path)
        binding = next(iter(client.wsdl.bindings.values()), None)
    except (OSError, ZeepError, etree.LxmlError) as error:
        raise ContractBroken(system, f"the contract cannot be read ({type(error).__name__})", fix) from error
    if binding is None:
        raise ContractBroken(system, "the contract has no binding for SOAP over HTTP", fix)
    operation = binding._operations.get(name)
    if operation is None:
        known = ", ".join(sorted(binding._operations)) or "none"
        raise ContractBroken(system, f"the contract has no operation '{name}'; it has: {known}", fix)
    output = operation.output.body
    return Operation(
        system, name, operation.soapaction or "", str(output.qname), _shape(output.type, {}, set()), client
    )


@lru_cache(maxsize=64)
def _client(path: Path) -> Any:
    """One client per contract and process: reading a contract takes some 20 ms."""
    settings = zeep.Settings(strict=True, forbid_dtd=True, forbid_entities=True, xml_huge_tree=False)
    client: Any = zeep.Client  # untyped
    return client(str(path), transport=_LocalTransport(path.parent), settings=settings)


class _LocalTransport(Transport):
    """Serves the contract's own folder and refuses everything else, whatever a contract imports."""

    def __init__(self, folder: Path) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # zeep has no types
        self._folder = folder.resolve()

    def load(self, url: str) -> bytes:
        """A file of the folder; an absolute URL stands for the file of the same name in it."""
        parts = urlsplit(url)
        path = Path(unquote(parts.path))
        local = (self._folder / path.name if parts.scheme in ("http", "https") else path).resolve()
        if not local.is_relative_to(self._folder):
            raise OSError("a contract may only import files of its own folder")
        return local.read_bytes()

    def post(self, *_: Any) -> NoReturn:
        """Requests go through ``HttpClient``, never through zeep."""
        raise RuntimeError("zeep only writes messages here")


def _shape(kind: Any, known: dict[int, Shape], unfinished: set[int]) -> Shape:
    """The shape of a zeep complex type; one that contains itself is met again in ``known``, still ``unfinished``."""
    if id(kind) in known:
        return known[id(kind)]
    shape = known[id(kind)] = Shape({}, [])
    unfinished.add(id(kind))
    # Inside a choice nothing is required by itself; only plain sequences say what must be there.
    plain = isinstance(kind._element, zeep.xsd.Sequence | zeep.xsd.All)
    direct = {id(element) for element in kind._element} if plain else set()
    for name, element in kind.elements:
        if not isinstance(element, zeep.xsd.Element):
            continue  # xsd:any has no name of its own
        if name.startswith("_value_"):
            continue  # the text of a type with simple content, which is a leaf with attributes
        nested = _shape(element.type, known, unfinished) if isinstance(element.type, zeep.xsd.ComplexType) else None
        many = bool(element.accepts_multiple)
        shape.fields[str(element.qname)] = Field(
            name=name,
            required=id(element) in direct and element.min_occurs > 0 and not element.nillable,
            many=many,
            # A type that is still being read is one that contains itself, and so has elements.
            shape=nested if nested is not None and (nested.fields or id(element.type) in unfinished) else None,
        )
        if many:
            shape.lists.append(name)
    unfinished.discard(id(kind))
    return shape
