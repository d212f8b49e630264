"""P1 and P3 where a message is in doubt and the target is asked: what its answer proves, and what it does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from delivery_world import Serve, World, shipped, world
from dossiers import T0, dossier
from serving import Served
from sqlalchemy import Engine

from ledger.sealing import Sealer
from sandbox.targets import npsp
from schemas.dossier import Dossier
from sync.again import replay, resend
from sync.context import now
from sync.deliver import deliver

RECORDS, STEPS = "DongBoHoSoMC", "CapNhatTienDoHoSoMC"


@pytest.fixture
def portal(serve: Serve) -> Served:
    return serve("npsp", npsp.build, dstcode="VN:GOV:000.00.00.G22")


@pytest.fixture
def small(
    own_engine: Engine, sealer: Sealer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, portal: Served
) -> Iterator[World]:
    assert portal
    with world(own_engine, sealer, tmp_path, monkeypatch, shipped("npsp")) as opened:
        yield opened


def _edited(summary: str) -> Dossier:
    """The same dossier in the same state as before, with another summary."""
    return dossier(hours=1, state_at=T0, summary=summary)


def _summary(portal: Served) -> str:
    (held,) = portal.control("dossiers")
    return str(held["body"]["TrichYeuHoSo"])


def test_p1_an_edit_is_not_taken_for_applied_because_an_earlier_message_of_unknown_outcome_was(
    small: World, portal: Served
) -> None:
    small.tell(dossier(summary="cũ"))
    portal.fault("apply-then-drop", operation=RECORDS)
    assert deliver(small.context, "npsp", limit=1).in_doubt == 1
    small.tell(_edited("mới"))
    portal.fault("drop-before", operation=RECORDS)
    assert small.push("npsp").remaining == 0
    assert _summary(portal) == "mới"


def test_p1_an_edit_is_not_taken_for_applied_because_the_target_held_the_dossier_before_a_replay(
    small: World, portal: Served
) -> None:
    small.tell(dossier(summary="cũ"))
    small.push("npsp")
    small.tell(_edited("mới"))
    replay(small.context, "npsp", by="test", start=T0, end=now())
    portal.fault("drop-before", operation=RECORDS)
    assert small.push("npsp").remaining == 0
    assert _summary(portal) == "mới"


def test_p3_a_first_message_that_was_applied_is_found_and_not_sent_again(small: World, portal: Served) -> None:
    small.tell(dossier())
    portal.fault("apply-then-drop", operation=RECORDS)
    assert small.push("npsp").resolved_by_asking == 1
    assert [write["effect"] for write in portal.control("writes") if write["operation"] == RECORDS] == ["inserted"]


def test_a_step_that_was_refused_for_want_of_its_dossier_arrives_when_it_is_resent(
    small: World, portal: Served
) -> None:
    small.tell(dossier())
    portal.fault("drop-before", operation=STEPS)
    deliver(small.context, "npsp", limit=1)
    (held,) = portal.control("dossiers")
    portal.control("damage", {"delete": [held["code"]]})
    assert small.push("npsp").rejected == 1
    assert resend(small.context, "npsp", by="test") == 1
    assert small.push("npsp").remaining == 0
    assert len(portal.control("dossiers")) == len(portal.control("steps")) == 1
