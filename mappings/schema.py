"""The JSON Schema of mapping files, for completion and checking in an editor: ``python -m mappings.schema``.

It is made from the models and the registry of converters, so it never says anything else than they do. A mapping file
that begins with ``# yaml-language-server: $schema=../mapping.schema.json`` is checked while it is typed.
"""

from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel

from mappings import canonical
from mappings.converters import REGISTRY
from mappings.model import SourceFile, TargetFile

FILE = Path(__file__).parent / "mapping.schema.json"
_REF = "#/$defs/{model}"


def schema() -> dict[str, Any]:
    """One schema for both directions; a field's converter decides which further keys it may have."""
    definitions: dict[str, Any] = {}
    source, target = (_adopt(model, definitions) for model in (SourceFile, TargetFile))
    field = definitions["FieldSpec"]
    field["properties"]["as"] = {
        "description": "How the value is read. " + field["properties"]["as"].get("description", ""),
        "oneOf": [{"const": name, "description": converter.summary} for name, converter in sorted(REGISTRY.items())],
    }
    field["properties"] |= _options(definitions)
    field["additionalProperties"] = False
    definitions["SourceFile"]["properties"]["fields"]["propertyNames"] = {
        "enum": sorted({name for shape in canonical.SHAPES.values() for name in shape.fields})
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hosync mapping",
        "type": "object",
        "required": ["direction"],
        "if": {"properties": {"direction": {"const": "source"}}},
        "then": source,
        "else": target,
        "$defs": dict(sorted(definitions.items())),
    }


def rendered() -> bytes:
    """The schema file's content."""
    return orjson.dumps(schema(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _options(definitions: dict[str, Any]) -> dict[str, Any]:
    """The options of all converters as keys of a field."""
    variants: dict[str, dict[str, dict[str, Any]]] = {}
    for converter in sorted(REGISTRY.values(), key=lambda each: each.name):
        own = converter.options.model_json_schema(ref_template=_REF)
        definitions.update(own.pop("$defs", {}))
        for name, described in own.get("properties", {}).items():
            variants.setdefault(name, {})[converter.name] = described
    return {name: _merged(by_converter) for name, by_converter in sorted(variants.items())}


def _merged(by_converter: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """One option as several converters take it."""
    shapes = [{key: value for key, value in each.items() if key != "description"} for each in by_converter.values()]
    meanings = {each.get("description", "") for each in by_converter.values()}
    said = f"{' '.join(sorted(meanings))} Taken by: {', '.join(by_converter)}.".strip()
    return {"description": said, **(shapes[0] if len(shapes) == 1 else {"anyOf": shapes})}


def _adopt(model: type[BaseModel], definitions: dict[str, Any]) -> dict[str, str]:
    """Add the model and what it is made of to ``definitions``; gives back a reference to it."""
    own = model.model_json_schema(ref_template=_REF)
    definitions.update(own.pop("$defs", {}))
    definitions[model.__name__] = own
    return {"$ref": _REF.format(model=model.__name__)}


if __name__ == "__main__":
    FILE.write_bytes(rendered())
    print(f"written: {FILE}")
