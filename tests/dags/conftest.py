"""What Airflow makes of dags/, found out in processes of their own.

Airflow reads its settings from the environment when it is imported, and keeps them: imported here, it would decide for
all other tests of this process, and the other way round.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
INSPECT = Path(__file__).with_name("inspect_dags.py")
BENCH = ROOT / "bench" / "dag_parse.py"


class Inspector:
    """Parses a DAG folder in a fresh process with a home of its own."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def __call__(self, folder: Path = ROOT / "dags", **environment: str) -> dict[str, Any]:
        """The facts that ``inspect_dags.py`` finds; ``environment`` is added to a clean one."""
        done = subprocess.run(
            [sys.executable, INSPECT, folder], env=self.clean(environment), capture_output=True, text=True, timeout=240
        )
        lines = [line for line in done.stdout.splitlines() if line.startswith("FACTS ")]
        assert lines, done.stderr[-3000:]
        facts: dict[str, Any] = json.loads(lines[0].removeprefix("FACTS "))
        return facts

    def clean(self, more: Mapping[str, str]) -> dict[str, str]:
        """An environment in which nothing of a developer's shell decides."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "_AIR", "HOSYNC"))}
        return {
            **kept,
            "AIRFLOW_HOME": str(self._home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self._home / "plugins"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self._home}/airflow.db",
            **more,
        }


@pytest.fixture(scope="session")
def inspector(tmp_path_factory: pytest.TempPathFactory) -> Inspector:
    """Parses DAG folders."""
    return Inspector(tmp_path_factory.mktemp("airflow"))


@pytest.fixture(scope="session")
def facts(inspector: Inspector) -> dict[str, Any]:
    """The project's DAGs with the project's catalog."""
    return inspector()


@pytest.fixture(scope="session")
def dags(facts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The project's DAGs by their ids."""
    found: dict[str, dict[str, Any]] = facts["dags"]
    return found


@pytest.fixture
def many_systems(tmp_path: Path) -> Path:
    """A catalog of 200 systems."""
    subprocess.run([sys.executable, BENCH, "--systems", "200", "--write-catalog", tmp_path], check=True, timeout=60)
    return tmp_path
