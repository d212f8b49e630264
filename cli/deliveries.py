"""Commands about deliveries and reports to targets: what is dead, again, stopping and going on, and who did it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import ExitCode
from cli.options import BY_HAND, EPILOG, LOOK, Json, Lang, do, moment

if TYPE_CHECKING:
    from cli.output import Output

Target = Annotated[str, typer.Argument(help="The target: npsp, province, emc, …")]


def register(app: typer.Typer) -> None:
    """Add the commands to the ``hosync`` command."""
    for look in (dead, statistics, audit):
        app.command(rich_help_panel=LOOK, epilog=EPILOG)(look)
    for command in (resend, replay, reports, pause, resume):
        app.command(rich_help_panel=BY_HAND, epilog=EPILOG)(command)


def dead(
    lang: Lang,
    target: Annotated[str | None, typer.Argument(help="One target; all when left out.")] = None,
    as_json: Json = False,
) -> None:
    """Hồ sơ không gửi được. / Dossiers that a target refused, or that failed too often: by reason and agency.

    Exit code 1: there are some.
    """

    def work(output: Output) -> ExitCode:
        from cli.commands import dead as command

        return command.run(output, target)

    do(lang, work, as_json=as_json)


def resend(
    lang: Lang,
    target: Target,
    code: Annotated[list[str] | None, typer.Option(help="Dossier code; may come many times.")] = None,
    reason: Annotated[str | None, typer.Option(help="Those whose reason holds this text.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All dead dossiers of the target.")] = False,
    as_json: Json = False,
) -> None:
    """Gửi lại hồ sơ không gửi được. / Make dead dossiers due again, once what was wrong is mended. The next push sends
    them. Safe to repeat."""

    def work(output: Output) -> ExitCode:
        from cli.commands import dead as command

        return command.resend(output, target, codes=code or [], reason=reason, everything=everything)

    do(lang, work, as_json=as_json)


def replay(
    lang: Lang,
    target: Target,
    start: Annotated[str, typer.Option("--from", help="Dossiers whose state began on this day or later ...")],
    end: Annotated[str, typer.Option("--to", help="... and before this day; moments go too.")],
    force: Annotated[
        bool, typer.Option("--force", help="Even where the target counts a repetition as new (emc): it has lost them.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Gửi lại cả một khoảng thời gian. / Send a span of time to one target again, acknowledged or not.

    Each dossier's newest record and last step are sent, behind all news. Safe to repeat.
    """

    def work(output: Output) -> ExitCode:
        from cli.commands import replay as command

        return command.run(output, target, start=moment(start, "--from"), end=moment(end, "--to"), force=force)

    do(lang, work, as_json=as_json)


def audit(
    lang: Lang,
    target: Annotated[str | None, typer.Argument(help="One target; all when left out.")] = None,
    number: Annotated[int, typer.Option("--number", "-n", min=1, max=10_000, help="So many, the last ones.")] = 50,
    as_json: Json = False,
) -> None:
    """Nhật ký thao tác. / What people did by hand: who sent again, replayed, paused or resumed what, and when."""

    def work(output: Output) -> ExitCode:
        from cli.commands import audit as command

        return command.run(output, target, number=number)

    do(lang, work, as_json=as_json)


def reports(
    lang: Lang,
    targets: Annotated[list[str] | None, typer.Argument(help="Targets; all that take reports when left out.")] = None,
    send: Annotated[bool, typer.Option("--send", help="First count the ended months and send what is due.")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="First send --month (or what --failed) again, whatever was acknowledged.")
    ] = False,
    failed: Annotated[bool, typer.Option("--failed", help="With --again: only what was refused or given up.")] = False,
    month: Annotated[str | None, typer.Option(help="Only this month: 2026-03.")] = None,
    since: Annotated[str | None, typer.Option(help="Count again from this month on, not only the last few.")] = None,
    agency: Annotated[str | None, typer.Option(help="Only this agency: H12.12.")] = None,
    as_json: Json = False,
) -> None:
    """Báo cáo định kỳ. / Reports by the month (satisfaction, statistics) to the targets that take them: how they stand.

    Exit code 1: one was refused, given up or not sent yet.
    """

    def work(output: Output) -> ExitCode:
        from cli.commands import reports as command

        return command.run(
            output, targets or [], send=send, again=again, failed=failed, month=month, since=since, agency=agency
        )

    do(lang, work, as_json=as_json)


def statistics(
    lang: Lang,
    month: Annotated[str | None, typer.Option(help="2026-03; the last ended one when left out.")] = None,
    agency: Annotated[str | None, typer.Option(help="Only this agency, by field: H12.12.")] = None,
    as_json: Json = False,
) -> None:
    """Thống kê hồ sơ theo tháng. / Dossiers received, solved and left in a month, per agency, from the ledger."""

    def work(output: Output) -> ExitCode:
        from cli.commands import statistics as command

        return command.run(output, month, agency=agency)

    do(lang, work, as_json=as_json)


def pause(
    lang: Lang,
    target: Target,
    until: Annotated[str | None, typer.Option(help="Go on by itself at this day or moment.")] = None,
) -> None:
    """Tạm dừng gửi tới một hệ thống đích. / Stop deliveries to a target, for all workers. Nothing is lost meanwhile."""

    def work(output: Output) -> ExitCode:
        from cli.commands import pause as command

        return command.pause(output, target, until=moment(until, "--until"))

    do(lang, work)


def resume(
    lang: Lang,
    target: Annotated[str | None, typer.Argument(help="The target: npsp, province, emc, …")] = None,
    after_restore: Annotated[
        bool, typer.Option("--after-restore", help="All targets: a restored ledger knows again all that was told.")
    ] = False,
) -> None:
    """Gửi tiếp tới hệ thống đích đã tạm dừng. / Let deliveries to a target go on."""

    def work(output: Output) -> ExitCode:
        from cli.commands import pause as command

        return command.caught_up(output) if after_restore else command.resume(output, target)

    do(lang, work)
