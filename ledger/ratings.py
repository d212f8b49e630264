"""Citizens' ratings: taken in with the page that tells them, and counted by month, agency and question.

Of the answers of one month to one question about one dossier the last counts, whoever told it: a citizen is asked at a
kiosk and again on the portal. So a file that is read twice adds nothing. The dossier need not be known.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import date

from sqlalchemy import Engine, text

from ledger.engine import Cursor, reading
from ledger.judging import Verdict
from ledger.types import PageIntake
from schemas.report import Levels, Votes, month_of

_STAGE = """
    CREATE TEMP TABLE stage_rating (
        position int, code text, period date, criterion text, level smallint, rated_at timestamptz, agency_code text,
        source_id text
    ) ON COMMIT DROP
"""
_COPY = "COPY stage_rating FROM STDIN"
# The page's last answers, in the order of their keys, so that two pages wait for each other instead of deadlocking.
_KEEP = """
    INSERT INTO rating AS held (code, period, criterion, level, rated_at, agency_code, system, source_id, told_at)
    SELECT * FROM (
        SELECT DISTINCT ON (code, period, criterion)
               code, period, criterion, level, rated_at, agency_code, %(system)s, source_id, %(told_at)s::timestamptz
        FROM stage_rating
        ORDER BY code, period, criterion, rated_at DESC, position DESC
    ) last
    ON CONFLICT (code, period, criterion) DO UPDATE
    SET level = excluded.level, rated_at = excluded.rated_at, agency_code = excluded.agency_code,
        system = excluded.system, source_id = excluded.source_id, told_at = excluded.told_at, changed_at = now()
    WHERE (excluded.rated_at, excluded.told_at) >= (held.rated_at, held.told_at)
      AND (excluded.level, excluded.rated_at, excluded.agency_code)
          IS DISTINCT FROM (held.level, held.rated_at, held.agency_code)
    RETURNING xmax = 0 AS is_new
"""
# What was not kept says what is held, or was overtaken by it. The page's last answers were counted already.
_NOT_KEPT = """
    SELECT (stage.level, stage.rated_at, stage.agency_code)
           IS NOT DISTINCT FROM (held.level, held.rated_at, held.agency_code) AS is_same,
           count(*)
    FROM stage_rating stage JOIN rating held USING (code, period, criterion)
    GROUP BY 1
"""
_RATED = """
    SELECT rating.criterion, rating.level, rating.code,
           coalesce(rating.agency_code, known.agency_code, split_part(rating.code, '-', 1)) AS agency_code,
           known.agency_code IS NULL AS is_unknown
    FROM rating
    LEFT JOIN LATERAL (
        SELECT agency_code FROM dossier WHERE dossier.code = rating.code
        UNION ALL
        SELECT dossier.agency_code
        FROM dossier_alias JOIN dossier ON dossier.id = dossier_alias.dossier_id
        WHERE dossier_alias.system = 'national' AND dossier_alias.alias = rating.code
        LIMIT 1
    ) known ON true
    WHERE rating.period = :period
"""
# Of one row for each agency and question, each agency, each question, and all: who rated two questions rates once.
_COUNT = text(f"""
    SELECT agency_code, criterion, count(DISTINCT code) AS raters,
           count(*) FILTER (WHERE level = 1) AS very, count(*) FILTER (WHERE level = 2) AS satisfied,
           count(*) FILTER (WHERE level = 3) AS not_yet
    FROM ({_RATED}) rated
    GROUP BY GROUPING SETS ((agency_code, criterion), (agency_code), (criterion), ())
""")
_UNKNOWN = text(f"SELECT count(DISTINCT code) FILTER (WHERE is_unknown) FROM ({_RATED}) rated")


def store(cursor: Cursor, page: PageIntake) -> Counter[Verdict]:
    """Keep the page's ratings; how many of them were new, changed, known already, or overtaken."""
    if not page.ratings:
        return Counter()
    cursor.execute(_STAGE)
    with cursor.copy(_COPY) as copy:
        for position, rating in enumerate(page.ratings):
            key = (rating.code, month_of(rating.rated_at), rating.criterion)
            copy.write_row((position, *key, int(rating.level), rating.rated_at, rating.agency_code, rating.source_id))
    kept = Counter(
        Verdict.NEW if is_new else Verdict.CHANGED
        for (is_new,) in cursor.execute(_KEEP, {"system": page.system, "told_at": page.fetched_at})
    )
    same: dict[bool, int] = dict(cursor.execute(_NOT_KEPT).fetchall())
    counts = Counter(kept)
    counts[Verdict.UNCHANGED] = same.get(True, 0) - kept.total()
    counts[Verdict.STALE] = same.get(False, 0)
    return counts


def votes(engine: Engine, month: date) -> tuple[Votes, Mapping[str, Votes]]:
    """The ratings of a month: of all agencies together, and of each by its code.

    A rating counts for the agency that it names; where it names none, for that of its dossier, and for the one in the
    dossier's code while nobody has told of the dossier.
    """
    with reading(engine) as connection:
        rows = connection.execute(_COUNT, {"period": month}).all()
    raters: dict[str | None, int] = {}
    levels: dict[str | None, dict[str, Levels]] = {}
    for row in rows:
        if row.criterion is None:
            raters[row.agency_code] = row.raters
        else:
            found = Levels(very=row.very, satisfied=row.satisfied, not_yet=row.not_yet)
            levels.setdefault(row.agency_code, {})[row.criterion] = found
    counted = {agency: Votes(raters=raters[agency], by_criterion=levels.get(agency, {})) for agency in raters}
    whole = counted.pop(None, Votes())
    return whole, {agency: each for agency, each in counted.items() if agency is not None}


def of_unknown_dossiers(engine: Engine, month: date) -> int:
    """How many dossiers were rated in a month that nobody has told of."""
    with reading(engine) as connection:
        return int(connection.execute(_UNKNOWN, {"period": month}).scalar() or 0)
