"""`hosync replay`: a span of time is sent to one target again."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from cli.environment import person
from cli.errors import ExitCode, UserError
from cli.output import Output
from sync.again import replay
from sync.context import Context


def run(output: Output, target: str, *, start: datetime | None, end: datetime | None, force: bool) -> ExitCode:
    """Make the span due again."""
    if start is None or end is None or start >= end:
        raise UserError(
            "--from must lie before --to.", where="hosync replay", next_step="Turn them round.", code=ExitCode.USAGE
        )
    with Context.from_env() as context, output.working(output.texts("Making due again: {target}", target=target)):
        done = replay(context, target, by=person(), start=start, end=end, force=force)
    if output.as_json:
        output.json({"target": target, **asdict(done)})
        return ExitCode.OK
    texts = output.texts
    output.out.print(
        texts(
            "{target}: {number} dossiers are due again; the next push sends them.", target=target, number=done.made_due
        )
    )
    if done.in_work:
        output.out.print(texts("{number} were on their way already, and arrive as they are.", number=done.in_work))
    if done.dead:
        output.out.print(texts("{number} are dead and stay so: hosync dead {target}", number=done.dead, target=target))
    return ExitCode.OK
