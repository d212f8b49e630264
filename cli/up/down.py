"""`hosync down`: ends what `hosync up` runs in a home, from another terminal; also what a crash left there."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from cli.errors import ExitCode
from cli.output import Output
from cli.up.errors import UpError
from cli.up.home import Home
from cli.up.leftovers import Book, end_leftovers

_PATIENCE_S = 20.0


def run(output: Output, folder: Path) -> ExitCode:
    """Ask the holder of the home to stop and wait until it has."""
    home = Home.at(folder)
    holder = home.holder()
    if holder is None:
        found = end_leftovers(Book(home.book).read())
        names = ", ".join(found)
        output.out.print(
            output.texts("Ended what an earlier start left behind: {names}.", names=names)
            if found
            else output.texts("No `hosync up` runs in {home}.", home=home.root),
            highlight=False,
        )
        return ExitCode.OK
    os.kill(holder, signal.SIGTERM)
    deadline = time.monotonic() + _PATIENCE_S
    while home.holder() is not None:
        if time.monotonic() > deadline:
            raise UpError(
                f"Process {holder} still runs.",
                where=str(home.root),
                next_step=f"kill -9 {holder}, then `hosync down`.",
            )
        time.sleep(0.1)
    output.out.print(
        output.texts("Stopped the `hosync up` (process {pid}) in {home}.", pid=holder, home=home.root), highlight=False
    )
    return ExitCode.OK
