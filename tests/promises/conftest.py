"""A province of its own for each test module."""

from __future__ import annotations

import base64
import os
import re
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
import sandboxes
import yaml
from living_province import AS_OF, CALLERS, HALF_A_YEAR_BEFORE, HOSYNC, ROOT, SEED, SIZE, TARGETS, Province
from model_desk import Database, database
from sqlalchemy import Engine

from connectors.catalog import FOLDER
from ledger.engine import open_engine
from sandbox.servers import SERVERS


@pytest.fixture(scope="module")
def catalog_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped catalog, impatient: a dead worker's lease is soon over, and nothing is too fresh to be compared.

    A module may say its SOURCES, where others would add nothing to what it shows.
    """
    folder = tmp_path_factory.mktemp("catalog")
    for file in FOLDER.glob("*.yaml"):
        entry = yaml.safe_load(file.read_text())
        if entry["kind"] == "source" and entry["system"] not in getattr(request.module, "SOURCES", [entry["system"]]):
            continue
        if entry["kind"] == "target":
            entry["timeouts"] = {"connect_s": 2, "read_s": 2, "total_s": 2.5}
            entry["lease_s"] = 3
            entry["reconcile"]["grace_s"] = 0
        else:
            # The province's clock is behind the one that cursors follow, and moves on in days.
            entry["pull"] |= {"overlap": "60d", "start": HALF_A_YEAR_BEFORE}
            if entry.get("follow"):
                entry["follow"] = "1s"
            if entry["protocol"] == "soap-jobs":
                entry["options"]["poll"]["first"] = "0s"
        (folder / file.name).write_text(yaml.safe_dump(entry, allow_unicode=True))
    return folder


@pytest.fixture(scope="module")
def province(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    database_url: str,
    data_key: bytes,
    catalog_folder: Path,
) -> Iterator[Province]:
    """A sandbox with its servers up, an empty ledger, and nothing pulled yet.

    A module may say its PROVINCE_SIZE, and its SOURCES: then the others are not there.
    """
    home = tmp_path_factory.mktemp("sandbox")
    sources = getattr(request.module, "SOURCES", ())
    names = (*sources, *TARGETS, *(("xroad",) if "dkkd" in sources else ())) if sources else tuple(SERVERS)
    size = getattr(request.module, "PROVINCE_SIZE", SIZE)
    with sandboxes.running(home, names, size=size, as_of=datetime.fromisoformat(AS_OF), seed=SEED) as said:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "HOSYNC_"))},
            **said["connections"],
            "HOSYNC_DATABASE_URL": database_url,
            "HOSYNC_DATA_KEY": base64.b64encode(data_key).decode(),
            "HOSYNC_CATALOG": str(catalog_folder),
            "HOSYNC_LANG": "en",
        }
        yield Province(home, environment, {name: at["port"] for name, at in said.items() if name != "connections"})


@pytest.fixture
def own_engine(own_database_url: str) -> Iterator[Engine]:
    """The engine of a ledger for this test alone."""
    opened = open_engine(own_database_url)
    yield opened
    opened.dispose()


@pytest.fixture(scope="module")
def endpoint(province: Province) -> Iterator[str]:
    """`hosync inbound` in a process of its own; the callers know where it is."""
    process = subprocess.Popen(
        [str(HOSYNC), "inbound", "--port", "0"],
        env={**province.environment, "PYTHONUNBUFFERED": "1"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    found = re.search(r"http://[^ ]+", process.stdout.readline())
    assert found
    url = found.group().strip()
    for system in CALLERS:
        province.ask(system, "subscribe", {"url": f"{url}/{system}"})
    yield url
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def own_database() -> Iterator[Database]:
    """A PostgreSQL of the module's own, which its stories restart."""
    with database() as own:
        yield own
