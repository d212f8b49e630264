"""Runs the examples that a mapping file carries."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mappings.mapping import Converted, MappingProblem
from mappings.mapping import Mapping as LoadedMapping
from mappings.model import Direction, Example, Section
from schemas.report import ReportKind
from schemas.times import VN

_MOMENTS = frozenset(
    {
        "at",
        "submitted_at",
        "received_at",
        "due_at",
        "finished_at",
        "returned_at",
        "state_at",
        "changed_at",
        "begins_at",
        "ends_at",
    }
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One example, run: ``differences`` is empty when it came out as written."""

    label: str
    record: Mapping[str, Any]
    result: Mapping[str, Any] | None
    problem: MappingProblem | None
    differences: tuple[str, ...]


def run(mapping: LoadedMapping) -> list[Outcome]:
    """Run every example of every section of a mapping."""
    return [outcome for name, section in mapping.sections.items() for outcome in _run_section(mapping, name, section)]


def _run_section(mapping: LoadedMapping, name: str, section: Section) -> Iterator[Outcome]:
    given: dict[str, dict[str, Any]] = {}
    for number, example in enumerate(section.examples, start=1):
        record = _record(example, given)
        if example.name is not None:
            given[example.name] = record
        ready = _with_moments(record) if mapping.direction is Direction.TARGET else record
        converted = _convert(mapping, name, ready)
        result = converted.good[0][1] if converted.good else None
        problem = converted.bad[0] if converted.bad else None
        yield Outcome(
            label=f"{name} example {number}" + (f" ({example.name})" if example.name else ""),
            record=ready,
            result=result,
            problem=problem,
            differences=tuple(_differences(example, result, problem)),
        )


def _convert(mapping: LoadedMapping, section: str, record: Mapping[str, Any]) -> Converted:
    if section in list(ReportKind):
        return mapping.convert_reports(ReportKind(section), [record])
    convert = {"step": mapping.convert_steps, "notice": mapping.convert_notices}.get(section, mapping.convert_dossiers)
    return convert([record])


def _record(example: Example, given: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    base = example.given if example.like is None else given[example.like]
    record: dict[str, Any] = copy.deepcopy(base) if base is not None else {}
    for path, value in example.changes.items():
        *objects, leaf = path.split(".")
        holder = record
        for name in objects:
            holder = holder.setdefault(name, {})
        holder[leaf] = value
    return record


def _with_moments(value: Any, key: str = "") -> Any:
    """YAML has no moments with a zone, so the examples of targets write them as ISO text."""
    if isinstance(value, dict):
        return {name: _with_moments(part, name) for name, part in value.items()}
    if isinstance(value, list):
        return [_with_moments(part) for part in value]
    return datetime.fromisoformat(value) if key in _MOMENTS and isinstance(value, str) else value


def _differences(example: Example, result: Mapping[str, Any] | None, problem: MappingProblem | None) -> Iterator[str]:
    if example.problem is not None:
        expected_problem = f"{example.problem.rule} at {example.problem.field}"
        found = f"{problem.rule} at {problem.field}" if problem is not None else "none"
        if found != expected_problem:
            yield f"expected the problem {expected_problem}, got {found}"
        return
    if result is None:
        yield f"the record was set aside: {problem.message if problem else 'no reason'}"
        return
    plain = _plain(result)
    expected = example.gives if example.gives is not None else example.includes or {}
    for name, value in expected.items():
        if name not in plain:
            yield f"{name}: missing in the result"
        elif not _same(plain[name], value):
            # Examples are synthetic by rule, so their values may be shown.
            yield f"{name}: expected {value!r}, got {plain[name]!r}"
    if example.gives is not None:
        yield from (f"{name}: in the result but not in the example" for name in plain.keys() - expected.keys())


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(VN).isoformat()
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value


def _same(found: Any, expected: Any) -> bool:
    """Equality that tells 1 from true."""
    if isinstance(found, list) and isinstance(expected, list):
        return len(found) == len(expected) and all(map(_same, found, expected))
    if isinstance(found, dict) and isinstance(expected, dict):
        return found.keys() == expected.keys() and all(_same(found[name], expected[name]) for name in found)
    return type(found) is type(expected) and bool(found == expected)
