"""What would become of a system's records: as they come, as we understand them, as each target would get them.

Nothing is stored and nothing is sent. Personal data is masked unless it is asked for. Where there is a ledger, it says
what other systems told of the same dossiers, and whose state counts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import BaseModel, ConfigDict

import mappings
from connectors import connections, factory
from connectors.catalog_models import PullStyle
from ledger.standing import Standing, standings
from mappings import coverage
from schemas.dossier import Dossier
from schemas.quality import flags
from sync.ahead import at_target
from sync.catalogues import PublishedCodes
from sync.errors import SyncError
from sync.outgoing import outgoing_dossier
from sync.pull import open_codes

if TYPE_CHECKING:
    from connectors.api import Source
    from connectors.catalog import Catalog
    from connectors.catalog_models import SourceEntry, TargetEntry
    from sync.context import Context

MASK = "•••"
PERSONAL = ("summary", "note")
"""Fields of a dossier that are personal data, beside its applicant and what its steps say."""

_Shown: TypeAlias = Callable[[Any], Any]


class TargetPreview(BaseModel):
    """What one target would get of one dossier; ``problems`` says what keeps it from being sent."""

    model_config = ConfigDict(frozen=True)

    target: str
    dossier: Mapping[str, Any] | None
    steps: tuple[Mapping[str, Any], ...]
    notices: tuple[Mapping[str, Any], ...]
    problems: tuple[str, ...]
    unpublished: tuple[str, ...] = ()


class Flag(BaseModel):
    """Something that the indicators need and the dossier lacks; it is pushed all the same."""

    model_config = ConfigDict(frozen=True)

    rule: str
    indicators: tuple[str, ...]
    vi: str
    en: str


class RecordPreview(BaseModel):
    """One record on its way through the house.

    ``flags``: what its dossier lacks for the indicators. ``standing`` is what the ledger knows of its dossier by now,
    if anything. ``targets`` is empty for progress: they are told of a dossier as its home describes it.
    """

    model_config = ConfigDict(frozen=True)

    native: Any
    canonical: Mapping[str, Any] | None
    problems: tuple[str, ...]
    targets: tuple[TargetPreview, ...]
    flags: tuple[Flag, ...] = ()
    standing: Standing | None = None


def preview(
    catalog: Catalog, system: str, *, count: int, now: datetime, context: Context | None, reveal: bool = False
) -> list[RecordPreview]:
    """Fetch as many pages as it takes and show the first ``count`` records of the system.

    Raises what a pull raises. ``context`` is the way to the ledger, where there is one: without it systems that call
    us, or that are asked about single dossiers, have nothing to show. ``reveal`` shows personal data as it is.
    """
    entry = catalog.source(system)
    mapping = mappings.load(entry.mapping, mappings.Direction.SOURCE)
    with _source(entry, context) as source:
        pages = source.pull(window=None, cursor=None, open_codes=_asked(entry, context, now), now=now)
        records = list(islice(chain.from_iterable(page.records for page in pages), count))
    validated = mappings.validate_page(mapping, records)
    dossiers = dict(validated.good)
    kinds = coverage.kinds(mapping)
    problems: dict[int, list[str]] = {}
    for problem in validated.bad:
        problems.setdefault(problem.index, []).append(f"{problem.field}: {problem.message} ({problem.rule})")
    published = {entry.system: PublishedCodes.of(context.engine, entry) for entry in catalog.targets} if context else {}
    known = standings(context.engine, [dossier.code for dossier in dossiers.values()]) if context else {}

    def one(index: int, native: Mapping[str, Any]) -> RecordPreview:
        dossier = dossiers.get(index)
        canonical = dossier.model_dump(mode="json", exclude_none=True) if dossier else None
        shown: _Shown = _as_it_is
        if not reveal:
            shown = _MaskAll(kinds) if canonical is None else _Mask(_personal_values(canonical))
        return RecordPreview(
            native=shown(native),
            canonical=shown(canonical) if canonical else None,
            problems=tuple(problems.get(index, ())),
            targets=tuple(
                _for_target(target, dossier, now, mapping, shown, published.get(target.system))
                for target in catalog.targets
            )
            if isinstance(dossier, Dossier)
            else (),
            flags=_flags(dossier) if isinstance(dossier, Dossier) else (),
            standing=known.get(dossier.code) if dossier else None,
        )

    return [one(index, record) for index, record in enumerate(records)]


@contextmanager
def _source(entry: SourceEntry, context: Context | None) -> Iterator[Source]:
    if context is not None:
        with context.source(entry.system) as source:
            yield source
        return
    if entry.pull.style in (PullStyle.INBOUND, PullStyle.OPEN_LIST):
        raise SyncError(
            f"{entry.system} only tells of dossiers that we hold, and the ledger cannot be asked about them.",
            next_step="Set HOSYNC_DATABASE_URL and HOSYNC_DATA_KEY to those of a ledger that answers.",
        )
    source = factory.open_source(entry, connections.resolve(entry.connection))
    try:
        yield source
    finally:
        source.close()


def _asked(entry: SourceEntry, context: Context | None, now: datetime) -> Sequence[str]:
    # A system that calls us is told of dossiers in earnest only.
    return open_codes(context, entry, now=now) if context and entry.pull.style is PullStyle.OPEN_LIST else ()


def _flags(dossier: Dossier) -> tuple[Flag, ...]:
    return tuple(Flag(rule=rule.name, indicators=rule.indicators, vi=rule.vi, en=rule.en) for rule in flags(dossier))


def _for_target(
    entry: TargetEntry,
    dossier: Dossier,
    now: datetime,
    source: mappings.Mapping,
    shown: _Shown,
    published: PublishedCodes | None,
) -> TargetPreview:
    ahead = at_target(entry, dossier, now)
    return TargetPreview(
        target=entry.system,
        dossier=shown(ahead.dossier) if ahead.dossier else None,
        steps=tuple(shown(payload) for payload in ahead.steps),
        notices=tuple(shown(payload) for payload in ahead.notices),
        problems=tuple(
            ": ".join(filter(None, (f"{each.field}: {each.message} ({each.rule})", each.remedy(source))))
            for each in ahead.refusals
        ),
        unpublished=tuple(published.missing(outgoing_dossier(dossier))) if published else (),
    )


def _as_it_is(value: Any) -> Any:
    return value


def _personal_values(canonical: Mapping[str, Any]) -> frozenset[str]:
    def values() -> Iterator[str]:
        yield from (str(value) for key, value in canonical.get("applicant", {}).items() if key != "identity_kind")
        yield from (canonical[key] for key in PERSONAL if key in canonical)
        for step in canonical.get("steps", ()):
            yield from (step[key] for key in ("officer", "content") if key in step)

    return frozenset(_folded(value) for value in values())


def _folded(value: str) -> str:
    return " ".join(unicodedata.normalize("NFC", value).casefold().split())


class _Mask:
    """Replaces these personal values wherever they stand."""

    def __init__(self, values: frozenset[str]) -> None:
        self._values = values

    def __call__(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: self(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self(inner) for inner in value]
        return MASK if isinstance(value, str) and value and _folded(value) in self._values else value


class _MaskAll:
    """Replaces every text of a record that could not be read: of such a one we don't know what is personal.

    Shown are states, codes and moments, where the mapping looks for them and they look like it: they are what is
    mostly at fault.
    """

    def __init__(self, kinds: Mapping[str, coverage.Kind]) -> None:
        self._kinds = kinds

    def __call__(self, value: Any, path: str = "") -> Any:
        if isinstance(value, Mapping):
            return {key: self(inner, f"{path}.{key}" if path else str(key)) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self(inner, f"{path}[]") for inner in value]
        if not isinstance(value, str) or not value:
            return value
        kind = self._kinds.get(path)
        return value if kind is not None and coverage.looks_like(kind, value) else MASK
