"""The contract of a system that came without one: what its sample records have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_KINDS = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (type(None), "null"))


def shape_of(values: Sequence[Any]) -> dict[str, Any]:
    """A JSON Schema that all ``values`` fit. What every object has is required, what none has is refused."""
    objects = [value for value in values if isinstance(value, Mapping)]
    lists = [value for value in values if isinstance(value, list)]
    kinds = sorted({name for value in values for kind, name in _KINDS if type(value) is kind})
    kinds += ["object"] * bool(objects) + ["array"] * bool(lists)
    shape: dict[str, Any] = {"type": kinds[0] if len(kinds) == 1 else kinds}
    if objects:
        names = dict.fromkeys(name for each in objects for name in each)
        shape["additionalProperties"] = False
        shape["required"] = [name for name in names if all(name in each for each in objects)]
        shape["properties"] = {name: shape_of([each[name] for each in objects if name in each]) for name in names}
    if lists and (items := [item for each in lists for item in each]):
        shape["items"] = shape_of(items)
    return shape


def closed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The same schema, refusing fields that it does not name: so that drift is seen."""
    found = {key: value for key, value in schema.items() if key not in ("example", "examples", "xml", "discriminator")}
    if "properties" in found:
        found["properties"] = {name: closed(inner) for name, inner in found["properties"].items()}
        found["additionalProperties"] = False
    if isinstance(found.get("items"), Mapping):
        found["items"] = closed(found["items"])
    if found.pop("nullable", False) and isinstance(found.get("type"), str):
        found["type"] = [found["type"], "null"]
    return found
