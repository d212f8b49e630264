"""Writes the JSON Schema of the common schema to ``schemas/json/``; ``--check`` only compares.

Usage: ``python -m schemas.export [--check]``. Exit code 1 when ``--check`` finds the file out of date.
"""

import sys
from pathlib import Path

import orjson

from schemas.dossier import Dossier

TARGET = Path(__file__).with_name("json") / "dossier.schema.json"


def rendered() -> bytes:
    """The schema as it should be on disk: keys sorted, two spaces, a newline at the end."""
    schema = Dossier.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return orjson.dumps(schema, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def main(arguments: list[str]) -> int:
    """Write or check the file; returns the process exit code."""
    current = TARGET.read_bytes() if TARGET.exists() else b""
    if current == rendered():
        return 0
    if "--check" in arguments:
        print(f"{TARGET} is out of date: run `python -m schemas.export`", file=sys.stderr)
        return 1
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_bytes(rendered())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
