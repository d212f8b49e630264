"""What the queue costs does not grow with what waits in it: the plans say so."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from ledger_world import World

from ledger.delivery_sql import BUCKETS, CLAIM, LOCK_MINE, MARK_SENDING, NORMAL

BACKLOG = 100_000


@pytest.fixture
def _backlog(world: World) -> None:
    """Many dossiers that are due, and as many that wait for their next try."""
    world.execute(
        "INSERT INTO delivery (target, dossier_id, state, priority, bucket, due_at, wanted_version, wanted_step) "
        "SELECT 'npsp', n, 'due', :priority, n % :buckets, now() + make_interval(secs => n - :half), 1, 1 "
        "FROM generate_series(1, 2 * :half) n",
        priority=NORMAL,
        buckets=BUCKETS,
        half=BACKLOG,
    )
    with world.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE delivery")


@pytest.mark.usefixtures("_backlog")
def test_a_claim_neither_sorts_nor_walks_the_backlog(database_url: str) -> None:
    keys = {"target": "npsp", "priority": NORMAL, "owner": uuid4(), "lease_s": 60.0, "caught_up_at": None}
    keys |= {"buckets": list(range(BUCKETS)), "share": 2, "limit": 100}
    nodes = _plan(database_url, CLAIM, keys)
    assert not {"Sort", "Seq Scan"} & {node["Node Type"] for node in nodes}, json.dumps(nodes[0], indent=1)
    (walk,) = [node for node in nodes if node.get("Index Name") == "delivery_claimable"]
    assert walk["Actual Rows"] * walk["Actual Loops"] == 100
    assert walk.get("Rows Removed by Filter", 0) == 0
    assert nodes[0]["Shared Hit Blocks"] + nodes[0]["Shared Read Blocks"] < 5_000


@pytest.mark.usefixtures("_backlog")
@pytest.mark.parametrize("statement", [MARK_SENDING, LOCK_MINE], ids=["mark", "settle"])
def test_what_a_worker_names_is_found_by_its_key(world: World, database_url: str, statement: str) -> None:
    owner = uuid4()
    world.execute(
        "UPDATE delivery SET state = 'leased', token = 1, lease_owner = :owner, lease_until = now() + interval '1h' "
        "WHERE dossier_id <= 500",
        owner=owner,
    )
    intents = [{"dossier_id": id_, "token": 1, "phase": "dossier", "version": 1, "step": 0} for id_ in range(1, 501)]
    keys = {"target": "npsp", "owner": owner, "lease_s": 60.0, "rows": json.dumps(intents)}
    nodes = _plan(database_url, statement, keys)
    assert {node["Index Name"] for node in nodes if "Index Name" in node} == {"delivery_pkey"}
    assert "Seq Scan" not in {node["Node Type"] for node in nodes}
    assert nodes[0]["Actual Rows"] == 500


def _plan(database_url: str, statement: str, keys: dict[str, Any]) -> list[dict[str, Any]]:
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        row = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", keys).fetchone()
    assert row is not None
    return list(_nodes(row[0][0]["Plan"]))


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)
