"""What the tests against servers that nobody here wrote have in common: processes, and pulls into a ledger."""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from connectors.catalog import load_catalog
from ledger.sealing import Sealer
from sync.context import Context
from sync.pull import PullReport, plan, pull

_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Process:
    """A server of its own process."""

    port: int
    process: subprocess.Popen[bytes]


Start = Callable[..., Process]
Read = Callable[[str, str, str], "Reader"]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start a program that listens on the port that it finds in its arguments as ``{port}``."""
    with ExitStack() as running:

        def begin(command: Sequence[str], environment: Mapping[str, str]) -> Process:
            log = tmp_path_factory.mktemp("server") / "log"
            return running.enter_context(_started(command, environment, log))

        yield begin


@contextmanager
def _started(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Iterator[Process]:
    port = _free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [part.format(port=port) for part in command],
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + _PATIENCE_S
        while not _answers(port):
            assert process.poll() is None, log.read_text("utf-8", "replace")[-2000:]
            assert time.monotonic() < deadline, f"{command[0]} does not listen"
            time.sleep(0.05)
        yield Process(port, process)
    finally:
        process.terminate()
        process.wait(_PATIENCE_S)


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with suppress(OSError), closing(socket.create_connection(("127.0.0.1", port), 1)):
        return True
    return False


@dataclass(frozen=True)
class Reader:
    """The product, with a catalog of one system: pulls from it into a ledger."""

    context: Context
    system: str

    def pull(self, now: datetime) -> PullReport:
        """What is new since the cursor."""
        (one,) = plan(self.context, self.system, now=now)
        return pull(self.context, one, started_by="test", now=now)

    def held(self) -> dict[str, int]:
        """The state of each of the system's dossiers in the ledger, by code."""
        return {
            row.code: row.state for row in self._rows("SELECT code, state FROM dossier WHERE home_system = :system")
        }

    def set_aside(self) -> list[tuple[str, str]]:
        """Field and rule of what is in quarantine."""
        rows = self._rows("SELECT field, rule FROM quarantine WHERE system = :system AND state = 'open' ORDER BY 1, 2")
        return [(row.field, row.rule) for row in rows]

    def _rows(self, statement: str) -> Sequence[Any]:
        with self.context.engine.connect() as connection:
            return connection.execute(text(statement), {"system": self.system}).all()


@pytest.fixture
def reader(engine: Engine, sealer: Sealer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """A reader of the system that the catalog file ``entry`` describes, over connection ``connection`` (JSON)."""

    def make(system: str, entry: str, connection: str) -> Reader:
        folder = tmp_path / "catalog"
        folder.mkdir()
        (folder / f"{system}.yaml").write_text(entry, "utf-8")
        monkeypatch.setenv(f"AIRFLOW_CONN_{system.upper()}", connection)
        return Reader(Context(engine=engine, sealer=sealer, catalog=load_catalog(folder)), system)

    return make
