"""A WSDL: which operation lists records, what it is asked with, what a record looks like."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from connectors.errors import ContractBroken
from connectors.soap.operations import Operation, bindings, load, load_operation
from connectors.soap.shapes import Field, Shape
from schemas.states import LABELS_VI
from sync.drafting import guesses
from sync.drafting.asking import STATE, at, chosen, invented, meaning, since_template
from sync.drafting.sketch import Sketch, values
from sync.errors import SyncError

_MOST_DEPTH = 8
_KINDS = {"dateTime": "2026-01-05T08:30:00+07:00", "date": "2026-01-05", "time": "08:30:00", "boolean": True}


@dataclass(frozen=True, slots=True)
class _Listing:
    operation: Operation
    asked: list[Any]
    path: str
    record: Shape
    beside: dict[str, str]


def read(path: Path, operation: str | None) -> Sketch:
    """Sketch the system; ``operation`` chooses where several lists are found. Raises ``SyncError``."""
    try:
        found = list(_listings(path))
    except ContractBroken as error:
        raise SyncError(f"{path}: {error.message}.", next_step="Give a WSDL with the files that it imports.") from error
    if not found:
        raise SyncError(
            f"No operation of {path.name} answers with a list of records.",
            next_step="Give a sample answer instead: hosync new NAME --from answer.json --path /where/it/comes/from",
        )
    listing = found[chosen(path.name, [each.operation.name for each in found], operation)]
    sample = _sample(listing.record, 0)
    request, has_since, has_page = _request(listing.asked)
    answer: dict[str, Any] = {"records": listing.path}
    if "total" in listing.beside:
        answer["total"] = listing.beside["total"]
    answer |= at(guesses.fields(values([sample])))
    options: dict[str, Any] = {"path": _path(path), "auth": {"kind": "none"}}
    options |= {"operation": listing.operation.name, "request": request}
    options["paging"] = {"kind": "page"} if has_page else {"kind": "none"}
    options["answer"] = answer
    style = "changed-since" if has_since else "snapshot"
    records = [sample, *_variants(sample)]
    return Sketch(protocol="soap", style=style, records=records, options=options, contract=tuple(_files(path)))


def _path(path: Path) -> str:
    """The path of the service's address; the host is the connection's."""
    document = load(path)
    addresses = [
        str(port.binding_options.get("address", ""))
        for service in document.services.values()
        for port in service.ports.values()
    ]
    return urlsplit(addresses[0]).path or "/" if addresses else "/"


def _variants(sample: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The sample in every state, told by its Vietnamese name: a WSDL does not say which words a system has."""
    named = next((name for name, value in sample.items() if value == invented(STATE)), None)
    if named is not None:
        yield from ({**sample, named: label} for label in LABELS_VI.values())


def _listings(path: Path) -> Iterator[_Listing]:
    try:
        ports = bindings(load(path))
    except Exception as error:  # zeep, lxml and the file system each have their own
        raise SyncError(f"{path} cannot be read as a WSDL ({type(error).__name__}).", next_step="Check it.") from None
    for binding in list(ports.values())[:1]:
        for name, described in binding._operations.items():
            operation = load_operation("new system", path, name)
            body = described.input.body
            asked = list(body.type.elements) if body is not None and hasattr(body.type, "elements") else []
            for way, record, beside in _repeated(operation.shape, "", 0):
                yield _Listing(operation, asked, way, record, beside)
                break


def _repeated(shape: Shape, path: str, depth: int) -> Iterator[tuple[str, Shape, dict[str, str]]]:
    """The repeated elements that are records, with what stands beside them (the total) by its meaning."""
    if depth > 4:
        return
    beside = {
        found: f"{path}.{field.name}" if path else field.name
        for field in shape.fields.values()
        if field.shape is None and (found := meaning(field.name)) == "total"
    }
    for field in shape.fields.values():
        here = f"{path}.{field.name}" if path else field.name
        if field.shape is None:
            continue
        if field.many:
            yield here, field.shape, beside
        else:
            for way, record, inner in _repeated(field.shape, here, depth + 1):
                yield way, record, {**beside, **inner}


def _request(asked: list[Any]) -> tuple[dict[str, Any], bool, bool]:
    """The request's template; whether it can be asked for changes, and page by page."""
    request: dict[str, Any] = {}
    found: set[str] = set()
    for name, element in asked:
        kind = str(getattr(getattr(element.type, "qname", None), "localname", ""))
        known = meaning(name)
        if known in ("since", "until"):
            request[name] = since_template(known, is_day=kind == "date")
        elif known in ("page", "size"):
            request[name] = f"{{{known}}}"
        elif element.min_occurs:
            request[name] = invented(name)
        found.add(known)
    return request, "since" in found, "page" in found


def _sample(shape: Shape, depth: int) -> dict[str, Any]:
    """A record of this shape."""
    return {field.name: _value(field, depth) for field in shape.fields.values()}


def _value(field: Field, depth: int) -> Any:
    if field.many:
        return []
    if field.shape is not None:
        return _sample(field.shape, depth + 1) if depth < _MOST_DEPTH else {}
    if field.kind in _KINDS:
        return _KINDS[field.kind]
    return 1 if field.kind.lower().endswith(("int", "integer", "long", "short")) else invented(field.name)


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    """The WSDL, and the files beside it that it may import."""
    yield path.name, path.read_bytes()
    for other in sorted({*path.parent.glob("*.xsd"), *path.parent.glob("*.wsdl")} - {path}):
        if other.name.encode() in path.read_bytes():
            yield other.name, other.read_bytes()
