"""The whole sandbox as people start it: processes, files, signals."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.__main__ import main
from sandbox.connections import CONNECTIONS
from sandbox.home import HomeError, SandboxHome
from sandbox.http import listen
from sandbox.servers import SERVERS, processes_for

ROOT = Path(__file__).parents[2]
NEW = ("--size", "300", "--as-of", "2026-06-30T10:00:00+07:00")
LIGHT = ("--only", "gplx", "igate")


class Sandbox:
    """One ``python -m sandbox serve`` under test."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self.home = SandboxHome(home)
        command = [sys.executable, "-m", "sandbox", "serve", "--home", str(home), *arguments]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def ready(self) -> dict[str, Any]:
        while not self.home.announcement.exists():
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.05)
        return dict(json.loads(self.home.announcement.read_text()))

    def servers(self) -> dict[str, int]:
        """The processes of the servers by name."""
        ports = self.home.announced_ports()
        return {name: int(self.ask(port, "health").json()["pid"]) for name, port in ports.items()}

    @staticmethod
    def ask(port: int, name: str) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{port}/_sandbox/{name}", timeout=10)

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        output, errors = self.process.communicate(timeout=60)
        return self.process.returncode, output, errors


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(processes: list[int]) -> None:
    deadline = time.monotonic() + 30
    while any(map(is_alive, processes)):
        assert time.monotonic() < deadline, "a server outlived its supervisor"
        time.sleep(0.05)


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Sandbox]]:
    started: list[Sandbox] = []

    def run(*arguments: str) -> Sandbox:
        started.append(Sandbox(tmp_path / "home", *arguments))
        return started[-1]

    yield run
    for one in started:
        one.end()


def test_everything_starts_answers_and_stops(begin: Callable[..., Sandbox]) -> None:
    sandbox = begin(*NEW)
    announced = sandbox.ready()
    assert announced.keys() == {*SERVERS, "connections"}
    assert announced["connections"].keys() == {f"AIRFLOW_CONN_{name.upper()}" for name in CONNECTIONS}
    dkkd = json.loads(announced["connections"]["AIRFLOW_CONN_DKKD"])
    assert dkkd["port"] == announced["xroad"]["port"], "business registration is reached through the security server"
    processes = sandbox.servers()
    assert processes.keys() == set(SERVERS)
    together = processes_for(list(SERVERS))
    assert sorted(name for group in together for name in group) == sorted(SERVERS)
    assert {frozenset(name for name in processes if processes[name] == one) for one in processes.values()} == {
        frozenset(group) for group in together
    }
    assert all(sandbox.home.log(name).exists() for name in SERVERS)

    code, output, errors = sandbox.end()
    assert (code, errors) == (0, "")
    assert f"{len(SERVERS)} servers answer" in output
    assert not sandbox.home.announcement.exists()
    wait_until_gone(list(processes.values()))


def test_a_restart_keeps_ports_and_clock(begin: Callable[..., Sandbox], capsys: pytest.CaptureFixture[str]) -> None:
    first = begin(*NEW, *LIGHT)
    announced = first.ready()
    assert main(["advance", "--home", str(first.home.root), "--days", "3"]) == 0
    assert "2026-07-03T10:00:00+07:00" in capsys.readouterr().out
    assert first.end(signal.SIGINT)[0] == 0

    again = begin(*LIGHT)
    assert again.ready() == announced
    for name in ("gplx", "igate"):
        assert again.ask(announced[name]["port"], "clock").json()["as_of"] == "2026-07-03T10:00:00+07:00"


def test_a_port_taken_meanwhile_is_replaced(begin: Callable[..., Sandbox]) -> None:
    first = begin(*NEW, "--only", "gplx")
    port = first.ready()["gplx"]["port"]
    first.end()
    squatter = listen(port)
    try:
        assert begin("--only", "gplx").ready()["gplx"]["port"] != port
    finally:
        squatter.close()


def test_a_dead_server_ends_the_sandbox_with_its_name(begin: Callable[..., Sandbox]) -> None:
    sandbox = begin(*NEW, *LIGHT)
    sandbox.ready()
    processes = sandbox.servers()
    os.kill(processes["igate"], signal.SIGKILL)
    code, _, errors = sandbox.process.wait(30), "", sandbox.process.communicate()[1]
    assert code == 1
    assert "server igate ended with code -9; all servers stop" in errors
    assert not sandbox.home.announcement.exists()
    wait_until_gone(list(processes.values()))


def test_a_process_of_several_servers_dies_with_all_their_names(begin: Callable[..., Sandbox]) -> None:
    sandbox = begin(*NEW, "--only", "btxh", "igate", "gtvt")
    sandbox.ready()
    processes = sandbox.servers()
    assert processes["btxh"] == processes["gtvt"] != processes["igate"]
    os.kill(processes["btxh"], signal.SIGKILL)
    sandbox.process.wait(30)
    assert "servers btxh, gtvt ended with code -9; all servers stop" in sandbox.process.communicate()[1]
    wait_until_gone(list(processes.values()))


def test_servers_do_not_outlive_a_killed_supervisor(begin: Callable[..., Sandbox]) -> None:
    sandbox = begin(*NEW, *LIGHT)
    sandbox.ready()
    processes = sandbox.servers()
    sandbox.end(signal.SIGKILL)
    wait_until_gone(list(processes.values()))


def test_two_sandboxes_do_not_share_a_home(begin: Callable[..., Sandbox]) -> None:
    first = begin(*NEW, "--only", "gplx")
    first.ready()
    second = begin("--only", "gplx")
    assert second.process.wait(30) == 2
    assert "already runs in" in second.process.communicate()[1]
    assert Sandbox.ask(first.home.announced_ports()["gplx"], "health").status_code == 200


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve"], "a new province needs --size and --as-of"),
        (["serve", "--size", "0", "--as-of", "2026-06-30T10:00:00"], "at least 1 dossier"),
        (["run", "gplx"], "no sandbox has been started"),
        (["advance", "--days", "1"], "no sandbox is running"),
        (["advance", "--days", "-1"], "only move forward"),
    ],
)
def test_a_command_that_cannot_work_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert main([*arguments, "--home", str(tmp_path)]) == 2
    assert words in capsys.readouterr().err


def test_a_home_is_for_one_province_only(tmp_path: Path) -> None:
    home = SandboxHome(tmp_path)
    first = home.settle(seed=1, size=10, as_of=datetime(2026, 6, 30, tzinfo=UTC))
    assert home.settle(seed=None, size=None, as_of=None) == first
    with pytest.raises(HomeError, match="has size 10, not 11; leave --size out"):
        home.settle(seed=None, size=11, as_of=None)
