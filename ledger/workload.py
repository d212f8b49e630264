"""What was on the agencies' desks in a month: received, brought in, solved, left. Counted from the dossiers themselves.

Only dossiers that were accepted count, from ``received_at`` on. One is solved when its state is an end, or its result
is there, at the moment that says so; in time unless that is after its due date. A withdrawn, refused or stopped one is
solved like any other. One without a due date is never late (an assumption, as no rule is published). What a dossier was
in the past is told from its moments, not from its steps: a correction of a moment corrects the past.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import Engine, text

from ledger.engine import reading
from schemas.report import Workload, begin_of, month_after

# Nothing is solved before it is received, whatever its system says.
_COUNT = text("""
    SELECT agency_code, field_code, GROUPING(agency_code) AS of_all, GROUPING(field_code) AS of_agency,
           max(agency_name) AS agency_name,
           count(*) FILTER (WHERE received_at >= :begin) AS received,
           count(*) FILTER (WHERE received_at < :begin) AS brought_in,
           count(*) FILTER (WHERE is_solved AND NOT is_late) AS solved_in_time,
           count(*) FILTER (WHERE is_solved AND is_late) AS solved_late,
           count(*) FILTER (WHERE NOT is_solved AND NOT is_overdue) AS pending,
           count(*) FILTER (WHERE NOT is_solved AND is_overdue) AS overdue
    FROM (
        SELECT agency_code, agency_name, field_code, received_at,
               coalesce(solved_at < :end, false) AS is_solved,
               coalesce(solved_at > due_at, false) AS is_late,
               coalesce(due_at < :end, false) AS is_overdue
        FROM (
            SELECT agency_code, attributes ->> 'agency_name' AS agency_name,
                   coalesce(attributes ->> 'field_code', '') AS field_code, received_at, due_at,
                   CASE WHEN state IN (3, 7, 8, 9, 10)
                        THEN greatest(received_at, coalesce(finished_at, returned_at, state_at)) END AS solved_at
            FROM dossier
            WHERE received_at < :end
        ) dated
        WHERE solved_at IS NULL OR solved_at >= :begin
    ) counted
    GROUP BY GROUPING SETS ((agency_code, field_code), (agency_code), ())
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Desks:
    """A month: ``whole`` of all agencies; by agency, and by agency and field (``""``: the source tells none)."""

    whole: Workload
    agencies: Mapping[str, Workload] = field(default_factory=dict)
    fields: Mapping[tuple[str, str], Workload] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


def desks(engine: Engine, month: date) -> Desks:
    """What was on the desks in ``month`` (its first day)."""
    span = {"begin": begin_of(month), "end": begin_of(month_after(month))}
    with reading(engine) as connection:
        rows = connection.execute(_COUNT, span).all()
    counted = [
        (
            row,
            Workload(
                received=row.received,
                brought_in=row.brought_in,
                solved_in_time=row.solved_in_time,
                solved_late=row.solved_late,
                pending=row.pending,
                overdue=row.overdue,
            ),
        )
        for row in rows
    ]
    by_agency = [(row, each) for row, each in counted if not row.of_all and row.of_agency]
    return Desks(
        whole=next(each for row, each in counted if row.of_all),
        agencies={row.agency_code: each for row, each in by_agency},
        fields={(row.agency_code, row.field_code): each for row, each in counted if not row.of_agency},
        names={row.agency_code: row.agency_name for row, _ in by_agency if row.agency_name},
    )
