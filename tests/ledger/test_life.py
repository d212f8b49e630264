"""P2: what ends the wait of a restored ledger: every system that had told something, read to its end since."""

from __future__ import annotations

import pytest
from ledger_world import World, dossier

from ledger.intake import finish_pull, start_pull
from ledger.life import Standing, confirm, standing
from ledger.types import PullMode


def pulled(world: World, system: str, *, mode: PullMode = PullMode.INCREMENTAL, error: str | None = None) -> None:
    """A pull of ``system`` that brings a dossier, and how it ends."""
    run = start_pull(world.engine, system=system, mode=mode, window=None, started_by="test")
    world.store(dossier(f"H12.1-{len(system):04}"), system=system, run_id=run)
    finish_pull(world.engine, run, error=error)


def waiting(world: World) -> Standing:
    """What it waits for."""
    found = standing(world.engine)
    assert found is not None, "it waits for nothing"
    return found


def restored(world: World) -> None:
    """As if this were the copy of another database."""
    world.execute("UPDATE ledger_life SET identity = 'another'")


def test_a_ledger_that_lives_on_waits_for_nothing(world: World) -> None:
    assert standing(world.engine) is None
    pulled(world, "gplx", error="it broke")
    assert standing(world.engine) is None
    assert not confirm(world.engine, by="an")


def test_p2_every_system_is_read_to_its_end_before_a_restored_ledger_has_caught_up(world: World) -> None:
    pulled(world, "gplx")
    pulled(world, "igate")
    restored(world)
    assert (waiting(world).is_behind, waiting(world).unread) == (True, ["gplx", "igate"])
    pulled(world, "gplx", mode=PullMode.WINDOW)
    pulled(world, "gplx", mode=PullMode.FULL)
    pulled(world, "gplx", error="it broke")
    assert waiting(world).unread == ["gplx", "igate"], "neither a span of the past nor half a pull is the newest"
    pulled(world, "gplx")
    assert waiting(world).unread == ["igate"]
    pulled(world, "igate")
    assert standing(world.engine) is None


def test_p2_a_pull_that_was_under_way_when_the_ledger_was_restored_proves_nothing(world: World) -> None:
    pulled(world, "gplx")
    run = start_pull(world.engine, system="gplx", mode=PullMode.INCREMENTAL, window=None, started_by="test")
    restored(world)
    assert waiting(world).is_behind
    finish_pull(world.engine, run, error=None)
    assert waiting(world).unread == ["gplx"]


@pytest.mark.parametrize("times", [1, 2])
def test_restored_again_before_it_has_caught_up_it_begins_to_wait_again(world: World, times: int) -> None:
    pulled(world, "gplx")
    pulled(world, "igate")
    for _ in range(times):
        restored(world)
        assert waiting(world).unread == ["gplx", "igate"]
        pulled(world, "gplx")
    assert waiting(world).is_behind
    pulled(world, "igate")
    assert standing(world.engine) is None


def test_a_server_that_was_only_started_makes_nobody_wait_but_corrections(world: World) -> None:
    pulled(world, "gplx")
    world.execute("UPDATE ledger_life SET server_started_at = server_started_at - interval '1 day'")
    assert (waiting(world).is_behind, waiting(world).unread) == (False, ["gplx"])
    assert confirm(world.engine, by="an"), "a system that cannot be read holds nothing up for ever"
    assert standing(world.engine) is None
