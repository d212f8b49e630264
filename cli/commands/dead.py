"""`hosync dead` and `hosync resend`: what a target does not get, and sending it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from cli.environment import person
from cli.errors import ExitCode, UserError
from cli.output import Output
from cli.words import moment_in_words
from sync.again import dead
from sync.again import resend as make_due
from sync.context import Context, now

_COLUMNS = ("Target", "Agency", "Dossiers", "Why", "Since", "Last time", "Such as")


def run(output: Output, target: str | None) -> ExitCode:
    """Show the dead by agency and reason. Fails when there are any."""
    with Context.from_env() as context:
        groups = dead(context, target)
    if output.as_json:
        output.json({"dead": [asdict(group) for group in groups]})
        return ExitCode.FAILED if groups else ExitCode.OK

    def when(moment: datetime) -> str:
        return moment_in_words(moment, now())

    rows = [
        (each.target, each.agency, each.dossiers, each.reason, when(each.first_at), when(each.last_at), each.example)
        for each in groups
    ]
    output.out.print(output.table("Dossiers that do not get through", _COLUMNS, rows))
    if groups:
        output.out.print(output.texts("Mend what is wrong, then: hosync resend {target} --reason …", target=rows[0][0]))
    return ExitCode.FAILED if groups else ExitCode.OK


def resend(output: Output, target: str, *, codes: Sequence[str], reason: str | None, everything: bool) -> ExitCode:
    """Make the named dead due again. Fails when none was found."""
    if bool(codes) + (reason is not None) + everything != 1:
        raise UserError(
            "What is to be sent again?",
            where="hosync resend",
            next_step="Give one of --code, --reason or --all; `hosync dead` shows what there is.",
            code=ExitCode.USAGE,
        )
    with Context.from_env() as context:
        number = make_due(context, target, by=person(), codes=codes, reason=reason)
    if output.as_json:
        output.json({"target": target, "made_due": number})
    else:
        output.out.print(
            output.texts(
                "{target}: {number} dossiers are due again; the next push sends them.", target=target, number=number
            )
        )
    return ExitCode.OK if number else ExitCode.FAILED
