"""Deliveries within limits, against a real server that counts what reaches it."""

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from counting_target import Counting, Open
from sqlalchemy import Engine

from connectors.api import Outcome, Verdict
from connectors.errors import NoTurn
from ledger import gate as shared
from ledger.again import resend_dead
from ledger.gate import gates, pause, resume
from ledger.turns import Grant
from sync.deliver import deliver
from sync.gate import Gate


def soon(engine: Engine) -> None:
    """No retry waits any longer."""
    with engine.begin() as connection_:
        connection_.exec_driver_sql("UPDATE delivery SET due_at = now() WHERE state IN ('due', 'doubt')")


def test_calls_at_once_stay_within_the_quota_though_more_threads_would_call(desk: Open, target: Counting) -> None:
    one = desk(quota={"concurrent": 3}, concurrency=8)
    one.news(*range(60))
    target.slow_s = 0.01
    report = deliver(one.context, "feed")
    assert (report.accepted, report.remaining) == (60, 0)
    assert target.most_at_once == 3


def test_a_worker_calls_no_more_at_once_than_its_entry_says_though_it_writes_one_message_ahead(
    desk: Open, target: Counting
) -> None:
    one = desk(concurrency=3)
    one.news(*range(60))
    target.slow_s = 0.01
    assert deliver(one.context, "feed").accepted == 60
    assert target.most_at_once == 3


def test_calls_per_second_stay_within_the_quota(desk: Open, target: Counting) -> None:
    one = desk(quota={"per_second": 25}, concurrency=8)
    one.news(*range(60))
    assert deliver(one.context, "feed").accepted == 60
    assert target.most_in_a_second <= 25


def test_the_day_s_calls_are_never_exceeded_and_the_rest_waits_for_tomorrow(desk: Open, target: Counting) -> None:
    one = desk(quota={"per_day": 25})
    one.news(*range(60))
    first, second = deliver(one.context, "feed"), deliver(one.context, "feed")
    assert (first.accepted, second.accepted, target.calls) == (25, 0, 25)
    assert (second.remaining, second.resting) == (35, "day")
    assert one.deliveries() == {"idle": 25, "due": 35}
    with one.engine.connect() as connection_:
        attempts = connection_.exec_driver_sql("SELECT sum(attempts) FROM delivery").scalar_one()
    assert attempts == 0, "what was not sent has not failed"


# --- a target that does not answer ------------------------------------------------------------------------------


def test_a_target_that_is_down_is_called_a_few_times_only_and_then_found_to_be_well_by_one_call(
    desk: Open, target: Counting
) -> None:
    one = desk(breaker={"failures": 4, "rest": "1s", "longest_rest": "1s"})
    one.news(*range(100))
    target.down = True
    report = deliver(one.context, "feed")
    assert report.resting == "broken"
    assert target.calls <= 4 + 4, "those under way when it broke, and no more"
    assert gates(one.engine)["feed"].broken_since is not None
    calls = target.calls
    assert deliver(one.context, "feed").resting == "broken"
    assert target.calls == calls
    target.down = False
    soon(one.engine)
    for _ in range(10):
        deliver(one.context, "feed", wait_s=30)
        soon(one.engine)
        if one.deliveries() == {"idle": 100}:
            break
    assert one.deliveries() == {"idle": 100}
    assert gates(one.engine)["feed"].broken_since is None


def test_a_target_that_asks_to_be_left_alone_is_not_called_by_anybody(desk: Open, target: Counting) -> None:
    one = desk()
    one.news(*range(50))
    target.retry_after_s = 600
    report = deliver(one.context, "feed")
    assert report.resting == "asked"
    assert report.resting_until is not None
    assert report.resting_until > datetime.now(UTC) + timedelta(seconds=500)
    assert target.calls <= 4
    target.retry_after_s = None
    assert deliver(one.context, "feed").sent == 0
    assert target.calls <= 4


def test_nobody_calls_in_the_place_of_a_call_that_was_asked_to_stop(desk: Open) -> None:
    one = desk(concurrency=2, quota={"concurrent": 1})
    calls: list[str] = []

    def call_too() -> None:
        try:
            with gate.turn():
                calls.append("went")
        except NoTurn:
            calls.append("stopped")

    with Gate(one.engine, one.context.catalog.target("feed")) as gate:
        with gate.begun_before(time.monotonic() + 30):
            with gate.turn():
                other = threading.Thread(target=call_too)
                other.start()
                time.sleep(0.2)
            time.sleep(0.3)  # the answer is being understood
            gate.sent([Verdict("1", Outcome.RETRY, retry_after_s=600)], again=False)
        other.join()
    assert calls == ["stopped"]


@pytest.mark.parametrize(("call_s", "pace"), [(0.0, 1.0), (0.3, 0.5)], ids=["waited", "timed out"])
def test_a_target_is_slow_when_its_calls_are_and_not_when_they_wait_for_their_turn(
    desk: Open, call_s: float, pace: float
) -> None:
    one = desk(concurrency=2, quota={"concurrent": 1}, timeouts={"read_s": 0.3, "total_s": 5})
    begun, waited = threading.Event(), threading.Event()

    def hold() -> None:
        with gate.turn():
            begun.set()
            waited.wait()

    with Gate(one.engine, one.context.catalog.target("feed")) as gate:
        other = threading.Thread(target=hold)
        other.start()
        begun.wait()
        threading.Timer(0.4, waited.set).start()
        with gate.begun_before(time.monotonic() + 30):
            with gate.turn():
                time.sleep(call_s)
            gate.sent([Verdict("1", Outcome.IN_DOUBT)], again=False)
        other.join()
    assert gates(one.engine)["feed"].pace == pace


def test_a_poison_record_is_given_up_while_all_others_go_through_and_may_be_sent_again(
    desk: Open, target: Counting
) -> None:
    one = desk(retries={"attempts": 3})
    target.poison = frozenset({"0007"})
    one.news(*range(20))
    for round_ in range(8):
        deliver(one.context, "feed")
        soon(one.engine)
        one.news(100 + round_)  # life goes on: the target takes other records
        if one.deliveries()["dead"]:
            break
    deliver(one.context, "feed")
    assert one.deliveries()["dead"] == 1
    assert "0007" not in target.taken
    target.poison = frozenset()
    assert resend_dead(one.engine, "feed", by="test") == 1
    deliver(one.context, "feed")
    assert set(one.deliveries()) == {"idle"}
    assert target.taken["0007"] == 1


# --- people stop it ---------------------------------------------------------------------------------------------


def test_a_pause_stops_a_run_under_way_and_nothing_is_lost(desk: Open, target: Counting) -> None:
    one = desk(concurrency=2)
    one.news(*range(400))
    target.slow_s = 0.02

    def pause_soon() -> None:
        while target.calls < 10:
            time.sleep(0.01)
        pause(one.engine, "feed", by="test")

    person = threading.Thread(target=pause_soon)
    person.start()
    report = deliver(one.context, "feed")
    person.join()
    assert report.resting == "paused"
    assert 10 <= target.calls < 400
    calls = target.calls
    assert deliver(one.context, "feed").resting == "paused"
    assert target.calls == calls
    assert set(one.deliveries()) == {"idle", "due"}
    target.slow_s = 0.0
    resume(one.engine, "feed", by="test")
    assert deliver(one.context, "feed").remaining == 0
    assert set(target.taken.values()) == {1}


def test_in_quiet_hours_nobody_is_called_and_the_run_ends_well(desk: Open, target: Counting) -> None:
    one = desk(quiet=["00:00-12:00", "12:00-24:00"])
    one.news(1)
    report = deliver(one.context, "feed")
    assert (report.resting, report.sent, target.calls) == ("quiet", 0, 0)


def test_p2_news_passes_a_backlog_and_each_dossier_keeps_its_order(desk: Open, target: Counting) -> None:
    one = desk(concurrency=1)
    one.news(*range(500))
    one.feed()
    one.execute("UPDATE delivery SET priority = 9")
    one.news(9999)
    deliver(one.context, "feed", limit=200)
    assert target.order.index("9999") <= 1


def test_p2_no_call_begins_after_its_lease_although_it_was_the_ledger_that_took_so_long(
    desk: Open, target: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = desk()
    late_s, sync = 0.0, shared.sync

    def slow(*told: Any) -> Grant:
        nonlocal late_s
        late_s += 60
        return sync(*told)

    monkeypatch.setattr("sync.gate.monotonic", lambda: time.monotonic() + late_s)
    monkeypatch.setattr("sync.gate.shared.sync", slow)
    gate = Gate(one.engine, one.context.catalog.target("feed"))
    with gate, gate.begun_before(time.monotonic() + 30), pytest.raises(NoTurn), gate.turn():
        pytest.fail("another worker may have the row by now")
    assert target.calls == 0


@pytest.mark.timeout(60)
def test_a_push_that_may_wait_does_not_wait_for_leases_of_its_own(desk: Open, target: Counting) -> None:
    one = desk(lease_s=150)
    one.news(1)
    one.feed()
    target.slow_s = 0.2  # so that its other lane finds the only dossier leased
    assert deliver(one.context, "feed", wait_s=200).remaining == 0
