"""How long changes took, and what waits too long: counted from the moment at which the change could be seen."""

from datetime import UTC, datetime, timedelta

import pytest
from ledger_world import World, dossier

from ledger.delivery import claim, has_news
from ledger.intake import finish_pull
from ledger.waiting import Late, late, latencies

HOUR = timedelta(hours=1)


@pytest.fixture
def _news(world: World) -> None:
    """What comes from now on is news."""
    finish_pull(world.engine, world.run(), error=None)
    finish_pull(world.engine, world.run("vbdlis"), error=None)
    world._runs.clear()


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


@pytest.mark.usefixtures("_news")
def test_the_time_of_a_change_runs_from_its_sight_to_the_acknowledgement_that_completes_it(world: World) -> None:
    for number, seconds in enumerate((10, 20, 600)):
        world.store(dossier(f"H12.1-{number:04}"), told_at=ago(seconds))
    world.store(dossier("H12.1-9999"), system="vbdlis", told_at=ago(3))
    world.deliver()
    pulled, called = latencies(world.engine, HOUR, callers=["vbdlis"])
    assert (pulled.called, pulled.messages, called.called, called.messages) == (False, 3, True, 1)
    assert pulled.p50_s == pytest.approx(20, abs=5)
    assert pulled.max_s == pytest.approx(600, abs=5)
    assert called.p95_s == pytest.approx(3, abs=5)
    assert world.value("SELECT count(*) FROM delivery_attempt") == 8, "a record and a step each"
    assert latencies(world.engine, timedelta(seconds=0), callers=[]) == []


def test_what_catches_up_is_no_change_that_anybody_waits_for(world: World) -> None:
    world.store(dossier(), told_at=ago(9999))
    world.deliver()
    assert latencies(world.engine, HOUR, callers=[]) == []


@pytest.mark.usefixtures("_news")
def test_what_waits_longer_than_it_may_is_late_whether_the_feed_has_come_to_it_or_not(world: World) -> None:
    assert late(world.engine, {"npsp": HOUR}) == {"npsp": Late(late=0, oldest_at=None)}
    long_ago = ago(7200)
    world.store(dossier("H12.1-0001"), told_at=long_ago)
    world.store(dossier("H12.1-0002"), told_at=ago(5))
    world.feed()
    assert late(world.engine, {"npsp": HOUR, "emc": HOUR})["npsp"] == Late(late=1, oldest_at=long_ago)
    world.store(dossier("H12.1-0003"))
    world.execute("UPDATE dossier SET changed_at_ledger = now() - interval '3 hours' WHERE code = 'H12.1-0003'")
    assert late(world.engine, {"npsp": HOUR})["npsp"].late == 2
    world.deliver()
    assert late(world.engine, {"npsp": HOUR})["npsp"] == Late(late=0, oldest_at=None)


@pytest.mark.usefixtures("_news")
def test_the_age_of_a_change_runs_from_its_sources_own_time_where_that_can_be_believed(world: World) -> None:
    world.store(dossier("H12.1-0001", changed_at=ago(300)), told_at=ago(10))
    world.store(dossier("H12.1-0002", changed_at=ago(-900)), told_at=ago(20))  # its clock is ahead
    world.deliver()
    (found,) = latencies(world.engine, HOUR, callers=[])
    assert (found.messages, found.aged_max_s) == (2, pytest.approx(300, abs=5))
    assert found.max_s == pytest.approx(20, abs=5)


@pytest.mark.usefixtures("_news")
def test_the_age_is_that_of_the_oldest_change_under_way_by_whichever_system_told_it(world: World) -> None:
    world.store(dossier("H12.1-0001", changed_at=ago(500)), told_at=ago(400))
    world.deliver()
    world.execute("UPDATE delivery_attempt SET at = at - interval '2 hours'")
    world.store(dossier("H12.1-0001", state=9, state_at=ago(80), changed_at=ago(80)), told_at=ago(30))
    world.feed()
    end = dossier("H12.1-0001", state=10, state_at=ago(60), changed_at=ago(60))
    world.store(end, system="vbdlis", precedence=1, told_at=ago(5))
    world.deliver()
    (found,) = latencies(world.engine, HOUR, callers=[])
    assert (found.max_s, found.aged_max_s) == (pytest.approx(30, abs=5), pytest.approx(80, abs=5))


@pytest.mark.usefixtures("_news")
def test_only_news_can_be_asked_for_and_claimed(world: World) -> None:
    world.store(dossier("H12.1-0001"))
    world.feed()
    world.execute("UPDATE delivery SET priority = 9")
    claims = {"owner": world.owner, "limit": 10, "lease_s": 30.0}
    assert not has_news(world.engine, "npsp")
    assert claim(world.engine, world.sealer, "npsp", **claims, only_news=True) == []
    world.store(dossier("H12.1-0002"))
    assert has_news(world.engine, "npsp"), "the feed has not come to it"
    world.feed()
    assert [row.code for row in claim(world.engine, world.sealer, "npsp", **claims, only_news=True)] == ["H12.1-0002"]
    assert not has_news(world.engine, "npsp")
    world.execute("UPDATE delivery_lease SET until = now() - interval '1 s'")
    assert has_news(world.engine, "npsp"), "its worker died"
