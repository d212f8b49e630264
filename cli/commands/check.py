"""`hosync check`: is everything in place, before any DAG runs?"""

from __future__ import annotations

from rich.text import Text

from cli.errors import ExitCode
from cli.output import Output
from connectors.catalog import load_catalog
from sync.check import check
from sync.context import now

_STYLES = {"ok": "green", "warning": "yellow", "failed": "red"}


def run(output: Output, system: str | None) -> ExitCode:
    """Check one system, or all. Needs no database."""
    with output.working(output.texts("Check")):
        found = check(load_catalog(), system, now=now())
    passed = all(each.passed for each in found)
    if output.as_json:
        output.json({"passed": passed, "systems": [each.model_dump(mode="json") for each in found]})
    else:
        rows = [
            (
                each.system if index == 0 else "",
                result.name,
                Text(output.texts(result.status.value), style=_STYLES.get(result.status.value, "")),
                result.detail,
                result.fix,
            )
            for each in found
            for index, result in enumerate(each.results)
        ]
        output.out.print(output.table("Check", ("System", "Check", "State", "Result", "What to do"), rows))
    return ExitCode.OK if passed else ExitCode.FAILED
