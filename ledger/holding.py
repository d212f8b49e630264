"""What the ledger holds of what one system told: its newest reading of each dossier, and its records set aside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, text

from ledger.engine import reading
from ledger.quarantine import UNKNOWN_DOSSIER
from ledger.reading import Order, order_of
from ledger.rows import opened
from ledger.sealing import Sealer

_HELD = text("""
    SELECT dossier.id, dossier.code, version, last_step_at, personal, attributes::text AS attributes, national_code,
           procedure_code, agency_code, channel, subject_kind, level, submitted_at, received_at, due_at, finished_at,
           returned_at, result_delivery, online_payment, dossier.state, state_at, dossier.source_at AS changed_at,
           home_system = :system AS is_home, state_system = :system AS leads,
           coalesce(guest.source_id, dossier.source_id) AS source_id,
           coalesce(guest.state, home_state) AS told_state,
           coalesce(guest.event_at, home_event_at) AS told_at,
           coalesce(guest.dated, home_dated) AS told_dated,
           coalesce(guest.content_hash, dossier.content_hash) AS told_hash,
           coalesce(guest.source_at, dossier.source_at) AS told_source_at,
           coalesce(guest.observed_at, dossier.observed_at) AS told_observed_at,
           coalesce(guest.mapping_no, home_mapping_no) AS told_mapping_no
    FROM dossier
    LEFT JOIN dossier_reading guest ON guest.dossier_id = dossier.id AND guest.system = :system
    WHERE dossier.id = ANY(:ids) AND (home_system = :system OR guest.system IS NOT NULL)
""")
_IDS = text("SELECT code, id FROM dossier WHERE code = ANY(:codes)")
_NATIONAL = text("SELECT alias, dossier_id FROM dossier_alias WHERE system = 'national' AND alias = ANY(:codes)")
_SET_ASIDE = text("""
    SELECT native_digest, state
    FROM quarantine
    WHERE system = :system AND native_digest = ANY(:digests) AND stage <> 'identity' AND rule <> :waiting
""")
_NOT_TOLD = ("id", "is_home", "leads", "last_step_at", "personal", "attributes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One dossier, and what one system told of it last.

    ``record``: the dossier as targets are told of it, all systems taken together. ``is_home``: its attributes are this
    system's; ``leads``: its state is. ``state``, ``state_at`` (``None`` when it did not say) and ``content_hash``:
    what this system told; ``order`` is how old that is, as of ``reading.order_of``.
    """

    code: str
    is_home: bool
    leads: bool
    state: int
    state_at: datetime | None
    content_hash: bytes
    order: Order
    last_step_at: datetime
    record: Mapping[str, Any] = field(repr=False)


def held(engine: Engine, sealer: Sealer, system: str, codes: Sequence[str]) -> Mapping[str, Holding]:
    """The dossiers with these codes (short form, or national) that ``system`` told of, by the code asked for."""
    asked = list(set(codes))
    with reading(engine) as connection:
        ids: dict[str, int] = {row.code: row.id for row in connection.execute(_IDS, {"codes": asked})}
        if others := [code for code in asked if code not in ids]:
            ids |= {row.alias: row.dossier_id for row in connection.execute(_NATIONAL, {"codes": others})}
        rows = connection.execute(_HELD, {"system": system, "ids": list(set(ids.values()))}).mappings().all()
    found = {row["id"]: _holding(dict(row), sealer) for row in rows}
    return {code: found[dossier_id] for code, dossier_id in ids.items() if dossier_id in found}


def set_aside(engine: Engine, sealer: Sealer, system: str, natives: Sequence[bytes]) -> Mapping[bytes, bool]:
    """Which of these native records were ever set aside because they could not be understood, and whether they still
    are. Progress that waits for its dossier was understood.
    """
    digests = {sealer.digest(native): native for native in natives}
    parameters = {"system": system, "digests": list(digests), "waiting": UNKNOWN_DOSSIER}
    with reading(engine) as connection:
        rows = connection.execute(_SET_ASIDE, parameters).all()
    return {digests[bytes(row.native_digest)]: row.state == "open" for row in rows}


def _holding(row: Mapping[str, Any], sealer: Sealer) -> Holding:
    record = {name: value for name, value in row.items() if name not in _NOT_TOLD and not name.startswith("told_")}
    return Holding(
        code=row["code"],
        is_home=row["is_home"],
        leads=row["leads"],
        state=row["told_state"],
        state_at=row["told_at"] if row["told_dated"] else None,
        content_hash=row["told_hash"],
        order=order_of(
            row["told_source_at"],
            row["told_mapping_no"],
            row["told_state"],
            row["told_observed_at"],
            row["told_hash"],
        ),
        last_step_at=row["last_step_at"],
        record=record | opened(row["attributes"], row["personal"], sealer),
    )
