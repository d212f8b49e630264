"""Records that fail for ever are given up, listed, and made due again; what ails the whole target buries nobody."""

from datetime import timedelta

import pytest
from ledger_world import World, at, dossier, settlement

from ledger.again import dead_groups, replay, resend_dead
from ledger.delivery import settle
from ledger.delivery_sql import BACKFILL
from ledger.types import Claimed, Patience, Phase, Settled

FEW = Patience(strikes=3, longest_s=1e9)


def others_are_taken(world: World) -> None:
    """The target gave a verdict on some other message just now."""
    world.execute(
        "INSERT INTO target_gate (target, taken_at) VALUES ('npsp', clock_timestamp()) "
        "ON CONFLICT (target) DO UPDATE SET taken_at = excluded.taken_at"
    )


def fail(world: World, outcome: Settled = Settled.RETRY, patience: Patience = FEW, **changes: object) -> Claimed:
    (claimed,) = world.claim()
    settle(world.engine, "npsp", [settlement(claimed, outcome, **changes)], owner=world.owner, patience=patience)
    return claimed


def test_a_record_that_fails_while_others_are_taken_is_given_up_with_its_reason(world: World) -> None:
    world.store(dossier())
    for _ in range(3):
        assert world.value("SELECT count(*) FROM delivery WHERE state = 'dead'") == 0
        fail(world, reason="HTTP 500")
        others_are_taken(world)
    assert world.delivery().state == "due", (
        "the first failure proves nothing: no other record was taken since a last try"
    )
    fail(world, reason="HTTP 500")
    row = world.delivery()
    assert (row.state, row.last_reason, row.attempts, row.strikes) == ("dead", "HTTP 500", 4, 3)


def test_a_target_that_takes_nothing_at_all_buries_no_record(world: World) -> None:
    others_are_taken(world)
    world.store(dossier())
    for _ in range(8):
        fail(world)
    assert world.delivery().state == "due"


def test_a_record_that_failed_for_too_long_is_given_up_at_its_next_strike(world: World) -> None:
    world.store(dossier())
    fail(world, patience=Patience(strikes=99, longest_s=3600))
    world.execute("UPDATE delivery SET failing_since = now() - interval '2 hours'")
    fail(world, patience=Patience(strikes=99, longest_s=3600))
    assert world.delivery().state == "due", "the target took nothing else"
    others_are_taken(world)
    fail(world, patience=Patience(strikes=99, longest_s=3600))
    assert world.delivery().state == "dead"


def test_a_record_that_is_all_a_target_ever_gets_is_given_up_in_the_end_and_says_that_nothing_proves_it_wrong(
    world: World,
) -> None:
    alone = Patience(strikes=99, longest_s=3600, alone_s=86400)
    world.store(dossier())
    fail(world, patience=alone)
    world.execute("UPDATE delivery SET failing_since = now() - interval '23 hours'")
    fail(world, patience=alone)
    assert world.delivery().state == "due"
    world.execute("UPDATE delivery SET failing_since = now() - interval '25 hours'")
    fail(world, patience=alone, reason="HTTP 500")
    assert world.delivery().state == "dead"
    (group,) = dead_groups(world.engine, "npsp")
    assert group.reason == "HTTP 500; given up after so long, with no other message to compare with"
    assert resend_dead(world.engine, "npsp", by="an") == 1
    fail(world, patience=alone)
    assert world.delivery().state == "due", "sent again by a person, it gets all of its time again"


def test_a_success_forgives_all_failures(world: World) -> None:
    world.store(dossier())
    for _ in range(3):
        fail(world)
        others_are_taken(world)
    fail(world, Settled.ACCEPTED, hold=True)
    row = world.delivery()
    assert (row.strikes, row.failing_since) == (0, None)


@pytest.mark.parametrize("revive", ["resend", "newer version"])
def test_p3_what_was_given_up_in_doubt_is_in_doubt_again_when_it_comes_back(world: World, revive: str) -> None:
    world.store(dossier())
    fail(world)
    others_are_taken(world)
    fail(world, Settled.IN_DOUBT, Patience(strikes=1))
    assert world.delivery().state == "dead"
    if revive == "resend":
        assert resend_dead(world.engine, "npsp", by="an") == 1
    else:
        world.store(dossier(hours=1, state=9))
    (claimed,) = world.claim()
    assert claimed.doubt is not None
    assert (claimed.doubt.phase, claimed.doubt.version, claimed.attempts) == (Phase.DOSSIER, 1, 0)


def test_the_dead_are_listed_by_agency_and_reason(world: World) -> None:
    world.store(
        *(dossier(f"H12.1-{number:04}", agency_code="H12.1" if number else "H12.2") for number in range(3)),
    )
    for each in world.claim():
        world.settle(each, Settled.REJECTED, reason=f"procedure 1.00{each.dossier_id} is unknown")
    groups = dead_groups(world.engine, "npsp")
    assert [(each.agency, each.dossiers, each.example) for each in groups] == [
        ("H12.1", 2, "H12.1-0001"),
        ("H12.2", 1, "H12.1-0000"),
    ]
    assert all(each.outcome == "rejected" and "is unknown" in each.reason for each in groups)
    assert dead_groups(world.engine, "emc") == []
    assert "Nguyễn" not in repr(groups)


def test_p5_the_dead_are_made_due_once_by_code_by_reason_or_all(world: World) -> None:
    world.store(*(dossier(f"H12.1-{number:04}") for number in range(4)))
    for number, each in enumerate(world.claim()):
        world.settle(each, Settled.REJECTED, reason=("no such PROCEDURE", "bad date")[number % 2])
    codes = [row.code for row in world.rows("SELECT code FROM dossier ORDER BY id")]
    assert resend_dead(world.engine, "npsp", by="an", codes=[codes[0], "H12.9-9999"]) == 1
    assert resend_dead(world.engine, "npsp", by="an", codes=[codes[0]]) == 0
    by_reason = [resend_dead(world.engine, "npsp", by="an", reason=reason) for reason in ("procedure", "date")]
    assert sum(by_reason) == 3
    assert resend_dead(world.engine, "npsp", by="an") == 0
    assert resend_dead(world.engine, "emc", by="an") == 0
    assert len(world.claim()) == 4


# --- a span of time again ---------------------------------------------------------------------------------------


def test_p5_a_replayed_span_is_due_once_more_whatever_was_acknowledged(world: World) -> None:
    world.store(*(dossier(f"H12.1-{hour:04}", hours=hour) for hour in range(6)))
    world.deliver()
    span = {"start": at(2), "end": at(4)}
    assert replay(world.engine, "npsp", by="an", **span).made_due == 2
    assert replay(world.engine, "npsp", by="an", **span).made_due == 2, "those are due already, and stay due once"
    assert world.value("SELECT count(*) FROM delivery WHERE state = 'due' AND priority = :low", low=BACKFILL) == 2
    claimed = world.claim()
    assert sorted(each.code for each in claimed) == ["H12.1-0002", "H12.1-0003"]
    assert all(each.known and each.acked_fingerprint is None and each.acked_version == 0 for each in claimed)
    told = replay(world.engine, "npsp", by="an", start=at(0), end=at(0) + timedelta(hours=3))
    assert (told.made_due, told.in_work, told.dead) == (2, 1, 0)


def test_p2_a_replay_sends_the_last_step_again_and_no_older_one(world: World) -> None:
    world.store(dossier(hours=3, steps=[{"at": at(hour), "state": 4} for hour in range(4)]))
    world.deliver()
    assert replay(world.engine, "npsp", by="an", start=at(0), end=at(9)).made_due == 1
    (claimed,) = world.claim()
    assert [step["step_no"] for step in claimed.steps] == [4]


def test_a_replay_leaves_doubts_and_the_dead_as_they_are(world: World) -> None:
    world.store(dossier("H12.1-0001"), dossier("H12.1-0002"))
    doubtful, dead = world.claim()
    world.settle(doubtful, Settled.IN_DOUBT, delay_s=999)
    world.settle(dead, Settled.REJECTED)
    told = replay(world.engine, "npsp", by="an", start=at(-1), end=at(1))
    assert (told.made_due, told.in_work, told.dead) == (0, 1, 1)
    assert (world.delivery(doubtful.code).state, world.delivery(dead.code).state) == ("doubt", "dead")
