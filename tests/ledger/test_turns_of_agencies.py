"""Who comes first: corrections, then news, then what catches up; and within each the agencies take turns."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from uuid import uuid4

import pytest
from ledger_world import World, dossier

from ledger.delivery import claim
from ledger.delivery_sql import BACKFILL, BUCKETS, NORMAL
from ledger.intake import finish_pull, start_pull
from ledger.types import Claimed, PullMode


def priorities(world: World) -> list[int]:
    return [row.priority for row in world.rows("SELECT priority FROM delivery ORDER BY dossier_id")]


def read_to_the_end_once(world: World) -> None:
    """The system's first load is over."""
    finish_pull(world.engine, world.run(), error=None)


def flood(world: World, agency: str, number: int, first: int = 0) -> None:
    world.store(*(dossier(f"{agency}-{first + each:06}", agency_code=agency) for each in range(number)))
    world.feed()


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (PullMode.INCREMENTAL, NORMAL),
        (PullMode.FULL, BACKFILL),
        (PullMode.WINDOW, BACKFILL),
        (PullMode.REDRIVE, NORMAL),
    ],
)
def test_what_a_pull_of_the_past_brings_is_no_news(world: World, mode: PullMode, expected: int) -> None:
    read_to_the_end_once(world)
    run_id = start_pull(world.engine, system="gplx", mode=mode, window=None, started_by="test")
    world.store(dossier(), run_id=run_id)
    world.feed()
    assert priorities(world) == [expected]


def test_a_first_load_catches_up_until_it_was_once_read_to_the_end(world: World) -> None:
    world.store(dossier("H12.1-0001"))
    finish_pull(world.engine, world.run(), error="killed")
    world.store(dossier("H12.1-0002"), run_id=world.new_run())
    read_to_the_end_once(world)
    world.store(dossier("H12.1-0003"), run_id=world.new_run())
    world.feed()
    assert priorities(world) == [BACKFILL, BACKFILL, NORMAL]


def test_news_passes_what_catches_up_and_lifts_its_own_dossier(world: World) -> None:
    flood(world, "H12.1", 50)
    read_to_the_end_once(world)
    fresh = world.new_run()
    world.store(dossier("H12.1-9999"), dossier("H12.1-000007", hours=1, state=9), run_id=fresh)
    assert {each.code for each in world.claim(limit=2)} == {"H12.1-9999", "H12.1-000007"}
    assert len(world.claim(limit=1000)) == 49


def test_a_change_is_wanted_since_the_first_of_its_unacknowledged_versions_could_be_seen(world: World) -> None:
    earlier, later = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
    world.store(dossier(), told_at=earlier)
    world.feed()
    world.store(dossier(hours=1, state=9), told_at=later)
    world.feed()
    assert world.delivery().wanted_since == earlier
    world.deliver()
    world.store(dossier(hours=2, state=10), told_at=later)
    world.feed()
    assert world.delivery().wanted_since == later


def test_a_flood_of_one_agency_does_not_hold_up_the_others(world: World) -> None:
    flood(world, "H12.1", 300)
    flood(world, "H12.2", 3)
    flood(world, "H12.3", 3)
    found = Counter(each.dossier["agency_code"] for each in world.claim(limit=30))
    assert found == {"H12.1": 24, "H12.2": 3, "H12.3": 3}


def test_a_claim_is_filled_when_a_single_agency_has_anything_due(world: World) -> None:
    flood(world, "H12.1", 300)
    assert len(world.claim(limit=200)) == 200
    assert len(world.claim(limit=200)) == 100


def test_claims_smaller_than_the_number_of_agencies_reach_all_of_them_in_time(world: World) -> None:
    for number in range(12):
        flood(world, f"H12.{number}", 40)
    served: set[str] = set()
    for _ in range(BUCKETS):
        served |= {each.dossier["agency_code"] for each in world.claim(limit=2)}
    assert len(served) >= 10


def test_p3_four_workers_that_claim_in_turns_of_agencies_share_nothing_and_leave_nothing(world: World) -> None:
    for number in range(20):
        flood(world, f"H12.{number}", 25)
    start = Barrier(4)

    def work(_: int) -> Sequence[Claimed]:
        owner, mine = uuid4(), []
        start.wait()
        while batch := claim(world.engine, world.sealer, "npsp", owner=owner, limit=30, lease_s=60):
            mine += batch
        return mine

    with ThreadPoolExecutor(4) as pool:
        claimed = [each.dossier_id for share in pool.map(work, range(4)) for each in share]
    assert len(claimed) == len(set(claimed)) == 500
