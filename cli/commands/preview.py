"""`hosync preview`: a system's records as they come, as we understand them, and as each target would get them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.columns import Columns
from rich.console import Group
from rich.json import JSON
from rich.panel import Panel
from rich.text import Text

from cli.errors import ExitCode
from cli.messages import Texts
from cli.output import Output, make_table
from connectors.catalog import load_catalog
from ledger.standing import Standing, Why
from schemas.states import State
from schemas.times import VN
from sync.context import Context, now
from sync.preview import Flag, RecordPreview, preview

_SIDE_BY_SIDE_FROM = 120  # columns of the terminal
_WHY = {
    Why.ONLY: "No other system knows this dossier.",
    Why.LATEST: "{system} counts: its event is the latest.",
    Why.END: "{system} counts: of events at the same time, an end stands.",
    Why.PRECEDENCE: "{system} counts: of events at the same time, the higher precedence is believed.",
    Why.END_STANDS: "{system} counts: it has dated an end; the others do not say since when their state holds.",
    Why.FORWARDED: "{system} counts: the others have at most forwarded the dossier.",
}


def run(output: Output, system: str, *, count: int, reveal: bool) -> ExitCode:
    """Show the first records of a system. Fails when one of them has a problem. Stores and sends nothing."""
    with Context.if_there() as context, output.working(output.texts("Pulling {system}", system=system)):
        catalog = context.catalog if context else load_catalog()
        records = preview(catalog, system, count=count, now=now(), context=context, reveal=reveal)
    if output.as_json:
        output.json([record.model_dump(mode="json") for record in records])
    else:
        if context is None:
            output.err.print(output.texts("There is no ledger to ask what other systems told."), style="yellow")
        for number, record in enumerate(records, start=1):
            _print(output, system, number, record)
        if not reveal and any(record.problems for record in records):
            output.out.print(output.texts("Texts of a record that could not be read are masked; --reveal shows them."))
        if not records:
            output.out.print(output.texts("The source gave no record."))
    troubled = any(record.problems or any(target.problems for target in record.targets) for record in records)
    return ExitCode.FAILED if troubled else ExitCode.OK


def _print(output: Output, system: str, number: int, record: RecordPreview) -> None:
    texts = output.texts
    output.out.rule(f"{system} {number}", align="left")
    panels = [_panel(texts("As it comes"), record.native, record.problems)]
    if record.canonical is not None:
        flagged = [_flag(texts, rule) for rule in record.flags]
        panels.append(_panel(texts("As we understand it"), record.canonical, (), flagged))
    if record.standing is not None:
        panels.append(_known(texts, record.standing))
    for target in record.targets:
        payload: dict[str, Any] = {"dossier": target.dossier} if target.dossier is not None else {}
        if target.steps:
            payload["steps"] = list(target.steps)
        if target.notices:
            payload["notices"] = list(target.notices)
        warnings = [
            texts("{target} does not publish: {code}", target=target.target, code=code) for code in target.unpublished
        ]
        panels.append(_panel(texts("As {target} gets it", target=target.target), payload, target.problems, warnings))
    if output.out.width < _SIDE_BY_SIDE_FROM:
        for panel in panels:
            output.out.print(panel)
    else:
        output.out.print(Columns(panels, width=output.out.width // 2 - 2, expand=True))


def _known(texts: Texts, known: Standing) -> Panel:
    """What the ledger knows of the dossier, and why it stands as it does."""
    rows = [
        (
            each.system,
            texts("home") if each.is_home else "",
            texts.state(State(each.state)),
            _moment(each.since) if each.dated else texts("first seen {moment}", moment=_moment(each.since)),
            each.precedence,
        )
        for each in known.told
    ]
    table = make_table(texts, "", ("System", "", "State", "Since", "Precedence"), rows)
    why = Text(f"{texts.state(State(known.state))}. {texts(_WHY[known.why], system=known.system)}")
    title = texts("As the ledger knows it")
    return Panel(Group(table, why), title=title, title_align="left", border_style="dim")


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(VN):%d/%m/%Y %H:%M:%S}"


def _flag(texts: Texts, flag: Flag) -> str:
    """What the dossier lacks for the indicators; it is pushed all the same."""
    why = texts.pick(vi=flag.vi, en=flag.en)
    return texts("indicator {numbers}: {why}", numbers=", ".join(flag.indicators), why=why)


def _panel(title: str, document: Any, problems: tuple[str, ...], warnings: Sequence[str] = ()) -> Panel:
    complaints = [Text(f"✗ {problem}", style="red") for problem in problems]
    complaints += [Text(f"! {warning}", style="yellow") for warning in warnings]
    body = Group(*complaints, JSON.from_data(document, default=str))
    return Panel(body, title=title, title_align="left", border_style="red" if problems else "dim")
