"""`hosync audit`: what people did by hand."""

from __future__ import annotations

from dataclasses import asdict

from cli.errors import ExitCode
from cli.output import Output
from cli.words import moment_in_words
from ledger.audit import Done, last
from sync.context import Context, now

_COLUMNS = ("When", "Who", "Done", "Target", "Dossiers", "Asked for")


def run(output: Output, target: str | None, *, number: int) -> ExitCode:
    """Show the last things done, newest first."""
    with Context.from_env() as context:
        name = context.catalog.target(target).system if target else None
        done = last(context.engine, system=name, limit=number)
    if output.as_json:
        output.json({"actions": [asdict(each) for each in done]})
        return ExitCode.OK
    moment = now()
    rows = [
        (
            moment_in_words(each.at, moment),
            each.person,
            output.texts(each.action.value),
            each.system,
            "" if each.dossiers is None else each.dossiers,
            _asked(each),
        )
        for each in done
    ]
    output.out.print(output.table("What people did by hand", _COLUMNS, rows))
    return ExitCode.OK


def _asked(done: Done) -> str:
    return ", ".join(
        f"{name}: {' '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in done.details.items()
    )
