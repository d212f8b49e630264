"""What is known of a new system before its files are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MOST_SAMPLES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """A system as its document or sample shows it.

    ``records`` are sample records, at least one; ``options`` what is known of the catalog's options; ``style`` the pull
    style that fits. ``record_schema`` is what a document says of one record, where it says it; ``contract`` the
    document itself with its file name, where it is the contract as it stands (a WSDL).
    """

    protocol: str
    style: str
    records: Sequence[Mapping[str, Any]] = field(repr=False)
    options: Mapping[str, Any]
    record_schema: Mapping[str, Any] | None = None
    contract: tuple[tuple[str, bytes], ...] = ()


def values(records: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The values seen at each path that leads to a plain value; lists are not entered."""
    found: dict[str, list[Any]] = {}
    for record in records[:MOST_SAMPLES]:
        for path, value in _leaves(record, ""):
            found.setdefault(path, []).append(value)
    return found


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    elif path:
        yield path, value


def list_of_objects(document: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, Sequence[Mapping[str, Any]]]]:
    """The lists of objects in an answer with their paths, the outermost first."""
    if isinstance(document, list) and document and all(isinstance(item, dict) for item in document):
        yield path, document
    elif isinstance(document, dict) and depth < 4:
        for name, inner in document.items():
            yield from list_of_objects(inner, f"{path}.{name}" if path else name, depth + 1)
