"""`hosync statistics`: what was on the agencies' desks in a month, as `hosync reports` tells it, and by field."""

from __future__ import annotations

from cli.errors import ExitCode, UserError
from cli.output import Output
from connectors.reporting import read_month
from ledger.workload import desks
from schemas.report import Workload, month_after, month_of
from sync.context import Context, now

_NAMES = ("received", "brought_in", "total", "solved_in_time", "solved_late", "pending", "overdue")
_COLUMNS = ("Received", "Brought in", "Total", "Solved in time", "Solved late", "Pending", "Overdue")


def run(output: Output, month: str | None, *, agency: str | None) -> ExitCode:
    """Count one month, the last one when none is named, for every agency, or by field for one."""
    try:
        asked = read_month(month) if month else month_after(month_of(now()), -1)
    except ValueError:
        raise UserError(
            "--month is not a month.", where="--month", next_step="Write 2026-03.", code=ExitCode.USAGE
        ) from None
    with Context.from_env() as context:
        found = desks(context.engine, asked)
    whole = found.whole if agency is None else found.agencies.get(agency, Workload())
    lines = (
        {code: each for (owner, code), each in sorted(found.fields.items()) if owner == agency}
        if agency
        else dict(sorted(found.agencies.items()))
    )
    if output.as_json:
        rows = [{"code": code, **_numbers(each)} for code, each in lines.items()]
        output.json({"month": f"{asked:%Y-%m}", "agency": agency, "whole": _numbers(whole), "rows": rows})
        return ExitCode.OK
    texts = output.texts
    named = [(code if agency else found.names.get(code, code), each) for code, each in lines.items()]
    everything = (texts("Altogether"), whole)
    title = texts("Dossiers of {month}", month=f"{asked:%m/%Y}")
    title += f" · {found.names.get(agency, agency)}" if agency else ""
    output.out.print(
        output.table(
            title,
            ("Field" if agency else "Agency", *_COLUMNS),
            [(name, *_numbers(each).values()) for name, each in (*named, everything)],
        )
    )
    return ExitCode.OK


def _numbers(work: Workload) -> dict[str, int]:
    return {name: getattr(work, name) for name in _NAMES}
