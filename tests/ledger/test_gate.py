"""The gate in the database: what one process tells counts for all, and a person can close it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any
from uuid import uuid4

from ledger_world import World

from ledger.gate import gates, pause, resume, sync
from ledger.turns import GateRules, Shut, Told

FOUR = GateRules(concurrent=4, failures=3)


def say(world: World, rules: GateRules = FOUR, target: str = "npsp", **changes: Any) -> object:
    told: dict[str, Any] = {"holder": uuid4(), "wants": 4}
    return sync(world.engine, target, rules, Told(**(told | changes)))


def test_what_one_process_holds_another_cannot_get(world: World) -> None:
    me, other = uuid4(), uuid4()
    assert say(world, holder=me).slots == 4
    assert say(world, holder=other).slots == 0
    assert say(world, target="emc", holder=other).slots == 4, "targets do not know each other"
    say(world, holder=me, wants=0)
    assert say(world, holder=other).slots == 4


def test_processes_that_speak_at_once_never_get_more_than_there_is(world: World) -> None:
    start = Barrier(8)

    def work(_: int) -> int:
        start.wait()
        return say(world, GateRules(concurrent=5), wants=2).slots

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, range(8))) <= 5


def test_turns_go_to_one_process_each(world: World) -> None:
    rules = GateRules(per_second=1000.0)
    first, second = say(world, rules, turns=500), say(world, rules, turns=500)
    assert first.turns == second.turns == 500
    assert second.first_turn_s > 0.4


def test_a_target_that_broke_for_one_is_broken_for_all_and_shown(world: World) -> None:
    assert say(world, failed=3, trailing=3).shut is Shut.BROKEN
    assert say(world).shut is Shut.BROKEN
    row = gates(world.engine)["npsp"]
    assert row.broken_since is not None
    assert (row.failures, row.calling) == (3, 0)


def test_a_pause_is_seen_at_once_lasts_and_ends_when_a_person_says_so(world: World) -> None:
    assert say(world).shut is None
    pause(world.engine, "npsp", by="an")
    since = gates(world.engine)["npsp"].paused_since
    assert say(world).shut is Shut.PAUSED
    say(world, answered=1)
    pause(world.engine, "npsp", by="binh", until=datetime.now(UTC) + timedelta(hours=1))
    row = gates(world.engine)["npsp"]
    assert (row.paused_since, row.paused_by) == (since, "binh"), "paused again, it has been paused since the first time"
    assert say(world).until == row.paused_until
    assert resume(world.engine, "npsp", by="an")
    assert not resume(world.engine, "npsp", by="an")
    assert say(world).shut is None


def test_a_pause_with_an_end_is_over_by_itself(world: World) -> None:
    pause(world.engine, "npsp", by="an", until=datetime.now(UTC) - timedelta(seconds=1))
    assert say(world).shut is None
    assert gates(world.engine)["npsp"].paused_since is None
    assert not resume(world.engine, "npsp", by="an")


def test_a_target_that_was_never_called_can_be_paused(world: World) -> None:
    assert not resume(world.engine, "new", by="an")
    pause(world.engine, "new", by="an")
    assert say(world, target="new").shut is Shut.PAUSED
