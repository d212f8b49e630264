"""P3: a process that is killed with SIGKILL between sending a report and booking it; several processes at once."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from reporting_world import Open, Reporting

HOSYNC = Path(sys.executable).with_name("hosync")
MONTH = ("satisfaction", "2026-03", "H12")
PATIENT = {"timeouts": {"connect_s": 2, "read_s": 20, "total_s": 20}, "lease_s": 21}
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(own_database_url: str, data_key: bytes) -> Start:
    """Starts `hosync reports TARGET --send` in a process of its own."""

    def started(target: str) -> subprocess.Popen[bytes]:
        environment = os.environ | {
            "HOSYNC_DATABASE_URL": own_database_url,
            "HOSYNC_DATA_KEY": base64.b64encode(data_key).decode(),
        }
        return subprocess.Popen(
            [HOSYNC, "reports", target, "--send", "--json"], env=environment, stdout=subprocess.PIPE
        )

    return started


def killed_after_the_write(world: Reporting, target: str, start: Start) -> None:
    """The target applies the first report and does not answer; whoever sent it is killed meanwhile."""
    world.targets[target].fault("apply-then-hang", seconds=30)
    process = start(target)
    while not world.targets[target].control("writes"):
        assert process.poll() is None, "it ended before it was killed"
        time.sleep(0.01)
    process.kill()
    process.wait()
    (sending,) = [each for each in world.rows(target).values() if each.state == "leased" and each.acked is None][:1]
    assert sending.last_outcome is None, "nothing was booked"


def end_its_lease(world: Reporting) -> None:
    """As if the time of the dead worker's lease were over."""
    with world.world.context.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE report SET lease_until = now() - interval '1 second' WHERE state = 'leased'")


@pytest.mark.parametrize(("target", "service"), [("npsp", "DongBoDanhGia"), ("province", "UpdateStatistic")])
def test_p3_what_a_killed_process_had_sent_is_there_once(
    open_world: Open, start: Start, target: str, service: str
) -> None:
    world = open_world(changes=PATIENT)
    world.rate_some()
    killed_after_the_write(world, target, start)
    end_its_lease(world)
    world.report(target)
    applied = [(write["operation"], write["key"]) for write in world.applied(target)]
    assert len(set(applied)) == len(applied)
    assert world.held(target, service)
    assert {each.state for each in world.rows(target).values()} == {"idle"}
    if target == "npsp":
        assert world.rows(target)[MONTH].last_outcome == "given_up"


def test_p3_p5_several_processes_at_once_send_each_report_once(open_world: Open, start: Start) -> None:
    world = open_world(changes=PATIENT)
    world.rate_some()
    world.targets["province"].fault("slow", times=1000, seconds=0.05)
    processes = [start("province") for _ in range(3)]
    told: list[Any] = [json.loads(process.communicate(timeout=60)[0]) for process in processes]
    assert {process.returncode for process in processes} <= {0, 1}  # 1: others were still sending some
    world.report("province")
    writes = [(write["operation"], write["key"]) for write in world.targets["province"].control("writes")]
    assert len(set(writes)) == len(writes) == len(world.rows("province"))
    assert sum(each["sent"][0]["accepted"] for each in told) <= len(writes)
