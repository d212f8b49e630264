"""The catalog as a table: what each system is, how it is doing, how long ago it last succeeded."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from connectors.catalog_models import SourceEntry, TargetEntry
from ledger import report
from sync.health import Health, source_health, target_health

if TYPE_CHECKING:
    from connectors.catalog import Catalog
    from sync.context import Context


class SystemLine(BaseModel):
    """One system of the catalog. ``how``: a source's pull style, or what a target takes.

    The rest is what the ledger tells, and ``None`` without one: ``lag_s`` seconds since the last success; ``waiting``:
    records set aside from a source, dossiers still to be sent to a target.
    """

    model_config = ConfigDict(frozen=True)

    system: str
    kind: str
    title_vi: str
    title_en: str
    protocol: str
    how: str
    schedule: str | None
    template: bool
    health: Health | None = None
    last_success_at: datetime | None = None
    lag_s: float | None = None
    dossiers: int | None = None
    waiting: int | None = None


def systems(catalog: Catalog, context: Context | None, now: datetime) -> list[SystemLine]:
    """All systems in the catalog's order; without a ``context`` only what the catalog says."""
    if context is None:
        return [_line(entry) for entry in catalog]
    seen = report.overview(context.engine)
    sources = {row.system: row for row in seen.systems}
    targets = {row.target: row for row in seen.targets}
    lines = [_source(entry, sources.get(entry.system), now) for entry in catalog.sources]
    return lines + [_target(entry, targets.get(entry.system), now) for entry in catalog.targets]


def _line(entry: SourceEntry | TargetEntry, **told: object) -> SystemLine:
    return SystemLine.model_validate(
        {
            "system": entry.system,
            "kind": entry.kind,
            "title_vi": entry.title.vi,
            "title_en": entry.title.en,
            "protocol": str(entry.protocol),
            "how": str(entry.pull.style) if isinstance(entry, SourceEntry) else ", ".join(entry.messages),
            "schedule": entry.schedule,
            "template": entry.template,
            **told,
        }
    )


def _source(entry: SourceEntry, row: report.SystemRow | None, now: datetime) -> SystemLine:
    health = source_health(row, entry.schedule, now)
    if row is None:
        return _line(entry, health=health, dossiers=0, waiting=0)
    return _line(
        entry,
        health=health,
        last_success_at=row.last_success_at,
        lag_s=_since(row.last_success_at, now),
        dossiers=row.dossiers,
        waiting=row.open_quarantine,
    )


def _target(entry: TargetEntry, row: report.TargetRow | None, now: datetime) -> SystemLine:
    health = target_health(row, entry.schedule, now)
    if row is None:
        return _line(entry, health=health, dossiers=0, waiting=0)
    return _line(
        entry,
        health=health,
        last_success_at=row.last_sent_at,
        lag_s=_since(row.last_sent_at, now),
        dossiers=row.dossiers,
        waiting=row.due + row.leased + row.doubt + row.not_yet_expanded,
    )


def _since(moment: datetime | None, now: datetime) -> float | None:
    return (now - moment).total_seconds() if moment else None
