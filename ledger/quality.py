"""Which dossiers lack what the indicators need, per agency: the rules of ``schemas.quality``, in one pass.

Nothing sealed is opened: whether an identity number is there is told by its keyed hash.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, text

from ledger.engine import reading
from schemas.quality import NATIONAL_PROCEDURE, RULES, Fact, Rule


def _any_result(key: str) -> str:
    return (
        "EXISTS (SELECT FROM jsonb_array_elements(coalesce(attributes -> 'results', '[]')) paper"
        f" WHERE coalesce(paper ->> '{key}', '') <> '')"
    )


_HAS: Mapping[Fact, str] = {
    Fact.SUBMITTED_AT: "submitted_at IS NOT NULL",
    Fact.RECEIVED_AT: "received_at IS NOT NULL",
    Fact.DUE_AT: "due_at IS NOT NULL",
    Fact.ENDED_AT: "coalesce(finished_at, returned_at) IS NOT NULL",
    Fact.RESULT_CODE: _any_result("code"),
    Fact.RESULT_LINK: _any_result("url"),
    Fact.IDENTITY: "identity_digest IS NOT NULL",
    Fact.NATIONAL_PROCEDURE: f"procedure_stem ~ '{NATIONAL_PROCEDURE}'",
}


def _breaks(rule: Rule) -> str:
    """The condition of a dossier that breaks the rule. Made of our own numbers and names, never of input."""
    states = ", ".join(str(int(state)) for state in sorted(rule.states))
    conditions = [f"state IN ({states})", f"NOT ({_HAS[rule.needs]})"]
    if rule.channel is not None:
        conditions.append(f"channel = {int(rule.channel)}")
    if rule.subject is not None:
        conditions.append(f"subject_kind = {int(rule.subject)}")
    return f"({' AND '.join(conditions)})"


_CONDITIONS = {rule.name: _breaks(rule) for rule in RULES}
_FLAGGED = " OR ".join(_CONDITIONS.values())
# An agency and those below it; those whose last change is of the span asked for.
_CHOSEN = """
    (CAST(:agency AS text) IS NULL OR agency_code = :agency OR starts_with(agency_code, :agency || '.'))
    AND (CAST(:since AS timestamptz) IS NULL OR changed_at_ledger >= :since)
"""
_COLUMNS = ", ".join(f"count(*) FILTER (WHERE {condition}) AS {name}" for name, condition in _CONDITIONS.items())
_BY_AGENCY = text(f"""
    SELECT agency_code, max(attributes ->> 'agency_name') AS agency_name, count(*) AS dossiers,
           count(*) FILTER (WHERE {_FLAGGED}) AS flagged, {_COLUMNS}
    FROM dossier
    WHERE {_CHOSEN}
    GROUP BY agency_code
    ORDER BY flagged DESC, agency_code
""")
_CODES = {
    name: text(f"""
        SELECT code FROM dossier
        WHERE {_CHOSEN} AND {condition}
        ORDER BY changed_at_ledger DESC, code
        LIMIT :limit
    """)
    for name, condition in _CONDITIONS.items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AgencyQuality:
    """One agency: its dossiers, how many of them break any rule, and how many break each (by the name of the rule)."""

    agency_code: str
    agency_name: str | None
    dossiers: int
    flagged: int
    broken: Mapping[str, int]


def by_agency(engine: Engine, *, agency: str | None = None, since: datetime | None = None) -> list[AgencyQuality]:
    """Every agency that has dossiers, the most flagged first.

    ``agency``: only this one (short form) and those below it; ``since``: only dossiers that changed since.
    """
    with reading(engine) as connection:
        rows = connection.execute(_BY_AGENCY, {"agency": agency, "since": since}).mappings().all()
    return [
        AgencyQuality(
            agency_code=row["agency_code"],
            agency_name=row["agency_name"],
            dossiers=row["dossiers"],
            flagged=row["flagged"],
            broken={name: row[name] for name in _CONDITIONS},
        )
        for row in rows
    ]


def codes(
    engine: Engine, rule: str, *, agency: str | None = None, since: datetime | None = None, limit: int
) -> Sequence[str]:
    """Dossiers that break a rule, the last changed first. ``KeyError`` when there is no such rule."""
    with reading(engine) as connection:
        return list(connection.execute(_CODES[rule], {"agency": agency, "since": since, "limit": limit}).scalars())
