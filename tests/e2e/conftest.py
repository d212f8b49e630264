"""`hosync up`, as `make run` starts it: real Airflow, PostgreSQL and servers, for all tests of this folder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from running_system import HOSYNC, ROOT, SIZE, RunningSystem


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """A folder with a short name, in which everything lies."""
    folder = Path(tempfile.mkdtemp(prefix="hs-e2e-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def clean_environment() -> dict[str, str]:
    """Nothing of a developer's shell decides what is tested."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "HOSYNC_"))},
        "HOSYNC_LANG": "en",
    }


@pytest.fixture(scope="module")
def system(home: Path, clean_environment: dict[str, str]) -> Iterator[RunningSystem]:
    """The system after its first complete reconciled sync, still up."""
    log = home / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(HOSYNC), "up", "--home", str(home), "--size", str(SIZE)],
            cwd=ROOT,
            env=clean_environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    running = RunningSystem(home=home, process=process, environment=clean_environment, log=log)
    try:
        running.await_first_sync()
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(60)
