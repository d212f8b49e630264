"""Brings a database to the tables of this program. Safe to run twice, or twice at once.

Every command asks whether the database is current: that is done without Alembic, which takes a fifth of a second to
import. So a migration's file begins with its revision, and the last one by name is the newest.
"""

from pathlib import Path

from sqlalchemy import Connection, Engine, text

from ledger.engine import loss_explained, reading
from ledger.errors import SchemaOutOfDate
from ledger.partitions import ensure_partitions

VERSION_TABLE = "ledger_version"  # not Alembic's default name: Airflow's tables may live in the same database
_MIGRATIONS = Path(__file__).with_name("migrations")
_IS_THERE = text(f"SELECT to_regclass('{VERSION_TABLE}') IS NOT NULL")
_VERSION = text(f"SELECT version_num FROM {VERSION_TABLE}")
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('ledger.migrate', 0))")


def upgrade(engine: Engine) -> None:
    """Create or migrate all tables, then the partitions of the months around now.

    A second process that migrates the same database waits for the first and then finds nothing to do.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    with loss_explained(), engine.begin() as connection:
        connection.execute(_LOCK)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    ensure_partitions(engine)


def is_current(engine: Engine) -> bool:
    """Whether the database has exactly the tables of this program."""
    with reading(engine) as connection:
        return _found(connection) == _expected()


def require_current(engine: Engine) -> None:
    """Raise ``SchemaOutOfDate`` unless ``is_current``."""
    with reading(engine) as connection:
        found = _found(connection)
    if found != _expected():
        raise SchemaOutOfDate(found, _expected())


def _expected() -> str:
    return max(file.name.partition("_")[0] for file in (_MIGRATIONS / "versions").glob("[0-9]*.py"))


def _found(connection: Connection) -> str | None:
    found: str | None = connection.scalar(_VERSION) if connection.scalar(_IS_THERE) else None
    return found
