"""A target that takes records only, or steps only, owes no acknowledgement of the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from delivery_world import Serve, World, shipped, world
from dossiers import dossier
from serving import Served
from sqlalchemy import Engine, text

from ledger.sealing import Sealer
from sandbox.targets import emc, feed
from sync.deliver import deliver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def receiver(serve: Serve) -> Served:
    return serve("feed", feed.build, password=SECRET)


@pytest.fixture
def counter(serve: Serve) -> Served:
    return serve("emc", emc.build, site_id=99999)


@pytest.fixture
def small(
    own_engine: Engine,
    sealer: Sealer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    receiver: Served,
    counter: Served,
) -> Iterator[World]:
    assert receiver
    assert counter
    with world(own_engine, sealer, tmp_path, monkeypatch, shipped("feed", "emc")) as opened:
        yield opened


def test_one_acknowledged_message_settles_all_that_is_owed(small: World) -> None:
    small.tell(*(dossier(n) for n in range(5)))
    small.tell(*(dossier(n, state=9, hours=1) for n in range(5)))
    told = deliver(small.context, "feed")
    assert (told.accepted, told.unchanged, told.remaining) == (5, 0, 0)
    told = deliver(small.context, "emc")
    assert (told.accepted, told.unchanged, told.remaining) == (10, 0, 0)


def test_a_change_that_is_no_step_is_settled_without_a_call_where_only_steps_are_taken(
    small: World, counter: Served
) -> None:
    small.tell(dossier(1))
    small.push("emc")
    small.tell(dossier(1, note="Bổ sung ghi chú", changed_at=dossier(1, hours=2).changed_at))
    told = deliver(small.context, "emc")
    assert (told.sent, told.unchanged, told.remaining) == (0, 1, 0)
    assert len(counter.control("steps")) == 1


def test_steps_owed_to_a_target_that_takes_them_no_more_are_owed_no_more(small: World, receiver: Served) -> None:
    small.tell(dossier(1))
    small.push("feed")
    with small.context.engine.begin() as connection:  # as if it had taken them until now, and one was still to come
        connection.execute(text("UPDATE delivery SET state = 'due', acked_step = 0 WHERE target = 'feed'"))
    told = deliver(small.context, "feed")
    assert (told.sent, told.unchanged, told.remaining) == (0, 1, 0)
    assert len(receiver.control("writes")) == 1
