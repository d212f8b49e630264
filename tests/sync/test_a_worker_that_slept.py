"""P2 and P3: a worker is stopped in the middle of its work, another one takes over, and then the first one wakes up.

What it still had to send is old by then, and what it learnt is about messages that are no longer its own. One that is
awake is waited for.
"""

import os
import signal
import threading
import time
from uuid import uuid4

import pytest
from counting_target import Counting, Open, worker
from sqlalchemy import Engine, text

from ledger.delivery import claim, release
from sync.deliver import deliver

NUMBERS = range(6)


def test_p2_p3_a_worker_that_slept_beyond_its_lease_sets_nothing_back_and_books_nothing(
    desk: Open, target: Counting, own_database_url: str, data_key: bytes
) -> None:
    one = desk(lease_s=4, concurrency=1, timeouts={"connect_s": 2, "read_s": 2, "total_s": 2})
    one.news(*NUMBERS, state=4)
    one.feed()
    target.slow_s = 0.5
    sleeper = worker(one, own_database_url, data_key)
    try:
        while not target.calls:  # the first call is under way, the others are written down as about to be sent
            assert sleeper.poll() is None
            time.sleep(0.01)
        os.kill(sleeper.pid, signal.SIGSTOP)
        target.slow_s = 0.0
        one.news(*NUMBERS, state=9, hours=1)
        assert deliver(one.context, "feed", wait_s=60).remaining == 0
        calls = target.calls
        assert target.held == {f"{number:04}": 9 for number in NUMBERS}
        before = _booked(one.engine)
    finally:
        os.kill(sleeper.pid, signal.SIGCONT)
    assert sleeper.wait(200) == 0
    assert target.calls == calls, "what was left to send was another worker's by then"
    assert target.held == {f"{number:04}": 9 for number in NUMBERS}
    assert _booked(one.engine) == before
    assert one.deliveries() == {"idle": len(NUMBERS)}


@pytest.mark.usefixtures("target")
def test_p1_what_another_worker_has_is_waited_for_though_its_lease_is_long(desk: Open) -> None:
    one = desk(lease_s=3600)
    one.news(*NUMBERS)
    one.feed()
    other = uuid4()
    assert claim(one.engine, one.sealer, "feed", owner=other, limit=len(NUMBERS), lease_s=3600)
    done = threading.Timer(0.5, release, (one.engine, "feed", other))
    done.start()
    try:
        report = deliver(one.context, "feed", wait_s=60)
    finally:
        done.join()
    assert report.accepted == len(NUMBERS)
    assert report.remaining == 0


def _booked(engine: Engine) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT dossier_id, state, acked_version, token, attempts FROM delivery ORDER BY dossier_id")
        )
        return [tuple(row) for row in rows]
