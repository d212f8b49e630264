"""What is missing from whole snapshots: dossiers not at their end that a system told of and no longer holds.

Such a dossier keeps its state: nobody said what became of it. It is listed until the system tells of it again, or until
it comes to its end by what another system tells.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine, text

from ledger.engine import Cursor, reading, transaction

_SHOWN = 5

_STAGE_SEEN = "CREATE TEMP TABLE stage_seen (key text PRIMARY KEY) ON COMMIT DROP"
_COPY_SEEN = "COPY stage_seen (key) FROM STDIN"
_RECORD_MISSING = """
    INSERT INTO disappeared (system, dossier_id, run_id)
    SELECT %(system)s, told.id, %(run_id)s
    FROM (
        SELECT id, code, source_id FROM dossier
        WHERE home_system = %(system)s AND state NOT IN (3, 7, 8, 10)
        UNION ALL
        SELECT dossier.id, dossier.code, kept.source_id
        FROM dossier_reading kept
        JOIN dossier ON dossier.id = kept.dossier_id
        WHERE kept.system = %(system)s AND dossier.state NOT IN (3, 7, 8, 10) AND kept.state NOT IN (3, 7, 8, 10)
    ) told
    WHERE NOT EXISTS (SELECT FROM stage_seen WHERE key = told.source_id)
      AND NOT EXISTS (SELECT FROM stage_seen WHERE key = told.code)
    ON CONFLICT (system, dossier_id) DO NOTHING
"""
_ANY_MISSING = "SELECT 1 FROM disappeared WHERE system = %s LIMIT 1"
_FORGET = "DELETE FROM disappeared WHERE system = %s AND dossier_id = ANY(%s)"
_FORGET_ENDED = """
    DELETE FROM disappeared USING dossier
    WHERE disappeared.system = %s AND dossier.id = disappeared.dossier_id AND dossier.state IN (3, 7, 8, 10)
"""
_MISSING = text("""
    SELECT disappeared.system, count(*) AS dossiers, min(disappeared.since) AS since,
           (array_agg(dossier.code ORDER BY disappeared.since, dossier.code))[1:CAST(:shown AS int)] AS first_codes
    FROM disappeared
    JOIN dossier ON dossier.id = disappeared.dossier_id
    WHERE dossier.state NOT IN (3, 7, 8, 10)
    GROUP BY disappeared.system
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What one system no longer holds: how many dossiers, since when the oldest, and the codes of the first few."""

    dossiers: int
    since: datetime
    first_codes: tuple[str, ...]


def complete(engine: Engine, *, system: str, run_id: UUID, seen: Collection[str]) -> int:
    """Record what a whole snapshot lacks; gives back how many dossiers are newly missing.

    ``seen`` are the system's own ids, or the codes, of everything in it, of records set aside too. Safe to repeat.
    """
    with transaction(engine) as cursor:
        cursor.execute(_STAGE_SEEN)
        with cursor.copy(_COPY_SEEN) as copy:
            for key in set(seen):
                copy.write_row((key,))
        cursor.execute(_FORGET_ENDED, [system])
        cursor.execute(_RECORD_MISSING, {"system": system, "run_id": run_id})
        return cursor.rowcount


def told_again(cursor: Cursor, system: str, dossier_ids: list[int]) -> None:
    """The system tells of these dossiers: none of them is missing there."""
    if dossier_ids and cursor.execute(_ANY_MISSING, [system]).fetchone():
        cursor.execute(_FORGET, [system, dossier_ids])


def missing(engine: Engine) -> Mapping[str, Missing]:
    """What each system no longer holds, by system; systems that hold everything are left out."""
    with reading(engine) as connection:
        rows = connection.execute(_MISSING, {"shown": _SHOWN}).all()
    return {
        row.system: Missing(dossiers=row.dossiers, since=row.since, first_codes=tuple(row.first_codes)) for row in rows
    }
