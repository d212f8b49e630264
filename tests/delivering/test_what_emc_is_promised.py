"""P3 at EMC, where only one of two can be promised: at most once, or at least once. Whatever may differ is counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from delivery_world import Serve, World, shipped, world
from dossiers import dossier
from serving import Served
from sqlalchemy import Engine

from ledger.sealing import Sealer
from sandbox.targets import emc
from sync.deliver import deliver

LOST = ("apply-then-500", "apply-then-drop", "apply-then-hang")
NOT_DONE = ("drop-before", "html-200", "500")


@pytest.fixture
def counter(serve: Serve) -> Served:
    return serve("emc", emc.build, site_id=99999)


@pytest.fixture(params=["give_up", "risk_double"])
def policy(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def small(
    own_engine: Engine, sealer: Sealer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: str, counter: Served
) -> Iterator[World]:
    assert counter
    chosen = {"operations": {"step": {"in_doubt": policy}}, "concurrency": 1}
    with world(own_engine, sealer, tmp_path, monkeypatch, shipped("emc"), chosen) as opened:
        yield opened


def _told(counter: Served) -> int:
    return len(counter.control("steps"))


@pytest.mark.parametrize("policy", ["give_up"], indirect=True)
def test_p3_at_most_once_an_event_in_doubt_is_never_sent_again_and_counted(small: World, counter: Served) -> None:
    small.tell(*(dossier(n) for n in range(8)))
    for mode in (*LOST, *NOT_DONE):
        counter.fault(mode)
    assert small.push("emc").remaining == 0
    assert _told(counter) == 8 - len(NOT_DONE)
    seen = small.status("emc")
    assert (seen.doubtful, seen.perhaps_doubled) == (len(LOST) + len(NOT_DONE), 0)
    assert small.compare("emc").open_breaks == 0


@pytest.mark.parametrize("policy", ["risk_double"], indirect=True)
def test_p3_at_least_once_an_event_in_doubt_is_sent_again_and_counted(small: World, counter: Served) -> None:
    small.tell(*(dossier(n) for n in range(8)))
    for mode in (*LOST, *NOT_DONE):
        counter.fault(mode)
    assert small.push("emc").remaining == 0
    assert _told(counter) == 8 + len(LOST)
    assert {row["code"] for row in counter.control("dossiers")} == {f"000.00.12.H12-260302-{n:04d}" for n in range(8)}
    seen = small.status("emc")
    assert (seen.doubtful, seen.perhaps_doubled) == (0, len(LOST) + len(NOT_DONE))
    assert small.compare("emc").open_breaks == 0


def test_p4_a_count_outside_of_what_may_be_is_a_break_whatever_is_promised(small: World, counter: Served) -> None:
    small.tell(*(dossier(n) for n in range(4)))
    counter.fault("apply-then-500", times=2)
    assert small.push("emc").remaining == 0
    assert small.compare("emc").open_breaks == 0
    told = _told(counter)
    most = 4 if small.status("emc").doubtful else 6
    counter.control("damage", {"add": [{"code": f"H12.1-{n}", "state": 2} for n in range(most - told + 1)]})
    assert small.compare("emc").breaks["count_mismatch"] == 2, "one event too many, and of dossiers nobody knows"
    counter.control("damage", {"delete": [row["code"] for row in counter.control("dossiers")]})
    report = small.compare("emc")
    assert report.breaks["count_mismatch"] == 2
    assert report.healed == 0


def test_a_dossier_that_changes_while_its_event_is_in_doubt_is_counted_all_the_same(
    small: World, counter: Served, policy: str
) -> None:
    small.tell(dossier(1, state=4))
    counter.fault("apply-then-500")
    deliver(small.context, "emc")
    small.tell(dossier(1, state=9, hours=1))
    assert small.push("emc").remaining == 0
    seen = small.status("emc")
    assert (seen.doubtful, seen.perhaps_doubled) == ((1, 0) if policy == "give_up" else (0, 1))
    assert [row["state"] for row in counter.control("steps")] == ([2, 3] if policy == "give_up" else [2, 2, 3])
    assert small.compare("emc").open_breaks == 0
