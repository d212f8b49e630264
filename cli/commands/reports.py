"""`hosync reports`: what targets are reported each month, how it stands, sending it, and sending it again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from cli.environment import person
from cli.errors import ExitCode, UserError
from cli.messages import Texts
from cli.output import Output
from cli.words import moment_in_words, resting_in_words
from connectors.reporting import read_month
from ledger.ratings import of_unknown_dossiers
from schemas.report import ReportKind
from sync.context import Context, now
from sync.reports import SentReports, listed, report_to, send_again, with_reports

if TYPE_CHECKING:
    from ledger.reports import ReportRow

_FAILED = ("dead", "given_up")
_WORDS = {
    "sent": ("report sent", "green"),
    "due": ("report due", "yellow"),
    "leased": ("report on its way", "yellow"),
    "doubt": ("report in doubt", "yellow"),
    "dead": ("report refused", "bold red"),
    "given_up": ("report given up in doubt", "bold red"),
}


def run(
    output: Output,
    targets: Sequence[str],
    *,
    send: bool,
    again: bool,
    failed: bool,
    month: str | None,
    since: str | None,
    agency: str | None,
) -> ExitCode:
    """Show the reports of the named targets, or of all that take some; first send, where that is asked for.

    Fails where one was refused, given up, or could not be sent.
    """
    only, first = _month(month, "--month"), _month(since, "--since")
    if again and not failed and only is None:
        raise UserError(
            "--again needs --month, or --failed.",
            where="hosync reports",
            next_step="Name the month that is to be sent again: --month 2026-03.",
            code=ExitCode.USAGE,
        )
    rows: dict[str, list[ReportRow]] = {}
    sent: list[SentReports] = []
    with Context.from_env() as context:
        for target in targets or with_reports(context.catalog.targets):
            if again:
                send_again(context, target, by=person(), month=only, agency=agency, only_failed=failed)
            if send or again:
                with output.working(output.texts("Reporting to {target}", target=target)):
                    sent.append(report_to(context, target, now=now(), since=first))
            found = listed(context, target, month=only)
            rows[target] = [row for row in found if agency in (None, row.agency_code)]
        rated = {row.period for found in rows.values() for row in found if row.kind is ReportKind.SATISFACTION}
        unknown = {each: of_unknown_dossiers(context.engine, each) for each in sorted(rated)}
    if output.as_json:
        output.json(
            {
                "sent": [each.model_dump(mode="json") for each in sent],
                "reports": [_told(row) for each in rows.values() for row in each],
                "rated_and_unknown": {f"{each:%Y-%m}": number for each, number in unknown.items()},
            }
        )
    else:
        for target, found in rows.items():
            output.out.print(_table(output, target, found))
        for each in sent:
            _print(output, each)
        for when, number in unknown.items():
            if number:
                words = "{number} dossiers that citizens rated in {month} are unknown here."
                output.out.print(output.texts(words, number=number, month=f"{when:%m/%Y}"), style="yellow")
    bad = any(_standing(row) in _FAILED for found in rows.values() for row in found)
    return ExitCode.FAILED if bad or any(each.remaining for each in sent) else ExitCode.OK


def _month(text: str | None, option: str) -> date | None:
    if text is None:
        return None
    try:
        return read_month(text)
    except ValueError:
        raise UserError(
            f"{option} is not a month.", where=option, next_step="Write 2026-03.", code=ExitCode.USAGE
        ) from None


def _standing(row: ReportRow) -> str:
    """How a report stands: sent, due, leased, doubt, dead or given_up."""
    if row.state != "idle":
        return row.state
    return "sent" if row.last_outcome == "accepted" else "given_up"


def _table(output: Output, target: str, rows: Sequence[ReportRow]) -> RenderableType:
    texts = output.texts
    return output.table(
        texts("Reports to {target}", target=target),
        ("Report", "Month", "Agency", "Result", "Sent at", "Reason"),
        [
            (
                texts(row.kind.value),
                f"{row.period:%m/%Y}",
                row.agency_code,
                _in_words(texts, row),
                moment_in_words(row.acked_at, now()) if row.acked_at else "",
                texts.told(row.last_reason or ""),
            )
            for row in rows
        ],
    )


def _in_words(texts: Texts, row: ReportRow) -> Text:
    standing = _standing(row)
    said, style = _WORDS[standing]
    words = texts(said)
    if standing == "sent" and row.has_changed:
        return Text(f"{words}, {texts('changed since')}", style="yellow")
    if row.copies:
        return Text(f"{words}, {texts('Perhaps doubled').lower()}", style="yellow")
    return Text(words, style=style)


def _print(output: Output, sent: SentReports) -> None:
    texts = output.texts
    said = texts(
        "{target}: {accepted} reports sent, {failed} refused or given up, {remaining} left.",
        target=sent.target,
        accepted=sent.accepted,
        failed=sent.rejected + sent.given_up,
        remaining=sent.remaining,
    )
    resting = f" {resting_in_words(texts, sent.resting, sent.resting_until)}" if sent.resting else ""
    output.out.print(f"{said}{resting}")
    if sent.waiting_for:
        words = "{target}: the last month waits until these have been read: {systems}."
        output.out.print(texts(words, target=sent.target, systems=", ".join(sent.waiting_for)), style="yellow")


def _told(row: ReportRow) -> dict[str, object]:
    return {
        "target": row.target,
        "kind": row.kind.value,
        "month": f"{row.period:%Y-%m}",
        "agency_code": row.agency_code,
        "standing": _standing(row),
        "sent_at": row.acked_at.isoformat() if row.acked_at else None,
        "changed_since": row.has_changed,
        "perhaps_doubled": row.copies,
        "reason": row.last_reason,
    }
