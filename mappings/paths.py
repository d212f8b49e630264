"""Which parts of a record a field reads; for coverage, and for finding fields that are both read and ignored."""

from collections.abc import Iterator, Mapping
from typing import Any

import jmespath

from mappings.model import AnyField, ListSpec


def read_by(spec: AnyField) -> set[str]:
    """The dotted paths a field reads, with ``[]`` after a list: ``quaTrinh[].thoiDiem``.

    For a JMESPath the paths of plain names in it; what lies below a path counts as read with it.
    """
    if isinstance(spec, ListSpec):
        return {f"{spec.each}[].{path}" for inner in spec.fields.values() for path in read_by(inner)}
    found = set(spec.source)
    if spec.lookup is not None:
        found.add(spec.lookup.by)
    if spec.expression is not None:
        found |= {path for path in _names(dict(jmespath.compile(spec.expression).parsed)) if path}
    return found | (read_by(spec.otherwise) if spec.otherwise is not None else set())


def _names(node: dict[str, Any]) -> Iterator[str]:
    chain = _chain(node)
    if chain:
        yield chain
        return
    for child in node["children"]:
        yield from _names(child)


def _chain(node: dict[str, Any]) -> str:
    """The dotted path of ``a.b.c``; empty for any other expression."""
    if node["type"] == "field":
        return str(node["value"])
    if node["type"] == "subexpression":
        parts = [_chain(child) for child in node["children"]]
        return ".".join(parts) if all(parts) else ""
    return ""


def leaves(record: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a record that is no object and no list, with its path; blank ones too."""
    for name, value in record.items():
        path = f"{at}{name}"
        if isinstance(value, Mapping):
            yield from leaves(value, f"{path}.")
        elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
            for item in value:
                if isinstance(item, Mapping):
                    yield from leaves(item, f"{path}[].")
        else:
            yield path, value


def covers(path: str, used: str) -> bool:
    """Whether ``used`` is ``path`` itself or something around it."""
    return path == used or path.startswith((f"{used}.", f"{used}[]"))


def used_fields(fields: Mapping[str, AnyField]) -> set[str]:
    """Everything a set of fields reads."""
    return {path for spec in fields.values() for path in read_by(spec)}
