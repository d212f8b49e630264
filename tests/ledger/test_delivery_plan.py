"""What the queue costs does not grow with what waits in it: the plans say so."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from ledger_world import World

from ledger.delivery_sql import (
    BUCKETS,
    CLAIM,
    END_EXPIRED_LEASES,
    NORMAL,
    PRIORITIES,
    RELEASE,
    SETTLE,
    WAITING_PRIORITIES,
)

BACKLOG = 100_000
LEASED = 500
OWNER = uuid4()


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


@pytest.fixture
def _leased(world: World, _backlog: None) -> None:
    """A worker has some of them, for longer than it may; another one has more, and has time."""
    for owner, share, until in ((OWNER, 0, "now()"), (uuid4(), 1, "now() + interval '1 hour'")):
        world.execute(
            "UPDATE delivery SET state = 'leased', token = 1, lease_owner = :owner "
            "WHERE dossier_id > :share * CAST(:leased AS int) AND dossier_id <= (:share + 1) * CAST(:leased AS int)",
            owner=owner,
            share=share,
            leased=LEASED,
        )
        world.execute(
            f"INSERT INTO delivery_lease (target, owner, until) VALUES ('npsp', :owner, {until})", owner=owner
        )


@pytest.mark.usefixtures("_backlog")
def test_a_claim_neither_sorts_nor_walks_the_backlog(database_url: str) -> None:
    keys = {"target": "npsp", "priority": NORMAL, "owner": uuid4(), "caught_up_at": None}
    keys |= {"buckets": list(range(BUCKETS)), "share": 2, "limit": 100}
    nodes = _plan(database_url, CLAIM, keys)
    assert not {"Sort", "Seq Scan"} & {node["Node Type"] for node in nodes}, json.dumps(nodes[0], indent=1)
    (walk,) = [node for node in nodes if node.get("Index Name") == "delivery_claimable"]
    assert walk["Actual Rows"] * walk["Actual Loops"] == 100
    assert walk.get("Rows Removed by Filter", 0) == 0
    assert nodes[0]["Shared Hit Blocks"] + nodes[0]["Shared Read Blocks"] < 5_000


@pytest.mark.usefixtures("_backlog")
def test_which_priorities_wait_is_seen_without_walking_the_backlog(database_url: str) -> None:
    nodes = _plan(database_url, WAITING_PRIORITIES, {"target": "npsp", "priorities": list(PRIORITIES)})
    (walk,) = [node for node in nodes if node.get("Relation Name") == "delivery"]
    assert walk.get("Index Name") == "delivery_claimable"
    assert walk["Actual Rows"] * walk["Actual Loops"] <= len(PRIORITIES)
    assert nodes[0]["Shared Hit Blocks"] + nodes[0]["Shared Read Blocks"] < 100


@pytest.mark.usefixtures("_backlog", "_leased")
def test_what_a_worker_settles_is_found_by_its_key(database_url: str) -> None:
    told = {"token": 1, "phase": "dossier", "outcome": "accepted", "version": 1, "step": 0, "passes": 1}
    told |= {"reason": "", "delay_s": 0.0, "hold": False}
    keys = {"target": "npsp", "rows": json.dumps([told | {"dossier_id": id_} for id_ in range(1, LEASED + 1)])}
    keys |= {"most_strikes": 25, "longest_s": 1e6, "alone_s": 1e7, "sent_at": None}
    nodes = _plan(database_url, SETTLE, keys)
    walks = [node for node in nodes if node.get("Relation Name") == "delivery" and "Scan" in node["Node Type"]]
    assert [node["Index Name"] for node in walks] == ["delivery_pkey"] * len(walks)
    assert {node["Actual Rows"] * node["Actual Loops"] for node in walks} == {LEASED}


@pytest.mark.usefixtures("_backlog", "_leased")
@pytest.mark.parametrize("statement", [END_EXPIRED_LEASES, RELEASE], ids=["expired", "released"])
def test_what_a_worker_leaves_is_found_without_walking_the_backlog(database_url: str, statement: str) -> None:
    nodes = _plan(database_url, statement, {"target": "npsp", "owner": OWNER, "delay_s": 0.0})
    walks = [node for node in nodes if node.get("Relation Name") == "delivery" and "Scan" in node["Node Type"]]
    assert {node.get("Index Name") for node in walks} <= {"delivery_leased", "delivery_pkey"}
    assert {node["Actual Rows"] * node["Actual Loops"] for node in walks} == {LEASED}


def _plan(database_url: str, statement: str, keys: dict[str, Any]) -> list[dict[str, Any]]:
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        row = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", keys).fetchone()
    assert row is not None
    return list(_nodes(row[0][0]["Plan"]))


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)
