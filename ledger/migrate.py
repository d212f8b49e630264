"""Brings a database to the tables of this program. Safe to run twice, or twice at once."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from ledger.engine import loss_explained, reading
from ledger.errors import SchemaOutOfDate
from ledger.partitions import ensure_partitions

VERSION_TABLE = "ledger_version"  # not Alembic's default name: Airflow's tables may live in the same database
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('ledger.migrate', 0))")


def upgrade(engine: Engine) -> None:
    """Create or migrate all tables, then the partitions of the months around now.

    A second process that migrates the same database waits for the first and then finds nothing to do.
    """
    config = _config()
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


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.set_main_option("path_separator", "os")
    return config


def _expected() -> str:
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None, "the package holds no migrations"
    return head


def _found(connection: Connection) -> str | None:
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()
