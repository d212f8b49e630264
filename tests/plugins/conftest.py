"""The monitor in a real Airflow API server, over a real ledger."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from monitor_ledger import fill
from monitor_server import Served, free_port, prepare, serve
from sqlalchemy import Engine

from ledger.sealing import Sealer


@pytest.fixture(scope="session")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated Airflow."""
    home = tmp_path_factory.mktemp("airflow")
    prepare(home)
    return home


@pytest.fixture(scope="module")
def served(airflow_home: Path, engine: Engine, sealer: Sealer, database_url: str) -> Iterator[Served]:
    """Airflow with the monitor over a ledger with known contents."""
    fill(engine, sealer)
    with serve(airflow_home, {"HOSYNC_DATABASE_URL": database_url}) as running:
        yield running


@pytest.fixture(scope="module")
def served_without_ledger(airflow_home: Path) -> Iterator[Served]:
    """Airflow while the ledger's database is away."""
    url = f"postgresql+psycopg://u:hush@127.0.0.1:{free_port()}/x"
    with serve(airflow_home, {"HOSYNC_DATABASE_URL": url}) as running:
        yield running
