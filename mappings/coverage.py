"""What a mapping leaves out, measured on sample records; for ``hosync check`` and ``hosync preview``."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from mappings import canonical, paths
from mappings.compiler import Record, compile_fields
from mappings.mapping import Mapping
from mappings.model import AnyField, Direction, FieldSpec, ListSpec

Fields: TypeAlias = dict[str, AnyField]

_HIDDEN = "(hidden)"


class Kind(StrEnum):
    """What a native field is read as, where its values are no personal data as long as they look like it."""

    CODE = "code"
    STATE = "state"
    MOMENT = "moment"


# A value is shown only when it looks like what its field is for: a name in a code's place stays hidden. A state is a
# word or a few, in any language; its table may be fed from a wrong field, so long texts and numbers stay hidden.
_LOOKS: MappingABC[Kind, re.Pattern[str]] = MappingProxyType(
    {
        Kind.CODE: re.compile(r"^(?:-?\d{1,6}|[A-Za-z][A-Za-z_]{0,19}\d{0,4})$", re.ASCII),
        Kind.STATE: re.compile(r"^(?!.*\d{5})[\w(][\w ()/.,-]{0,39}$"),
        Kind.MOMENT: re.compile(
            r"^(?:\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ]\d{1,2}:\d{1,2}(?::\d{1,2}(?:\.\d+)?)?)?"
            r"(?: ?(?:Z|[+-]\d{2}:?\d{2}))?|(?:19|20)\d{6}(?:\d{6})?)$",
            re.ASCII,
        ),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownCode:
    """A code that some records have and the table has not. ``code`` is hidden when it may be more than a code."""

    table: str
    code: str
    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The findings over ``records`` samples. ``unmapped`` and ``never_present`` are native paths."""

    records: int
    set_aside: int
    unmapped: tuple[str, ...]
    """Native fields that hold something and are neither mapped nor ignored."""
    never_present: tuple[str, ...]
    """Native fields the mapping reads and no sample has: renamed, or misspelt."""
    never_filled: tuple[str, ...]
    """Fields of the result that no sample fills, and that are mapped."""
    not_mapped: tuple[str, ...]
    """Canonical fields the mapping does not speak of (sources only)."""
    unknown_codes: tuple[UnknownCode, ...]


def measure(mapping: Mapping, records: Sequence[Record], section: str = "dossier") -> Coverage:
    """Measure a mapping on sample records. Shows paths, counts and codes, never other values."""
    part = mapping.sections[section]
    used = paths.used_fields(part.fields)
    present: dict[str, bool] = {}
    for record in records:
        for path, value in paths.leaves(record):
            present[path] = present.get(path, False) or value not in (None, "", [])
    spoken = {*used, *part.ignore}
    converted = mapping.convert_steps(records) if section == "step" else mapping.convert_dossiers(records)
    filled = {
        path.removesuffix("[]") for _, result in converted.good for path, value in paths.leaves(result) if value != []
    }
    names = _result_names(part.fields)
    return Coverage(
        records=len(records),
        set_aside=len(converted.bad),
        unmapped=tuple(
            sorted(
                path for path, holds in present.items() if holds and not any(paths.covers(path, one) for one in spoken)
            )
        ),
        never_present=tuple(
            sorted(one for one in used if not any(paths.covers(path, one) for path in present)) if records else ()
        ),
        never_filled=tuple(sorted(names - filled)) if converted.good else (),
        not_mapped=tuple(sorted(_canonical_names(canonical.SHAPES[mapping.tells]) - names))
        if mapping.direction is Direction.SOURCE
        else (),
        unknown_codes=tuple(_unknown_codes(mapping, part.fields, records)),
    )


def looks_like(kind: Kind, value: object) -> bool:
    """Whether a value looks like what a field of this kind holds, and may be shown."""
    return bool(_LOOKS[kind].match(str(value)))


def kinds(mapping: Mapping) -> dict[str, Kind]:
    """The native paths of a source that are read as codes, states and moments, with ``[]`` after a list."""
    found: dict[str, Kind] = {}
    for name, spec in mapping.sections["dossier"].fields.items():
        if isinstance(spec, ListSpec):
            for inner_name, inner in spec.fields.items():
                found |= {f"{spec.each}[].{path}": kind for path, kind in _kinds(inner_name, inner)}
        else:
            found |= dict(_kinds(name, spec))
    return found


def _kinds(name: str, spec: FieldSpec) -> Iterator[tuple[str, Kind]]:
    kind = None
    if spec.table is not None:
        kind = Kind.STATE if name == "state" else Kind.CODE
    elif spec.converter == "datetime":
        kind = Kind.MOMENT
    if kind is not None:
        yield from ((path, kind) for path in spec.source)
    if spec.otherwise is not None:
        yield from _kinds(name, spec.otherwise)


def _state_tables(fields: Fields) -> set[str]:
    """The tables that give the state of a dossier or of a step."""
    found: set[str] = set()
    for name, spec in fields.items():
        inner = spec.fields.items() if isinstance(spec, ListSpec) else ((name, spec),)
        found |= {each.table for inner_name, each in inner if inner_name == "state" and each.table is not None}
    return found


def _result_names(fields: Fields) -> set[str]:
    names: set[str] = set()
    for name, spec in fields.items():
        names |= {f"{name}[].{inner}" for inner in spec.fields} if isinstance(spec, ListSpec) else {name}
    return names


def _canonical_names(shape: canonical.Shape) -> set[str]:
    lists = {f"{name}[].{inner}" for name, fields in shape.lists.items() for inner in fields}
    return lists | {name for name in shape.fields if name not in shape.lists}


def _unknown_codes(mapping: Mapping, fields: Fields, records: Sequence[Record]) -> Iterator[UnknownCode]:
    counts: Counter[tuple[str, str]] = Counter()
    seen: set[tuple[str, str]] = set()
    of_states = _state_tables(fields)

    def unknown(table: str, code: object) -> None:
        kind = Kind.STATE if table in of_states else Kind.CODE
        seen.add((table, str(code) if looks_like(kind, code) else _HIDDEN))

    probe = compile_fields(fields, mapping.tables, unknown)
    for record in records:
        probe.explain(record)
        counts.update(seen)
        seen.clear()
    for (table, code), count in sorted(counts.items()):
        yield UnknownCode(table=table, code=code, records=count)
