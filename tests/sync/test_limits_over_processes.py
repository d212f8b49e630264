"""The same limits when several processes call one target, and when one of them is killed."""

import time

from counting_target import Counting, Open, worker

from sync.deliver import deliver


def test_four_processes_together_never_exceed_the_quota_and_send_everything_once(
    desk: Open, target: Counting, own_database_url: str, data_key: bytes
) -> None:
    one = desk(quota={"concurrent": 5}, concurrency=4)
    one.news(*range(200))
    one.feed()
    target.slow_s = 0.02
    workers = [worker(one, own_database_url, data_key) for _ in range(4)]
    for each in workers:
        each.wait(60)
    deliver(one.context, "feed", wait_s=20)
    assert one.deliveries() == {"idle": 200}
    assert set(target.taken.values()) == {1}
    assert target.most_at_once <= 5


def test_a_killed_process_gives_its_calls_back_and_the_quota_holds_meanwhile(
    desk: Open, target: Counting, own_database_url: str, data_key: bytes
) -> None:
    one = desk(quota={"concurrent": 2}, concurrency=2, timeouts={"connect_s": 1, "read_s": 1, "total_s": 1})
    one.news(*range(40))
    one.feed()
    target.slow_s = 0.2
    killed = worker(one, own_database_url, data_key)
    while target.calls < 2:
        assert killed.poll() is None
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    target.slow_s = 0.01
    assert deliver(one.context, "feed").resting == "full", "its slots are its own until its calls must be over"
    report = deliver(one.context, "feed", wait_s=40)
    assert report.remaining == 0
    assert len(target.taken) == 40
    assert target.most_at_once == 2
