"""The whole of `hosync up` with real processes: starting, staying, dying, stopping.

That dossiers really arrive is proven elsewhere; here the only pull does nothing, and it is about the processes.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from homes import short_home

from cli.up.home import Home
from cli.up.leftovers import Book
from connectors.catalog import FOLDER

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

_REPOSITORY = Path(__file__).parents[2]
_PATIENCE_S = 300.0
_DAG = """
from airflow.sdk import DAG, task

with DAG("pull_gplx", schedule=None):

    @task
    def nothing() -> None:
        pass

    nothing()
"""


class Up:
    """A `hosync up` in a process of its own, as from a terminal."""

    def __init__(self, home: Home, *arguments: str) -> None:
        catalog, dags = home.root.parent / "catalog", home.root.parent / "dags"
        if not catalog.exists():
            catalog.mkdir()
            shutil.copy(FOLDER / "gplx.yaml", catalog)
            dags.mkdir()
            (dags / "pull.py").write_text(_DAG)
        self._log = home.root.parent / "up.log"
        self._log.unlink(missing_ok=True)
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("HOSYNC_", "AIRFLOW_"))},
            "HOSYNC_CATALOG": str(catalog),
            "HOSYNC_HOME": str(home.root),
            "HOSYNC_LANG": "en",
            "PYTHONDONTWRITEBYTECODE": "",
        }
        command = [sys.executable, "-m", "cli", "up", "--no-sandbox", "--dags", str(dags), *arguments]
        with self._log.open("wb") as output:
            self.process = psutil.Popen(
                command, env=self.env, cwd=_REPOSITORY, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    @property
    def said(self) -> str:
        return self._log.read_text()

    def until(self, words: str) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while words not in self.said:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.05)

    def offspring(self) -> list[psutil.Process]:
        return self.process.children(recursive=True)

    def exit_code(self) -> int:
        return self.process.wait(60)

    def hosync(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another command in the same home."""
        command = [sys.executable, "-m", "cli", *arguments]
        return subprocess.run(
            command, env=self.env, cwd=_REPOSITORY, capture_output=True, text=True, timeout=120, check=False
        )

    def kill(self) -> None:
        for process in [*self.offspring(), self.process] if self.process.is_running() else []:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self.process.wait(10)


def _alive(processes: list[psutil.Process]) -> list[str]:
    def name(process: psutil.Process) -> str | None:
        try:
            return None if process.status() == psutil.STATUS_ZOMBIE or not process.is_running() else process.name()
        except psutil.NoSuchProcess:
            return None

    return [found for process in processes if (found := name(process))]


@pytest.fixture(scope="module")
def lasting_home() -> Iterator[Home]:
    """A home that outlasts a test: the first start makes Airflow's tables, which takes long; the others find them."""
    with short_home() as made:
        yield made


@pytest.fixture
def start() -> Iterator[Callable[[Home], Up]]:
    """Starts `hosync up` in a home; whatever still runs at the end of the test is killed."""
    ups: list[Up] = []

    def one_more(home: Home) -> Up:
        ups.append(Up(home))
        return ups[-1]

    yield one_more
    for up in ups:
        up.kill()


def test_it_moves_from_a_stolen_port_refuses_a_second_start_and_ends_with_a_dead_component(
    lasting_home: Home, start: Callable[[Home], Up]
) -> None:
    home = lasting_home
    home.root.mkdir(exist_ok=True)
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("127.0.0.1", 0))
        stolen = thief.getsockname()[1]
        home.ports_file.write_text(json.dumps({"airflow": stolen}))
        up = start(home)
        up.until("api-server: starting")  # the port was still free when it was chosen
        thief.listen()
        up.until("Ctrl-C stops everything")
    assert f"127.0.0.1:{stolen}" not in up.said

    second = up.hosync("up", "--no-sandbox")
    assert second.returncode == 1
    assert str(up.process.pid) in second.stderr
    beside = up.hosync("status", "--json")
    assert beside.returncode == 0, beside.stderr
    assert [source["system"] for source in json.loads(beside.stdout)["sources"]] == ["gplx"]

    offspring = up.offspring()
    [scheduler] = [entry.pid for entry in Book(home.book).read() if entry.name == "scheduler"]
    psutil.Process(scheduler).kill()
    assert up.exit_code() == 1
    assert "scheduler ended by itself (signal 9)" in up.said
    assert str(home.log("scheduler")) in up.said
    assert _alive(offspring) == []


def test_ctrl_c_during_the_start_leaves_nothing_behind(home: Home, start: Callable[[Home], Up]) -> None:
    up = start(home)
    up.until("PostgreSQL: ready")
    offspring = up.offspring()
    up.process.send_signal(signal.SIGINT)
    assert up.exit_code() == 130
    assert _alive(offspring) == []
    assert home.holder() is None


def test_after_being_killed_it_starts_again_on_the_same_data_and_stops_on_request(
    lasting_home: Home, start: Callable[[Home], Up]
) -> None:
    first = start(lasting_home)
    first.until("Ctrl-C stops everything")
    address = next(line.split()[-1] for line in first.said.splitlines() if line.strip().startswith("Airflow  "))
    offspring = first.offspring()
    first.process.kill()
    first.process.wait()
    deadline = time.monotonic() + 60
    while _alive(offspring):
        assert time.monotonic() < deadline, f"these outlived us: {_alive(offspring)}"
        time.sleep(0.1)

    again = start(lasting_home)
    again.until("Ctrl-C stops everything")
    assert address in again.said
    offspring = again.offspring()
    down = again.hosync("down")
    assert down.returncode == 0, down.stderr
    assert again.exit_code() == 0
    assert _alive(offspring) == []


def test_a_broken_catalog_is_told_before_anything_starts(home: Home, start: Callable[[Home], Up]) -> None:
    up = start(home)
    up.kill()
    catalog = Path(up.env["HOSYNC_CATALOG"])
    (catalog / "gplx.yaml").write_text("kind: source\n")
    again = start(home)
    assert again.exit_code() == 2
    assert "gplx.yaml" in again.said
    assert "PostgreSQL" not in again.said
