"""A claim costs the same whatever waits behind it: its plan walks the index in order and stops."""

import json
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from ledger_world import World

from ledger.delivery_sql import CLAIM, NORMAL

BACKLOG = 100_000


@pytest.fixture
def _backlog(world: World) -> None:
    """Many dossiers that are due, and as many that wait for their next try."""
    world.execute(
        "INSERT INTO delivery (target, dossier_id, state, priority, due_at, wanted_version, wanted_step) "
        "SELECT 'npsp', n, 'due', :priority, now() + make_interval(secs => n - :half), 1, 1 "
        "FROM generate_series(1, 2 * :half) n",
        priority=NORMAL,
        half=BACKLOG,
    )
    with world.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE delivery")


@pytest.mark.usefixtures("_backlog")
def test_a_claim_neither_sorts_nor_walks_the_backlog(database_url: str) -> None:
    keys = {"target": "npsp", "priority": NORMAL, "limit": 100, "owner": uuid4(), "lease_s": 60.0}
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        row = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {CLAIM}", keys).fetchone()
    assert row is not None
    nodes = list(_nodes(row[0][0]["Plan"]))
    kinds = {node["Node Type"] for node in nodes}
    assert "Sort" not in kinds, json.dumps(row[0], indent=1)
    assert "Seq Scan" not in kinds, json.dumps(row[0], indent=1)
    (walk,) = [node for node in nodes if node.get("Index Name") == "delivery_claimable"]
    assert walk["Actual Rows"] * walk["Actual Loops"] == 100
    assert walk.get("Rows Removed by Filter", 0) == 0
    assert nodes[0]["Shared Hit Blocks"] + nodes[0]["Shared Read Blocks"] < 5_000


def _nodes(plan: dict[str, Any]) -> Any:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)
