"""Storing pages on the real database: nothing lost, nothing twice, nothing backwards."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_world import ADVISORY_LOCKS, World, at, dossier, problem
from sqlalchemy import Connection, event
from sqlalchemy.exc import IntegrityError

from ledger.archive import read_page
from ledger.errors import AlreadyRunning, LedgerUnavailable, PageRefused, RunSuperseded, UnknownRun, WrongDataKey
from ledger.intake import cursor, finish_pull, open_source_ids, start_pull, store_page, system_lock
from ledger.quarantine import dismiss, set_aside
from ledger.sealing import Sealer
from ledger.types import PageCounts, PullMode


def counts(new: int = 0, changed: int = 0, unchanged: int = 0, stale: int = 0, quarantined: int = 0) -> PageCounts:
    return PageCounts(
        fetched=new + changed + unchanged + stale + quarantined,
        new=new,
        changed=changed,
        unchanged=unchanged,
        stale=stale,
        quarantined=quarantined,
    )


# --- promise 1: nothing is lost ---------------------------------------------------------------------------------


def test_p1_a_page_counts_each_record_once(world: World) -> None:
    world.store(dossier("H12.1-0001"), dossier("H12.1-0002", hours=5), dossier("H12.1-0003"))
    told = world.store(
        dossier("H12.1-0001"),
        dossier("H12.1-0002", hours=4, state=2),
        dossier("H12.1-0003", hours=1, state=9),
        dossier("H12.1-0004"),
        problems=[problem(4)],
    )
    assert told == counts(new=1, changed=1, unchanged=1, stale=1, quarantined=1)
    run = world.rows("SELECT pages, fetched, new_, changed, unchanged, stale, quarantined FROM pull_run")
    assert [tuple(row) for row in run] == [(2, 8, 4, 1, 1, 1, 1)]


@pytest.mark.parametrize("fetched", [1, 3])
def test_p1_a_page_whose_numbers_do_not_add_up_is_refused_whole(world: World, fetched: int) -> None:
    page = world.page(dossier("H12.1-0001"), dossier("H12.1-0002"), fetched=fetched, cursor="behind it")
    with pytest.raises(PageRefused, match="records would be lost"):
        store_page(world.engine, world.sealer, page)
    assert world.value("SELECT count(*) FROM dossier") == 0
    assert world.value("SELECT count(*) FROM pull_page") == 0
    assert cursor(world.engine, "gplx") is None


@pytest.mark.parametrize("table", ["pull_run", "pull_page"])
def test_p1_the_database_itself_refuses_an_equation_that_does_not_hold(world: World, table: str) -> None:
    world.store(dossier())
    with pytest.raises(IntegrityError, match="nothing_is_lost"):
        world.execute(f"UPDATE {table} SET unchanged = unchanged + 1")


def test_p1_the_cursor_moves_with_its_page_and_only_when_told(world: World) -> None:
    world.store(dossier("H12.1-0001"), cursor="one")
    assert cursor(world.engine, "gplx") == "one"
    world.store(dossier("H12.1-0002"))
    assert cursor(world.engine, "gplx") == "one"
    assert cursor(world.engine, "igate") is None
    pages = world.rows("SELECT cursor_before, cursor_after FROM pull_page ORDER BY number")
    assert [tuple(row) for row in pages] == [(None, "one"), ("one", "one")]


def test_p1_an_overtaken_run_cannot_move_the_cursor_back(world: World) -> None:
    old, new = world.new_run(), world.new_run()
    world.store(dossier("H12.1-0001"), run_id=new, cursor="far")
    with pytest.raises(RunSuperseded, match="overtaken"):
        world.store(dossier("H12.1-0002"), run_id=old, cursor="near")
    assert cursor(world.engine, "gplx") == "far"
    assert world.value("SELECT count(*) FROM dossier") == 1


def test_p1_the_archive_gives_the_page_back_byte_for_byte(world: World) -> None:
    raw = b"<trang>\x00\xff" + b"ho so " * 1000
    page = world.page(dossier(), raw=raw, media_type="text/xml")
    store_page(world.engine, world.sealer, page)
    kept = read_page(world.engine, world.sealer, page.run_id, page.number)
    assert kept is not None
    assert (kept.raw, kept.media_type) == (raw, "text/xml")
    assert read_page(world.engine, world.sealer, page.run_id, 99) is None
    stored = world.value("SELECT body FROM page_archive")
    assert b"ho so" not in stored
    assert len(stored) < len(raw) / 4


# --- promise 2: never backwards ---------------------------------------------------------------------------------

KEPT = """
    SELECT state, content_hash, source_at, home_state,
        (SELECT step.state FROM dossier_step step WHERE step.dossier_id = id AND step_no = last_step) AS last_step_state
    FROM dossier
"""
NUMBERED = """
    SELECT array_agg(step_no ORDER BY step_no) = (SELECT array_agg(n) FROM generate_series(1, max(last_step)) n)
        AND bool_and(step.at <= last_step_at)
        AND array_agg(step_no ORDER BY step.at, step_no) = array_agg(step_no ORDER BY step_no)
    FROM dossier JOIN dossier_step step ON dossier_id = id AND step_no IS NOT NULL
"""


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_p2_any_order_of_pages_ends_in_the_same_dossier(world: World, data: st.DataObject) -> None:
    hour, state = st.integers(0, 4), st.sampled_from([2, 4, 5, 8, 9])
    told = data.draw(st.lists(st.tuples(hour, hour, state, st.sampled_from([None, "a"])), min_size=2, max_size=5))
    records = [
        dossier(state=state, changed_at=at(changed), state_at=at(entered), note=note)
        for changed, entered, state, note in told
    ]
    ends = []
    for order in (records, data.draw(st.permutations([*records, *records[:2]]))):
        _forget_all(world)
        rest = list(order)
        while rest:
            size = data.draw(st.integers(1, len(rest)))
            world.store(*rest[:size])
            rest = rest[size:]
        assert world.value(NUMBERED)
        ends.append(world.rows(KEPT))
    assert ends[0] == ends[1]


def _forget_all(world: World) -> None:
    world.execute("DELETE FROM dossier_step")
    world.execute("DELETE FROM dossier_alias")
    world.execute("DELETE FROM dossier")


def test_p2_an_older_record_of_a_later_page_is_kept_in_the_history_only(world: World) -> None:
    world.store(dossier(state=9, hours=5))
    before = world.rows("SELECT version, change_no, state FROM dossier")
    assert world.store(dossier(state=4, hours=2)) == counts(stale=1)
    assert world.rows("SELECT version, change_no, state FROM dossier") == before
    assert world.steps() == [(None, 4), (1, 9)]


def test_p2_a_record_touched_without_a_change_still_protects_against_older_ones(world: World) -> None:
    world.store(dossier(state=4, hours=1))
    assert world.store(dossier(state=4, hours=1, changed_at=at(5))) == counts(unchanged=1)
    assert world.value("SELECT version FROM dossier") == 1
    assert world.store(dossier(state=2, hours=3)) == counts(stale=1)


def test_p2_of_two_records_in_one_page_the_newer_wins_wherever_it_stands(world: World) -> None:
    told = world.store(dossier(state=9, hours=3), dossier(state=4, hours=1), dossier(state=9, hours=3))
    assert told == counts(new=1, stale=1, unchanged=1)
    assert world.value("SELECT state FROM dossier") == 9
    assert world.steps() == [(1, 4), (2, 9)]


# --- promise 5: safe to repeat ----------------------------------------------------------------------------------


def test_p5_the_same_records_again_are_all_unchanged(world: World) -> None:
    records = [dossier(f"H12.1-{number:04}", steps=[{"at": at(0), "state": 4}]) for number in range(30)]
    assert world.store(*records) == counts(new=30)
    before = world.rows("SELECT id, version, change_no, xmin::text FROM dossier ORDER BY id")
    assert world.store(*records) == counts(unchanged=30)
    assert world.rows("SELECT id, version, change_no, xmin::text FROM dossier ORDER BY id") == before
    assert world.value("SELECT count(*) FROM dossier_step") == 30


def test_p5_the_very_same_page_is_stored_once_and_answers_the_same(world: World) -> None:
    page = world.page(dossier(), problems=[problem(1)], cursor="behind it")
    first = store_page(world.engine, world.sealer, page)
    assert store_page(world.engine, world.sealer, page) == first == counts(new=1, quarantined=1)
    assert world.value("SELECT fetched FROM pull_run") == 2
    assert world.value("SELECT times_seen FROM quarantine") == 1


def test_p5_a_page_number_cannot_be_used_for_other_bytes(world: World) -> None:
    page = world.page(dossier())
    store_page(world.engine, world.sealer, page)
    with pytest.raises(PageRefused, match="another page with this number"):
        world.store(dossier("H12.1-0002"), number=page.number)


def test_p5_pages_that_meet_on_the_same_new_dossiers_are_both_stored(world: World) -> None:
    records = [dossier(f"H12.1-{number:04}", hours=1) for number in range(200)]
    later = [dossier(f"H12.1-{number:04}", hours=2, state=9) for number in reversed(range(200))]
    systems = ["gplx", "gplx", "igate", "igate"]
    each_twice = zip(systems, [records, later] * 2, strict=True)
    pages = [world.page(*told, system=system) for system, told in each_twice]
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda page: store_page(world.engine, world.sealer, page), pages))
    assert sum(each.new for each in told) == 200
    assert sum(each.fetched for each in told) == 800 == world.value("SELECT sum(fetched) FROM pull_run")
    states = world.rows("SELECT state, count(*) FROM dossier GROUP BY state")
    assert [tuple(row) for row in states] == [(9, 200)]
    assert (
        world.value(
            "SELECT count(*) FROM dossier JOIN dossier_step step ON dossier_id = id AND step_no = last_step"
            " WHERE step.state = dossier.state"
        )
        == 200
    )


# --- what is kept of a dossier ----------------------------------------------------------------------------------


def test_personal_data_is_nowhere_in_plain_words(world: World) -> None:
    told = dossier(
        applicant={"name": "Trần Bí Mật", "phone": "0900000001", "identity_kind": 1, "identity_number": "001099000009"},
        summary="Cấp đổi cho Trần Bí Mật",
        note="gọi 0900000001",
        steps=[{"at": at(0), "state": 4, "officer": "Lê Bí Mật", "content": "đã gọi Trần Bí Mật"}],
    )
    world.store(told, problems=[problem(1, native="Phạm Bí Mật".encode())])
    held = world.value(
        "SELECT (SELECT array_agg(dossier) FROM dossier)::text || (SELECT array_agg(step) FROM dossier_step step)::text"
        " || (SELECT array_agg(quarantine) FROM quarantine)::text"
    )
    for secret in ("Bí Mật", "0900000001", "001099000009", "Bí Mật".encode().hex()):
        assert secret not in held
    digest = world.value("SELECT identity_digest FROM dossier")
    assert digest == world.sealer.digest("001099000009")


def test_names_of_offices_and_results_stand_beside_as_attributes(world: World) -> None:
    world.store(dossier(agency_name="Sở Xây dựng", native_state="DXL", results=[{"name": "GPLX", "code": "79"}]))
    assert world.value("SELECT attributes FROM dossier") == {
        "agency_name": "Sở Xây dựng",
        "native_state": "DXL",
        "results": [{"name": "GPLX", "code": "79", "url": None}],
    }


def test_another_data_key_is_refused_before_anything_is_written(world: World) -> None:
    world.store(dossier("H12.1-0001"))
    page = world.page(dossier("H12.1-0002"))
    with pytest.raises(WrongDataKey, match="HOSYNC_DATA_KEY"):
        store_page(world.engine, Sealer(bytes(32)), page)
    assert world.value("SELECT count(*) FROM dossier") == 1


def test_open_source_ids_are_those_of_dossiers_not_at_their_end(world: World) -> None:
    world.store(
        dossier("H12.1-0001", state=9), dossier("H12.1-0002", state=10), dossier("H12.1-0003", source_id="ours")
    )
    world.store(dossier("H12.1-0003", source_id="theirs"), system="igate", precedence=1)
    assert open_source_ids(world.engine, "gplx") == ["id of H12.1-0001", "ours"]
    assert open_source_ids(world.engine, "igate") == ["theirs"]


def test_a_national_code_leads_two_systems_to_one_dossier(world: World) -> None:
    world.store(dossier("H12.1-0001", national_code="G01-77", hours=1), system="igate", precedence=20)
    told = world.store(dossier("G01-77", source_id="77", state=9, hours=2))
    assert told == counts(changed=1)
    assert [tuple(row) for row in world.rows("SELECT code, state, home_system FROM dossier")] == [
        ("H12.1-0001", 9, "igate")
    ]
    told = world.store(dossier("LOCAL-77", source_id="77", national_code="G01-77", state=10, hours=3))
    assert told == counts(changed=1)


def test_a_guest_reading_is_kept_and_judged_by_itself(world: World) -> None:
    world.store(dossier(hours=1), system="igate", precedence=20)
    assert world.store(dossier(state=9, hours=2)) == counts(changed=1)
    assert world.store(dossier(state=9, hours=2)) == counts(unchanged=1)
    assert world.store(dossier(state=2, hours=1)) == counts(stale=1)
    assert [tuple(row) for row in world.rows("SELECT system, state FROM dossier_reading")] == [("gplx", 9)]
    assert world.store(dossier(state=10, hours=3)) == counts(changed=1)
    assert [tuple(row) for row in world.rows("SELECT state, version FROM dossier")] == [(10, 3)]


def test_a_stronger_system_takes_the_home_over(world: World) -> None:
    world.store(dossier(hours=1, note="yếu"))
    assert world.store(dossier(hours=1, note="mạnh"), system="igate", precedence=20) == counts(changed=1)
    assert world.value("SELECT home_system FROM dossier") == "igate"
    assert world.value("SELECT system FROM dossier_reading") == "gplx"
    assert world.store(dossier(hours=2, state=9)) == counts(changed=1)
    assert world.value("SELECT state_system FROM dossier") == "gplx"


def test_a_pull_whose_session_is_cut_while_it_takes_its_lock_has_lost_the_ledger(world: World) -> None:
    def cut(connection: Connection, *_: object) -> None:
        world.execute(f"SELECT pg_terminate_backend({connection.connection.driver_connection.info.backend_pid})")

    event.listen(world.engine, "before_cursor_execute", cut, once=True)
    with pytest.raises(LedgerUnavailable), system_lock(world.engine, "gplx"):
        pytest.fail("nobody holds the lock")


# --- quarantine -------------------------------------------------------------------------------------------------


def test_the_same_broken_record_is_one_row_with_a_counter(world: World) -> None:
    for _ in range(3):
        assert world.store(problems=[problem(0), problem(1)]) == counts(quarantined=2)
    assert [tuple(row) for row in world.rows("SELECT times_seen, state FROM quarantine")] == [(6, "open")]
    assert world.value("SELECT quarantined FROM pull_run") == 6


@pytest.mark.parametrize("key", ["id of H12.1-0001", "H12.1-0001", "G01-77"])
def test_a_later_good_record_resolves_the_quarantine(world: World, key: str) -> None:
    world.store(problems=[problem(key=key), problem(key="another", native=b"x")])
    world.store(dossier(national_code="G01-77"))
    rows = world.rows("SELECT record_key, state, resolved_at IS NOT NULL FROM quarantine ORDER BY quarantine_id")
    assert [tuple(row) for row in rows] == [(key, "redriven", True), ("another", "open", False)]


def test_an_overtaken_record_resolves_nothing(world: World) -> None:
    world.store(dossier(hours=5))
    world.store(problems=[problem(key="H12.1-0001")])
    world.store(dossier(hours=2, state=2))
    assert world.value("SELECT state FROM quarantine") == "open"


def test_p1_a_page_that_comes_twice_resolves_nothing(world: World) -> None:
    world.store(dossier(hours=5))
    world.store(problems=[problem(key="H12.1-0001")])
    assert world.store(dossier(hours=5)) == counts(unchanged=1)
    assert world.value("SELECT state FROM quarantine") == "open"


def test_a_dismissed_record_stays_dismissed_and_a_resolved_one_opens_again(world: World) -> None:
    world.store(problems=[problem(key="A", native=b"a"), problem(key="H12.1-0001", native=b"b")])
    first, second = set_aside(world.engine, world.sealer, "gplx", limit=10)
    assert (first.native, second.native) == (b"a", b"b")
    assert dismiss(world.engine, first.quarantine_id, reason="test record of the vendor")
    assert not dismiss(world.engine, first.quarantine_id, reason="twice")
    world.store(dossier())
    assert set_aside(world.engine, world.sealer, "gplx", limit=10) == []
    world.store(problems=[problem(key="A", native=b"a"), problem(key="H12.1-0001", native=b"b")])
    states = world.rows("SELECT state, times_seen FROM quarantine ORDER BY quarantine_id")
    assert [tuple(row) for row in states] == [("dismissed", 2), ("open", 2)]


def test_one_code_on_two_records_of_a_system_is_a_clash_for_a_person(world: World) -> None:
    world.store(dossier(source_id="one", hours=1))
    assert world.store(dossier(source_id="two", hours=2, state=9)) == counts(quarantined=1)
    assert world.value("SELECT state FROM dossier") == 4
    (row,) = world.rows("SELECT stage, rule, record_key, message FROM quarantine")
    assert tuple(row[:3]) == ("identity", "one code, one dossier", "two")
    assert "H12.1-0001" in row.message
    both = [dossier("H12.1-0009", source_id="a", hours=1), dossier("H12.1-0009", source_id="b", hours=2)]
    assert world.store(*both) == counts(new=1, quarantined=1)
    assert world.value("SELECT source_id FROM dossier WHERE code = 'H12.1-0009'") == "b"


# --- runs -------------------------------------------------------------------------------------------------------


def test_a_run_ends_as_succeeded_or_with_its_error(world: World) -> None:
    good, bad = world.new_run(), world.new_run()
    finish_pull(world.engine, good, error=None)
    finish_pull(world.engine, bad, error="the system answers 503")
    rows = world.rows("SELECT status, error, finished_at IS NOT NULL FROM pull_run ORDER BY seq")
    assert [tuple(row) for row in rows] == [("succeeded", None, True), ("failed", "the system answers 503", True)]


def test_a_run_that_does_not_exist_or_is_of_another_system_is_named(world: World) -> None:
    with pytest.raises(UnknownRun):
        finish_pull(world.engine, uuid4(), error=None)
    with pytest.raises(UnknownRun, match="of system igate"):
        world.store(dossier(), system="igate", run_id=world.run("gplx"))


def test_p5_one_pull_per_system_and_a_killed_one_is_marked_as_interrupted(world: World) -> None:
    world.new_run("gplx")
    world.new_run("igate")
    with system_lock(world.engine, "gplx"):
        with pytest.raises(AlreadyRunning, match="gplx"), system_lock(world.engine, "gplx"):
            pass
        with system_lock(world.engine, "dkkd"):
            pass
    with system_lock(world.engine, "gplx"):
        pass
    rows = world.rows("SELECT system, status FROM pull_run ORDER BY seq")
    assert [tuple(row) for row in rows] == [("gplx", "interrupted"), ("igate", "running")]


def test_p4_p5_a_killed_pull_of_a_window_is_marked_as_interrupted_when_the_window_is_pulled_again(world: World) -> None:
    january, february, march = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3))
    for window in ((january, february), (february, march), (january, february)):
        start_pull(world.engine, system="gplx", mode=PullMode.WINDOW, window=window, started_by="test")
    assert world.rows("SELECT status FROM pull_run ORDER BY seq") == [("interrupted",), ("running",), ("running",)]


def test_p5_a_lock_whose_session_broke_is_free_and_its_holder_ends_in_peace(world: World) -> None:
    with system_lock(world.engine, "gplx"):
        world.value(f"SELECT count(pg_terminate_backend(pid)) {ADVISORY_LOCKS}")
        while world.value(f"SELECT count(*) {ADVISORY_LOCKS}"):
            pass
        with system_lock(world.engine, "gplx"):
            pass


def test_the_window_of_a_run_is_kept(world: World) -> None:
    start_pull(world.engine, system="s", mode=PullMode.WINDOW, window=(at(0), at(24)), started_by="backfill")
    (row,) = world.rows("SELECT mode, window_start, window_end, started_by FROM pull_run")
    assert tuple(row) == ("window", at(0), at(24), "backfill")


def test_records_without_any_time_are_ordered_by_when_they_were_fetched(world: World) -> None:
    def told(state: int, hours: float) -> PageCounts:
        return world.store(dossier(state=state, changed_at=None, state_at=None), fetched_at=at(hours))

    assert told(2, 10) == counts(new=1)
    assert told(4, 12) == counts(changed=1)
    assert told(2, 11) == counts(stale=1)
    assert told(4, 13) == counts(unchanged=1)
    assert world.value("SELECT source_at FROM dossier") == at(13)


def test_dossiers_of_any_age_find_a_place(world: World) -> None:
    ancient = datetime(1995, 1, 1, tzinfo=UTC)
    future = datetime(2099, 12, 31, tzinfo=UTC)
    world.store(dossier("H12.1-0001", steps=[{"at": ancient, "state": 1}, {"at": future, "state": 4}]))
    assert world.steps() == [(1, 1), (2, 4)]
