"""Is everything in place, before any DAG runs? Configuration first, then each system itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

import mappings
from connectors import connections, factory
from connectors.api import CheckResult, CheckStatus
from connectors.catalog import contract_path
from connectors.catalog_models import SourceEntry, TargetEntry
from connectors.errors import ConnectorError
from mappings import examples
from mappings.errors import MappingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors.catalog import Catalog


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


def check(catalog: Catalog, system: str | None = None) -> list[SystemCheck]:
    """Check one system or all of them. Never raises for what it finds at a system; needs no database."""
    entries = [catalog.entry(system)] if system else list(catalog)
    return [
        SystemCheck(
            system=entry.system, title_vi=entry.title.vi, title_en=entry.title.en, results=tuple(_results(entry))
        )
        for entry in entries
    ]


def _results(entry: SourceEntry | TargetEntry) -> Iterator[CheckResult]:
    yield _mapping(entry)
    yield _contract(entry)
    try:
        settings = connections.resolve(entry.connection)
        connector = (
            factory.open_source(entry, settings)
            if isinstance(entry, SourceEntry)
            else factory.open_target(entry, settings)
        )
    except ConnectorError as error:
        yield CheckResult("connection", CheckStatus.FAILED, error.message, error.next_step)
        return
    try:
        yield from connector.check()
    finally:
        connector.close()


def _mapping(entry: SourceEntry | TargetEntry) -> CheckResult:
    direction = mappings.Direction.SOURCE if isinstance(entry, SourceEntry) else mappings.Direction.TARGET
    try:
        mapping = mappings.load(entry.mapping, direction)
    except MappingError as error:
        return CheckResult("mapping", CheckStatus.FAILED, str(error), f"Correct the mapping '{entry.mapping}'")
    failing = [f"{each.label}: {each.differences[0]}" for each in examples.run(mapping) if each.differences]
    if failing:
        return CheckResult("mapping", CheckStatus.FAILED, "; ".join(failing), "Correct the mapping or its examples")
    return CheckResult("mapping", CheckStatus.OK, f"version {mapping.version}, all its examples hold")


def _contract(entry: SourceEntry | TargetEntry) -> CheckResult:
    path = contract_path(entry)
    if path.is_file():
        return CheckResult("contract", CheckStatus.OK, f"snapshot {entry.contract}")
    return CheckResult(
        "contract",
        CheckStatus.FAILED,
        f"there is no snapshot {entry.contract}",
        "Put the system's WSDL or JSON Schema there, or correct 'contract' in its catalog entry",
    )
