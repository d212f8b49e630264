"""`hosync follow` as a process of its own: what changes is at every target, whoever is killed, broken or paused."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from forked import Running
from living_province import PATIENCE_S, TARGETS, Province
from sqlalchemy import Engine, text

pytestmark = pytest.mark.timeout(600)
# Of each way to be told of changes one: newest first, changed since, mailbox, files, calls.
SOURCES = ("igate", "dkkd", "xaydung", "tanso", "giaoduc", "vbdlis", "ilis")
PROVINCE_SIZE = 300
STEPS = ("CapNhatTienDoHoSoMC", "UpdateDocumentTraces")


@pytest.fixture(scope="module")
def read_once(province: Province, endpoint: str) -> Province:
    """Everything is in the ledger and at the targets; whoever calls has been heard."""
    assert endpoint
    province.hosync("pull")
    province.hear_out()
    province.hosync("push", ok=(0, 1))
    assert _is_everywhere(province)
    return province


@contextmanager
def _following(province: Province) -> Iterator[Running]:
    """A follower for the length of the block, ended as Ctrl-C ends it."""
    process = province.start("follow", json_too=False)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0


def _truth(province: Province, without: str = "") -> dict[str, int]:
    """The states of the dossiers that only the systems of this module know; all but those of one of them."""
    known = set(SOURCES) - {without}
    return {code: row["state"] for code, row in province.truth().items() if set(row["systems"]) <= known}


def _is_at(province: Province, target: str, truth: dict[str, int]) -> bool:
    held = {row["code"]: row["state"] for row in province.holdings(target, "dossiers")}
    return truth.items() <= held.items()


def _is_everywhere(province: Province) -> bool:
    truth = _truth(province)
    assert len(truth) > 50
    # EMC knows of no dossier what it is, only what happened.
    return all(_is_at(province, target, truth) for target in TARGETS if target != "emc")


def _last_run(province: Province, system: str) -> dict[str, Any]:
    status = province.hosync("status", ok=(0, 1))
    (run,) = (each["last_run"] for each in status["sources"] if each["system"] == system)
    found: dict[str, Any] = run
    return found


def _until(happened: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline, what
        time.sleep(0.5)


def test_p1_p2_p3_changes_and_calls_reach_every_target_and_every_pull_adds_up(
    read_once: Province, engine: Engine
) -> None:
    with _following(read_once):
        read_once.advance(3)
        _until(lambda: _is_everywhere(read_once), "the changes of three days are not everywhere")
    with engine.connect() as connection:
        runs = connection.execute(text("SELECT * FROM pull_run WHERE looks IS NOT NULL")).mappings().all()
        pages = connection.execute(text("SELECT run_id, sum(fetched) AS fetched FROM pull_page GROUP BY run_id"))
        kept = {page.run_id: page.fetched for page in pages}
    assert {run["system"] for run in runs} == set(SOURCES)
    for run in runs:
        assert run["fetched"] == sum(run[name] for name in ("new_", "changed", "unchanged", "stale", "quarantined"))
        assert run["fetched"] == kept.get(run["run_id"], 0) + run["repeated"]
    assert sum(run["new_"] + run["changed"] for run in runs) > 0
    assert all(run["status"] == "succeeded" for run in runs)
    assert len(runs) <= 2 * len(SOURCES), "the looks of an hour are one run"


def test_p3_p5_of_two_followers_one_is_killed_and_no_target_holds_anything_twice(read_once: Province) -> None:
    with _following(read_once), _following(read_once) as first:
        with ThreadPoolExecutor(1) as pool:
            moving = pool.submit(read_once.advance, 7)
            assert read_once.kill_after(first, "province", 3)
            moving.result()
        _until(lambda: _is_everywhere(read_once), "the one that is left does not finish")
    for target in ("npsp", "province", "feed"):
        assert _applied_twice(read_once.writes(target)) == [], target


def _applied_twice(writes: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was applied a second time.

    A step whose sender was killed comes again, as it must. Where a newer record has come before it, it moves the state
    once more, for a moment: that is no second step, as long as it is the last one that was told.
    """
    found, known, last = [], set(), dict[str, tuple[str, ...]]()
    for write in writes:
        message = (write["operation"], write["code"], write["key"], write["body_hash"])
        if message in known and (write["effect"] != "updated" or last.get(write["code"]) != message):
            found.append(write)
        known.add(message)
        if write["operation"] in STEPS:
            last[write["code"]] = message
    return found


def test_a_system_that_fails_holds_up_no_other_and_is_named(read_once: Province) -> None:
    faults = f"http://127.0.0.1:{read_once.ports['xaydung']}/_sandbox/faults"
    with _following(read_once):
        requests.post(faults, json={"mode": "html-200", "times": 1000, "operation": "*"}, timeout=30).raise_for_status()
        read_once.advance(2)
        others = _truth(read_once, without="xaydung")
        _until(lambda: _is_at(read_once, "feed", others), "the others wait for the one that fails")
        _until(lambda: bool(_last_run(read_once, "xaydung")["error"]), "nobody says that it fails")
        requests.delete(faults, timeout=30).raise_for_status()
        _until(lambda: _is_everywhere(read_once), "it is not looked at any more once it is well")


def test_a_paused_target_is_left_alone_and_gets_everything_afterwards(read_once: Province) -> None:
    read_once.command("pause", "province")
    before = read_once.holdings("province", "dossiers")
    with _following(read_once):
        read_once.advance(2)
        truth = _truth(read_once)
        _until(lambda: _is_at(read_once, "feed", truth), "the others wait for the one that is paused")
        assert read_once.holdings("province", "dossiers") == before
        read_once.command("resume", "province")
        _until(lambda: _is_everywhere(read_once), "what waited does not go out")
