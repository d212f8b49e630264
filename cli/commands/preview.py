"""`hosync preview`: a system's records as they come, as we understand them, and as each target would get them."""

from __future__ import annotations

from typing import Any

from rich.columns import Columns
from rich.console import Group
from rich.json import JSON
from rich.panel import Panel
from rich.text import Text

from cli.errors import ExitCode
from cli.output import Output
from sync.context import Context, now
from sync.preview import RecordPreview, preview

_SIDE_BY_SIDE_FROM = 120  # columns of the terminal


def run(output: Output, system: str, *, count: int, reveal: bool) -> ExitCode:
    """Show the first records of a system. Fails when one of them has a problem. Stores and sends nothing."""
    with Context.from_env() as context, output.working(output.texts("Pulling {system}", system=system)):
        records = preview(context, system, count=count, now=now(), reveal=reveal)
    if output.as_json:
        output.json([record.model_dump(mode="json") for record in records])
    else:
        for number, record in enumerate(records, start=1):
            _print(output, system, number, record)
        if not records:
            output.out.print(output.texts("The source gave no record."))
    troubled = any(record.problems or any(target.problems for target in record.targets) for record in records)
    return ExitCode.FAILED if troubled else ExitCode.OK


def _print(output: Output, system: str, number: int, record: RecordPreview) -> None:
    texts = output.texts
    output.out.rule(f"{system} {number}", align="left")
    panels = [_panel(texts("As it comes"), record.native, record.problems)]
    if record.canonical is not None:
        panels.append(_panel(texts("As we understand it"), record.canonical, ()))
    for target in record.targets:
        payload: dict[str, Any] = {"dossier": target.dossier} if target.dossier is not None else {}
        if target.steps:
            payload["steps"] = list(target.steps)
        panels.append(_panel(texts("As {target} gets it", target=target.target), payload, target.problems))
    if output.out.width < _SIDE_BY_SIDE_FROM:
        for panel in panels:
            output.out.print(panel)
    else:
        output.out.print(Columns(panels, width=output.out.width // 2 - 2, expand=True))


def _panel(title: str, document: Any, problems: tuple[str, ...]) -> Panel:
    complaints = [Text(f"✗ {problem}", style="red") for problem in problems]
    body = Group(*complaints, JSON.from_data(document, default=str))
    return Panel(body, title=title, title_align="left", border_style="red" if problems else "dim")
