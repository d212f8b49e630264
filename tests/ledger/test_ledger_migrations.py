"""The database that the migrations make, against its description; partitions by month."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from ledger_world import World, dossier
from sqlalchemy import Engine, text
from sqlalchemy.schema import SchemaItem, Table

import ledger.migrations
from ledger.engine import open_engine
from ledger.errors import SchemaOutOfDate
from ledger.migrate import VERSION_TABLE, is_current, require_current, upgrade
from ledger.partitions import PARTITIONED, ensure_partitions
from ledger.tables import metadata


def _ours(item: SchemaItem, name: str | None, kind: str, _reflected: bool, _other: SchemaItem | None) -> bool:
    if kind == "table":
        return name in metadata.tables
    table = getattr(item, "table", None)
    return not isinstance(table, Table) or table.name in metadata.tables


def test_the_migrated_database_is_the_one_that_tables_py_describes(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": True,
                "include_object": _ours,
                "version_table": VERSION_TABLE,
            },
        )
        assert compare_metadata(context, metadata) == []


def test_every_check_constraint_that_tables_py_names_exists_in_the_database(engine: Engine) -> None:
    described = {
        (table.name, str(constraint.name))
        for table in metadata.tables.values()
        for constraint in table.constraints
        if constraint.__visit_name__ == "check_constraint"
    }
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = 'c'")
        )
        assert described <= {tuple(row) for row in found}


def test_two_processes_may_migrate_an_empty_database_at_once(empty_database_url: str) -> None:
    engines = [open_engine(empty_database_url) for _ in range(2)]
    assert not is_current(engines[0])
    with pytest.raises(SchemaOutOfDate, match="run the migrations"):
        require_current(engines[0])
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(upgrade, engines))
    assert is_current(engines[0])
    require_current(engines[0])
    upgrade(engines[0])
    for engine in engines:
        engine.dispose()


# One that was only claimed, and one whose call was under way.
LEASED = """
    INSERT INTO delivery (target, dossier_id, state, priority, due_at, wanted_version, wanted_step,
                          lease_owner, lease_until, sending_phase, sending_version, sending_step, sending_at)
    VALUES ('npsp', 1, 'leased', 5, now(), 1, 1, gen_random_uuid(), now(), NULL, NULL, NULL, NULL),
           ('npsp', 2, 'leased', 5, now(), 1, 1, gen_random_uuid(), now(), 'dossier', 1, 0, now())
"""


def test_p3_what_was_on_its_way_when_leases_got_a_table_is_in_doubt(empty_database_url: str) -> None:
    engine = open_engine(empty_database_url)
    config = Config()
    config.set_main_option("script_location", str(Path(*ledger.migrations.__path__)))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0013")
        connection.execute(text(LEASED))
    upgrade(engine)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT state, sending_phase FROM delivery ORDER BY dossier_id")).all()
    engine.dispose()
    assert [tuple(row) for row in found] == [("due", None), ("doubt", "dossier")]


def test_partitions_are_created_ahead_once(world: World) -> None:
    far = datetime(2031, 11, 15, tzinfo=UTC)
    created = ensure_partitions(world.engine, now=far, back=1, ahead=2)
    assert sorted(created) == sorted(
        f"{table}_{month}" for table in PARTITIONED for month in ("2031_10", "2031_11", "2031_12", "2032_01")
    )
    assert ensure_partitions(world.engine, now=far, back=1, ahead=2) == []


def test_rows_that_waited_in_the_default_partition_move_to_their_month(world: World) -> None:
    long_ago = datetime(2019, 5, 31, 23, 59, 59, tzinfo=UTC)
    world.store(dossier("H12.1-0001", state_at=long_ago, changed_at=long_ago))
    assert world.value("SELECT tableoid::regclass::text FROM dossier_step") == "dossier_step_default"
    ensure_partitions(world.engine, now=long_ago, back=0, ahead=0)
    assert world.value("SELECT tableoid::regclass::text FROM dossier_step") == "dossier_step_2019_05"
    assert world.steps() == [(1, 4)]


def test_a_partition_attached_later_has_the_primary_key_that_intake_relies_on(world: World) -> None:
    ensure_partitions(world.engine, now=datetime(2018, 1, 1, tzinfo=UTC), back=0, ahead=0)
    keys = world.value(
        "SELECT count(*) FROM pg_index WHERE indrelid = 'dossier_step_2018_01'::regclass AND indisprimary"
    )
    assert keys == 1
