"""P3: a process that is killed with SIGKILL between sending a report and booking it; several processes at once."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import forked
import pytest
from reporting_world import Open, Reporting

MONTH = ("satisfaction", "2026-03", "H12")
Environment = Callable[[], dict[str, str]]
PATIENT = {"timeouts": {"connect_s": 2, "read_s": 20, "total_s": 20}, "lease_s": 21}


@pytest.fixture
def around(own_database_url: str, data_key: bytes) -> Environment:
    """The environment in which `hosync` finds the ledger, and the targets that run by then."""
    key = base64.b64encode(data_key).decode()
    return lambda: os.environ | {"HOSYNC_DATABASE_URL": own_database_url, "HOSYNC_DATA_KEY": key}


def sending(target: str) -> tuple[str, ...]:
    """The command that sends a target its reports."""
    return ("reports", target, "--send", "--json")


def killed_after_the_write(world: Reporting, target: str, around: Environment) -> None:
    """The target applies the first report and does not answer; whoever sent it is killed meanwhile."""
    world.targets[target].fault("apply-then-hang", seconds=30)
    process = forked.start(*sending(target), env=around())
    while not world.targets[target].control("writes"):
        assert process.poll() is None, "it ended before it was killed"
        time.sleep(0.01)
    process.kill()
    process.wait()
    (left,) = [each for each in world.rows(target).values() if each.state == "leased" and each.acked is None][:1]
    assert left.last_outcome is None, "nothing was booked"


def end_its_lease(world: Reporting) -> None:
    """As if the time of the dead worker's lease were over."""
    with world.world.context.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE report SET lease_until = now() - interval '1 second' WHERE state = 'leased'")


@pytest.mark.parametrize(("target", "service"), [("npsp", "DongBoDanhGia"), ("province", "UpdateStatistic")])
def test_p3_what_a_killed_process_had_sent_is_there_once(
    open_world: Open, around: Environment, target: str, service: str
) -> None:
    world = open_world(changes=PATIENT)
    world.rate_some()
    killed_after_the_write(world, target, around)
    end_its_lease(world)
    world.report(target)
    applied = [(write["operation"], write["key"]) for write in world.applied(target)]
    assert len(set(applied)) == len(applied)
    assert world.held(target, service)
    assert {each.state for each in world.rows(target).values()} == {"idle"}
    if target == "npsp":
        assert world.rows(target)[MONTH].last_outcome == "given_up"


def test_p3_p5_several_processes_at_once_send_each_report_once(open_world: Open, around: Environment) -> None:
    world = open_world(changes=PATIENT)
    world.rate_some()
    world.targets["province"].fault("slow", times=1000, seconds=0.05)
    with ThreadPoolExecutor(3) as pool:
        processes = [pool.submit(forked.run, *sending("province"), env=around()) for _ in range(3)]
        done = [process.result() for process in processes]
    told: list[Any] = [json.loads(each.stdout) for each in done]
    assert {each.returncode for each in done} <= {0, 1}  # 1: others were still sending some
    world.report("province")
    writes = [(write["operation"], write["key"]) for write in world.targets["province"].control("writes")]
    assert len(set(writes)) == len(writes) == len(world.rows("province"))
    assert sum(each["sent"][0]["accepted"] for each in told) <= len(writes)
