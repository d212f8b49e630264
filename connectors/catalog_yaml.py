"""YAML that remembers on which line each key stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from connectors.errors import CatalogError, CatalogProblem

Location = tuple[str | int, ...]

# libyaml is ten times faster; PyYAML can be built without it, and then reads the same files more slowly.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Document:
    """One parsed file: its data, and the line of every key by its path."""

    file: str
    data: Mapping[str, Any]
    lines: Mapping[Location, int]

    def line(self, location: Location) -> int:
        """The line of a key; of the nearest key above it when it is missing."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, 1)

    def problem(self, location: Location, problem: str, fix: str) -> CatalogProblem:
        """A ``CatalogProblem`` at a key of this file."""
        return CatalogProblem(self.file, self.line(location), dotted(location), problem, fix)


def dotted(location: Location) -> str:
    """``pull.style`` of ``("pull", "style")``."""
    return ".".join(str(part) for part in location) or "file"


def read(path: Path) -> Document:
    """Parse a file whose top level is a mapping; raises ``CatalogError`` with the line."""
    file = _shown(path)
    try:
        loader = _Loader(path.read_bytes())
        try:
            node = loader.get_single_node()
            lines: dict[Location, int] = {}
            _walk(node, (), lines, file)
            data = loader.construct_document(node) if node is not None else None
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise _broken(file, line, error.problem or "is not valid YAML") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise _broken(file, 1, "is not valid YAML in UTF-8") from None
    except OSError as error:
        raise _broken(file, 0, f"cannot be read: {error.strerror}") from error
    if not isinstance(data, dict):
        raise _broken(file, 1, "must be a mapping of keys, not a list or a single value")
    return Document(file, data, lines)


def _walk(node: Any, at: Location, lines: dict[Location, int], file: str) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*at, str(key.value))
            line = key.start_mark.line + 1
            if here in lines:
                fix = f"Keep one of them; the other is on line {lines[here]}"
                raise CatalogError((CatalogProblem(file, line, dotted(here), "the key stands here twice", fix),))
            lines[here] = line
            _walk(value, here, lines, file)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[(*at, index)] = value.start_mark.line + 1
            _walk(value, (*at, index), lines, file)


def _broken(file: str, line: int, problem: str) -> CatalogError:
    return CatalogError(
        (CatalogProblem(file, line, "file", problem, "Correct the file; 'hosync check' reads it again"),)
    )


def _shown(path: Path) -> str:
    """The path as a person would type it: relative to the working folder when it is below it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
