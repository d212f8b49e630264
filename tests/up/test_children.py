"""Starting and ending processes: nothing outlives us, nothing of others is touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from cli.up.children import Children, Command
from cli.up.errors import Interrupted
from cli.up.home import Home
from cli.up.leftovers import Book, Entry, end_leftovers, is_ours, session_members
from cli.up.signals import StopSignals

# Starts a child of its own, says so, and then behaves as told.
_PARENT = """
import signal, subprocess, sys, time
if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session="away" in sys.argv)
print(child.pid, flush=True)
if "orphan" in sys.argv:
    sys.exit()
time.sleep(600)
"""


def _command(home: Home, *how: str, name: str = "thing") -> Command:
    return Command(
        name=name,
        argv=[sys.executable, "-c", _PARENT, *how],
        env=os.environ,
        log=home.log(name),
        cwd=home.root,
        patience_s=0.5 if "deaf" in how else 5.0,
    )


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"waited too long for: {what}"
        time.sleep(0.02)


def _grandchild(log: Path) -> int:
    _until(lambda: log.exists() and log.read_text().endswith("\n"), "the grandchild")
    return int(log.read_text().split()[-1])


def _is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("how", [(), ("deaf",), ("orphan",), ("orphan", "away"), ("away",)])
def test_stopping_ends_the_process_and_all_its_offspring(home: Home, children: Children, how: tuple[str, ...]) -> None:
    child = children.start(_command(home, *how))
    grandchild = _grandchild(home.log("thing"))

    if "away" in how:
        children.stop_everything()
    else:  # what stays in the session of its parent is found without the last resort
        children.stop("thing")

    assert _is_gone(child.process.pid)
    _until(lambda: _is_gone(grandchild), "the end of the grandchild")
    assert Book(home.book).read() == []


def test_a_server_that_ends_by_itself_is_reported_dead_and_a_task_is_not(home: Home, children: Children) -> None:
    end = [sys.executable, "-c", "raise SystemExit(3)"]
    common = {"env": os.environ, "log": home.log("x"), "cwd": home.root}
    task = children.start(Command(name="task", argv=end, is_server=False, **common))  # type: ignore[arg-type]
    task.process.wait()
    assert children.dead() is None

    server = children.start(Command(name="server", argv=end, **common))  # type: ignore[arg-type]
    server.process.wait()

    dead = children.dead()
    assert dead is server
    assert dead.exit_code == 3


def test_children_end_when_we_are_killed_without_a_chance_to_clean_up(home: Home) -> None:
    home.root.mkdir()
    script = f"""
import os, sys, time
from pathlib import Path
from cli.up.children import Children, Command
from cli.up.leftovers import Book
from cli.up.signals import StopSignals
home = Path({str(home.root)!r})
children = Children(book=Book(home / "processes.json"), signals=StopSignals())
child = children.start(Command(name="c", argv=["sleep", "600"], env=os.environ, log=home / "c.log", cwd=home))
print(child.process.pid, flush=True)
time.sleep(600)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    _until(lambda: _is_gone(pid), "the end of the child")


def test_what_a_crash_left_is_found_in_the_book_and_ended(home: Home) -> None:
    home.root.mkdir()
    left = subprocess.Popen(["sleep", "600"], start_new_session=True)
    Book(home.book).add(Entry.of("scheduler", left.pid, signal.SIGTERM))

    assert end_leftovers(Book(home.book).read()) == ["scheduler"]
    assert left.wait() == -signal.SIGTERM


def test_offspring_of_a_dead_process_is_found_by_its_session(home: Home) -> None:
    home.root.mkdir()
    script = "import subprocess; print(subprocess.Popen(['sleep', '600']).pid, flush=True); input()"
    leader = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert leader.stdout is not None
    orphan = int(leader.stdout.readline())
    Book(home.book).add(Entry.of("scheduler", leader.pid, signal.SIGTERM))
    leader.kill()
    leader.wait()
    for pipe in (leader.stdin, leader.stdout):
        assert pipe is not None
        pipe.close()
    assert session_members(leader.pid) == [orphan]

    end_leftovers(Book(home.book).read(), patience_s=0.2)

    _until(lambda: _is_gone(orphan), "the end of the orphan")


def test_a_process_that_only_has_the_same_number_is_left_alone() -> None:
    innocent = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        real = Entry.of("scheduler", innocent.pid, signal.SIGTERM)
        older = Entry(real.name, real.pid, real.created - 3600, real.boot, real.stop_signal)
        other_boot = Entry(real.name, real.pid, real.created, "another boot", real.stop_signal)

        assert is_ours(real)
        assert not is_ours(older)
        assert not is_ours(other_boot)
        assert end_leftovers([older, other_boot]) == []
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


@pytest.mark.parametrize("text", ["", "{", '{"a": 1}', '[{"name": "x"}]'])
def test_a_damaged_book_counts_as_empty(home: Home, text: str) -> None:
    home.root.mkdir()
    home.book.write_text(text)
    assert Book(home.book).read() == []


def test_a_signal_while_a_process_is_being_started_waits_until_it_is_booked() -> None:
    signals = StopSignals()
    reached = []

    def start() -> None:
        with signals.uninterrupted():
            signal.raise_signal(signal.SIGTERM)
            reached.append("the end of the block")

    with signals.installed(), pytest.raises(Interrupted):
        start()
    assert reached


def test_the_second_signal_only_makes_impatient() -> None:
    signals = StopSignals()
    with signals.installed():
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGINT)
        assert not signals.impatient
        signal.raise_signal(signal.SIGINT)
        assert signals.impatient
