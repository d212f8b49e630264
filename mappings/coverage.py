"""What a mapping leaves out, measured on sample records; for ``hosync check`` and ``hosync preview``."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from mappings import canonical, paths
from mappings.compiler import Record, compile_fields
from mappings.mapping import Mapping
from mappings.model import AnyField, Direction, ListSpec

Fields: TypeAlias = dict[str, AnyField]

# A value is shown only when it looks like a code; a name in a code's place stays hidden.
_CODE_LIKE = re.compile(r"^(?:-?\d{1,6}|[A-Za-z][A-Za-z_]{0,19}\d{0,4})$", re.ASCII)
_HIDDEN = "(hidden)"


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

    def unknown(table: str, code: object) -> None:
        text = str(code)
        seen.add((table, text if _CODE_LIKE.match(text) else _HIDDEN))

    probe = compile_fields(fields, mapping.tables, unknown)
    for record in records:
        probe.explain(record)
        counts.update(seen)
        seen.clear()
    for (table, code), count in sorted(counts.items()):
        yield UnknownCode(table=table, code=code, records=count)
