"""Catalog entries and mappings as text: in the order given, short parts on one line, remarks where they belong."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import yaml

_ONE_A_LINE = ("fields", "tables", "examples")


def written(document: Mapping[str, Any], remarks: Mapping[str, str] = MappingProxyType({})) -> str:
    """The document as YAML; ``remarks`` become comments behind the fields that they are about, by name."""
    return "".join(
        _nested(key, value, remarks) if key in _ONE_A_LINE else _block(key, value) for key, value in document.items()
    )


class _Writer(yaml.SafeDumper):
    """Indents lists and keeps short parts on one line, as people write YAML."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        del indentless
        super().increase_indent(flow, False)


def _block(key: str, value: Any) -> str:
    return yaml.dump({key: value}, Dumper=_Writer, allow_unicode=True, sort_keys=False, width=110)


def _nested(key: str, value: Any, remarks: Mapping[str, str]) -> str:
    """One field, table or example to a line, in braces."""
    lines = [f"{key}:\n"]
    if isinstance(value, list):
        lines += [f"  - {_flow(item)}\n" for item in value]
        return "".join(lines)
    for name, inner in value.items():
        remark = f"  # {remarks[name]}" if key == "fields" and name in remarks else ""
        lines.append(f"  {_flow(name)}: {_flow(inner)}{remark}\n")
    return "".join(lines)


def _flow(value: Any) -> str:
    text = yaml.dump(
        value, Dumper=yaml.SafeDumper, allow_unicode=True, sort_keys=False, width=10_000, default_flow_style=True
    )
    return text.removesuffix("\n...\n").rstrip("\n")
