"""`hosync redrive`: map records that were set aside again."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from cli.errors import ExitCode
from cli.output import Output
from sync.context import Context
from sync.redrive import RedriveReport, redrive


def run(output: Output, systems: Sequence[str], *, rule: str | None) -> ExitCode:
    """Re-drive some systems, or all. Fails when records stay set aside."""
    reports: list[RedriveReport] = []
    with Context.from_env() as context:
        for system in systems or [entry.system for entry in context.catalog.sources]:
            with output.working(output.texts("Mapping again: {system}", system=system)):
                reports.append(redrive(context, system, started_by="hosync redrive", rule=rule))
    if output.as_json:
        output.json([report.model_dump(mode="json") for report in reports])
    else:
        headings = ("System", "Tried", "New", "Changed", "Unchanged", "Stale", "Quarantined", "Why")
        output.out.print(output.table("Records set aside, mapped again", headings, map(_row, reports)))
    return ExitCode.FAILED if any(report.still_set_aside for report in reports) else ExitCode.OK


def _row(report: RedriveReport) -> tuple[object, ...]:
    why = ", ".join(f"{reason} ({number})" for reason, number in report.reasons.items())
    numbers = (report.tried, report.new, report.changed, report.unchanged, report.stale, report.still_set_aside)
    return (report.system, *numbers, Text(why, style="yellow"))
