"""SIGKILL in the middle of ``store_page``: at every statement, the page is either whole or not there at all."""

import multiprocessing
import os
import signal
import time

import psycopg
import pytest
from ledger_world import World, at, dossier, problem

from ledger.engine import open_engine
from ledger.intake import cursor, store_page
from ledger.sealing import Sealer
from ledger.types import PageCounts, PageIntake

FORK = multiprocessing.get_context("fork")

# What the child waits for, in the order in which store_page comes to it: nearly every statement it makes.
POINTS = (
    "LOCK TABLE ledger_key IN ACCESS EXCLUSIVE MODE",
    "LOCK TABLE pull_page IN ACCESS EXCLUSIVE MODE",
    "LOCK TABLE dossier IN ACCESS EXCLUSIVE MODE",
    "SELECT 1 FROM dossier WHERE code = 'H12.1-0001' FOR UPDATE",
    "LOCK TABLE dossier IN SHARE MODE",
    "LOCK TABLE dossier_step IN SHARE MODE",
    "LOCK TABLE dossier_alias IN SHARE MODE",
    "LOCK TABLE quarantine IN SHARE MODE",
    "LOCK TABLE page_archive IN SHARE MODE",
    "SELECT 1 FROM pull_run FOR UPDATE",
    "LOCK TABLE pull_cursor IN SHARE MODE",
)


def _store(url: str, key: bytes, page: PageIntake) -> None:
    store_page(open_engine(url), Sealer(key), page)
    os._exit(0)


def _blocked_backend(watcher: psycopg.Connection) -> int:
    """The server process of the child, once it waits for the holder's lock."""
    while True:
        row = watcher.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'hosync' "
            "AND wait_event_type = 'Lock'"
        ).fetchone()
        if row:
            return int(row[0])
        time.sleep(0.01)


@pytest.mark.parametrize("point", POINTS)
def test_p1_a_killed_page_leaves_nothing_and_is_stored_whole_the_next_time(
    world: World, database_url: str, data_key: bytes, point: str
) -> None:
    world.store(dossier("H12.1-0001"), cursor="before")
    page = world.page(
        dossier("H12.1-0001", state=9, hours=2),
        dossier("H12.1-0002"),
        problems=[problem(2)],
        cursor="behind",
    )
    before = _everything(world)
    plain = database_url.replace("+psycopg", "")
    with psycopg.connect(plain, application_name="test") as holder, psycopg.connect(plain, autocommit=True) as watcher:
        holder.execute(point)
        child = FORK.Process(target=_store, args=(database_url, data_key, page))
        child.start()
        assert child.pid is not None
        backend = _blocked_backend(watcher)
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        holder.rollback()
        while watcher.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [backend]).fetchone():
            time.sleep(0.01)
    assert _everything(world) == before
    assert cursor(world.engine, "gplx") == "before"
    stored = store_page(world.engine, world.sealer, page)
    assert stored == PageCounts(fetched=3, new=1, changed=1, unchanged=0, stale=0, quarantined=1)
    assert cursor(world.engine, "gplx") == "behind"
    assert world.steps("H12.1-0001") == [(1, 4), (2, 9)]


def _everything(world: World) -> list[object]:
    return [
        world.rows("SELECT code, state, version, source_at FROM dossier ORDER BY code"),
        world.rows("SELECT dossier_id, at, state, step_no FROM dossier_step ORDER BY 1, 2"),
        world.rows("SELECT system, alias FROM dossier_alias ORDER BY 1, 2"),
        world.value("SELECT count(*) FROM quarantine"),
        world.value("SELECT count(*) FROM page_archive"),
        world.value("SELECT count(*) FROM pull_page"),
        world.rows("SELECT pages, fetched, new_, changed FROM pull_run"),
        world.rows("SELECT system, value FROM pull_cursor"),
    ]


def test_p1_a_lost_answer_to_commit_is_settled_by_storing_the_page_again(world: World) -> None:
    page = world.page(dossier(hours=1), cursor="behind")
    first = store_page(world.engine, world.sealer, page)
    # The caller never got the answer; meanwhile nothing else happened.
    assert store_page(world.engine, world.sealer, page) == first
    assert world.value("SELECT pages FROM pull_run") == 1
    assert world.value("SELECT source_at FROM dossier") == at(1)
