"""The inbox: stored once, read in order, nothing skipped, kept until it is in the ledger."""

import multiprocessing
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import psycopg
import pytest
from ledger_world import World, dossier

from ledger.engine import open_engine
from ledger.errors import LedgerError, WrongDataKey
from ledger.inbox import Calls, Inbox, InboxCall, Received, calls, listening
from ledger.sealing import Sealer

FORK = multiprocessing.get_context("fork")
BODY = '{"SoBienNhan": "H12.11-260302-0001", "GhiChu": "Nguyễn Văn Thử"}'.encode()
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def inbox(world: World) -> Inbox:
    return Inbox(world.engine, world.sealer, "vbdlis")


def _put(inbox: Inbox, content: bytes, kind: str = "ChuyenHoSo") -> Received:
    return inbox.put(kind, BODY, content=content, remote="192.0.2.7")


def _drain(inbox: Inbox, limit: int = 10) -> list[InboxCall]:
    calls: list[InboxCall] = []
    while more := inbox.after(calls[-1].position if calls else 0, limit):
        calls += more
    return calls


def _take_over(world: World, position: int) -> None:
    """What a pull does with the calls up to a position."""
    world.store(dossier(), system="vbdlis", cursor=str(position))


def test_a_call_is_read_back_as_it_came(inbox: Inbox, world: World) -> None:
    before = datetime.now(UTC)
    assert _put(inbox, b"1") is Received.STORED
    (call,) = inbox.after(0, 10)
    assert (call.kind, call.body) == ("ChuyenHoSo", BODY)
    assert before - timedelta(seconds=5) < call.received_at < datetime.now(UTC) + timedelta(seconds=5)
    assert world.value("SELECT remote FROM inbox") == "192.0.2.7"


def test_what_is_stored_tells_nothing_to_who_reads_the_table(inbox: Inbox, world: World) -> None:
    _put(inbox, b"1")
    (row,) = world.rows("SELECT digest, body FROM inbox")
    assert b"SoBienNhan" not in bytes(row.body)
    assert "SoBienNhan" not in repr(inbox.after(0, 1))
    assert bytes(row.digest) != Sealer(bytes(32)).digest(b"ChuyenHoSo\x001"), "the digest must need the key"


def test_a_repeated_call_is_stored_once_and_another_kind_or_system_is_another_call(inbox: Inbox, world: World) -> None:
    outcomes = [_put(inbox, b"1"), _put(inbox, b"1"), _put(inbox, b"2"), _put(inbox, b"1", kind="KetThucHoSo")]
    outcomes.append(_put(Inbox(world.engine, world.sealer, "ilis"), b"1"))
    stored, repeated = Received.STORED, Received.REPEATED
    assert outcomes == [stored, repeated, stored, stored, stored]
    assert len(inbox.after(0, 10)) == 3
    assert inbox.tally() == {stored: 3, repeated: 1}


def test_p5_the_same_call_many_times_at_once_is_stored_once(inbox: Inbox) -> None:
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: _put(inbox, b"1"), range(24)))
    assert outcomes.count(Received.STORED) == 1
    assert len(inbox.after(0, 10)) == 1
    assert inbox.tally() == {Received.STORED: 1, Received.REPEATED: 23}


def test_calls_are_read_in_pieces_in_the_order_in_which_they_came(inbox: Inbox) -> None:
    for number in range(7):
        _put(inbox, str(number).encode())
    calls = _drain(inbox, limit=3)
    assert len(calls) == 7
    assert all(one.position < other.position for one, other in pairwise(calls))


def test_p1_who_reads_on_from_the_last_call_it_saw_misses_none_however_calls_come_in(inbox: Inbox) -> None:
    seen: list[int] = []
    with ThreadPoolExecutor(12) as pool:
        puts = [pool.submit(_put, inbox, str(number).encode()) for number in range(300)]
        while len(seen) < 300 and not (all(put.done() for put in puts) and not inbox.after(seen[-1], 1)):
            seen += [call.position for call in inbox.after(seen[-1] if seen else 0, 50)]
    assert len(seen) == 300
    assert seen == sorted(seen)


def test_a_call_waits_for_its_turn_before_it_gets_its_number(inbox: Inbox, world: World) -> None:
    with ThreadPoolExecutor(1) as pool, world.engine.connect() as holder:
        # Another call's statement that has its turn and takes long.
        holder.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtextextended('hosync inbox:vbdlis', 0))")
        late = pool.submit(_put, inbox, b"1")
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'"
        while not world.value(waiting):
            assert not late.done(), "it must wait"
        taken_meanwhile = world.value("SELECT nextval('inbox_message_id_seq')")
        holder.rollback()
        assert late.result() is Received.STORED
    assert inbox.after(0, 1)[0].position > taken_meanwhile


def test_what_waits_is_what_lies_behind_the_cursor(inbox: Inbox, world: World) -> None:
    assert calls(world.engine) == {}
    for number in range(3):
        _put(inbox, str(number).encode())
    _put(inbox, b"2")
    inbox.count(Received.NO_SECRET, 7)
    first, _, last = inbox.after(0, 3)
    told = {"stored": 3, "repeated": 1, "refused": 0, "no_secret": 7}
    assert calls(world.engine) == {"vbdlis": Calls(**told, waiting=3, oldest_waiting_at=first.received_at)}
    _take_over(world, last.position - 1)
    assert calls(world.engine) == {"vbdlis": Calls(**told, waiting=1, oldest_waiting_at=last.received_at)}
    _take_over(world, last.position)
    assert calls(world.engine) == {"vbdlis": Calls(**told, waiting=0, oldest_waiting_at=None)}


def test_only_calls_that_are_in_the_ledger_are_forgotten(inbox: Inbox, world: World) -> None:
    for number in range(3):
        _put(inbox, str(number).encode())
    later = datetime.now(UTC) + timedelta(hours=1)
    assert inbox.forget(later) == 0, "nothing has been taken over"
    _take_over(world, inbox.after(0, 2)[-1].position)
    assert inbox.forget(LONG_AGO) == 0, "they are kept for a while"
    assert inbox.forget(later) == 2
    assert len(inbox.after(0, 10)) == 1


def test_calls_of_a_span_of_time_can_be_read_again(inbox: Inbox, world: World) -> None:
    for number in range(3):
        _put(inbox, str(number).encode())
    first, *_ = inbox.after(0, 3)
    world.execute("UPDATE inbox SET received_at = :at WHERE message_id = :id", at=LONG_AGO, id=first.position)
    day = timedelta(days=1)
    assert inbox.received(LONG_AGO, LONG_AGO + day, position=0, limit=9) == inbox.after(0, 1)
    assert inbox.received(LONG_AGO, LONG_AGO + day, position=first.position, limit=9) == []
    assert len(inbox.received(LONG_AGO + day, datetime.now(UTC) + day, position=0, limit=9)) == 2


def test_refused_calls_are_only_counted(inbox: Inbox) -> None:
    inbox.count(Received.REFUSED)
    inbox.count(Received.NO_SECRET, 5)
    inbox.count(Received.NO_SECRET, 2)
    assert inbox.tally() == {Received.REFUSED: 1, Received.NO_SECRET: 7}
    assert inbox.after(0, 1) == []


def test_another_data_key_is_refused_before_anything_is_stored(inbox: Inbox, world: World) -> None:
    _put(inbox, b"1")
    with pytest.raises(WrongDataKey):
        _put(Inbox(world.engine, Sealer(bytes(32)), "vbdlis"), b"2")
    assert len(inbox.after(0, 10)) == 1


def test_an_error_of_the_database_does_not_quote_the_call(inbox: Inbox) -> None:
    with pytest.raises(LedgerError, match="vbdlis") as caught:
        inbox.put("ChuyenHoSo", BODY, content=b"1", remote="\x00")
    assert "Nguyễn" not in str(caught.value)


def test_dossiers_are_announced_once_and_refused_ones_are_tried_again_after_a_day(inbox: Inbox, world: World) -> None:
    codes = ["H12.11-3", "H12.11-1", "H12.11-2"]
    assert inbox.to_announce(codes) == codes
    inbox.note_announced("H12.11-1", accepted=True)
    inbox.note_announced("H12.11-2", accepted=False)
    assert inbox.to_announce(codes) == ["H12.11-3"]
    assert Inbox(world.engine, world.sealer, "vbdlis2").to_announce(codes) == codes
    world.execute("UPDATE announced SET tried_at = tried_at - interval '25 hours'")
    assert inbox.to_announce(codes) == ["H12.11-3", "H12.11-2"]
    inbox.note_announced("H12.11-2", accepted=True)
    assert inbox.to_announce(codes) == ["H12.11-3"]


def _put_in_a_child(url: str, key: bytes) -> None:
    _put(Inbox(open_engine(url), Sealer(key), "vbdlis"), b"1")
    os._exit(0)


@pytest.mark.parametrize("table", ["ledger_key", "inbox", "inbox_tally"])
def test_p1_a_call_killed_while_it_is_stored_is_stored_once_when_it_comes_again(
    inbox: Inbox, database_url: str, data_key: bytes, table: str
) -> None:
    plain = database_url.replace("+psycopg", "")
    with psycopg.connect(plain, application_name="test") as holder, psycopg.connect(plain, autocommit=True) as watcher:
        holder.execute(f"LOCK TABLE {table} IN SHARE MODE")
        child = FORK.Process(target=_put_in_a_child, args=(database_url, data_key))
        child.start()
        assert child.pid is not None
        blocked = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        while (row := watcher.execute(blocked).fetchone()) is None:
            time.sleep(0.01)
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        holder.rollback()
        while watcher.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", row).fetchone():
            time.sleep(0.01)
    # The server may have finished the statement that the dead client had sent: either way there is one.
    _put(inbox, b"1")
    assert len(inbox.after(0, 10)) == 1
    assert inbox.tally()[Received.STORED] == 1


def test_who_listens_hears_of_a_call_once_it_is_durable_and_of_its_repetition_not(inbox: Inbox, world: World) -> None:
    with listening(world.engine) as heard:
        assert heard(0.05) == frozenset()
        _put(inbox, b"1")
        assert heard(20) == {"vbdlis"}
        assert len(inbox.after(0, 10)) == 1
        _put(inbox, b"1")
        inbox.count(Received.REFUSED)
        assert heard(0.3) == frozenset()
