"""The simulated province, started by its command line: we know nothing of its inside."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cli.environment import REPOSITORY
from cli.up.children import Children, Command
from cli.up.errors import UpError
from cli.up.home import Home
from cli.up.programs import python_environment, python_module

DEFAULT_SIZE = 2_000  # dossiers of half a year: a minute or two from first pull to last comparison


@dataclass(frozen=True, slots=True)
class Province:
    """What the running province says about itself."""

    connections: Mapping[str, str]  # AIRFLOW_CONN_… -> value
    addresses: Mapping[str, str]  # server name -> http://127.0.0.1:port

    @property
    def pages(self) -> dict[str, str]:
        """Pages of the province that a person may like to look at: name -> address."""
        emc = self.addresses.get("emc")
        return {"EMC": f"{emc}/dashboard"} if emc else {}


@dataclass(frozen=True, slots=True)
class Starting:
    """A province whose servers do not all answer yet."""

    home: Home
    written_before: int | None  # its word of an earlier start, which names the ports it will use again

    def ready(self) -> Province | None:
        """What it says once all its servers answer."""
        mark = _mark(self.home)
        if _written_at(mark) == self.written_before or (said := _read(mark)) is None:
            return None
        addresses = {
            name: f"http://127.0.0.1:{entry['port']}"
            for name, entry in said.items()
            if isinstance(entry, dict) and "port" in entry
        }
        return Province(connections=said["connections"], addresses=addresses)


def start(children: Children, home: Home, *, size: int | None, now: datetime) -> Starting:
    """Start the servers of the province."""
    if not (REPOSITORY / "sandbox").is_dir():
        raise UpError(
            "The simulated province is not part of this installation.",
            where=str(REPOSITORY),
            next_step="Run from a checkout of the project, or give --no-sandbox and AIRFLOW_CONN_… of real systems.",
        )
    home.sandbox.mkdir(parents=True, exist_ok=True)
    is_new = not any(home.sandbox.iterdir())
    starting = Starting(home, _written_at(_mark(home)))
    arguments = ["--home", str(home.sandbox), "--as-of", now.isoformat(timespec="seconds")]
    if size is not None or is_new:
        arguments += ["--size", str(size or DEFAULT_SIZE)]
    children.start(
        Command(
            name="province",
            argv=[*python_module("sandbox"), "serve", *arguments],
            env={**os.environ, **python_environment()},
            log=home.log("province"),
            cwd=REPOSITORY,
            patience_s=6.0,
        )
    )
    return starting


def _mark(home: Home) -> Path:
    return home.sandbox / "sandbox.json"


def _written_at(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):  # not there yet, or half written
        return None
    return found if isinstance(found, dict) else None
