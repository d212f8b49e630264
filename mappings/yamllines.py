"""YAML that remembers its lines and leaves codes alone.

Only ``true``, ``false``, ``null`` and plain whole numbers are more than text. ``1.001612`` stays the text it looks
like, ``04`` keeps its zero, ``no`` is a word and not a boolean: in files made of codes, every other reading is a trap.
A key that stands twice in one block is a mistake, not the later value.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mappings.errors import FileIssue, MappingFileError

Location = tuple[str | int, ...]
_MAX_DEPTH = 40


class _Loader(yaml.CSafeLoader):
    """Resolves nothing but what is added below."""


_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:null|~|)$"), ["n", "~", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^(?:0|-?[1-9][0-9]*)$"), list("-0123456789"))


@dataclass(slots=True)
class Document:
    """The data of one file and the line on which each part of it begins (1-based)."""

    file: Path
    data: Any = None
    lines: dict[Location, int] = field(default_factory=dict)

    def line(self, location: Location) -> int:
        """The line of the part at ``location``, or of the nearest part around it."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, 1)

    def issue(self, location: Location, what: str, fix: str = "") -> FileIssue:
        """A mistake at that place."""
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
        return FileIssue(file=self.file, line=self.line(location), key=key, what=what, fix=fix)


def read(path: Path) -> Document:
    """Read one YAML file. Raises :class:`MappingFileError` when it is not one well-formed document of plain data."""
    document = Document(path)
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=_Loader)
    except UnicodeDecodeError as error:
        raise MappingFileError([document.issue((), "the file is not UTF-8", "Save it as UTF-8")]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = mark.line + 1 if mark is not None else 1
        raise MappingFileError([FileIssue(path, line, "", f"not YAML: {error.problem}")]) from error
    except yaml.YAMLError as error:
        raise MappingFileError([document.issue((), "not YAML: the text holds characters YAML forbids")]) from error
    if node is not None:
        document.data = _construct(node, (), document)
    return document


def _construct(node: yaml.Node, location: Location, document: Document) -> Any:
    document.lines.setdefault(location, node.start_mark.line + 1)
    if len(location) > _MAX_DEPTH:
        raise MappingFileError([document.issue(location, "nested too deeply (an alias inside itself?)")])
    if isinstance(node, yaml.MappingNode):
        return _construct_mapping(node, location, document)
    if isinstance(node, yaml.SequenceNode):
        return [_construct(item, (*location, index), document) for index, item in enumerate(node.value)]
    kind = node.tag.rsplit(":", 1)[-1]
    if kind == "str":
        return node.value
    if kind == "int":
        return int(node.value)
    if kind == "bool":
        return node.value == "true"
    if kind == "null":
        return None
    raise MappingFileError([document.issue(location, f"the tag {node.tag} is not allowed", "Write plain text")])


def _construct_mapping(node: yaml.MappingNode, location: Location, document: Document) -> dict[Any, Any]:
    result: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise MappingFileError([document.issue(location, "a key must be plain text or a number")])
        key = _construct(key_node, (*location, key_node.value), document)
        where = (*location, key_node.value)
        document.lines[where] = key_node.start_mark.line + 1
        if key in result:
            raise MappingFileError([document.issue(where, "the key stands twice in this block", "Remove one of them")])
        result[key] = _construct(value_node, where, document)
    return result
