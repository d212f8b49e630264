"""`hosync pull`: source -> ledger, by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from cli.errors import ExitCode, UserError
from cli.explain import explained, show, show_left_out
from cli.output import Output
from sync.context import Context, now
from sync.pull import plan, pull

if TYPE_CHECKING:
    from ledger.types import PageCounts
    from sync.pull import PullReport

_COUNTS = ("fetched", "new", "changed", "unchanged", "stale", "quarantined")
_LOCK_WAIT_S = 10.0  # a look of the follower is soon over


def run(
    output: Output, systems: Sequence[str], *, full: bool, start: datetime | None, end: datetime | None
) -> ExitCode:
    """Pull the named systems, or all; one that fails does not keep the others from their turn."""
    reports: list[PullReport] = []
    failures: list[tuple[str, UserError]] = []
    with Context.from_env() as context:
        names = [context.catalog.source(name).system for name in systems] or [
            entry.system for entry in context.catalog.sources
        ]
        for name in names:
            try:
                reports += _pull(context, output, name, full=full, start=start, end=end)
            except Exception as error:
                if (known := explained(error)) is None:
                    raise
                failures.append((name, known))
        left_out = ExitCode.OK if systems else show_left_out(context.catalog, output)
    _print(output, reports, failures)
    return ExitCode.FAILED if failures else left_out


def _pull(
    context: Context, output: Output, system: str, *, full: bool, start: datetime | None, end: datetime | None
) -> list[PullReport]:
    with output.working(output.texts("Pulling {system}", system=system)) as ticker:
        sums: Counter[str] = Counter()

        def on_page(counts: PageCounts) -> None:
            sums.update({name: getattr(counts, name) for name in _COUNTS})
            ticker.show(dict(sums))

        return [
            pull(context, piece, started_by="hosync pull", now=now(), on_page=on_page, wait_s=_LOCK_WAIT_S)
            for piece in plan(context, system, now=now(), full=full, start=start, end=end)
        ]


def _print(output: Output, reports: Sequence[PullReport], failures: Sequence[tuple[str, UserError]]) -> None:
    if output.as_json:
        output.json(
            {
                "pulls": [report.model_dump(mode="json") for report in reports],
                "failures": [
                    {"system": name, "error": error.what, "what_to_do": error.next_step} for name, error in failures
                ],
            }
        )
        return
    columns = ("System", "Run", "Pages", "Fetched", "New", "Changed", "Unchanged", "Stale", "Quarantined")
    rows = [(r.system, r.label, r.pages, *(getattr(r, name) for name in _COUNTS)) for r in reports]
    if rows:
        output.out.print(output.table("Pulls", columns, rows))
    for _, error in failures:
        show(error, output.err, output.texts)
