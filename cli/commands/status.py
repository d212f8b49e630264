"""`hosync status`: where everything stands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

from cli.commands import woken
from cli.errors import ExitCode
from cli.explain import show_left_out
from cli.messages import Texts
from cli.output import Output
from cli.words import breaks_in_words, moment_in_words, resting_in_words, seconds_in_words
from sync.context import Context, now
from sync.status import Disappeared, GateStatus, ReportNumbers, SourceStatus, Status, TargetStatus, status

_FULL_PACE = 0.99
_RUN_STYLES = {"succeeded": "green", "running": "yellow"}  # any other has ended badly


def run(output: Output) -> ExitCode:
    """Show one snapshot. Fails when something needs a look: a failed run, open breaks, what is refused or late."""
    with Context.from_env() as context:
        found = status(context, now())
        left_out = show_left_out(context.catalog, output)
    if output.as_json:
        output.json(found.model_dump(mode="json"))
    else:
        _print(output, found)
    return (
        ExitCode.FAILED
        if any(map(_is_troubled_source, found.sources))
        or any(map(_is_troubled_target, found.targets))
        or (found.woken is not None and found.woken.restored)
        else left_out
    )


def _is_troubled_source(source: SourceStatus) -> bool:
    return source.last_run is not None and source.last_run.status == "failed"


def _is_troubled_target(target: TargetStatus) -> bool:
    last = target.last_reconciliation
    reports = any(each.refused or each.given_up for each in target.reports)
    return bool(target.open_breaks or target.rejected or target.late or reports) or (
        last is not None and last.status == "failed"
    )


def _print(output: Output, found: Status) -> None:
    texts = output.texts
    if found.woken and (found.woken.restored or any(target.open_breaks for target in found.targets)):
        woken.show(output, found.woken)
    output.out.print(
        output.table(
            "Pulls",
            ("System", "Dossiers", "Fetched", "New", "Changed", "Unchanged", "Stale", "Set aside", "Followed", "Ended"),
            [_source(texts, source) for source in found.sources],
        )
    )
    calls = [(source.system, source.calls) for source in found.sources if source.calls]
    if calls:
        output.out.print(
            output.table(
                "Calls",
                ("System", "Stored", "Repeated", "Refused", "No secret", "Waiting", "Waiting since"),
                [
                    (
                        system,
                        number.stored,
                        number.repeated,
                        number.refused,
                        number.no_secret,
                        number.waiting,
                        _moment(number.oldest_waiting_at) if number.oldest_waiting_at else "",
                    )
                    for system, number in calls
                ],
            )
        )
    output.out.print(
        output.table(
            "Deliveries",
            (
                "Target",
                "Dossiers",
                "Delivered",
                "Due",
                "Being sent",
                "In doubt",
                "Refused",
                "Given up",
                "Perhaps doubled",
            ),
            [
                (
                    t.target,
                    t.dossiers,
                    t.settled,
                    t.due + t.not_yet_expanded,
                    t.in_work,
                    t.in_doubt,
                    t.rejected,
                    t.doubtful,
                    t.perhaps_doubled,
                )
                for t in found.targets
            ],
        )
    )
    output.out.print(
        output.table(
            "Waiting",
            ("Target", "Late", "Waiting since", "State"),
            [_waiting(texts, target) for target in found.targets],
        )
    )
    output.out.print(
        output.table(
            "From the change to its acknowledgement, last hour",
            ("Target", "Told by", "Messages", "Half within", "95 % within", "Longest", "By the source's clock"),
            [row for target in found.targets for row in _latencies(texts, target)],
        )
    )
    output.out.print(
        output.table(
            "Reconciliation",
            ("Target", "Method", "Ours", "Theirs", "Matched", "In flight", "Breaks", "Open breaks", "Ended"),
            [_target(texts, target) for target in found.targets],
        )
    )
    reported = [(target.target, each) for target in found.targets for each in target.reports]
    if reported:
        output.out.print(reports_table(output, reported))
    for source in found.sources:
        if source.disappeared:
            output.out.print(_disappeared(texts, source.system, source.disappeared), soft_wrap=True)
        if source.last_run and source.last_run.error:
            output.out.print(Text(f"{source.system}: {source.last_run.error}", style="red"), soft_wrap=True)
    for target in found.targets:
        if target.last_reconciliation and target.last_reconciliation.error:
            output.out.print(Text(f"{target.target}: {target.last_reconciliation.error}", style="red"), soft_wrap=True)


def reports_table(output: Output, reported: Sequence[tuple[str, ReportNumbers]]) -> RenderableType:
    """How the reports stand, by target and kind."""
    texts = output.texts
    columns = ("Target", "Report", "Last month", "Sent", "Due", "In doubt", "Refused", "Given up", "Changed since")
    return output.table(
        "Reports",
        columns,
        [
            (
                target,
                texts(each.kind),
                f"{each.last_month:%m/%Y}",
                each.sent,
                each.due,
                each.in_doubt,
                each.refused,
                each.given_up,
                each.changed,
            )
            for target, each in reported
        ],
    )


def _disappeared(texts: Texts, system: str, gone: Disappeared) -> Text:
    sentence = texts(
        "Missing from the last whole list of {system}: {number} dossiers since {moment}, first {codes}",
        system=system,
        number=gone.dossiers,
        moment=_moment(gone.since),
        codes=", ".join(gone.first_codes),
    )
    return Text(sentence, style="yellow")


def _source(texts: Texts, source: SourceStatus) -> tuple[object, ...]:
    last = source.last_run
    if last is None:
        return (
            source.system,
            source.dossiers,
            0,
            0,
            0,
            0,
            0,
            source.open_quarantine,
            _followed(texts, source),
            texts("never"),
        )
    return (
        source.system,
        source.dossiers,
        last.fetched,
        last.new,
        last.changed,
        last.unchanged,
        last.stale,
        last.quarantined,
        _followed(texts, source),
        _ended(texts, last.status, last.finished_at),
    )


def _followed(texts: Texts, source: SourceStatus) -> Text:
    """How often the source is looked at now."""
    if source.follow_s is None or not source.is_followed:
        return Text(texts("by schedule"), style="dim")
    return Text(seconds_in_words(source.follow_s), style="green")


def _waiting(texts: Texts, target: TargetStatus) -> tuple[object, ...]:
    return (
        target.target,
        Text(f"{target.late:,}", style="bold red" if target.late else "", justify="right"),
        _moment(target.oldest_waiting_at) if target.oldest_waiting_at else "",
        _resting(texts, target.gate),
    )


def _latencies(texts: Texts, target: TargetStatus) -> list[tuple[object, ...]]:
    """From when a change could be seen, or its call came; and from the moment that the source gives for it."""
    rows: list[tuple[object, ...]] = []
    for each in target.last_hour:
        aged = [each.aged_p50_s, each.aged_p95_s]
        told = "a call" if each.called else "looking"
        times = [seconds_in_words(seconds) for seconds in (each.p50_s, each.p95_s, each.max_s)]
        own = " / ".join(seconds_in_words(seconds) for seconds in aged if seconds is not None)
        rows.append((target.target, texts(told), each.messages, *times, own))
    return rows or [(target.target, "", 0, "", "", "", "")]


def _resting(texts: Texts, gate: GateStatus) -> Text:
    if gate.resting is None:
        slow = gate.pace < _FULL_PACE
        return Text(texts("slowed to {share} %", share=f"{gate.pace * 100:.0f}") if slow else "", style="yellow")
    words = resting_in_words(texts, gate.resting, gate.resting_until)
    return Text(words, style="bold red" if gate.resting == "broken" else "yellow")


def _target(texts: Texts, target: TargetStatus) -> tuple[object, ...]:
    still_open = breaks_in_words(texts, target.open_breaks)
    last = target.last_reconciliation
    if last is None:
        word = "never" if target.is_compared else "cannot be asked"
        return (target.target, texts(word), 0, 0, 0, 0, "", still_open, "")
    return (
        target.target,
        last.method,
        last.ours,
        last.theirs,
        last.matched,
        last.in_flight,
        breaks_in_words(texts, last.breaks),
        still_open,
        _ended(texts, last.status, last.finished_at),
    )


def _ended(texts: Texts, state: str, moment: datetime | None) -> Text:
    """When a run ended; how, where it did not end well."""
    word = "" if state == "succeeded" else texts(state)
    return Text(f"{word} {_moment(moment) if moment else ''}".strip(), style=_RUN_STYLES.get(state, "bold red"))


def _moment(moment: datetime) -> str:
    return moment_in_words(moment, now())
