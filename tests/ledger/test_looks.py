"""Looks of a follower: many of them are one run, what only repeats is counted and not kept, and the sums still hold."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_world import World, dossier, problem
from sqlalchemy.exc import IntegrityError

from ledger.errors import AlreadyRunning
from ledger.intake import Look, NoLook, cursor, finish_pull, start_look, system_lock
from ledger.types import PageCounts
from schemas.dossier import Dossier

PARTS = ("new_", "changed", "unchanged", "stale", "quarantined")


@pytest.fixture
def read(world: World) -> World:
    """A world whose source was read to its end an hour ago."""
    world.store(dossier("H12.1-0001"), dossier("H12.1-0002"))
    finish_pull(world.engine, world.run(), error=None)
    world.execute(
        "UPDATE pull_run SET started_at = now() - interval '2 hours', finished_at = now() - interval '1 hour'"
    )
    return world


def _begin(world: World, who: str = "follower", fresh_s: float = 0) -> Look:
    begun = start_look(world.engine, system="gplx", started_by=who, fresh_s=fresh_s)
    assert isinstance(begun, Look)
    return begun


def _look(world: World, *dossiers: Dossier, **changes: Any) -> tuple[UUID, PageCounts]:
    """One look of one page."""
    begun = _begin(world)
    given_page = {"run_id": begun.run_id, "number": begun.pages + 1, "only_news": True, **changes}
    counts = world.store(*dossiers, **given_page)
    finish_pull(world.engine, begun.run_id, error=None)
    return begun.run_id, counts


def _kept(world: World, run_id: UUID) -> list[int]:
    return [row.number for row in world.rows("SELECT number FROM pull_page WHERE run_id = :id ORDER BY 1", id=run_id)]


def test_p1_looks_add_up_in_one_run_and_pages_without_news_are_counted_but_not_kept(read: World) -> None:
    for _ in range(4):
        run_id, counts = _look(read, dossier("H12.1-0001"), dossier("H12.1-0002"), cursor="here")
        assert (counts.fetched, counts.unchanged) == (2, 2)
    assert _look(read, dossier("H12.1-0001", state=9, hours=5), dossier("H12.1-0002"), cursor="there")[0] == run_id
    (run,) = read.rows("SELECT * FROM pull_run WHERE looks IS NOT NULL")
    assert (run.looks, run.pages, run.repeated_pages, run.repeated) == (5, 5, 4, 8)
    assert run.fetched == sum(getattr(run, part) for part in PARTS) == 10
    assert _kept(read, run_id) == [5]
    assert read.value("SELECT count(*) FROM page_archive WHERE run_id = :id", id=run_id) == 1
    assert cursor(read.engine, "gplx") == "there"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pages=st.lists(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 3), st.booleans()), max_size=3), max_size=6))
def test_p1_what_is_kept_and_what_only_repeats_are_together_all_that_was_fetched(
    world: World, pages: list[list[tuple[int, int, bool]]]
) -> None:
    world.store(dossier("H12.1-0009"))
    finish_pull(world.engine, world.run(), error=None)
    world._runs.clear()
    for page in pages:
        told = [dossier(f"H12.1-000{number}", hours=hours) for number, hours, is_good in page if is_good]
        broken = [problem(number, native=b"%d" % number) for number, _, is_good in page if not is_good]
        _look(world, *told, problems=broken)
    for run in world.rows("SELECT * FROM pull_run WHERE looks IS NOT NULL"):
        kept = world.value("SELECT coalesce(sum(fetched), 0) FROM pull_page WHERE run_id = :id", id=run.run_id)
        assert kept + run.repeated == run.fetched == sum(getattr(run, part) for part in PARTS)


def test_a_record_that_is_set_aside_is_kept_with_its_page_once_and_counted_each_time(read: World) -> None:
    for number in range(3):
        run_id, counts = _look(read, dossier("H12.1-0001"), problems=[problem(1)], raw=b"answer %d" % number)
        assert counts.quarantined == 1
    assert _kept(read, run_id) == [1]
    assert read.value("SELECT times_seen FROM quarantine") == 3


def test_a_page_with_old_records_is_kept_until_its_very_bytes_are(read: World) -> None:
    _look(read, dossier("H12.1-0001", state=9, hours=5))
    for raw in (b"the same", b"the same", b"another"):
        run_id, counts = _look(read, dossier("H12.1-0001"), raw=raw)
        assert counts.stale == 1
    assert _kept(read, run_id) == [1, 2, 4]


def test_what_another_system_tells_for_the_first_time_is_kept_though_it_changes_nothing(read: World) -> None:
    read.store(dossier("H12.1-0005"), system="dkkd", precedence=20)
    run_id, counts = _look(read, dossier("H12.1-0005"))
    assert (counts.unchanged, _kept(read, run_id)) == (1, [1])
    assert _look(read, dossier("H12.1-0005")) == (run_id, counts)
    assert _kept(read, run_id) == [1]


def test_a_pull_keeps_its_pages_whatever_they_tell(read: World) -> None:
    read.store(dossier("H12.1-0001"), dossier("H12.1-0002"), run_id=read.new_run())
    assert read.value("SELECT count(*) FROM page_archive") == 2


def test_a_look_that_fails_or_was_killed_stays_what_it_was_and_the_next_begins_another_run(read: World) -> None:
    failed = _begin(read)
    finish_pull(read.engine, failed.run_id, error="it does not answer")
    killed = _begin(read)
    assert killed.run_id != failed.run_id
    with system_lock(read.engine, "gplx"):
        after = _begin(read)
    states = {row.run_id: row.status for row in read.rows("SELECT run_id, status FROM pull_run")}
    assert (states[failed.run_id], states[killed.run_id], states[after.run_id]) == ("failed", "interrupted", "running")


def test_the_next_hour_and_another_follower_have_runs_of_their_own(read: World) -> None:
    first, _ = _look(read)
    read.execute("UPDATE pull_run SET started_at = started_at - interval '1 hour' WHERE looks IS NOT NULL")
    second, _ = _look(read)
    other = _begin(read, "another follower")
    assert len({first, second, other.run_id}) == 3


def test_a_run_that_is_looked_through_again_is_newer_than_a_pull_in_between(read: World) -> None:
    run_id, _ = _look(read, dossier("H12.1-0001"), cursor="1")
    read.store(dossier("H12.1-0001"), run_id=read.new_run(), cursor="2")
    assert _look(read, dossier("H12.1-0001"), cursor="3")[0] == run_id
    assert cursor(read.engine, "gplx") == "3"


def test_p5_what_somebody_has_just_read_is_not_looked_at_again(read: World) -> None:
    assert start_look(read.engine, system="gplx", started_by="b", fresh_s=7200) is NoLook.FRESH
    _look(read)
    assert start_look(read.engine, system="gplx", started_by="b", fresh_s=60) is NoLook.FRESH
    assert read.value("SELECT count(*) FROM pull_run WHERE started_by = 'b'") == 0


def test_a_first_load_is_no_look(world: World) -> None:
    assert start_look(world.engine, system="gplx", started_by="b", fresh_s=0) is NoLook.NEVER_READ
    finish_pull(world.engine, world.run(), error="it broke off")
    assert start_look(world.engine, system="gplx", started_by="b", fresh_s=0) is NoLook.NEVER_READ


def test_p1_the_database_itself_refuses_news_among_what_only_repeats(read: World) -> None:
    with pytest.raises(IntegrityError, match="repeated_is_no_news"):
        read.execute("UPDATE pull_run SET repeated = 1, repeated_pages = 1")


def test_whoever_waits_for_the_lock_gets_it_when_it_is_free_and_not_for_ever(read: World) -> None:
    with system_lock(read.engine, "gplx"), pytest.raises(AlreadyRunning), system_lock(read.engine, "gplx", wait_s=0.3):
        pass
    with system_lock(read.engine, "gplx", wait_s=0.3):
        pass
