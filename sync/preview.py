"""What would become of a system's records: as they come, as we understand them, as each target would get them.

Nothing is stored and nothing is sent. Personal data is masked unless it is asked for.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

import mappings
from connectors.catalog_models import Message
from schemas.dossier import Dossier
from sync.outgoing import outgoing_dossier, outgoing_steps

if TYPE_CHECKING:
    from sync.context import Context

MASK = "•••"
_PERSONAL = ("summary", "note")


class TargetPreview(BaseModel):
    """What one target would get of one dossier; ``problems`` says what keeps it from being sent."""

    model_config = ConfigDict(frozen=True)

    target: str
    dossier: Mapping[str, Any] | None
    steps: tuple[Mapping[str, Any], ...]
    problems: tuple[str, ...]


class RecordPreview(BaseModel):
    """One record on its way through the house."""

    model_config = ConfigDict(frozen=True)

    native: Any
    canonical: Mapping[str, Any] | None
    problems: tuple[str, ...]
    targets: tuple[TargetPreview, ...]


def preview(context: Context, system: str, *, count: int, now: datetime, reveal: bool = False) -> list[RecordPreview]:
    """Fetch as many pages as it takes and show the first ``count`` records of the system.

    Raises what a pull raises. ``reveal`` shows personal data as it is.
    """
    entry = context.catalog.source(system)
    mapping = mappings.load(entry.mapping, mappings.Direction.SOURCE)
    with context.source(system) as source:
        pages = source.pull(window=None, cursor=None, open_codes=(), now=now)
        records = list(islice(chain.from_iterable(page.records for page in pages), count))
    validated = mappings.validate_page(mapping, records)
    dossiers = dict(validated.good)
    problems: dict[int, list[str]] = {}
    for problem in validated.bad:
        problems.setdefault(problem.index, []).append(f"{problem.field}: {problem.message} ({problem.rule})")
    return [
        _record(context, record, dossiers.get(index), tuple(problems.get(index, ())), now, reveal=reveal)
        for index, record in enumerate(records)
    ]


def _record(
    context: Context,
    native: Mapping[str, Any],
    dossier: Dossier | None,
    problems: tuple[str, ...],
    now: datetime,
    *,
    reveal: bool,
) -> RecordPreview:
    canonical = dossier.model_dump(mode="json", exclude_none=True) if dossier else None
    # Of a record that we could not read we don't know what is personal: then everything is masked.
    hide = _Mask(None if canonical is None else _personal_values(canonical))
    shown = _as_it_is if reveal else hide.applied
    targets = (
        tuple(_for_target(context, target.system, dossier, now, shown) for target in context.catalog.targets)
        if dossier
        else ()
    )
    return RecordPreview(
        native=shown(native), canonical=shown(canonical) if canonical else None, problems=problems, targets=targets
    )


def _for_target(
    context: Context, target: str, dossier: Dossier, now: datetime, shown: Callable[[Any], Any]
) -> TargetPreview:
    entry = context.catalog.target(target)
    mapping = mappings.load(entry.mapping, mappings.Direction.TARGET)
    nothing = mappings.Converted(good=[], bad=[])
    records = mapping.convert_dossiers([outgoing_dossier(dossier)]) if Message.DOSSIER in entry.messages else nothing
    steps = mapping.convert_steps(outgoing_steps(dossier, now)) if Message.STEP in entry.messages else nothing
    return TargetPreview(
        target=target,
        dossier=shown(records.good[0][1]) if records.good else None,
        steps=tuple(shown(payload) for _, payload in steps.good),
        problems=tuple(f"{each.field}: {each.message} ({each.rule})" for each in (*records.bad, *steps.bad)),
    )


def _as_it_is(value: Any) -> Any:
    return value


def _personal_values(canonical: Mapping[str, Any]) -> frozenset[str]:
    def values() -> Iterator[str]:
        yield from (str(value) for key, value in canonical.get("applicant", {}).items() if key != "identity_kind")
        yield from (canonical[key] for key in _PERSONAL if key in canonical)
        for step in canonical.get("steps", ()):
            yield from (step[key] for key in ("officer", "content") if key in step)

    return frozenset(_folded(value) for value in values())


def _folded(value: str) -> str:
    return " ".join(unicodedata.normalize("NFC", value).casefold().split())


class _Mask:
    """Replaces personal values wherever they stand; ``None`` for the values: every text."""

    def __init__(self, values: frozenset[str] | None) -> None:
        self._values = values

    def applied(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: self.applied(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.applied(inner) for inner in value]
        if isinstance(value, str) and value and self._hides(value):
            return MASK
        return value

    def _hides(self, value: str) -> bool:
        return self._values is None or _folded(value) in self._values
