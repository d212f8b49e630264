"""What may be shown to whoever knows a dossier's code: codes, states and moments. No sealed value is read here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, text

from ledger.engine import reading, transaction

_FIND = text("""
    SELECT id, code, version, national_code, procedure_code, agency_code, submitted_at, received_at, due_at,
           finished_at, returned_at, state, state_at, first_step_at, last_step_at,
           attributes ->> 'procedure_name' AS procedure_name, attributes ->> 'agency_name' AS agency_name
    FROM dossier
    WHERE id = coalesce(
        (SELECT id FROM dossier WHERE code = :code),
        (SELECT dossier_id FROM dossier_alias WHERE system = 'national' AND alias = :code)
    )
""")
_FIND_BY_OWN_ID = text("""
    SELECT code FROM dossier
    WHERE id = (SELECT dossier_id FROM dossier_alias WHERE system = :system AND alias = :alias)
""")
# The span of time lets PostgreSQL leave out the months that cannot hold any of these steps.
_STEPS = text("""
    SELECT step_no, at, state
    FROM dossier_step
    WHERE dossier_id = :id AND step_no IS NOT NULL AND at BETWEEN :first AND :last
    ORDER BY step_no
""")
# One row for each caller and minute; the first call of a minute drops what is older than a day.
_COUNT_CALL = """
    WITH counted AS (
        INSERT INTO feed_calls AS known (caller, minute, calls) VALUES (%(caller)s, date_trunc('minute', now()), 1)
        ON CONFLICT (caller, minute) DO UPDATE SET calls = known.calls + 1
        RETURNING calls
    ), dropped AS (
        DELETE FROM feed_calls
        WHERE caller = %(caller)s AND minute < now() - interval '1 day' AND (SELECT calls FROM counted) = 1
    )
    SELECT calls, date_trunc('minute', now()) + interval '1 minute' - now() FROM counted
"""
_NOT_TOLD = ("id", "first_step_at", "last_step_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicDossier:
    """Where a dossier stands, as a target's mapping reads it, and its steps in order."""

    record: Mapping[str, Any]
    steps: Sequence[Mapping[str, Any]] = field(repr=False)


def find(engine: Engine, code: str) -> PublicDossier | None:
    """The dossier of this code (short form), or of this national code; ``None`` when there is none."""
    with reading(engine) as connection:
        row = connection.execute(_FIND, {"code": code}).mappings().one_or_none()
        if row is None:
            return None
        span = {"id": row["id"], "first": row["first_step_at"], "last": row["last_step_at"]}
        steps = connection.execute(_STEPS, span).mappings().all()
    record = {name: value for name, value in row.items() if name not in _NOT_TOLD}
    return PublicDossier(record=record, steps=[{**step, "code": row["code"]} for step in steps])


def code_of(engine: Engine, system: str, own_id: str) -> str | None:
    """The code of the dossier that ``system`` knows by an id of its own; ``None`` when there is none."""
    with reading(engine) as connection:
        found: str | None = connection.execute(_FIND_BY_OWN_ID, {"system": system, "alias": own_id}).scalar()
    return found


@dataclass(frozen=True, slots=True)
class Minute:
    """How often a caller has called in this minute, and for how many seconds it still lasts."""

    calls: int
    left_s: float


def count_call(engine: Engine, caller: str) -> Minute:
    """Count one call, over all processes together, by the database's clock."""
    with transaction(engine) as cursor:
        row = cursor.execute(_COUNT_CALL, {"caller": caller}).fetchone()
    assert row is not None, "the statement counts, whatever was there"
    calls, left = row
    return Minute(calls=calls, left_s=left.total_seconds())
