"""How a picture of the moment is drawn: tables for a terminal, lines for a log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.messages import Texts
from cli.output import make_table
from cli.up.airflow_api import RunState
from cli.up.course import Compared, Delivered, Picture, Pulled
from cli.words import breaks_in_words

if TYPE_CHECKING:
    from cli.up.machine import Running

MONITOR_PATH = "/hosync/"
_PARTS = ("new", "changed", "unchanged", "stale", "quarantined")
_RUN_STYLES = {RunState.SUCCESS: "green", RunState.FAILED: "bold red", RunState.RUNNING: "yellow"}


def progress(texts: Texts, picture: Picture, rates: Mapping[str, float]) -> RenderableType:
    """The live tables: what came in, what went out, what was compared."""
    return Group(_pulls(texts, picture, rates), _targets(texts, picture))


def lines(texts: Texts, picture: Picture) -> tuple[str, ...]:
    """The same as lines; one that has not changed is not printed again."""
    pulls = (f"pull_{pull.system}: {texts(pull.run.state.value)} {_numbers(pull)}" for pull in picture.pulls)
    targets = (
        f"{target.target}: delivered={target.delivered} due={target.due} sending={target.sending} "
        f"in_doubt={target.in_doubt} refused={target.refused} {_compared_in_words(texts, target, picture)}"
        for target in picture.targets
    )
    return (*pulls, *targets)


def summary(texts: Texts, picture: Picture) -> RenderableType:
    """What came of it: the equation of each pull, and ours against theirs for each target."""
    balance = make_table(
        texts,
        "Pulls",
        ("System", "Fetched", *(name.capitalize() for name in _PARTS), "Balance"),
        [
            (p.system, p.counts.get("fetched", 0), *(p.counts.get(n, 0) for n in _PARTS), _balance(texts, p))
            for p in picture.pulls
        ],
    )
    rows: list[tuple[object, ...]] = []
    for target in picture.targets:
        compared = target.compared
        if compared is None:
            rows.append((target.target, "", "", "", "", Text(texts("never"), style="yellow"), target.open_breaks))
        else:
            breaks = breaks_in_words(texts, compared.breaks)
            numbers = (compared.ours, compared.theirs, compared.matched, compared.in_flight)
            rows.append((target.target, *numbers, breaks, target.open_breaks))
    columns = ("Target", "Ours", "Theirs", "Matched", "In flight", "Breaks", "Open breaks")
    return Group(balance, make_table(texts, "Reconciliation", columns, rows), *_reports(texts, picture))


def _reports(texts: Texts, picture: Picture) -> list[RenderableType]:
    """What was reported by the month, where any target takes reports."""
    rows = [
        (target.target, texts(each.kind), f"{each.last_month:%m/%Y}", each.sent, each.left, each.refused, each.given_up)
        for target in picture.targets
        for each in target.reported
    ]
    columns = ("Target", "Report", "Last month", "Sent", "Left", "Refused", "Given up")
    return [make_table(texts, "Reports", columns, rows)] if rows else []


def where_to_look(texts: Texts, running: Running) -> RenderableType:
    """Addresses and the sign-in for a person."""
    table = Table(box=None, show_header=False, padding=(0, 2), title=texts("Where to look"), title_justify="left")
    table.title_style = "bold"
    url = running.airflow.url
    table.add_row(texts("Sync monitor"), Text(url + MONITOR_PATH, style=f"link {url}{MONITOR_PATH}"))
    table.add_row(texts("Airflow"), Text(url, style=f"link {url}"))
    for name, address in (running.province.pages if running.province else {}).items():
        table.add_row(name, Text(address, style=f"link {address}"))
    table.add_row(texts("User"), Text("admin"))
    table.add_row(texts("Password"), Text(running.secrets["HOSYNC_ADMIN_PASSWORD"]))
    return table


def _pulls(texts: Texts, picture: Picture, rates: Mapping[str, float]) -> RenderableType:
    rows = []
    for pull in picture.pulls:
        state = Text(texts(pull.run.state.value), style=_RUN_STYLES.get(pull.run.state, "dim"))
        rate = f"{rates[pull.system]:,.0f}/s" if rates.get(pull.system) else ""
        rows.append((pull.system, state, *(pull.counts.get(name, 0) for name in ("fetched", *_PARTS)), rate))
    headings = ("System", "Run", "Fetched", *(name.capitalize() for name in _PARTS), "Rate")
    return make_table(texts, "Pulls", headings, rows)


def _targets(texts: Texts, picture: Picture) -> RenderableType:
    rows = []
    for target in picture.targets:
        words = _compared_in_words(texts, target, picture)
        state = Text(words, style="green" if target.is_compared(picture.since) and not target.unsettled else "yellow")
        numbers = (target.delivered, target.due, target.sending, target.in_doubt, target.refused)
        rows.append((target.target, *numbers, state))
    headings = ("Target", "Delivered", "Due", "Being sent", "In doubt", "Refused", "Reconciliation")
    return make_table(texts, "Deliveries", headings, rows)


def _compared_in_words(texts: Texts, target: Delivered, picture: Picture) -> str:
    failed = target.push if target.unsettled else target.reconcile
    if failed and failed.state is RunState.FAILED:
        return texts("{dag}: {state}", dag=failed.dag_id, state=texts(failed.state.value))
    if target.reconcile and target.reconcile.state is RunState.RUNNING:
        return texts("running")
    if target.is_compared(picture.since) and target.compared:
        return _result(texts, target.compared)
    return texts("waiting")


def _result(texts: Texts, compared: Compared) -> str:
    return f"{compared.matched:,}/{compared.ours:,} · {texts('Breaks')}: {breaks_in_words(texts, compared.breaks)}"


def _numbers(pull: Pulled) -> str:
    return " ".join(f"{name}={pull.counts.get(name, 0)}" for name in ("fetched", *_PARTS))


def _balance(texts: Texts, pull: Pulled) -> Text:
    return Text(texts("balanced"), style="green") if pull.is_balanced else Text(texts("NOT balanced"), style="bold red")
