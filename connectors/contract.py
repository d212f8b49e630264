"""Contract snapshots in JSON Schema: does a system still answer as it did when the snapshot was taken?

A snapshot under ``schemas/wire`` describes a whole answer; its ``$defs/record`` describes one native record, as the
mapping gets it. Compared are names and kinds of values, never the values themselves: nothing that is said here holds
any of them. Snapshots that are WSDLs are compared by ``wsdl.py``.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError

from connectors.catalog import contract_path
from connectors.catalog_models import Entry
from connectors.errors import CatalogError, CatalogProblem

_MOST_PROBLEMS = 12


class Drift(StrEnum):
    """How a record departs from the contract."""

    NEW = "new"  # a field that the contract does not know
    MISSING = "missing"  # a field that it promises
    OTHER_KIND = "other-kind"  # a value of another type or form


@dataclass(frozen=True, slots=True)
class Departure:
    """One departure, in ``records`` of the records looked at. ``at`` is a path; it holds names, never values."""

    drift: Drift
    at: str
    records: int


@dataclass(frozen=True, slots=True)
class Contract:
    """The description of one record."""

    schema: Mapping[str, Any]

    def knows(self, path: str) -> bool:
        """Whether the contract speaks of this path, required or not."""
        places: list[Mapping[str, Any]] = [self.schema]
        for name in path.split("."):
            inner = [each for place in places for each in self._inside(place)]
            places = [each["properties"][name] for each in inner if name in each.get("properties", {})]
        return bool(places)

    def _inside(self, place: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """The place itself, what it refers to, its alternatives, and the items of its list."""
        found = [place]
        if "$ref" in place:
            found += self._inside(self.schema["$defs"][str(place["$ref"]).rpartition("/")[2]])
        for other in (*place.get("anyOf", ()), *place.get("oneOf", ()), *place.get("allOf", ())):
            found += self._inside(other)
        return found + self._inside(place["items"]) if "items" in place else found

    def departures(self, records: Sequence[Mapping[str, Any]]) -> list[Departure]:
        """How these records depart from the contract, the most frequent first."""
        validator = Draft202012Validator(self.schema)
        counts: Counter[tuple[Drift, str]] = Counter()
        for record in records:
            counts.update({each for error in validator.iter_errors(record) for each in _departures(error)})
        return [Departure(drift, at, number) for (drift, at), number in counts.most_common(_MOST_PROBLEMS)]


def record_contract(entry: Entry) -> Contract | None:
    """The contract of one record of ``entry``; ``None`` when the snapshot is no JSON Schema.

    Raises ``CatalogError`` when the snapshot is missing, no valid schema, or describes no record.
    """
    path = contract_path(entry)
    if path.suffix != ".json":
        return None
    return Contract(_loaded(entry.file, path, path.stat().st_mtime_ns if path.exists() else 0))


@lru_cache(maxsize=64)
def _loaded(file: str, path: Path, _changed: int) -> Mapping[str, Any]:
    # When it changed is part of the cache key and of nothing else.
    try:
        whole = orjson.loads(path.read_bytes())
        Draft202012Validator.check_schema(whole)
        record = whole["$defs"]["record"]
    except FileNotFoundError:
        raise _problem(file, path, "there is no such file", "Put the contract there, or correct 'contract'") from None
    except (orjson.JSONDecodeError, SchemaError) as error:
        where = f": {error.json_path}" if isinstance(error, SchemaError) else ""
        raise _problem(file, path, f"it is no JSON Schema (draft 2020-12){where}", "Correct the file") from None
    except (KeyError, TypeError):
        raise _problem(file, path, "it has no $defs/record", "Describe one record there") from None
    return {**record, "$defs": whole["$defs"]}


def _problem(file: str, path: Path, problem: str, fix: str) -> CatalogError:
    return CatalogError((CatalogProblem(file or "catalog", 0, f"contract {path.name}", problem, fix),))


def _departures(error: ValidationError) -> list[tuple[Drift, str]]:
    at = _path(error.absolute_path)
    rule: Any = error.validator_value
    if error.validator == "required":
        # jsonschema reports each missing name by itself, and names it only in its message: take all, once.
        return [(Drift.MISSING, _join(at, name)) for name in rule if name not in _keys(error)]
    if error.validator == "additionalProperties":
        schema: Any = error.schema
        return [(Drift.NEW, _join(at, name)) for name in _keys(error) if name not in schema.get("properties", {})]
    if error.validator in ("anyOf", "oneOf") and (meant := _meant(error)):
        return [found for each in meant for found in _departures(each)]
    return [(Drift.OTHER_KIND, at)]


def _meant(error: ValidationError) -> list[ValidationError]:
    """What is wrong with the only alternative that is of the value's own kind; nothing when there is not one such."""
    alternatives: dict[Any, list[ValidationError]] = {}
    for each in error.context or ():
        alternatives.setdefault(each.schema_path[0], []).append(each)
    fitting = [
        errors
        for errors in alternatives.values()
        if not any(each.validator in ("type", "const", "enum") and not each.path for each in errors)
    ]
    return fitting[0] if len(fitting) == 1 else []


def _keys(error: ValidationError) -> list[str]:
    instance: Any = error.instance
    return [str(name) for name in instance]


def _path(parts: Iterable[str | int]) -> str:
    found = ""
    for part in parts:
        found = f"{found}[]" if isinstance(part, int) else _join(found, str(part))
    return found


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
