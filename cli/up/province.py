"""The simulated province, started by its command line: we know nothing of its inside."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import requests

from cli.environment import REPOSITORY
from cli.up.children import Children, Command
from cli.up.errors import UpError
from cli.up.home import Home
from cli.up.programs import python_environment, python_module
from connectors.catalog import load_catalog
from connectors.catalog_models import SourceProtocol

_SUBSCRIBE_LIMIT_S = 10.0
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


def subscribe(province: Province, airflow_url: str) -> None:
    """Tell its systems that call others where we are, each its own address."""
    from sync.inbound_app import PREFIX

    with requests.Session() as session:
        session.trust_env = False  # a proxy of the shell has no business here
        for entry in load_catalog().sources:
            if entry.protocol is not SourceProtocol.INBOUND or entry.system not in province.addresses:
                continue
            ours = {"url": f"{airflow_url}{PREFIX}/{entry.system}"}
            theirs = f"{province.addresses[entry.system]}/_sandbox/subscribe"
            try:
                session.post(theirs, json=ours, timeout=_SUBSCRIBE_LIMIT_S).raise_for_status()
            except requests.RequestException as error:
                raise UpError(
                    f"{entry.system} of the simulated province did not take our address: {type(error).__name__}.",
                    where=theirs,
                    next_step="Read logs/province.log in the home folder, then start again.",
                ) from None


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
