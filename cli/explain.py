"""Turns what the floors below raise into what a person reads: what happened, where, what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from cli.errors import ExitCode, UserError
from cli.messages import Texts
from connectors.errors import CatalogError, ConnectionMissing, ConnectorError, UnknownSystem

if TYPE_CHECKING:
    from cli.output import Output
    from connectors.catalog import Catalog


def explained(error: Exception) -> UserError | None:
    """The error for a person; ``None`` for one that nobody expected."""
    from ledger.errors import AlreadyRunning, LedgerError, LedgerUnavailable, SchemaOutOfDate, WrongDataKey
    from mappings.errors import MappingError
    from sync.errors import SyncError

    match error:
        case UserError():
            return error
        case UnknownSystem():
            return UserError(error.what, where="catalog", next_step=f"{error.fix}.", code=ExitCode.USAGE)
        case CatalogError():
            return UserError(
                "\n".join(str(problem) for problem in error.problems),
                where="catalog",
                next_step="Correct the catalog, then run `hosync check`.",
                code=ExitCode.USAGE,
            )
        case ConnectorError():
            code = ExitCode.USAGE if isinstance(error, ConnectionMissing) else ExitCode.FAILED
            step = error.next_step or f"Run `hosync check {error.system}`."
            return UserError(error.message, where=error.system, next_step=step, code=code)
        case LedgerUnavailable():
            return UserError(
                str(error),
                where="ledger",
                next_step="Start everything with `hosync up`, or set HOSYNC_DATABASE_URL to a PostgreSQL that runs.",
                code=ExitCode.USAGE,
            )
        case SchemaOutOfDate() | WrongDataKey():
            return UserError(
                str(error), where="ledger", next_step="`hosync up` does this by itself.", code=ExitCode.USAGE
            )
        case AlreadyRunning():
            return UserError(str(error), where="ledger", next_step="Wait for it, or look at `hosync status`.")
        case LedgerError():
            return UserError(str(error), where="ledger", next_step="Nothing was lost: run the command again.")
        case MappingError():
            return UserError(
                str(error),
                where="mappings",
                next_step="Correct the mapping, then run `hosync check`.",
                code=ExitCode.USAGE,
            )
        case SyncError():
            return UserError(str(error.args[0]).removesuffix(error.next_step).strip(), next_step=error.next_step)
    return None


def show_left_out(catalog: Catalog, output: Output) -> ExitCode:
    """Name the catalog's files that could not be taken; a command on all systems has failed when there are any."""
    if not catalog.problems:
        return ExitCode.OK
    if (error := explained(CatalogError(catalog.problems))) is not None:
        show(error, output.err, output.texts)
    return ExitCode.FAILED


def show(error: UserError, console: Console, texts: Texts) -> None:
    """Print the three parts, and the log lines that belong to them above."""
    if error.detail:
        console.print(Text(error.detail, style="dim"), soft_wrap=True)
    for label, value, style in (
        ("Error", texts.told(error.what), "bold red"),
        ("Where", error.where, ""),
        ("What to do", texts.told(error.next_step), "bold"),
    ):
        if value:
            console.print(Text.assemble((f"{texts(label)}: ", "dim"), (value, style)), soft_wrap=True)
