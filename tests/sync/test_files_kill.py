"""P1, P3: dropped files reach the ledger once, however often the pull is killed, and none is archived before.

The real systems of the sandbox (a folder, an SFTP server), the real command, the real ledger.
"""

import base64
import json
import os
import random
import time
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import forked
import pytest
import sandboxes
from sqlalchemy import Engine, text

AS_OF = "2026-06-30T17:00:00+07:00"
FOLDERS = {"thuy": "sftp/ket-qua", "congthuong": "ket-xuat"}


class Sandbox:
    """The running systems."""

    def __init__(self, home: Path) -> None:
        self.told = json.loads((home / "sandbox.json").read_text())
        self._home = home

    def waiting(self, system: str) -> list[Path]:
        """Files that are not in the archive."""
        folder = self._home / system / FOLDERS[system]
        return [
            Path(place) / name
            for place, _, names in os.walk(folder)  # which does not mind that files are moved meanwhile
            for name in names
            if "da-nhan" not in Path(place).parts
        ]

    def taken(self, system: str) -> set[Path]:
        """Files that pulls have taken by now, each under the name of its pull."""
        return {path for path in self.waiting(system) if "dang-xu-ly" in path.parts}

    def control(self, system: str, path: str, body: Any = None) -> list[Any]:
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.told[system]['port']}/_sandbox/{path}"
        with urllib.request.urlopen(urllib.request.Request(url, data), timeout=30) as answer:
            return [json.loads(line) for line in answer.read().splitlines()]

    def truth(self, system: str) -> dict[str, int]:
        return {row["code"]: row["state"] for row in self.control(system, "truth")}

    def listed(self, system: str) -> set[str]:
        """The dossiers that a snapshot holds: not those that have been at their end for thirty days."""
        since = (datetime.fromisoformat(AS_OF) - timedelta(days=30)).isoformat()
        rows = self.control(system, "truth")
        return {row["code"] for row in rows if row["state"] not in (3, 7, 8, 10) or row["state_at"] > since}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    home = tmp_path_factory.mktemp("sandbox")
    with sandboxes.running(home, FOLDERS, size=2000, as_of=datetime.fromisoformat(AS_OF)):
        yield Sandbox(home)


@pytest.fixture(scope="module")
def environment(sandbox: Sandbox, database_url: str, data_key: bytes) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "HOSYNC"))}
    return (
        kept
        | sandbox.told["connections"]
        | {
            "HOSYNC_DATABASE_URL": database_url,
            "HOSYNC_DATA_KEY": base64.b64encode(data_key).decode(),
        }
    )


def held(engine: Engine, system: str) -> dict[str, int]:
    """The state of each dossier that the system has told the ledger of."""
    told = text("SELECT code, state FROM dossier WHERE home_system = :system")
    with engine.connect() as connection:
        return {row.code: row.state for row in connection.execute(told, {"system": system})}


@pytest.mark.parametrize("system", ["thuy", "congthuong"])
def test_files_are_stored_before_they_are_archived_however_often_the_pull_is_killed(
    sandbox: Sandbox, environment: dict[str, str], engine: Engine, system: str
) -> None:
    chance = random.Random(system)
    sandbox.control(system, "drop", {"all": True})
    kills = 0
    for pause_s in (0.0, chance.uniform(0, 0.2)):  # the first one surely in the middle
        before = sandbox.taken(system)
        running = forked.start("pull", system, "--json", env=environment)
        while running.poll() is None and sandbox.taken(system) <= before:
            time.sleep(0.005)
        time.sleep(pause_s)
        kills += running.poll() is None
        running.kill()
        running.wait()
        if not held(engine, system):
            assert sandbox.waiting(system), "a file was archived before its records were stored"
    assert kills, "else this proves nothing"
    done = forked.run("pull", system, "--json", env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)
    assert sandbox.waiting(system) == []
    truth, found = sandbox.truth(system), held(engine, system)
    assert found.items() <= truth.items()
    assert found.keys() == (truth.keys() if system == "thuy" else sandbox.listed(system))
