"""`hosync reconcile`: what the targets hold against what we hold, by hand."""

from __future__ import annotations

from collections.abc import Sequence

from cli.commands import woken
from cli.errors import ExitCode
from cli.explain import show_left_out
from cli.output import Output
from cli.words import breaks_in_words
from sync.context import Context, now
from sync.reconcile import ReconcileReport, reconcile


def run(output: Output, targets: Sequence[str], *, limit: int | None, heal: bool) -> ExitCode:
    """Compare with the named targets, or all that can be asked. Fails when a comparison found breaks."""
    reports: list[ReconcileReport] = []
    with Context.from_env() as context:
        names = [context.catalog.target(name).system for name in targets] or [
            entry.system for entry in context.catalog.targets if entry.is_compared
        ]
        for name in names:
            with output.working(output.texts("Comparing with {target}", target=name)):
                reports.append(reconcile(context, name, as_of=now(), limit=limit, heal=heal))
        left_out = ExitCode.OK if targets else show_left_out(context.catalog, output)
    if output.as_json:
        output.json({"reconciliations": [report.model_dump(mode="json") for report in reports]})
    else:
        columns = (
            "Target", "Method", "Ours", "Theirs", "Matched", "In flight", "Breaks", "Healed", "Held back", "Waiting",
        )  # fmt: skip
        rows = [
            (
                r.target, r.method, r.ours, r.theirs, r.matched, r.in_flight,
                breaks_in_words(output.texts, r.breaks), r.healed, r.held_back,
                r.waiting,
            )
            for r in reports
        ]  # fmt: skip
        output.out.print(output.table("Reconciliation", columns, rows))
        if found := next((r.woken for r in reports if r.woken), None):
            woken.show(output, found)
    return ExitCode.FAILED if any(report.open_breaks for report in reports) else left_out
