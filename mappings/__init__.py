"""What it means: one YAML file per system, from native records to the common schema and from it to the targets.

Floor 2: may import ``schemas`` and nothing else of the project; does no input or output but reading its own files.
Start with a file in ``sources/``, then ``model.py`` (what may stand in it) and ``compiler.py`` (what becomes of it).
``converters.py`` holds the named converters, ``validate.py`` takes a whole page to valid dossiers, ``coverage.py``
tells what a mapping leaves out, ``examples.py`` runs the examples that every file carries.
"""

import os
from functools import lru_cache
from pathlib import Path

from mappings import catalogues
from mappings.errors import MappingNotFoundError
from mappings.mapping import Converted, Mapping, MappingProblem, load_file
from mappings.model import Direction, Tells
from mappings.validate import Validated, validate_page

__all__ = [
    "Converted",
    "Direction",
    "Mapping",
    "MappingProblem",
    "Tells",
    "Validated",
    "available",
    "load",
    "validate_page",
]

_FOLDERS = {Direction.SOURCE: "sources", Direction.TARGET: "targets"}
_Stamp = tuple[tuple[int, int], ...]


def folder(direction: Direction) -> Path:
    """Where the mappings of one direction are: below HOSYNC_MAPPINGS when that is set, else beside this file."""
    return Path(os.environ.get("HOSYNC_MAPPINGS") or Path(__file__).parent) / _FOLDERS[direction]


def available(direction: Direction) -> list[str]:
    """The names of the mappings of one direction."""
    return sorted(path.stem for path in folder(direction).glob("*.yaml"))


def load(name: str, direction: Direction) -> Mapping:
    """The mapping of that name, compiled; read again only when its file, or a catalogue it uses, has changed.

    Raises :class:`mappings.errors.MappingNotFoundError` and :class:`mappings.errors.MappingFileError`.
    """
    direction = Direction(direction)
    if name not in available(direction):
        known = ", ".join(available(direction)) or "none"
        raise MappingNotFoundError(f'there is no {direction} mapping "{name}"; mappings/{direction}s/ holds: {known}')
    path = folder(direction) / f"{name}.yaml"
    # A catalogue may have changed while the mapping's own file has not.
    return _load(path, _stamp_of([path, *sorted(catalogues.folder().glob("*.yaml"))]))


def _stamp_of(files: list[Path]) -> _Stamp:
    return tuple((info.st_mtime_ns, info.st_size) for info in (file.stat() for file in files))


@lru_cache(maxsize=64)
def _load(path: Path, _stamp: _Stamp) -> Mapping:
    # The stamp is part of the cache key and of nothing else.
    return load_file(path)
