"""Each test of the ledger starts with an empty one."""

import pytest
from ledger_world import TABLES, World
from sqlalchemy import Engine, text

from ledger.sealing import Sealer


@pytest.fixture
def world(engine: Engine, sealer: Sealer) -> World:
    """An empty ledger with everything to play in it."""
    with engine.begin() as connection:
        for table in TABLES.split(", "):
            connection.execute(text(f"DELETE FROM {table}"))
    return World(engine, sealer)
