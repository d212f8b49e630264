"""`hosync push`: ledger -> targets, by hand."""

from __future__ import annotations

from collections.abc import Sequence

from cli.errors import ExitCode
from cli.explain import show_left_out
from cli.output import Output
from cli.words import resting_in_words
from sync.context import Context
from sync.deliver import DeliverReport, deliver

_COLUMNS = {
    "Accepted": "accepted",
    "Unchanged": "unchanged",
    "Asked": "resolved_by_asking",
    "Rejected": "rejected",
    "Retry": "retry",
    "In doubt": "in_doubt",
    "Given up": "given_up",
    "Left": "remaining",
}
_PATIENCE_S = 30.0  # wait this long in all for what becomes due again soon


def run(output: Output, targets: Sequence[str], *, limit: int | None) -> ExitCode:
    """Deliver what is due to the named targets, or all. Fails when something is left that should have gone."""
    reports: list[DeliverReport] = []
    with Context.from_env() as context:
        names = [context.catalog.target(name).system for name in targets] or [
            entry.system for entry in context.catalog.targets
        ]
        for name in names:
            with output.working(output.texts("Delivering to {target}", target=name)) as ticker:
                reports.append(
                    deliver(
                        context,
                        name,
                        limit=limit,
                        wait_s=_PATIENCE_S,
                        # The default binds this target's ticker; mypy can't give a lambda's default a type.
                        on_batch=lambda counts, show=ticker.show: show(dict(counts)),  # type: ignore[misc]
                    )
                )
        left_out = ExitCode.OK if targets else show_left_out(context.catalog, output)
    if output.as_json:
        output.json({"deliveries": [report.model_dump(mode="json") for report in reports]})
    else:
        rows = [(report.target, *(getattr(report, name) for name in _COLUMNS.values())) for report in reports]
        output.out.print(output.table("Deliveries", ("Target", *_COLUMNS), rows))
        for report in reports:
            if report.resting:
                output.out.print(
                    f"{report.target}: {resting_in_words(output.texts, report.resting, report.resting_until)}"
                )
            if report.rejected:
                output.out.print(output.texts("Why they were refused: hosync dead {target}", target=report.target))
    unfinished = any(report.rejected + report.given_up for report in reports) or (
        limit is None and any(report.remaining for report in reports)
    )
    return ExitCode.FAILED if unfinished else left_out
