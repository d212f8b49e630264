"""The catalogues that targets publish: what they are now, what they were, and what of ours stands in none of them.

An entry is a row for as long as it says the same: a new name closes it and opens another, a code that is gone closes
it. A pull replaces a whole catalogue in one transaction, or nothing of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, text

from ledger.engine import reading, transaction
from ledger.errors import CatalogueShrunk

UNPUBLISHED = "not in the target's catalogue: "
"""How the reason of a delivery begins that is held back for a code that its target does not publish."""

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('ledger.catalogues ' || %(system)s, 0))"
_STAGE = "CREATE TEMP TABLE stage_catalogue (code text PRIMARY KEY, name text NOT NULL, parent text) ON COMMIT DROP"
_COPY = "COPY stage_catalogue (code, name, parent) FROM STDIN"
_HELD = "SELECT count(*) FROM catalogue_entry WHERE system = %(system)s AND kind = %(kind)s AND valid_until IS NULL"
_CLOSE = """
    UPDATE catalogue_entry held
    SET valid_until = now()
    FROM (
        SELECT former.code, stage.code IS NULL AS gone
        FROM catalogue_entry former LEFT JOIN stage_catalogue stage USING (code)
        WHERE former.system = %(system)s AND former.kind = %(kind)s AND former.valid_until IS NULL
          AND (stage.code IS NULL OR (former.name, former.parent) IS DISTINCT FROM (stage.name, stage.parent))
    ) other
    WHERE held.system = %(system)s AND held.kind = %(kind)s AND held.valid_until IS NULL AND held.code = other.code
    RETURNING other.gone
"""
_OPEN = """
    INSERT INTO catalogue_entry (system, kind, code, name, parent)
    SELECT %(system)s, %(kind)s, code, name, parent FROM stage_catalogue
    WHERE NOT EXISTS (
        SELECT FROM catalogue_entry held
        WHERE held.system = %(system)s AND held.kind = %(kind)s AND held.code = stage_catalogue.code
          AND held.valid_until IS NULL
    )
"""
_RECORD = """
    INSERT INTO catalogue_pull (system, kind, entries, added, changed, gone)
    VALUES (%(system)s, %(kind)s, %(entries)s, %(added)s, %(changed)s, %(gone)s)
"""
_LAST = text("""
    SELECT DISTINCT ON (kind) kind, pulled_at, entries, added, changed, gone
    FROM catalogue_pull WHERE system = :system ORDER BY kind, pull_id DESC
""")
_PUBLISHED = text("""
    SELECT kind, array_agg(code) AS codes FROM catalogue_entry
    WHERE system = :system AND valid_until IS NULL
    GROUP BY kind
""")
# Grouped first: a province has a few hundred different codes in a million dossiers.
_UNPUBLISHED = text("""
    SELECT named.agency_code, agency_name, kind, named.code, dossiers, first_code
    FROM (
        SELECT agency_code, max(attributes ->> 'agency_name') AS agency_name, about.kind, about.code,
               count(*) AS dossiers, min(dossier.code) AS first_code
        FROM delivery
        JOIN dossier ON dossier.id = delivery.dossier_id
        CROSS JOIN LATERAL (VALUES
            ('procedure', procedure_stem), ('agency', agency_code), ('field', attributes ->> 'field_code')
        ) AS about (kind, code)
        WHERE delivery.target = :system AND about.code IS NOT NULL
        GROUP BY agency_code, about.kind, about.code
    ) named
    WHERE EXISTS (
        SELECT FROM catalogue_entry WHERE system = :system AND kind = named.kind AND valid_until IS NULL
    ) AND NOT EXISTS (
        SELECT FROM catalogue_entry held
        WHERE held.system = :system AND held.kind = named.kind AND held.code = named.code AND held.valid_until IS NULL
    )
    ORDER BY named.agency_code, kind, named.code
""")
_REVIVE = """
    UPDATE delivery SET state = 'due', due_at = now(), attempts = 0, strikes = 0, failing_since = NULL
    WHERE target = %(system)s AND state = 'dead' AND starts_with(last_reason, %(unpublished)s)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One entry as a target publishes it. ``parent``: what it belongs to, where the catalogue says that."""

    code: str
    name: str
    parent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CataloguePull:
    """One pull of one catalogue: how many entries it has, and how many are new, called otherwise, or gone since."""

    kind: str
    entries: int
    added: int
    changed: int
    gone: int
    pulled_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpublishedCode:
    """A code that dossiers of an agency carry and a target's catalogue does not have, and one of these dossiers."""

    agency_code: str
    agency_name: str | None
    kind: str
    code: str
    dossiers: int
    first_code: str


def replace_catalogue(
    engine: Engine, system: str, kind: str, entries: Sequence[Published], *, most_lost: float
) -> CataloguePull:
    """Take over a whole catalogue; of a code that stands twice the first entry counts.

    Raises ``CatalogueShrunk``, and keeps what there is, when it is empty or has lost more than the share ``most_lost``
    of its entries. What was held back for a code that was missing is due again when codes have been added.
    """
    rows = {entry.code: entry for entry in reversed(entries)}
    keys: dict[str, object] = {"system": system, "kind": kind}
    with transaction(engine) as cursor:
        cursor.execute(_LOCK, keys)
        (held,) = cursor.execute(_HELD, keys).fetchone() or (0,)
        if not rows or len(rows) < held * (1 - most_lost):
            raise CatalogueShrunk(system, kind, held=held, told=len(rows))
        cursor.execute(_STAGE)
        with cursor.copy(_COPY) as copy:
            for row in rows.values():
                copy.write_row((row.code, row.name, row.parent))
        closed = [gone for (gone,) in cursor.execute(_CLOSE, keys).fetchall()]
        cursor.execute(_OPEN, keys)
        changed = closed.count(False)
        pull = CataloguePull(
            kind=kind, entries=len(rows), added=cursor.rowcount - changed, changed=changed, gone=closed.count(True)
        )
        counts = {"entries": pull.entries, "added": pull.added, "changed": pull.changed, "gone": pull.gone}
        cursor.execute(_RECORD, {**keys, **counts})
        if pull.added:
            cursor.execute(_REVIVE, {"system": system, "unpublished": UNPUBLISHED})
    return pull


def last_pulls(engine: Engine, system: str) -> list[CataloguePull]:
    """The last pull of each catalogue of ``system``."""
    with reading(engine) as connection:
        return [CataloguePull(**row) for row in connection.execute(_LAST, {"system": system}).mappings()]


def published_codes(engine: Engine, system: str) -> Mapping[str, frozenset[str]]:
    """The codes of each catalogue of ``system`` that was ever pulled."""
    with reading(engine) as connection:
        return {row.kind: frozenset(row.codes) for row in connection.execute(_PUBLISHED, {"system": system})}


def unpublished(engine: Engine, target: str) -> list[UnpublishedCode]:
    """Codes of dossiers for ``target`` that its catalogues do not have, by agency; of pulled catalogues only."""
    with reading(engine) as connection:
        return [UnpublishedCode(**row) for row in connection.execute(_UNPUBLISHED, {"system": target}).mappings()]
