"""What each target would get of a dossier that nobody has sent yet, and what keeps it from being sent.

For ``hosync check`` and ``hosync preview``: what a target lacks is said in the names of the common schema, which is
where a new system's mapping has to fill it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import mappings
from connectors.catalog_models import Message
from mappings.model import FieldSpec
from mappings.places import shown
from sync.outgoing import outgoing_dossier, outgoing_steps

if TYPE_CHECKING:
    from connectors.catalog_models import TargetEntry
    from mappings.compiler import Broken
    from schemas.dossier import Dossier

_OF_A_STEP = frozenset({"at", "unit", "officer", "content", "step_no"})


@dataclass(frozen=True, slots=True)
class Refusal:
    """One field of a target's message that cannot be made.

    ``lacking`` are the canonical fields that would fill it and that are empty, ``catalogues`` the lists of
    mappings/catalogues that the target's mapping looks into when they are.
    """

    field: str
    rule: str
    message: str
    lacking: tuple[str, ...] = ()
    catalogues: tuple[str, ...] = ()

    def remedy(self, source: mappings.Mapping) -> str:
        """What to do in the source's mapping; empty when that is not known."""
        if not self.lacking:
            return ""
        fields = source.sections["dossier"].fields
        mapped = [spec for name in self.lacking if isinstance(spec := fields.get(name), FieldSpec)]
        listed = dict.fromkeys((*self.catalogues, *(name for spec in mapped for name in _looked_up(spec))))
        or_list = "".join(f", or add the code to mappings/catalogues/{name}.yaml" for name in listed)
        return f"fill {' or '.join(self.lacking)} in {shown(source.file)}{or_list}"


@dataclass(frozen=True, slots=True)
class Ahead:
    """What one target would get of one dossier; ``notices`` only of one that was filed on its portal."""

    dossier: Mapping[str, Any] | None
    steps: tuple[Mapping[str, Any], ...]
    notices: tuple[Mapping[str, Any], ...]
    refusals: tuple[Refusal, ...]


def at_target(entry: TargetEntry, dossier: Dossier, now: datetime) -> Ahead:
    """Map a dossier and its steps for a target. Raises ``MappingError`` when the target's mapping cannot be used."""
    mapping = mappings.load(entry.mapping, mappings.Direction.TARGET)
    steps = outgoing_steps(dossier, now)
    record = _made(mapping, "dossier", [outgoing_dossier(dossier)] if Message.DOSSIER in entry.messages else [])
    stepped = _made(mapping, "step", steps if Message.STEP in entry.messages else [])
    noticed = _made(mapping, "notice", steps if dossier.national_code and "notice" in mapping.compiled else [])
    # All steps of a dossier lack the same: it is said once.
    refusals = tuple(dict.fromkeys([*record[1], *stepped[1], *noticed[1]]))
    return Ahead(next(iter(record[0]), None), tuple(stepped[0]), tuple(noticed[0]), refusals)


def _made(
    mapping: mappings.Mapping, section: str, records: Sequence[Mapping[str, Any]]
) -> tuple[list[Mapping[str, Any]], list[Refusal]]:
    good: list[Mapping[str, Any]] = []
    refusals: list[Refusal] = []
    for record in records:
        message, broken = mapping.compiled[section].explain(record)
        if broken:
            refusals += [_refusal(mapping, section, record, each) for each in broken]
        else:
            good.append(message)
    return good, refusals


def _refusal(mapping: mappings.Mapping, section: str, record: Mapping[str, Any], broken: Broken) -> Refusal:
    spec = mapping.sections[section].fields.get(broken.field)
    if broken.rule != "required" or not isinstance(spec, FieldSpec):
        return Refusal(broken.field, broken.rule, broken.message)
    empty = [path for path in _read(spec) if not _holds(record, path)]
    of_dossier = [path for path in empty if path not in _OF_A_STEP]
    lacking = of_dossier or [f"steps[].{path}" for path in empty]
    return Refusal(broken.field, broken.rule, broken.message, tuple(lacking), tuple(_looked_up(spec)))


def _origins(spec: FieldSpec) -> Iterator[FieldSpec]:
    """The field, and where it is taken from otherwise."""
    yield spec
    if spec.otherwise is not None:
        yield from _origins(spec.otherwise)


def _looked_up(spec: FieldSpec) -> list[str]:
    """The catalogues that a field is looked up in."""
    return [each.lookup.catalogue for each in _origins(spec) if each.lookup is not None]


def _read(spec: FieldSpec) -> list[str]:
    """The canonical fields that a target's field is taken from, the first choice first."""
    return list(dict.fromkeys(path for each in _origins(spec) for path in each.source))


def _holds(record: Mapping[str, Any], path: str) -> bool:
    value: Any = record
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value not in (None, "")
