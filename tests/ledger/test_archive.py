"""The page archive, from the newest page back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ledger_world import World, at

from ledger import archive
from ledger.intake import start_pull
from ledger.types import PullMode


@pytest.fixture
def told(world: World) -> list[int]:
    """Two runs of a system, another system's and a re-drive; the numbers of the first two's pages, newest first."""
    for hour in range(5):
        world.store(fetched_at=at(hour))
    world.store(system="igate", fetched_at=at(9))
    again = start_pull(world.engine, system="gplx", mode=PullMode.REDRIVE, window=None, started_by="test")
    world.store(run_id=again, fetched_at=at(9))
    later = world.new_run()
    for hour in range(5, 8):
        world.store(run_id=later, fetched_at=at(hour))
    return [9, 8, 7, 4, 3, 2, 1, 0]


@pytest.mark.parametrize("at_once", [1, 3, 8, 200])
def test_pages_come_newest_first_and_only_those_that_pulls_of_the_system_stored(
    world: World, told: list[int], monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(archive, "_AT_ONCE", at_once)
    pages = list(archive.newest_first(world.engine, "gplx"))
    assert [page.number for page in pages] == told
    assert pages[0].fetched_at == at(7)
    opened = [archive.read_page(world.engine, world.sealer, page.run_id, page.number) for page in pages]
    assert [page.raw.decode() for page in opened if page] == [f"page {number}" for number in told]


def test_they_may_be_limited_to_those_fetched_since_a_moment(world: World, told: list[int]) -> None:
    recent = archive.newest_first(world.engine, "gplx", since=at(3) + timedelta(minutes=1))
    assert [page.number for page in recent] == told[:4]
