"""The catalogues of a target: pulled whole, kept dated, and held against what the target is sent.

A code that a target does not publish is usually an old procedure, an agency before its merger, or a slip in a source.
It is listed by agency; where the catalog says ``blocking`` its dossiers wait until the code is published.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ConfigDict

from connectors.api import Catalogue, CatalogueEntry, GivesCatalogues
from ledger import catalogues as ledger
from ledger.catalogues import UNPUBLISHED, Published
from ledger.types import Claimed, Phase, Settled, Settlement
from schemas.identifiers import agency_short, procedure_stem
from sync.errors import SyncError
from sync.gate import Gate

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from connectors.catalog_models import Catalogues, TargetEntry
    from sync.context import Context

_READ_FROM = {Catalogue.PROCEDURE: "procedure_code", Catalogue.AGENCY: "agency_code", Catalogue.FIELD: "field_code"}
_CANONICAL: Mapping[Catalogue, Callable[[str], str]] = {
    Catalogue.PROCEDURE: procedure_stem,
    Catalogue.AGENCY: agency_short,
    Catalogue.FIELD: str.strip,
}


class CatalogueLine(BaseModel):
    """One catalogue as of its last pull; ``None`` for a time that has not been yet."""

    model_config = ConfigDict(frozen=True)

    kind: Catalogue
    entries: int
    added: int
    changed: int
    gone: int
    pulled_at: datetime | None


class UnpublishedLine(BaseModel):
    """A code that an agency's dossiers carry and the target does not publish."""

    model_config = ConfigDict(frozen=True)

    agency_code: str
    agency_name: str | None
    kind: Catalogue
    code: str
    dossiers: int
    first_code: str


class CataloguesReport(BaseModel):
    """What a target publishes, and what of ours it does not. ``blocking``: those dossiers wait."""

    model_config = ConfigDict(frozen=True)

    target: str
    blocking: bool
    catalogues: tuple[CatalogueLine, ...]
    unpublished: tuple[UnpublishedLine, ...]


class PublishedCodes:
    """The codes that a target publishes; asks nothing of a dossier where nothing was ever pulled."""

    def __init__(self, codes: Mapping[str, frozenset[str]]) -> None:
        self._codes = codes

    @classmethod
    def of(cls, engine: Engine, entry: TargetEntry) -> PublishedCodes:
        """Those that the ledger holds; none for a target without catalogues."""
        return cls(ledger.published_codes(engine, entry.system) if entry.catalogues else {})

    def missing(self, dossier: Mapping[str, Any]) -> list[str]:
        """What a canonical dossier names that the target does not publish: ``procedure 9.999999``."""
        named = {kind: dossier.get(name) for kind, name in _READ_FROM.items() if kind in self._codes}
        return [
            f"{kind} {code}"
            for kind, code in named.items()
            if code is not None and canonical(kind, code) not in self._codes[kind]
        ]

    def held_back(self, rows: Sequence[Claimed]) -> dict[int, Settlement]:
        """How the dossiers are settled that name such a code, by dossier: they wait until it is published."""
        if not self._codes:
            return {}
        found = {row.dossier_id: (row, self.missing(row.dossier)) for row in rows}
        return {
            dossier_id: Settlement(
                dossier_id=dossier_id,
                token=row.token,
                phase=Phase.DOSSIER,
                outcome=Settled.REJECTED,
                version=row.version,
                step=0,
                reason=f"{UNPUBLISHED}{', '.join(missing)}",
            )
            for dossier_id, (row, missing) in found.items()
            if missing
        }


def pull_catalogues(context: Context, target: str) -> CataloguesReport:
    """Ask the target for its catalogues and keep them; then say where things stand.

    Raises ``SyncError`` for a target without catalogues, ``ConnectorError``, and ``CatalogueShrunk`` when one of them
    is much shorter than before; those before it are kept then.
    """
    entry = context.catalog.target(target)
    rules = _rules(entry)
    with Gate(context.engine, entry, reads_only=True) as gate, closing(context.open_target(target, gate)) as connector:
        asked = cast(GivesCatalogues, connector)
        for kind in Catalogue:
            entries = [_published(kind, each) for each in asked.catalogue(kind)]
            ledger.replace_catalogue(context.engine, target, kind, entries, most_lost=rules.most_lost)
    return catalogues(context, target)


def catalogues(context: Context, target: str) -> CataloguesReport:
    """Where things stand, without asking the target. Raises ``SyncError`` for a target without catalogues."""
    entry = context.catalog.target(target)
    return CataloguesReport(
        target=target,
        blocking=_rules(entry).blocking,
        catalogues=tuple(
            CatalogueLine.model_validate(pull, from_attributes=True)
            for pull in ledger.last_pulls(context.engine, target)
        ),
        unpublished=tuple(
            UnpublishedLine.model_validate(each, from_attributes=True)
            for each in ledger.unpublished(context.engine, target)
        ),
    )


def with_catalogues(entries: Sequence[TargetEntry]) -> list[str]:
    """The targets that publish catalogues."""
    return [entry.system for entry in entries if entry.catalogues]


def canonical(kind: Catalogue, code: str) -> str:
    """A code in the form in which codes are compared; one that has no such form stays as it is."""
    try:
        return _CANONICAL[kind](code)
    except ValueError:
        return code.strip()


def _published(kind: Catalogue, entry: CatalogueEntry) -> Published:
    return Published(code=canonical(kind, entry.code), name=entry.name, parent=entry.parent)


def _rules(entry: TargetEntry) -> Catalogues:
    if entry.catalogues is None:
        raise SyncError(
            f"{entry.system} publishes no catalogues.",
            next_step="Name a target whose catalog entry has 'catalogues', or add it there.",
        )
    return entry.catalogues
