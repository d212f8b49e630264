"""The JSON Schema of catalog files, for completion and checking in an editor: ``python -m connectors.catalog_schema``.

It is made from the models, so it never says anything else than they do. A catalog file that begins with
``# yaml-language-server: $schema=../catalog.schema.json`` is checked while it is typed.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel

from connectors.catalog import OPTIONS
from connectors.catalog_models import SourceEntry, TargetEntry

FILE = Path(__file__).parent / "catalog.schema.json"


def schema() -> dict[str, Any]:
    """One schema for both kinds: ``kind`` chooses the entry's model, ``protocol`` the model of its options."""
    definitions: dict[str, Any] = {}
    kinds = [_adopt(model, definitions) for model in (SourceEntry, TargetEntry)]
    protocols = []
    for protocol, place in OPTIONS.items():
        module, _, name = place.partition(":")
        reference = _adopt(getattr(import_module(module), name), definitions)
        protocols.append(
            {
                "if": {"required": ["protocol"], "properties": {"protocol": {"const": str(protocol)}}},
                "then": {"properties": {"options": reference}},
            }
        )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hosync catalog entry",
        "oneOf": kinds,
        "allOf": protocols,
        "$defs": dict(sorted(definitions.items())),
    }


def rendered() -> bytes:
    """The schema file's content."""
    return orjson.dumps(schema(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _adopt(model: type[BaseModel], definitions: dict[str, Any]) -> dict[str, str]:
    """Add the model and what it is made of to ``definitions``; gives back a reference to it."""
    own = model.model_json_schema(ref_template="#/$defs/{model}")
    definitions.update(own.pop("$defs", {}))
    definitions[model.__name__] = own
    return {"$ref": f"#/$defs/{model.__name__}"}


if __name__ == "__main__":
    FILE.write_bytes(rendered())
    print(f"written: {FILE}")
