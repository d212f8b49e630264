"""What all commands share: options, headings of the help, and how work becomes words and an exit code."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.environment import home_folder, load_home
from cli.errors import ExitCode
from cli.messages import Language, default_language

if TYPE_CHECKING:
    from cli.output import Output

EPILOG = "Exit codes: 0 all well, 1 something failed or needs a look, 2 wrong arguments or configuration, 130 Ctrl-C."

ONE_MACHINE, BY_HAND, LOOK = "On one machine / Trên một máy", "By hand / Chạy tay", "Look / Xem"
BUILD = "Build / Xây dựng"

Lang = Annotated[
    Language, typer.Option("--lang", default_factory=default_language, help="Language of the output (HOSYNC_LANG).")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for machines.")]
HomeDir = Annotated[
    Path, typer.Option("--home", default_factory=home_folder, help="Folder of the running system (HOSYNC_HOME).")
]


def do(language: Language, work: Callable[[Output], int], *, as_json: bool = False) -> None:
    """Run a command's work; what goes wrong becomes words and an exit code."""
    from cli.explain import explained, show
    from cli.output import Output

    output = Output.of(language, as_json=as_json)
    try:
        load_home()
        code = int(work(output))
    except KeyboardInterrupt:
        output.err.print(output.texts("Interrupted. Nothing is lost: run it again."))
        code = 130
    except Exception as error:
        if os.environ.get("HOSYNC_DEBUG") == "1":
            raise
        known = explained(error)
        if known is None:
            # Its message may repeat a record, so only its kind is shown.
            output.err.print(f"Unexpected {type(error).__name__}. HOSYNC_DEBUG=1 shows where it happened.")
            code = int(ExitCode.FAILED)
        else:
            show(known, output.err, output.texts)
            code = int(known.code)
    raise typer.Exit(code)


def moment(text: str | None, option: str) -> datetime | None:
    """A day or moment that was typed, Vietnamese time unless it has a zone; raises ``UserError``."""
    from cli.errors import UserError
    from schemas.times import VN

    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(
            f"{option} is not a day or moment.",
            where=option,
            next_step="Write 2025-08-12 or 2025-08-12T07:30 (Vietnamese time), or add a zone: 2025-08-12T00:30Z.",
            code=ExitCode.USAGE,
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=VN)
