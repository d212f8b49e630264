"""A command of `hosync` is killed at every point at which it touches the world, one point after the other."""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

ROOT = Path(__file__).resolve().parents[2]
_DRIVER = Path(__file__).with_name("warm_hosync.py")
_MOST_POINTS = 1000
_MOST_RUNS = 12
_LONGEST_S = 120
_MISSED = 5  # in a row: it has nothing to do at later points
_TWICE = 0.15  # of the points: the recovery is killed as well


@dataclass(frozen=True)
class Ended:
    """A command that has ended: its exit code (negative: the signal), and where it touched the world."""

    code: int
    touched: Sequence[str]
    output: str
    errors: str

    @property
    def was_killed(self) -> bool:
        """Whether it did what it was told and died."""
        assert self.code != -14, f"the command hangs after {self.touched[-3:]}"
        return self.code == -9

    @property
    def calls(self) -> int:
        """How many messages it has sent, signing in left out."""
        return sum(
            what.startswith("before POST") and "login" not in what and "token" not in what for what in self.touched
        )

    @property
    def said(self) -> Any:
        """Its JSON document."""
        assert self.output, f"exit code {self.code}: {self.errors}"
        return json.loads(self.output)


class Hosync:
    """The `hosync` command in a warm process; see ``warm_hosync``."""

    def __init__(self, environment: Mapping[str, str], replaced: Mapping[str, Any], *, files: Path | None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="hs-warm-")
        self._files = str(files or "")
        self._driver = subprocess.Popen(
            [sys.executable, str(_DRIVER), json.dumps(replaced)],
            env={**environment, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "HOSYNC_HOME": "/nonexistent"},
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, die_at: int = 0) -> Ended:
        """Run a command to its end, or until it has touched the world ``die_at`` times."""
        self.start(*arguments, die_at=die_at, longest_s=_LONGEST_S)
        return self.end()

    def start(self, *arguments: str, die_at: int = 0, longest_s: int = 0) -> int:
        """Start a command that serves until it dies; gives its process id. ``end`` must follow."""
        order: dict[str, Any] = {"arguments": arguments, "die_at": die_at, "files": self._files}
        order["longest_s"] = longest_s
        order |= {name: str(self._said(name)) for name in ("stdout", "stderr")}
        assert self._driver.stdin is not None
        self._driver.stdin.write(json.dumps(order) + "\n")
        self._driver.stdin.flush()
        return int(self._answer()["pid"])

    def end(self) -> Ended:
        """Wait for the end of what was started."""
        answer = self._answer()
        return Ended(**answer, output=self._said("stdout").read_text(), errors=self._said("stderr").read_text())

    def close(self) -> None:
        """End the warm process."""
        assert self._driver.stdin is not None
        self._driver.stdin.close()
        self._driver.wait(30)
        self._folder.cleanup()

    def _said(self, name: str) -> Path:
        return Path(self._folder.name) / name

    def _answer(self) -> Any:
        assert self._driver.stdout is not None
        line = self._driver.stdout.readline()
        assert line, f"the warm process ended with {self._driver.wait(10)}"
        return json.loads(line)


@contextmanager
def warm(
    environment: Mapping[str, str], replaced: Mapping[str, Any] | None = None, *, files: Path | None = None
) -> Iterator[Hosync]:
    """A warm `hosync` for the length of the block. ``files``: the folder in which files count as the world."""
    hosync = Hosync(environment, replaced or {}, files=files)
    try:
        yield hosync
    finally:
        hosync.close()


class Story(Protocol):
    """What is to survive."""

    @property
    def command(self) -> Sequence[str]:
        """What is killed."""
        ...

    def something_happens(self) -> None:
        """There is work for the command, as much each time."""

    def time_passes(self) -> None:
        """What a killed process held has run out."""

    def is_idle(self, ended: Ended) -> bool:
        """Whether the command says that nothing is left to do."""

    def check(self) -> None:
        """All is as if nobody had ever been killed."""


def killed_everywhere(
    hosync: Hosync, story: Story, *, seed: int = 1, least: int = 10, last: int = 0, beside: Hosync | None = None
) -> int:
    """Kill the command at its first point, recover and check; then at its second; and on until a run is not hit.

    Recovery is the same command again. At some points, chosen by the seed, it is killed as well. ``last``: begin only
    so many points before the end. ``beside``: begins the same a moment later, and is killed by nobody. Returns how many
    points there are.
    """
    draw = random.Random(seed)
    story.something_happens()
    calm = _until_idle(hosync, story)
    _judged(story.check, "without being killed")
    missed = shared = 0
    for point in itertools.count(max(1, calm - last) if last else 1):
        assert point < _MOST_POINTS
        story.something_happens()
        hosync.start(*story.command, die_at=point, longest_s=_LONGEST_S)
        other = beside.run(*story.command) if beside else None
        ended = hosync.end()
        assert other is None or other.said
        where = f"killed at point {point} of about {calm}: {' < '.join(reversed(ended.touched[-4:]))}"
        if ended.was_killed and draw.random() < _TWICE:
            story.time_passes()
            again = hosync.run(*story.command, die_at=draw.randrange(1, calm + 1))
            where += f"; then again at point {len(again.touched)}: {again.touched[-1]}" if again.was_killed else ""
        _judged(lambda: _until_idle(hosync, story), where)
        _judged(story.check, where)
        shared += other is not None and ended.was_killed and min(ended.calls, other.calls) > 0
        # Threads do not touch the world equally often each time; with another beside it there is less to do.
        missed = 0 if ended.was_killed else missed + 1
        if missed and (point > calm or missed == _MISSED):
            break
    assert shared > least / 2 or not beside, f"only {shared} times both called: this proves nothing"
    assert point > least, f"only {point} points: this proves nothing"
    return point - 1


def _until_idle(hosync: Hosync, story: Story) -> int:
    """The same command until nothing is left; gives how often the first of them touched the world."""
    points = 0
    for _ in range(_MOST_RUNS):
        story.time_passes()
        ended = hosync.run(*story.command)
        points = points or len(ended.touched)
        if story.is_idle(ended):
            return points
    raise AssertionError(f"after {_MOST_RUNS} runs something is left: {ended.output or ended.errors}")


def _judged(judge: Callable[[], Any], where: str) -> None:
    try:
        judge()
    except AssertionError as failure:
        raise AssertionError(f"{where}: {failure}") from failure
