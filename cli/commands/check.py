"""`hosync check`: is everything in place, before any DAG runs?"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from functools import partial

from rich.text import Text
from sqlalchemy.exc import SQLAlchemyError

from cli.errors import ExitCode
from cli.explain import show_left_out
from cli.output import Output
from connectors.catalog import load_catalog
from connectors.catalog_models import SourceEntry
from ledger.errors import LedgerError
from sync.check import check
from sync.context import Context, now
from sync.pull import open_codes

_STYLES = {"ok": "green", "warning": "yellow", "failed": "red"}


def run(output: Output, system: str | None) -> ExitCode:
    """Check one system, or all. A database is used when there is one, to know of dossiers to ask about."""
    with output.working(output.texts("Check")), ExitStack() as stack:
        at, catalog = now(), load_catalog()
        try:
            context = stack.enter_context(Context.from_env())
        except LedgerError:  # then no single dossiers are known to ask about, and all the rest can be checked
            found = check(catalog, system, now=at)
        else:
            found = check(catalog, system, now=at, open_codes=partial(_known, context, now=at))
    passed = all(each.passed for each in found)
    if output.as_json:
        output.json({"passed": passed, "systems": [each.model_dump(mode="json") for each in found]})
    else:
        rows = [
            (
                each.system if index == 0 else "",
                output.texts.told(result.name),
                Text(output.texts(result.status.value), style=_STYLES.get(result.status.value, "")),
                output.texts.told(result.detail),
                output.texts.told(result.fix),
            )
            for each in found
            for index, result in enumerate(each.results)
        ]
        output.out.print(output.table("Check", ("System", "Check", "State", "Result", "What to do"), rows))
    left_out = ExitCode.OK if system else show_left_out(catalog, output)
    return left_out if passed else ExitCode.FAILED


def _known(context: Context, entry: SourceEntry, *, now: datetime) -> Sequence[str]:
    """The dossiers to ask a source about; none while the ledger has no tables yet."""
    try:
        return open_codes(context, entry, now=now)
    except (LedgerError, SQLAlchemyError):
        return ()
