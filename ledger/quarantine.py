"""Records that could not become dossiers: kept whole and sealed, counted, and resolved when a good one follows."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Engine, text

from ledger import intake_sql
from ledger.engine import Cursor, loss_explained, reading
from ledger.judging import Verdict
from ledger.reading import Reading, canonical_json
from ledger.sealing import Sealer
from ledger.sorting import Sorted
from ledger.types import PageIntake, Problem


class Broken(NamedTuple):
    """One record to set aside, sealed."""

    stage: str
    field: str
    rule: str
    message: str
    record_key: str | None
    native: bytes
    native_digest: bytes


def broken(problem: Problem, sealer: Sealer) -> Broken:
    """A record that its mapping or the schema refused."""
    return Broken(
        stage=problem.stage,
        field=problem.field,
        rule=problem.rule,
        message=problem.message,
        record_key=problem.record_key,
        native=sealer.seal(problem.native),
        native_digest=sealer.digest(problem.native),
    )


def clashing(reading: Reading, sealer: Sealer) -> Broken:
    """A record whose code already belongs to another record of the same system."""
    native = canonical_json(reading.dossier)
    return Broken(
        stage="identity",
        field="code",
        rule="one code, one dossier",
        message=(
            f"The code {reading.dossier.code} already belongs to another record of this system; this one has the id "
            f"{reading.dossier.source_id}. The system must give one of the two another code."
        ),
        record_key=reading.dossier.source_id,
        native=sealer.seal(native),
        native_digest=sealer.digest(native),
    )


def resolve(cursor: Cursor, system: str, judged: Sorted) -> None:
    """Close the open rows of records that this page brings in good order; an overtaken record proves nothing."""
    if not cursor.execute(intake_sql.ANY_OPEN, [system]).fetchone():
        return
    keys: set[str] = set()
    for each in judged.judgements:
        if each.verdict is not Verdict.STALE:
            dossier = each.newest.dossier
            keys.update(key for key in (dossier.source_id, dossier.code, dossier.national_code) if key)
    if keys:
        cursor.execute(intake_sql.RESOLVE_QUARANTINE, [system, list(keys)])


def quarantine(cursor: Cursor, page: PageIntake, records: Sequence[Broken]) -> None:
    """Set records aside; the very same record seen again adds to its row's counter."""
    distinct = {record.native_digest: record for record in records}
    if not distinct:
        return
    seen = Counter(record.native_digest for record in records)
    times = [seen[digest] for digest in distinct]
    columns = [list(column) for column in zip(*distinct.values(), strict=True)]
    cursor.execute(
        intake_sql.QUARANTINE, [page.system, page.mapping_version, page.run_id, page.run_id, *columns, times]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """One open quarantine row with its record, to be mapped again after a mapping was mended."""

    quarantine_id: int
    record_key: str | None
    mapping_version: str
    native: bytes = field(repr=False)


_OPEN = text("""
    SELECT quarantine_id, record_key, mapping_version, native
    FROM quarantine
    WHERE system = :system AND state = 'open' AND quarantine_id > :after
    ORDER BY quarantine_id
    LIMIT :limit
""")
_DISMISS = text("""
    UPDATE quarantine
    SET state = 'dismissed', resolved_at = now(), resolution = :reason
    WHERE quarantine_id = :quarantine_id AND state = 'open'
    RETURNING true
""")


def set_aside(engine: Engine, sealer: Sealer, system: str, *, limit: int, after: int = 0) -> list[SetAside]:
    """The open records of a system in order of their id, from the one behind ``after``."""
    with reading(engine) as connection:
        rows = connection.execute(_OPEN, {"system": system, "after": after, "limit": limit}).all()
    return [
        SetAside(
            quarantine_id=row.quarantine_id,
            record_key=row.record_key,
            mapping_version=row.mapping_version,
            native=sealer.open(row.native),
        )
        for row in rows
    ]


def dismiss(engine: Engine, quarantine_id: int, *, reason: str) -> bool:
    """Close an open row for good, with a person's reason; False when it was not open."""
    with loss_explained(), engine.begin() as connection:
        parameters = {"quarantine_id": quarantine_id, "reason": reason}
        return bool(connection.execute(_DISMISS, parameters).scalar())
