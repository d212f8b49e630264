"""Records that could not become dossiers: kept whole and sealed, counted, and resolved when a good one follows."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Engine, text

from ledger import intake_sql
from ledger.engine import Cursor, loss_explained, reading
from ledger.reading import Reading, canonical_json
from ledger.sealing import Sealer
from ledger.sorting import Sorted
from ledger.types import PageIntake, Problem
from schemas.identifiers import dossier_long

UNKNOWN_DOSSIER = "unknown-dossier"
"""The rule of progress on a dossier that its home has not told of yet: it settles by itself."""


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


def homeless(reading: Reading, native: bytes, sealer: Sealer) -> Broken:
    """Progress of a dossier that no other system has told of yet; ``native`` is its record, to be mapped again."""
    return Broken(
        stage="binding",
        field="code",
        rule=UNKNOWN_DOSSIER,
        message=(
            f"The home system has not told of the dossier {reading.dossier.code} yet. This record comes in by itself "
            "once it has; if it never does, the dossier is not one of ours."
        ),
        record_key=reading.dossier.code,
        native=sealer.seal(native),
        native_digest=sealer.digest(native),
    )


def resolve(cursor: Cursor, system: str, judged: Sorted) -> None:
    """Close the open rows of records that this page brings in good order and newer than what was held.

    An overtaken record proves nothing, and neither does one that was told before: it may be a page that comes twice,
    older than the record set aside. One that is its system's newest word is good, even where another system's later
    event leads. Progress that waits for its dossier is left alone: it is good itself, and what it tells is not told
    again.
    """
    if not cursor.execute(intake_sql.ANY_OPEN, [system]).fetchone():
        return
    keys: set[str] = set()
    for each in judged.judgements:
        if each.keep:
            dossier = each.newest.dossier
            names = (dossier.source_id, dossier.code, dossier_long(dossier.code), each.newest.national_code)
            keys.update(name for name in names if name)
    if keys:
        cursor.execute(intake_sql.RESOLVE_QUARANTINE, [system, list(keys), UNKNOWN_DOSSIER])


def quarantine(cursor: Cursor, page: PageIntake, records: Sequence[Broken]) -> None:
    """Set records aside; the very same record seen again adds to its row's counter."""
    distinct = {record.native_digest: record for record in records}
    if not distinct:
        return
    # A record that is mapped again has not been told again.
    seen = Counter(record.native_digest for record in records if page.redriven is None)
    times = [seen[digest] for digest in distinct]
    columns = [list(column) for column in zip(*distinct.values(), strict=True)]
    told = [page.system, page.mapping_version, page.run_id, page.run_id, page.fetched_at]
    cursor.execute(intake_sql.QUARANTINE, [*told, *columns, times])


def close_redriven(cursor: Cursor, page: PageIntake, refused: Collection[int]) -> None:
    """Close the rows whose records this page has brought in; ``refused`` are positions of dossiers it has not."""
    rows = [row for position, row in enumerate(page.redriven or ()) if position not in refused]
    if rows:
        cursor.execute(intake_sql.RESOLVE_REDRIVEN, [page.mapping_version, page.system, rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """One open quarantine row with its record, to be mapped again after a mapping was mended.

    ``fetched_at`` is when the source told it last: that, and not the time of mapping, is how old it is.
    """

    quarantine_id: int
    record_key: str | None
    rule: str
    mapping_version: str
    fetched_at: datetime
    native: bytes = field(repr=False)


# Whether the dossier that a record speaks of is in the ledger by now, under this code or as a national one.
_KNOWN = """(
        EXISTS (SELECT FROM dossier WHERE code = record_key)
        OR EXISTS (SELECT FROM dossier_alias WHERE dossier_alias.system = 'national' AND alias = record_key)
    )"""
_OPEN = text(f"""
    SELECT quarantine_id, record_key, rule, mapping_version, fetched_at, native
    FROM quarantine
    WHERE system = :system AND state = 'open' AND quarantine_id > :after AND stage <> 'identity'
      AND (CAST(:rule AS text) IS NULL OR rule = :rule)
      AND (NOT :only_known OR {_KNOWN})
    ORDER BY quarantine_id
    LIMIT :limit
""")
_OPEN_BY_MAPPING = text("""
    SELECT DISTINCT system, mapping_version, rule
    FROM quarantine
    WHERE state = 'open' AND stage <> 'identity'
    ORDER BY system
""")
_FOUND_A_HOME = text(f"""
    SELECT DISTINCT system
    FROM quarantine
    WHERE state = 'open' AND rule = :rule AND {_KNOWN}
    ORDER BY system
""")
_DISMISS = text("""
    UPDATE quarantine
    SET state = 'dismissed', resolved_at = now(), resolution = :reason
    WHERE quarantine_id = :quarantine_id AND state = 'open'
    RETURNING true
""")


def set_aside(
    engine: Engine,
    sealer: Sealer,
    system: str,
    *,
    limit: int,
    after: int = 0,
    rule: str | None = None,
    only_known: bool = False,
) -> list[SetAside]:
    """The open records of a system in order of their id, from the one behind ``after``; of one rule, or of all.

    ``only_known``: only those whose key is the code of a dossier in the ledger. Those of stage ``identity`` are left
    out: two records claim one code, and no mapping can settle that.
    """
    with reading(engine) as connection:
        parameters = {"system": system, "after": after, "limit": limit, "rule": rule, "only_known": only_known}
        rows = connection.execute(_OPEN, parameters).all()
    return [
        SetAside(
            quarantine_id=row.quarantine_id,
            record_key=row.record_key,
            rule=row.rule,
            mapping_version=row.mapping_version,
            fetched_at=row.fetched_at,
            native=sealer.open(row.native),
        )
        for row in rows
    ]


class OpenKind(NamedTuple):
    """That a system has open records of a rule, set aside by a version of its mapping."""

    system: str
    mapping_version: str
    rule: str


def open_by_mapping(engine: Engine) -> list[OpenKind]:
    """What kinds of open records there are that a mapping might settle."""
    with reading(engine) as connection:
        return [OpenKind(*row) for row in connection.execute(_OPEN_BY_MAPPING)]


def found_a_home(engine: Engine) -> list[str]:
    """The systems with progress that waits although its dossier is known by now."""
    with reading(engine) as connection:
        return list(connection.execute(_FOUND_A_HOME, {"rule": UNKNOWN_DOSSIER}).scalars())


def dismiss(engine: Engine, quarantine_id: int, *, reason: str) -> bool:
    """Close an open row for good, with a person's reason; False when it was not open."""
    with loss_explained(), engine.begin() as connection:
        parameters = {"quarantine_id": quarantine_id, "reason": reason}
        return bool(connection.execute(_DISMISS, parameters).scalar())
