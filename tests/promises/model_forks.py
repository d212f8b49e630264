"""A warm process that forks workers which may be killed: they cost a hundredth of a second, not two.

Reads one JSON object a line and answers with the number of the process that carries it out, then with its exit code.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import model_clock
from model_source import SYSTEM, Revision
from model_traps import Trap
from sqlalchemy import Engine

import mappings
from connectors.catalog import Catalog, load_catalog
from ledger.engine import open_engine
from ledger.intake import finish_pull, store_page
from ledger.sealing import Sealer
from ledger.types import PageIntake, Problem
from sync.context import Context
from sync.deliver import deliver


class Forks:
    """The warm process, as the test sees it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """``environment``: that of `hosync`; the folders of this file and of the project are added."""
        paths = os.pathsep.join(path for path in sys.path if path)
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            env={**environment, "PYTHONPATH": paths},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._read() == 0, "the warm process did not start"

    def run(self, order: Mapping[str, Any], on_start: Callable[[int], None]) -> int:
        """Let a worker carry out ``order``; its exit code, -9 when it was killed. ``on_start`` gets its number."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        on_start(self._read())
        return self._read()

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()

    def _read(self) -> int:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the warm process is gone"
        return int(line)


def page_of(order: Mapping[str, Any]) -> PageIntake:
    """The page that an order holds."""
    good, bad = ([_revision(each) for each in order[name]] for name in ("good", "bad"))
    return PageIntake(
        run_id=order["run_id"],
        system=SYSTEM,
        precedence=10,
        number=order["number"],
        raw=order["raw"].encode(),
        media_type="application/json",
        fetched_at=datetime.fromisoformat(order["fetched_at"]),
        fetched=len(good) + len(bad),
        dossiers=[each.record() for each in good],
        problems=[_problem(place, each) for place, each in enumerate(bad, len(good))],
        cursor=order["cursor"],
        mapping_version="1",
    )


def as_order(revision: Revision) -> list[Any]:
    """A revision as JSON."""
    moments = (revision.state_at.isoformat(), revision.changed_at.isoformat())
    return [revision.number, revision.revision, revision.state, *moments]


def _revision(told: list[Any]) -> Revision:
    number, revision, state, *moments = told
    return Revision(number, revision, state, *(datetime.fromisoformat(each) for each in moments))


def _problem(index: int, revision: Revision) -> Problem:
    native = f"{revision.number}/{revision.revision}".encode()
    return Problem(
        index=index,
        record_key=str(revision.number),
        native=native,
        stage="mapping",
        field="state",
        rule="unknown-code",
        message="no code of ours",
    )


def _work(order: Mapping[str, Any], catalog: Catalog) -> None:
    engine, sealer = open_engine(), Sealer.from_env()
    if order["dies_at"]:
        Trap(engine).set(order["dies_at"], lambda: os.kill(os.getpid(), signal.SIGKILL))
    if "page" in order:
        _store(engine, sealer, page_of(order["page"]))
        return
    with model_clock.ours() as clock:
        clock.skew = timedelta(seconds=order["skew_s"])
        deliver(Context(engine=engine, sealer=sealer, catalog=catalog), order["target"])


def _store(engine: Engine, sealer: Sealer, page: PageIntake) -> None:
    store_page(engine, sealer, page)
    finish_pull(engine, page.run_id, error=None)


def _serve() -> None:
    catalog = load_catalog()
    for entry in catalog.targets:
        mappings.load(entry.mapping, mappings.Direction.TARGET)
    say = partial(print, flush=True)
    say(0)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                _work(json.loads(line), catalog)
                code = 0
            finally:
                os._exit(code)
        say(child)
        say(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


if __name__ == "__main__":
    _serve()
