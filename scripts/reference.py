"""Writes docs/reference from the models: every key of catalog and mapping files, the converters, the systems.

``python scripts/reference.py`` writes, ``--check`` only says whether something would change. The pages hold nothing
that the models do not say, so they cannot fall behind.
"""

import json
import sys
import types
from collections.abc import Iterator, Mapping
from datetime import timedelta
from enum import Enum
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from connectors.catalog import OPTIONS, load_catalog, load_entry
from connectors.catalog_models import Duration, SourceEntry, TargetEntry
from mappings.converters import REGISTRY
from mappings.model import SourceFile, TargetFile
from schemas.quality import RULES, Rule
from schemas.states import State
from sync.feed_app import create_feed_app

FOLDER = Path(__file__).parent.parent / "docs" / "reference"
MADE = "<!-- Made by scripts/reference.py from the models: change those. -->\n\n"


def pages() -> dict[str, str]:
    """File name to content."""
    return {
        "catalog.md": _catalog(),
        "mapping.md": _mapping(),
        "systems.md": _systems(),
        "quality.md": _quality(),
        "feed.openapi.json": _openapi(create_feed_app().openapi()),
    }


def _quality() -> str:
    rows = [
        f"| `{rule.name}` | {', '.join(rule.indicators)} | {_scope(rule)} | {rule.vi} / {rule.en} |" for rule in RULES
    ]
    return (
        MADE + "# What the indicators need\n\n"
        "`hosync quality` counts, per agency, the dossiers that lack what the indicators of decision 766/QD-TTg are "
        "computed from; `hosync preview` shows the same of single records. They are pushed like all others: the portal "
        "then leaves them out of an indicator, or counts them against the agency. The rules stand in "
        "`schemas/quality.py`.\n\n"
        "| rule | indicators | of which dossiers | what is missing |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def _scope(rule: Rule) -> str:
    states = "all states" if len(rule.states) == len(State) else f"states {', '.join(map(str, sorted(rule.states)))}"
    filed = [f"filed {rule.channel.name.lower()}"] if rule.channel else []
    by = [f"by a {rule.subject.name.lower()}"] if rule.subject else []
    return ", ".join([states, *filed, *by])


def _openapi(document: dict[str, Any]) -> str:
    # The framework promises an answer 422 that the API never gives: what it cannot read is not there.
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
    for unused in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(unused, None)
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _catalog() -> str:
    text = (
        "# Keys of a catalog file\n\n"
        "One file per system in `connectors/catalog/`, named after the system. `kind: source` takes the keys of "
        "*SourceEntry*, `kind: target` those of *TargetEntry*; what stands under `options` depends on `protocol`. "
        "Unknown keys are errors, told with file, line and the nearest known key. Editors complete and check the keys "
        "by `connectors/catalog.schema.json`.\n"
    )
    seen: set[type[BaseModel]] = set()
    for model in (SourceEntry, TargetEntry):
        text += "".join(_described(model, seen))
    text += "\n# Options by protocol\n"
    for protocol, place in OPTIONS.items():
        module, _, name = place.partition(":")
        loaded = import_module(module)
        text += f"\n## `protocol: {protocol}`\n"
        text += _indented_as_text(cleandoc(loaded.__doc__ or "")) if _is_alone_in(loaded, name) else ""
        text += "".join(_described(getattr(loaded, name), seen, level=3))
    return MADE + text


def _is_alone_in(module: types.ModuleType, name: str) -> bool:
    """Whether the module is about this protocol only, so that its text belongs to it."""
    return sum(f"{module.__name__}:" in place for place in OPTIONS.values()) == 1 and bool(name)


def _mapping() -> str:
    text = (
        "# Keys of a mapping file\n\n"
        "One file per system in `mappings/sources/` or `mappings/targets/`, named after the system. Editors complete "
        "and check the keys by `mappings/mapping.schema.json`.\n"
    )
    seen: set[type[BaseModel]] = set()
    for model in (SourceFile, TargetFile):
        text += "".join(_described(model, seen))
    text += "\n# Converters\n\nNamed by `as:`; options stand beside it.\n\n"
    text += "| converter | what it makes | options |\n|---|---|---|\n"
    for name, converter in sorted(REGISTRY.items()):
        options = ", ".join(
            f"`{key}` {_written_type(info)}, default {_default(info)}"
            for key, info in converter.options.model_fields.items()
        )
        text += f"| `{name}` | {_cell(converter.summary)} | {options} |\n"
    return MADE + text


def _systems() -> str:
    catalog = load_catalog(Path(__file__).parent.parent / "connectors" / "catalog").whole()
    known = {True: "template", False: "public sources"}
    rows = [
        f"| `{entry.system}` | {entry.title.vi} / {entry.title.en} | {entry.owner.vi} | `{entry.protocol}` | "
        f"{entry.pull.style if isinstance(entry, SourceEntry) else ', '.join(entry.messages)} | "
        f"{f'`{entry.schedule}`' if entry.schedule else '—'} | {_followed(entry)} | `{entry.contract}` | "
        f"{known[entry.template]} |"
        for entry in catalog
    ]
    return (
        MADE + "# The systems of the catalog\n\n"
        "What hosync ships with. *Template* means that no public contract exists: the entry shows the shape such a "
        "system has elsewhere, and is to be adapted to the real one.\n\n"
        "| system | title | run by | protocol | how it is read, or what it takes | schedule | looked at every | "
        "contract | known from |\n"
        "|---|---|---|---|---|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n"
        + _alternatives(catalog.folder / "alternatives")
    )


def _followed(entry: SourceEntry | TargetEntry) -> str:
    """How often it is looked at while hosync follows."""
    written = entry.model_dump(mode="json").get("follow")
    return f"`{written}`" if written else "—"


def _alternatives(folder: Path) -> str:
    """Entries that can take the place of one that ships; each is checked like those."""
    rows = []
    for file in sorted(folder.glob("*.yaml")):
        entry = load_entry(file, alternative=True)
        known = "template" if entry.template else "public sources"
        rows.append(f"| `{file.stem}` | `{entry.system}` | `{entry.protocol}` | `{entry.mapping}` | {known} |")
    return (
        "\n# Alternatives\n\n"
        "The same system behind another door, in `connectors/catalog/alternatives/`. They are not loaded; copy one "
        "over the entry whose place it takes ([why](../decisions/0020-other-provincial-systems.md)).\n\n"
        "| file | takes the place of | protocol | mapping | known from |\n|---|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n"
    )


def _described(model: type[BaseModel], seen: set[type[BaseModel]], level: int = 2) -> Iterator[str]:
    """The model as a table of its keys, then the models its keys are made of, each once."""
    if model in seen:
        return
    seen.add(model)
    yield f"\n{'#' * level} {model.__name__}\n{_indented_as_text(cleandoc(model.__doc__ or ''))}"
    fields = {info.alias or name: info for name, info in model.model_fields.items()}
    if fields:
        yield "\n| key | value | default | meaning |\n|---|---|---|---|\n"
        for key, info in fields.items():
            yield f"| `{key}` | {_written_type(info)} | {_default(info)} | {_cell(info.description or '')} |\n"
    for info in fields.values():
        for inner in _models_in(info.annotation):
            yield from _described(inner, seen, max(level, 3))


def _indented_as_text(text: str) -> str:
    if "====" in text:  # a table that is drawn with characters
        return f"\n```text\n{text}\n```\n"
    return f"\n{text.replace('``', '`')}\n" if text else ""


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _written_type(info: FieldInfo) -> str:
    if any(item is extra for item in info.metadata for extra in get_args(Duration)[1:]):
        return "duration (`90s`, `15m`, `2h`, `3d`)"
    return _cell(_type(info.annotation))


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join(_type(each) for each in arguments)
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in arguments)
    if origin in (list, tuple):
        return f"list of {_type(arguments[0])}"
    if origin is not None and issubclass(origin, Mapping):
        return f"{_type(arguments[0])} → {_type(arguments[1])}"
    if hasattr(annotation, "__metadata__"):
        return _type(arguments[0])
    if annotation is type(None):
        return "null"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(f"`{each.value}`" for each in annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    return {str: "text", int: "whole number", float: "number", bool: "true, false", Any: "any value"}.get(
        annotation, getattr(annotation, "__name__", str(annotation))
    )


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "**required**"
    value = info.get_default(call_default_factory=True)
    if value is PydanticUndefined or isinstance(value, BaseModel):
        return "see there"
    if isinstance(value, timedelta):
        seconds = int(value.total_seconds())
        unit, size = next((u, s) for u, s in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)) if seconds % s == 0)
        return f"`{seconds // size}{unit}`"
    if value is None or value in ((), {}, ""):
        return "—"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _cell(text: str) -> str:
    return " ".join(text.replace("``", "`").replace("|", "\\|").split())


def main() -> int:
    """Write the pages, or compare them; gives back the exit code."""
    found = pages()
    if "--check" in sys.argv:
        old = [name for name, text in found.items() if not _is_current(FOLDER / name, text)]
        for name in old:
            print(f"docs/reference/{name} is not what the models say; run: python scripts/reference.py")
        return 1 if old else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in found.items():
        (FOLDER / name).write_text(text, "utf-8")
    print(f"written: {FOLDER}")
    return 0


def _is_current(path: Path, text: str) -> bool:
    return path.exists() and path.read_text("utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
