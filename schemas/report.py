"""Periodic reports: what kinds there are, the months they are about, and how counts become shares. Pure.

A report is about a month in Vietnam and an agency. Its figures are counts; what a target is told is made of them here,
in the keys that a target's mapping may read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

from schemas.times import VN

_HUNDREDTHS = 10_000
_SECOND = timedelta(seconds=1)


class ReportKind(StrEnum):
    """What a report is about: how satisfied citizens were, or how many dossiers were received, solved and left."""

    SATISFACTION = "satisfaction"
    STATISTICS = "statistics"


def month_of(moment: datetime) -> date:
    """The first day of the month in which it is then, in Vietnam."""
    return moment.astimezone(VN).date().replace(day=1)


def month_after(month: date, months: int = 1) -> date:
    """The first day of the month that comes so many months later, or earlier."""
    years, place = divmod(month.year * 12 + month.month - 1 + months, 12)
    return date(years, place + 1, 1)


def begin_of(month: date) -> datetime:
    """The first moment of a month."""
    return datetime.combine(month, time.min, VN)


def months_between(first: date, last: date) -> list[date]:
    """All months from ``first`` to ``last``, both included."""
    months = []
    while first <= last:
        months.append(first)
        first = month_after(first)
    return months


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """How many answers say what."""

    very: int = 0
    satisfied: int = 0
    not_yet: int = 0

    @property
    def answers(self) -> int:
        """How many there are."""
        return self.very + self.satisfied + self.not_yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Votes:
    """An agency's ratings of a month. ``raters``: dossiers that were rated, a citizen each; levels by question."""

    raters: int = 0
    by_criterion: Mapping[str, Levels] = field(default_factory=dict)

    @property
    def levels(self) -> Levels:
        """All answers together, whatever the question."""
        each = self.by_criterion.values()
        return Levels(
            very=sum(one.very for one in each),
            satisfied=sum(one.satisfied for one in each),
            not_yet=sum(one.not_yet for one in each),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """An agency's dossiers of a month.

    ``received`` in it and ``brought_in`` from before, which are all that were on its desks; of these ``solved_in_time``
    and ``solved_late`` in it, and left at its end ``pending``, or ``overdue`` by then.
    """

    received: int = 0
    brought_in: int = 0
    solved_in_time: int = 0
    solved_late: int = 0
    pending: int = 0
    overdue: int = 0

    @property
    def total(self) -> int:
        """All that were on its desks."""
        return self.received + self.brought_in


Figures = Votes | Workload


def is_empty(figures: Figures) -> bool:
    """Whether there is nothing to report."""
    return not (figures.raters if isinstance(figures, Votes) else figures.total)


def shares(counts: Sequence[int]) -> list[float]:
    """What percentage each count is of their sum, to two decimals; together they are 100, or all 0 for no counts.

    What rounding down leaves goes to those that lost most by it, the first of equals.
    """
    total = sum(counts)
    if not total:
        return [0.0] * len(counts)
    floors = [divmod(count * _HUNDREDTHS, total) for count in counts]
    left = _HUNDREDTHS - sum(whole for whole, _ in floors)
    most = sorted(range(len(counts)), key=lambda place: -floors[place][1])[:left]
    return [(whole + (place in most)) / 100 for place, (whole, _) in enumerate(floors)]


def outgoing(month: date, agency_code: str, agency_name: str | None, figures: Figures) -> dict[str, Any]:
    """A report under the names that a target's mapping reads: those of ``SATISFACTION_KEYS`` or ``STATISTICS_KEYS``."""
    about = {
        "agency_code": agency_code,
        "agency_name": agency_name,
        "month": month.month,
        "year": month.year,
        "begins_at": begin_of(month),
        "ends_at": begin_of(month_after(month)) - _SECOND,
    }
    if isinstance(figures, Votes):
        whole = {**about, "raters": figures.raters, **_percentages("", figures.levels)}
        questions = [
            {**whole, "criterion": criterion, **_percentages("criterion_", levels)}
            for criterion, levels in sorted(figures.by_criterion.items())
        ]
        return {**whole, "questions": questions}
    solved = figures.solved_in_time + figures.solved_late
    left = figures.pending + figures.overdue
    in_time, late = shares([figures.solved_in_time, figures.solved_late])
    pending, overdue = shares([figures.pending, figures.overdue])
    return {
        **about,
        "received": figures.received,
        "brought_in": figures.brought_in,
        "total": figures.total,
        "solved": solved,
        "solved_in_time": figures.solved_in_time,
        "solved_in_time_percent": in_time,
        "solved_late": figures.solved_late,
        "solved_late_percent": late,
        "left": left,
        "pending": figures.pending,
        "pending_percent": pending,
        "overdue": figures.overdue,
        "overdue_percent": overdue,
    }


def _percentages(prefix: str, levels: Levels) -> dict[str, float]:
    names = (f"{prefix}very_satisfied_percent", f"{prefix}satisfied_percent", f"{prefix}not_satisfied_percent")
    return dict(zip(names, shares([levels.very, levels.satisfied, levels.not_yet]), strict=True))


_ANY_MONTH = date(2026, 1, 1)
SATISFACTION_KEYS = frozenset(outgoing(_ANY_MONTH, "H00", None, Votes()))
"""What a satisfaction report holds; each of its ``questions`` holds all but that, and its own."""
QUESTION_KEYS = frozenset(outgoing(_ANY_MONTH, "H00", None, Votes(by_criterion={"": Levels()}))["questions"][0])
"""What a question of a satisfaction report holds."""
STATISTICS_KEYS = frozenset(outgoing(_ANY_MONTH, "H00", None, Workload()))
"""What a report of statistics holds."""
