"""What a target is reported periodically: key ``reports`` of its catalog entry.

Like the whole catalog this is read at every parse of the DAG files: it imports nothing heavy.
"""

import re
from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from connectors.catalog_parts import Cron, Part
from schemas.identifiers import agency_short
from schemas.report import ReportKind

_MONTH = re.compile(r"^(\d{4})-(0[1-9]|1[0-2])$", re.ASCII)


def read_month(text: str) -> date:
    """The first day of a month written ``2026-01``; raises ``ValueError``."""
    found = _MONTH.match(text.strip())
    if not found:
        raise ValueError("a month is written with its year: 2026-01")
    return date(int(found[1]), int(found[2]), 1)


def _month(value: Any) -> Any:
    return read_month(value) if isinstance(value, str) else value


Month = Annotated[
    date,
    BeforeValidator(_month),
    PlainSerializer(lambda month: f"{month:%Y-%m}", return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": _MONTH.pattern, "examples": ["2026-01"]}),
]
"""Written ``2026-01``."""


class Report(Part):
    """One kind of report."""

    in_doubt: Literal["resend", "give_up", "risk_double"]
    """Whether the service replaces a month's report by the next one, and what happens to one of which nobody knows
    whether it arrived. ``resend``: it replaces, so a report is sent again in doubt, and when its figures have changed.
    Where it would count both, each month is sent once, and in doubt either ``give_up`` (at most once; shown as given up
    until a person has asked) or ``risk_double`` (at least once; shown as perhaps doubled). No such service can be
    asked what it holds."""
    per: tuple[Literal["province", "agency"], ...] = Field(default=("province",), min_length=1)
    """Whether the whole province is reported, each agency below it, or both."""


class Reports(Part):
    """What a target is reported each month, and when."""

    unit: Annotated[str, AfterValidator(agency_short)]
    """The code under which the whole province is reported; agencies are those whose codes begin with it."""
    since: Month
    """The first month that is reported."""
    schedule: Cron | None = "20 5 * * *"
    """When it is looked, in Vietnamese local time, whether there is something to report; ``null``: only by hand. Daily,
    so that what did not get through, and what was told late, goes out without waiting for the next month."""
    after_days: int = Field(default=3, ge=0, le=28)
    """So many days after its end a month is reported: until then late records come in."""
    months_back: int = Field(default=2, ge=1, le=60)
    """So many ended months are counted again each time. What changes in older ones is told only by hand."""
    satisfaction: Report | None = None
    """How satisfied citizens were."""
    statistics: Report | None = None
    """How many dossiers were received, solved and left."""

    @property
    def kinds(self) -> Mapping[ReportKind, Report]:
        """The kinds that the target takes."""
        found = {kind: getattr(self, kind.value) for kind in ReportKind}
        return MappingProxyType({kind: report for kind, report in found.items() if report is not None})
