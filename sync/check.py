"""Is everything in place, before any DAG runs? Configuration first, then each system itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

import mappings
from connectors import connections, factory
from connectors.api import CheckResult, CheckStatus
from connectors.catalog import contract_path
from connectors.catalog_models import SourceEntry, TargetEntry
from connectors.certificates import certificate_checks, server_certificate_checks
from connectors.errors import ConnectorError
from mappings import examples
from mappings.errors import MappingError
from mappings.places import shown
from sync.dry_run import dry_run, small_pages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors.catalog import Catalog


_SHOWN = 2
OpenCodes = Callable[[SourceEntry], Sequence[str]]


class SystemCheck(BaseModel):
    """All checks of one system, in the order they were made."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    system: str
    title_vi: str
    title_en: str
    results: tuple[CheckResult, ...]

    @property
    def passed(self) -> bool:
        """True when nothing failed; warnings pass."""
        return all(result.status is not CheckStatus.FAILED for result in self.results)


def check(
    catalog: Catalog, system: str | None, *, now: datetime, open_codes: OpenCodes = lambda _: ()
) -> list[SystemCheck]:
    """Check one system or all of them. Never raises for what it finds at a system; needs no database.

    ``open_codes`` gives the dossiers that a source is asked about, where it must be asked about single ones.
    """
    entries = [catalog.entry(system)] if system else list(catalog)
    return [
        SystemCheck(
            system=entry.system,
            title_vi=entry.title.vi,
            title_en=entry.title.en,
            results=tuple(_results(entry, catalog.targets, now, open_codes)),
        )
        for entry in entries
    ]


def _results(
    entry: SourceEntry | TargetEntry, targets: Sequence[TargetEntry], now: datetime, open_codes: OpenCodes
) -> Iterator[CheckResult]:
    mapping, line = _mapping(entry)
    yield line
    yield from _of_system(entry, mapping, targets, now, open_codes)
    # Last: a mapping that reads the system wrongly fails its examples too, and what the page says leads to the cause.
    if mapping is not None:
        yield _examples(mapping)


def _of_system(
    entry: SourceEntry | TargetEntry,
    mapping: mappings.Mapping | None,
    targets: Sequence[TargetEntry],
    now: datetime,
    open_codes: OpenCodes,
) -> Iterator[CheckResult]:
    try:
        settings = connections.resolve(entry.connection)
        yield from certificate_checks(settings, now)
        yield from server_certificate_checks(settings, now)
        if isinstance(entry, TargetEntry):
            yield _contract(entry)
            target = factory.open_target(entry, settings)
            with closing(target):
                yield from target.check()
        else:
            source = factory.open_source(small_pages(entry), settings)
            with closing(source):
                found = source.check()
                yield from found
                if mapping is not None and all(result.status is not CheckStatus.FAILED for result in found):
                    yield from dry_run(entry, source, mapping, targets=targets, open_codes=open_codes(entry), now=now)
    except ConnectorError as error:
        yield CheckResult("connection", CheckStatus.FAILED, error.message, error.next_step)


def _mapping(entry: SourceEntry | TargetEntry) -> tuple[mappings.Mapping | None, CheckResult]:
    direction = mappings.Direction.SOURCE if isinstance(entry, SourceEntry) else mappings.Direction.TARGET
    try:
        mapping = mappings.load(entry.mapping, direction)
    except MappingError as error:
        return None, CheckResult("mapping", CheckStatus.FAILED, str(error), f"Correct the mapping '{entry.mapping}'")
    return mapping, CheckResult("mapping", CheckStatus.OK, f"version {mapping.version} can be used")


def _examples(mapping: mappings.Mapping) -> CheckResult:
    found = examples.run(mapping)
    failing = [f"{each.label}: {each.differences[0]}" for each in found if each.differences]
    if not failing:
        return CheckResult("examples", CheckStatus.OK, f"all {len(found)} come out as written")
    more = f"; and {len(failing) - _SHOWN} more" if len(failing) > _SHOWN else ""
    return CheckResult(
        "examples",
        CheckStatus.FAILED,
        "; ".join(failing[:_SHOWN]) + more,
        f"Correct {shown(mapping.file)}: its fields first, where another line names one, then its examples",
    )


def _contract(entry: TargetEntry) -> CheckResult:
    path = contract_path(entry)
    if path.is_file():
        return CheckResult("contract", CheckStatus.OK, f"snapshot {entry.contract}")
    return CheckResult(
        "contract",
        CheckStatus.FAILED,
        f"there is no snapshot {entry.contract}",
        "Put the system's WSDL or JSON Schema there, or correct 'contract' in its catalog entry",
    )
