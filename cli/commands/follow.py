"""`hosync follow`: sources -> ledger -> targets, all the time, until Ctrl-C."""

from __future__ import annotations

import logging
import os
import signal
import threading
from datetime import datetime

from rich.text import Text

from cli.errors import ExitCode, UserError
from cli.output import Output
from schemas.times import VN
from sync.context import Context
from sync.deliver import DeliverReport
from sync.follow import CONNECTIONS, follow
from sync.pull import PullReport


def run(output: Output) -> ExitCode:
    """Follow until SIGTERM or Ctrl-C; a line for whatever comes in or goes out, and for what goes wrong."""
    texts, stop = output.texts, threading.Event()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")

    def say(sentence: str) -> None:
        output.out.print(Text(f"{datetime.now(VN):%H:%M:%S} {sentence}"), soft_wrap=True)
        output.out.file.flush()

    def on_look(report: PullReport) -> None:
        say(texts("{system}: {new} new, {changed} changed", **report.model_dump(include={"system", "new", "changed"})))

    def on_delivery(report: DeliverReport) -> None:
        say(texts("{target}: {number} messages taken", target=report.target, number=report.accepted))

    with Context.from_env(connections=CONNECTIONS) as context:
        followed = [entry.system for entry in context.catalog.sources if entry.follow]
        if not followed:
            raise UserError(
                "No system of the catalog is followed.",
                where="catalog",
                next_step="Write 'follow: 20s' into the entry of a source, or leave this command off.",
                code=ExitCode.USAGE,
            )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        say(texts("Following {systems}. Ctrl-C ends it.", systems=", ".join(followed)))
        follow(
            context,
            started_by=f"hosync follow {os.getpid()}",
            stop=stop,
            on_look=on_look,
            on_delivery=on_delivery,
        )
    return ExitCode.OK
