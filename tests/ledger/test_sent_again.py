"""At least once: what is sent again in doubt, to a target that cannot tell a repetition, is counted."""

from typing import Any
from uuid import uuid4

from ledger_world import World, dossier

from ledger.delivery import release, send_doubts_again
from ledger.reconcile import dossier_totals, step_totals
from ledger.report import overview
from ledger.types import Phase, Settled, StepTotals


def _sent_again(world: World) -> list[tuple[Any, ...]]:
    return [
        tuple(row) for row in world.rows("SELECT phase, version, step, state, copies FROM sent_again ORDER BY step")
    ]


def _again(world: World) -> int:
    return send_doubts_again(world.engine, "npsp", world.claim())


def test_p3_a_step_sent_again_in_doubt_is_perhaps_doubled_once_for_each_repetition(world: World) -> None:
    world.store(dossier(state=5))
    (claimed,) = world.claim()
    assert send_doubts_again(world.engine, "npsp", [claimed]) == 0, "the first copy is no repetition"
    world.settle(claimed, Settled.ACCEPTED, hold=True)
    for copies in (1, 2):
        assert world.mark(claimed, Phase.STEP)
        world.settle(claimed, Settled.IN_DOUBT, phase=Phase.STEP)
        (claimed,) = world.claim()
        assert send_doubts_again(world.engine, "npsp", [claimed]) == 1
        assert _sent_again(world) == [("step", 0, 1, 5, copies)]
    world.settle(claimed, Settled.ACCEPTED, phase=Phase.STEP)
    assert world.delivery().state == "idle"
    (npsp,) = overview(world.engine).targets
    assert (npsp.perhaps_doubled, npsp.doubtful_sends) == (2, 0)


def test_p3_a_worker_killed_after_its_intent_leaves_a_doubt_that_counts_when_it_is_sent_again(world: World) -> None:
    world.store(dossier(state=5))
    (claimed,) = world.claim()
    world.settle(claimed, Settled.ACCEPTED, hold=True)
    assert world.mark(claimed, Phase.STEP, lease_s=0)
    world.owner = uuid4()
    assert _again(world) == 1
    assert _sent_again(world) == [("step", 0, 1, 5, 1)]


def test_a_doubt_that_is_claimed_and_given_back_unsent_counts_once(world: World) -> None:
    world.store(dossier(state=5))
    (claimed,) = world.claim()
    world.settle(claimed, Settled.ACCEPTED, hold=True)
    assert world.mark(claimed, Phase.STEP, lease_s=0)
    world.owner = uuid4()
    assert [_again(world), release(world.engine, "npsp", world.owner)] == [1, 1]
    assert _again(world) == 0
    assert _sent_again(world) == [("step", 0, 1, 5, 1)]


def test_a_dossier_in_doubt_is_repeated_only_while_it_is_the_same(world: World) -> None:
    world.store(dossier(state=4))
    (claimed,) = world.claim()
    world.settle(claimed, Settled.IN_DOUBT)
    (claimed,) = world.claim()
    assert send_doubts_again(world.engine, "npsp", [claimed]) == 1
    assert _sent_again(world) == [("dossier", 1, 0, 4, 1)]
    world.settle(claimed, Settled.IN_DOUBT)
    world.store(dossier(state=5, hours=1))
    assert _again(world) == 0, "what is told now is another message"


def test_whoever_was_overtaken_writes_nothing_down(world: World) -> None:
    world.store(dossier(state=4))
    (claimed,) = world.claim()
    world.settle(claimed, Settled.IN_DOUBT)
    (overtaken,) = world.claim()
    world.settle(overtaken, Settled.IN_DOUBT)
    world.claim()
    assert send_doubts_again(world.engine, "npsp", [overtaken]) == 0


def test_totals_tell_how_many_more_may_be_there_because_they_were_sent_again(world: World) -> None:
    world.store(*(dossier(f"H12.1-000{n}", state=9) for n in range(3)))
    claimed = world.claim()
    for each in claimed:
        world.settle(each, Settled.ACCEPTED, hold=True)
    for _ in range(2):
        for each in claimed:
            assert world.mark(each, Phase.STEP)
            world.settle(each, Settled.IN_DOUBT, phase=Phase.STEP)
        claimed = world.claim()
        assert send_doubts_again(world.engine, "npsp", claimed) == 3
    for each in claimed:
        refused = each.code == "H12.1-0002"
        world.settle(each, Settled.REJECTED if refused else Settled.ACCEPTED, phase=Phase.STEP)
    assert step_totals(world.engine, "npsp") == {9: StepTotals(settled=2, in_flight=0, doubtful=0, doubled=6)}
    assert step_totals(world.engine, "npsp")[9].most == 8
    known = dossier_totals(world.engine, "npsp")
    assert known == StepTotals(settled=2, in_flight=0, doubtful=1), "the refused one may have been told after all"
