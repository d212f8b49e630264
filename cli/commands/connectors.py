"""`hosync connectors`: the catalog as a table."""

from __future__ import annotations

from rich.text import Text

from cli.errors import ExitCode
from cli.explain import show_left_out
from cli.messages import Texts
from cli.output import Output
from connectors.catalog import load_catalog
from ledger.errors import LedgerError
from sync.context import Context, now
from sync.health import Health
from sync.systems import SystemLine, systems

_WIDE = 150  # columns of the terminal that let titles stand on one line
_STYLES = {
    Health.GOOD: "green",
    Health.RUNNING: "cyan",
    Health.LATE: "yellow",
    Health.UNVERIFIED: "yellow",
    Health.ATTENTION: "yellow",
    Health.FAILED: "bold red",
    Health.NEVER: "dim",
}


def run(output: Output) -> ExitCode:
    """Show every system: how it is read, how it is doing, its last success. Without a ledger, the catalog alone."""
    catalog = load_catalog()
    try:
        with Context.from_env() as context:
            found = systems(catalog, context, now())
    except LedgerError as error:
        output.err.print(Text(str(error), style="yellow"), soft_wrap=True)
        found = systems(catalog, None, now())
    left_out = show_left_out(catalog, output)
    if output.as_json:
        output.json([line.model_dump(mode="json") for line in found])
        return left_out
    wide = output.out.width >= _WIDE
    for kind, title, waiting in (("source", "Sources", "Quarantined"), ("target", "Targets", "Waiting")):
        more = ("Title", "Schedule") if wide else ()
        headings = ("System", *more, "Protocol", "How", "State", "Last success", "Dossiers", waiting)
        rows = [_row(output.texts, line, wide=wide) for line in found if line.kind == kind]
        output.out.print(output.table(title, headings, rows))
    return ExitCode.FAILED if any(line.health is Health.FAILED for line in found) else left_out


def _row(texts: Texts, line: SystemLine, *, wide: bool) -> tuple[object, ...]:
    title = texts.pick(vi=line.title_vi, en=line.title_en)
    named = f"{title} ({texts('template')})" if line.template else title
    return (
        line.system,
        *((named, line.schedule or texts("by hand")) if wide else ()),
        line.protocol,
        line.how,
        Text(texts(line.health.value), style=_STYLES[line.health]) if line.health else "",
        texts("{ago} ago", ago=_short(line.lag_s)) if line.lag_s is not None else "",
        line.dossiers,
        line.waiting,
    )


def _short(seconds: float) -> str:
    """``42 s``, ``7 min``, ``3 h`` or ``12 d``."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
