"""Under which other code a target holds a dossier: one that the target gave it, or its national code.

They stand in ``dossier_alias`` beside the sources' own ids, with the target as the system. What is kept is what a
target said; a dossier has at most one other code at a target, and a code names at most one dossier.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Engine

from ledger.engine import reading, transaction

_TO_ASK = """
    SELECT dossier.code, alias.alias, dossier.national_code
    FROM dossier
    LEFT JOIN dossier_alias alias ON alias.dossier_id = dossier.id AND alias.system = %(target)s
    WHERE dossier.code = ANY(%(codes)s::text[]) AND (alias.alias IS NOT NULL OR dossier.national_code IS NOT NULL)
"""
_IDS = "SELECT code, id FROM dossier WHERE code = ANY(%s)"
_FORGET = """
    DELETE FROM dossier_alias
    USING unnest(%(ids)s::bigint[], %(codes)s::text[]) AS told (dossier_id, alias)
    WHERE dossier_alias.system = %(target)s AND dossier_alias.dossier_id = told.dossier_id
      AND dossier_alias.alias IS DISTINCT FROM told.alias
"""
_KEEP = """
    INSERT INTO dossier_alias (system, alias, dossier_id)
    SELECT %(target)s, alias, dossier_id
    FROM unnest(%(ids)s::bigint[], %(codes)s::text[]) AS told (dossier_id, alias)
    WHERE alias IS NOT NULL
    ON CONFLICT DO NOTHING
"""


def to_ask(engine: Engine, target: str, codes: Sequence[str]) -> dict[str, list[str]]:
    """More codes under which ``target`` may hold these dossiers, the likelier first; by our code, where there are."""
    with reading(engine) as connection:
        rows = connection.exec_driver_sql(_TO_ASK, {"codes": list(codes), "target": target})
        return {row.code: [code for code in (row.alias, row.national_code) if code] for row in rows}


def keep(engine: Engine, target: str, codes: Mapping[int, str | None]) -> None:
    """Keep what ``target`` said: the other code of each dossier, or ``None`` for its own, which forgets the other."""
    if not codes:
        return
    told = {"target": target, "ids": sorted(codes), "codes": [codes[each] for each in sorted(codes)]}
    with transaction(engine) as cursor:
        cursor.execute(_FORGET, told)
        cursor.execute(_KEEP, told)


def keep_by_code(engine: Engine, target: str, found: Mapping[str, str | None]) -> None:
    """The same, by our dossier codes; those that we do not know are left out."""
    if not found:
        return
    with transaction(engine) as cursor:
        ids = dict(cursor.execute(_IDS, [list(found)]).fetchall())
    keep(engine, target, {ids[code]: other for code, other in found.items() if code in ids})
