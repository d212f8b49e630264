"""What a person sees while things start and run: a live table on a terminal, plain lines anywhere else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.messages import Texts


class Stage(StrEnum):
    """Where a component stands."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"


_STYLES = {
    Stage.WAITING: "dim",
    Stage.STARTING: "yellow",
    Stage.READY: "green",
    Stage.STOPPING: "yellow",
    Stage.STOPPED: "dim",
}
_FRAMES_PER_S = 5.0


@dataclass(slots=True)
class Screen:
    """Shows the state of the components, and below it whatever is told to ``show``.

    Drawn by the caller's own thread (``refresh``): a second thread would make starting processes unsafe.
    """

    console: Console
    texts: Texts
    _stages: dict[str, Stage] = field(default_factory=dict)
    _since: dict[str, float] = field(default_factory=dict)
    _below: RenderableType | None = None
    _lines: tuple[str, ...] = ()
    _live: Live | None = None
    _drawn_at: float = 0.0
    _begun_at: float = field(default_factory=time.monotonic)

    @contextmanager
    def live(self) -> Iterator[None]:
        """Draw in place within the block, when this is a terminal."""
        if not self.console.is_terminal:
            yield
            return
        with Live(self._picture(), console=self.console, auto_refresh=False, transient=True) as self._live:
            try:
                yield
            finally:
                self._live.update(self._picture(), refresh=True)
                self._live = None

    def expect(self, *components: str) -> None:
        """List components that will be started later."""
        for component in components:
            self._stages.setdefault(component, Stage.WAITING)

    def set(self, component: str, stage: Stage) -> None:
        """A component has moved on."""
        if self._stages.get(component) is stage:
            return
        started = self._since.get(component)
        self._since[component] = time.monotonic()
        self._stages[component] = stage
        if not self.console.is_terminal:
            took = f" ({time.monotonic() - started:.1f} s)" if started and stage is Stage.READY else ""
            self._say(f"{self.texts(component)}: {self.texts(stage.value)}{took}")
        self.refresh(now=True)

    def show(self, picture: RenderableType, *, lines: tuple[str, ...]) -> None:
        """Replace what stands below the components; not on a terminal, the ``lines`` that are new are printed."""
        self._below = picture
        if not self.console.is_terminal:
            for line in lines:
                if line not in self._lines:
                    self._say(line)
        self._lines = lines
        self.refresh()

    def fold(self) -> None:
        """The components are all ready: their table is no longer needed."""
        self._stages.clear()

    def note(self, text: str) -> None:
        """One line that stays."""
        if self.console.is_terminal:
            self.console.print(text, highlight=False, markup=False)
        else:
            self._say(text)

    def refresh(self, *, now: bool = False) -> None:
        """Draw again, at most a few times a second."""
        if self._live and (now or time.monotonic() - self._drawn_at > 1 / _FRAMES_PER_S):
            self._drawn_at = time.monotonic()
            self._live.update(self._picture(), refresh=True)

    def _say(self, text: str) -> None:
        self.console.print(
            f"[{time.monotonic() - self._begun_at:6.1f} s] {text}", highlight=False, markup=False, soft_wrap=True
        )

    def _picture(self) -> RenderableType:
        parts: list[RenderableType] = []
        if self._stages:
            table = Table(box=None, padding=(0, 2), show_header=False)
            for component, stage in self._stages.items():
                running = stage in (Stage.STARTING, Stage.STOPPING)
                passed = f"{time.monotonic() - self._since[component]:.0f} s" if running else ""
                table.add_row(
                    self.texts(component), Text(self.texts(stage.value), style=_STYLES[stage]), Text(passed, "dim")
                )
            parts.append(table)
        if self._below is not None:
            parts.append(self._below)
        return Group(*parts)
