"""A running sandbox and the `hosync` command on it, as people run it; with what is needed to kill and to judge."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import forked

from connectors.catalog import load_catalog
from sandbox.clock import advance
from sandbox.home import SandboxHome
from schemas.identifiers import dossier_short
from schemas.states import State
from schemas.times import VN

CALLERS = ("vbdlis", "ilis")  # they are not asked, they call
TARGETS = ("npsp", "province", "emc", "feed")
SOME_SOURCES = ("gplx", "dkkd", "btxh", "gtvt", "xaydung")  # their dossiers do not travel
SOME_SIZE = 450  # these have about a hundred of them
ROOT = Path(__file__).resolve().parents[2]
HOSYNC = Path(sys.executable).with_name("hosync")
SIZE = 90
SEED = 313  # all systems but one have dossiers among these ninety
PATIENCE_S = 60.0


def _a_monday(weeks_ago: int) -> date:
    today = datetime.now(VN).date()
    return today - timedelta(days=today.weekday(), weeks=weeks_ago)


# A Monday, so that the days after it bring changes, and long enough ago that all of them are past for `hosync`.
AS_OF = datetime.combine(_a_monday(weeks_ago=4), time(17), VN).isoformat()
HALF_A_YEAR_BEFORE = (datetime.fromisoformat(AS_OF) - timedelta(days=190)).date()


@dataclass(frozen=True)
class Province:
    """A running sandbox and the environment in which `hosync` works on it."""

    home: Path
    environment: Mapping[str, str]
    ports: Mapping[str, int]

    def hosync(self, *arguments: str, ok: Sequence[int] = (0,)) -> Any:
        """Run a command to its end and give back its JSON document."""
        done = forked.run(*arguments, "--json", env=self.environment)
        assert done.returncode in ok, f"hosync {arguments} ended with {done.returncode}: {done.stderr[-2000:]}"
        return json.loads(done.stdout)

    def command(self, *arguments: str) -> None:
        """Run a command that prints no document to its end."""
        forked.run(*arguments, env=self.environment, check=True)

    def start(self, *arguments: str, json_too: bool = True) -> forked.Running:
        """Start a command, to be killed."""
        return forked.start(*arguments, *(["--json"] if json_too else []), env=self.environment)

    def ask(self, server: str, path: str, body: Mapping[str, Any] | None = None) -> bytes:
        """One control call to a server of the sandbox."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports[server]}/_sandbox/{path}",
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            content: bytes = answer.read()
            return content

    def lines(self, server: str, path: str) -> list[dict[str, Any]]:
        """A control answer of JSON lines."""
        return [json.loads(line) for line in self.ask(server, path).splitlines()]

    def writes(self, target: str) -> list[dict[str, Any]]:
        """What was really applied at a target, repetitions that changed nothing left out."""
        return [write for write in self.lines(target, "writes") if write["effect"] != "noop"]

    @property
    def sources(self) -> list[str]:
        """The systems that tell of dossiers, by the catalog that `hosync` works with."""
        return [entry.system for entry in load_catalog(Path(self.environment["HOSYNC_CATALOG"])).sources]

    def truth(self) -> dict[str, dict[str, Any]]:
        """Every dossier by its canonical code, as all systems that know it would tell it together."""
        rows = {each["code"]: each for system in self.sources for each in self.lines(system, "truth")}
        return {code: {**row, "state": row["merged_state"]} for code, row in rows.items() if not _is_unlisted(row)}

    def holdings(self, target: str, what: str) -> list[dict[str, Any]]:
        """The ``dossiers`` or ``steps`` that a target holds, under our codes: the portal calls its own by theirs."""
        national = {each["national_code"]: ours for ours, each in self.truth().items()}
        rows = self.lines(target, what)
        return [{**row, "code": national.get(row["code"]) or dossier_short(row["code"])} for row in rows]

    def bring_in(self) -> None:
        """Pull every system until it has told everything; `hosync inbound` must run for those that call."""
        self.hosync("pull")
        if set(CALLERS) <= set(self.sources):
            self.hear_out()
            self.hosync("pull")  # some could only be asked about what others have told meanwhile

    def hear_out(self) -> None:
        """Pull the systems that call until they have nothing more to tell."""
        deadline = monotonic() + PATIENCE_S
        self.hosync("pull", *CALLERS)  # one of them calls only about what it was told of
        while any(json.loads(self.ask(system, "calls"))["waiting"] != 0 for system in CALLERS):
            assert monotonic() < deadline, "the systems that call do not come to an end"
            sleep(0.1)
        self.hosync("pull", *CALLERS)

    def kill_after(self, process: forked.Running, server: str, more: int) -> bool:
        """SIGKILL the process once ``more`` writes were applied; False when it ended before."""
        before = self._applied(server)
        deadline = monotonic() + PATIENCE_S
        while self._applied(server) < before + more:
            if process.poll() is not None:
                return False
            assert monotonic() < deadline, "the process neither ended nor wrote"
            sleep(0.005)
        process.kill()
        process.wait()
        return True

    def _applied(self, server: str) -> int:
        written = json.loads(self.ask(server, "stats")).get("write", {})
        return sum(count for effects in written.values() for count in effects.values())

    def advance(self, days: int) -> None:
        """Let the sector systems live on for some days."""
        advance(SandboxHome(self.home), days)


def _is_unlisted(row: Mapping[str, Any]) -> bool:
    """Whether the trade department had taken the dossier off its list before we ever saw that."""
    ended = datetime.fromisoformat(row["state_at"])
    listed_from = datetime.fromisoformat(AS_OF) - timedelta(days=30)
    return row["systems"] == ["congthuong"] and State(row["state"]).is_terminal and ended <= listed_from
