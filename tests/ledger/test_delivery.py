"""Leases, intents, doubts and settlements on the real database."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import pytest
from ledger_world import World, at, dossier, settlement
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from ledger.delivery import backlog, claim, mark_sending, release, settle
from ledger.delivery_sql import NORMAL, URGENT
from ledger.types import Backlog, Claimed, Phase, SettleCounts, Settled
from mappings.canonical import STEP_KEYS

STEPS = [{"at": at(0), "state": 2, "unit": "Một cửa"}, {"at": at(1), "state": 4, "officer": "Lê Thử", "content": "x"}]


def expire(world: World) -> None:
    """The lease's time is over."""
    assert world.execute("UPDATE delivery_lease SET until = now() - interval '1 second'")


# --- what a worker gets -----------------------------------------------------------------------------------------


def test_a_claim_carries_the_canonical_record_and_the_steps_not_yet_acknowledged(world: World) -> None:
    told = dossier(
        hours=1,
        steps=STEPS,
        due_at=at(48),
        level=4,
        summary="Cấp đổi",
        agency_name="Sở Xây dựng",
        results=[{"name": "GPLX", "code": "79", "url": None}],
    )
    world.store(told)
    (claimed,) = world.claim()
    assert (claimed.version, claimed.acked_version, claimed.last_step, claimed.known) == (1, 0, 2, False)
    record = claimed.dossier
    assert {"version": 1, "code": "H12.1-0001", "state": 4, "channel": 2, "due_at": at(48)}.items() <= record.items()
    assert record["applicant"]["name"] == "Nguyễn Văn Thử"
    assert (record["summary"], record["agency_name"], record["changed_at"]) == ("Cấp đổi", "Sở Xây dựng", at(1))
    assert record["results"] == [{"name": "GPLX", "code": "79", "url": None}]
    assert claimed.steps[0] | {"step_no": 1, "at": at(0), "state": 2, "unit": "Một cửa"} == claimed.steps[0]
    assert claimed.steps[1] | {"step_no": 2, "officer": "Lê Thử", "content": "x", "level": 4} == claimed.steps[1]
    assert {step["code"] for step in claimed.steps} == {"H12.1-0001"}
    assert "Nguyễn" not in repr(claimed)
    assert "Lê Thử" not in repr(claimed)


def test_steps_of_any_age_come_in_order_and_late_ones_never(world: World) -> None:
    years = [at(-24 * 365 * back) for back in (9, 5, 2, 0)]
    world.store(dossier(hours=0, steps=[{"at": when, "state": 4} for when in years]))
    late = [{"at": when, "state": 4} for when in [*years, at(-24 * 365 * 7)]]
    world.store(dossier(hours=0, changed_at=at(1), steps=late))
    (claimed,) = world.claim()
    assert [step["step_no"] for step in claimed.steps] == [1, 2, 3, 4]
    assert [step["at"] for step in claimed.steps] == years


def test_every_field_of_the_canonical_record_is_there(world: World) -> None:
    world.store(dossier())
    (claimed,) = world.claim()
    fields = set(type(dossier()).model_fields) - {"steps"} | {"version"}
    assert set(claimed.dossier) == fields


def test_every_field_that_a_target_mapping_may_read_of_a_step_is_there(world: World) -> None:
    world.store(dossier(national_code="G22.99.99-260302-0001", online_payment=1))
    (claimed,) = world.claim()
    (step,) = claimed.steps
    assert set(step) == STEP_KEYS
    assert (step["national_code"], step["online_payment"]) == ("G22.99.99-260302-0001", 1)


# --- who gets it ------------------------------------------------------------------------------------------------


def test_p3_two_claimers_at_once_never_share_a_dossier(world: World) -> None:
    world.store(*(dossier(f"H12.1-{number:04}") for number in range(200)))
    world.feed()
    barrier = Barrier(4)

    def work(_: int) -> list[Claimed]:
        owner, mine = uuid4(), []
        barrier.wait()
        while batch := claim(world.engine, world.sealer, "npsp", owner=owner, limit=7, lease_s=60):
            mine.extend(batch)
        return mine

    with ThreadPoolExecutor(4) as pool:
        shares = list(pool.map(work, range(4)))
    claimed = [each.dossier_id for share in shares for each in share]
    assert len(claimed) == len(set(claimed)) == 200


def test_what_is_leased_or_not_yet_due_is_not_claimed(world: World) -> None:
    world.store(dossier("H12.1-0001"), dossier("H12.1-0002"))
    first, second = world.claim()
    assert world.claim() == []
    world.settle(first, Settled.RETRY, delay_s=3600)
    world.settle(second, Settled.RETRY)
    assert [each.code for each in world.claim()] == [second.code]


def test_targets_do_not_know_each_other(world: World) -> None:
    world.store(dossier())
    (npsp,) = world.claim("npsp")
    (emc,) = world.claim("emc")
    world.settle(npsp, Settled.REJECTED, target="npsp")
    world.settle(emc, Settled.ACCEPTED, target="emc", hold=True)
    assert (world.delivery(target="npsp").state, world.delivery(target="emc").state) == ("dead", "leased")


def test_corrections_come_before_everything_else(world: World) -> None:
    world.store(*(dossier(f"H12.1-{number:04}") for number in range(5)))
    world.feed()
    world.execute("UPDATE delivery SET priority = 0 WHERE dossier_id = (SELECT max(id) FROM dossier)")
    urgent, normal = world.claim(limit=2)
    assert urgent.code == "H12.1-0004"
    assert world.delivery(normal.code).priority > URGENT
    world.settle(urgent, Settled.ACCEPTED, hold=True)
    assert world.delivery(urgent.code).priority == 0
    world.settle(urgent, Settled.ACCEPTED, phase=Phase.STEP)
    assert world.delivery(urgent.code).priority == NORMAL, "urgent once, not for ever"


# --- settling ---------------------------------------------------------------------------------------------------


def test_p3_what_came_of_a_message_is_kept_though_its_delivery_changes_meanwhile(world: World) -> None:
    world.store(dossier())
    (claimed,) = world.claim()
    world.mark(claimed)
    with ThreadPoolExecutor(1) as pool:
        with world.engine.begin() as feed:
            feed.execute(text("UPDATE delivery SET wanted_version = wanted_version + 1"))
            settling = pool.submit(world.settle, claimed, Settled.ACCEPTED)
            waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            while not world.rows(waiting):
                assert not settling.done()
                time.sleep(0.01)
        assert settling.result() == SettleCounts(accepted=1)
    row = world.delivery()
    assert (row.acked_version, row.state) == (claimed.version, "due")


def test_a_dossier_is_idle_once_its_version_and_all_its_steps_are_acknowledged(world: World) -> None:
    world.store(dossier(hours=1, steps=STEPS))
    (claimed,) = world.claim()
    assert world.mark(claimed)
    assert world.settle(claimed, Settled.ACCEPTED, fingerprint=b"print") == SettleCounts(accepted=1)
    row = world.delivery()
    assert (row.state, row.acked_version, row.acked_step, row.acked_fingerprint) == ("due", 1, 0, b"print")
    assert row.sending_phase is None
    (claimed,) = world.claim()
    assert (claimed.known, claimed.acked_version, claimed.acked_fingerprint) == (True, 1, b"print")
    world.settle(claimed, Settled.ACCEPTED, phase=Phase.STEP)
    row = world.delivery()
    assert (row.state, row.acked_step, row.acked_fingerprint, row.attempts) == ("idle", 2, b"print", 0)
    attempts = world.rows("SELECT phase, version, step, outcome FROM delivery_attempt ORDER BY at, phase")
    assert [tuple(row) for row in attempts] == [("dossier", 1, 0, "accepted"), ("step", 1, 2, "accepted")]


def test_a_worker_may_hold_the_lease_and_go_on_with_the_steps(world: World) -> None:
    world.store(dossier(hours=1, steps=STEPS))
    (claimed,) = world.claim()
    assert world.mark(claimed)
    world.settle(claimed, Settled.ACCEPTED, hold=True)
    assert world.mark(claimed, Phase.STEP)
    world.settle(claimed, Settled.ACCEPTED, phase=Phase.STEP)
    assert world.delivery().state == "idle"


def test_a_version_that_arrives_while_its_dossier_is_leased_is_due_afterwards(world: World) -> None:
    world.store(dossier(hours=1))
    (claimed,) = world.claim()
    world.store(dossier(hours=2, state=9))
    assert world.claim() == []
    world.settle(claimed, Settled.ACCEPTED, hold=True)
    world.settle(claimed, Settled.ACCEPTED, phase=Phase.STEP)
    assert (world.delivery().state, world.delivery().acked_version) == ("due", 1)
    (again,) = world.claim()
    assert (again.version, [step["state"] for step in again.steps]) == (2, [9])


def test_a_rejected_dossier_is_dead_until_a_new_version_revives_it(world: World) -> None:
    world.store(dossier(hours=1))
    (claimed,) = world.claim()
    world.settle(claimed, Settled.REJECTED, reason="unknown procedure")
    row = world.delivery()
    assert (row.state, row.last_outcome, row.last_reason, row.attempts) == ("dead", "rejected", "unknown procedure", 1)
    assert world.claim() == []
    world.store(dossier(hours=2, note="corrected"))
    (revived,) = world.claim()
    assert (revived.version, revived.attempts) == (2, 0)


def test_a_rejection_of_a_version_that_is_no_longer_the_newest_does_not_bury_the_dossier(world: World) -> None:
    world.store(dossier(hours=1))
    (claimed,) = world.claim()
    world.store(dossier(hours=2, state=9))
    world.feed()
    world.settle(claimed, Settled.REJECTED)
    assert world.delivery().state == "due"


def test_retries_are_counted_and_wait(world: World) -> None:
    world.store(dossier())
    for attempt in range(3):
        (claimed,) = world.claim()
        assert claimed.attempts == attempt
        world.settle(claimed, Settled.RETRY, reason="503")
    (claimed,) = world.claim()
    world.settle(claimed, Settled.UNCHANGED, fingerprint=b"f", hold=True)
    assert (world.delivery().attempts, world.delivery().known) == (0, True)


def test_p5_a_settlement_given_twice_counts_once(world: World) -> None:
    world.store(dossier())
    (claimed,) = world.claim()
    assert world.settle(claimed, Settled.ACCEPTED).accepted == 1
    assert world.settle(claimed, Settled.ACCEPTED) == SettleCounts(lost=1)
    assert world.settle(claimed, Settled.REJECTED) == SettleCounts(lost=1)
    assert world.value("SELECT count(*) FROM delivery_attempt") == 1


def test_a_step_that_failed_is_not_acknowledged_and_what_was_stays(world: World) -> None:
    world.store(dossier(hours=3, steps=[{"at": at(hour), "state": 4} for hour in range(4)]))
    (claimed,) = world.claim()
    world.settle(claimed, Settled.ACCEPTED, phase=Phase.STEP, step=2, hold=True)
    assert world.settle(claimed, Settled.RETRY, phase=Phase.STEP, step=3) == SettleCounts(retry=1)
    assert (world.delivery().acked_step, world.delivery().state) == (2, "due")


@pytest.mark.parametrize("outcome", Settled)
def test_what_a_target_is_never_told_is_passed_over_only_with_what_it_took(world: World, outcome: Settled) -> None:
    world.store(dossier("H12.1-0001", steps=STEPS), dossier("H12.1-0002", steps=STEPS))
    record, steps = world.claim()
    world.settle(record, outcome, passes=record.last_step)
    world.settle(steps, outcome, phase=Phase.STEP, passes=steps.version)
    is_there = outcome in (Settled.ACCEPTED, Settled.UNCHANGED, Settled.GIVEN_UP)
    reached = [
        (row.acked_version, row.acked_step, row.state) for row in map(world.delivery, ("H12.1-0001", "H12.1-0002"))
    ]
    assert reached == [(1, 2, "idle") if is_there else (0, 0, world.delivery().state)] * 2
    assert world.delivery("H12.1-0002").known is False, "it was told of steps, never of the dossier"


def test_one_dossier_is_settled_once_in_a_call(world: World) -> None:
    world.store(dossier())
    (claimed,) = world.claim()
    twice = [settlement(claimed, Settled.ACCEPTED), settlement(claimed, Settled.ACCEPTED, phase=Phase.STEP)]
    with pytest.raises(ValueError, match="more than one"):
        settle(world.engine, "npsp", twice, owner=world.owner)
    assert world.delivery().state == "leased"


# --- promise 3: effectively once --------------------------------------------------------------------------------


def test_p3_an_expired_lease_without_an_intent_is_due_again(world: World) -> None:
    world.store(dossier())
    (first,) = world.claim()
    expire(world)
    (second,) = world.claim(owner=uuid4())
    assert (second.token, second.doubt) == (first.token + 1, None)


def test_p3_an_expired_lease_with_an_intent_is_in_doubt_for_whoever_claims_it(world: World) -> None:
    world.store(dossier(hours=1, steps=STEPS))
    (first,) = world.claim()
    assert world.mark(first, Phase.STEP)
    expire(world)
    (second,) = world.claim(owner=uuid4())
    assert second.doubt is not None
    assert (second.doubt.phase, second.doubt.version, second.doubt.step) == (Phase.STEP, 1, 2)
    # Dying again while asking leaves the doubt as it is.
    expire(world)
    (third,) = world.claim(owner=uuid4())
    assert third.doubt == second.doubt


def test_p3_a_worker_that_was_overtaken_changes_nothing(world: World) -> None:
    world.store(dossier())
    (slow,) = world.claim()
    expire(world)
    (quick,) = world.claim(owner=uuid4())
    assert not world.mark(slow)
    assert world.settle(slow, Settled.ACCEPTED) == SettleCounts(lost=1)
    row = world.delivery()
    assert (row.state, row.acked_version, row.token) == ("leased", 0, quick.token)
    assert world.value("SELECT count(*) FROM delivery_attempt") == 0


def test_p3_a_worker_whose_lease_ran_out_may_still_tell_what_became_of_its_call(world: World) -> None:
    world.store(dossier())
    (claimed,) = world.claim()
    assert world.mark(claimed)
    expire(world)
    assert claim(world.engine, world.sealer, "npsp", owner=uuid4(), limit=0, lease_s=60) == []
    assert world.delivery().state == "doubt"
    assert world.settle(claimed, Settled.ACCEPTED, hold=True).accepted == 1
    assert (world.delivery().state, world.delivery().acked_version) == ("due", 1)


def test_p3_an_intent_extends_the_lease_and_needs_the_right_owner(world: World) -> None:
    world.store(dossier())
    (claimed,) = world.claim(lease_s=5)
    others = {"owner": uuid4(), "lease_s": 600.0, "phase": Phase.DOSSIER, "messages": [(claimed.dossier_id, 1, 0)]}
    assert not mark_sending(world.engine, "npsp", **others)
    assert world.mark(claimed, lease_s=600)
    assert world.value("SELECT until > now() + interval '5 minutes' FROM delivery_lease")


def test_p3_what_was_marked_and_is_not_settled_with_the_others_never_went_out(world: World) -> None:
    world.store(dossier("H12.1-0001"), dossier("H12.1-0002"))
    sent, unsent = world.claim()
    messages = [(each.dossier_id, 1, 0) for each in (sent, unsent)]
    mark_sending(world.engine, "npsp", owner=world.owner, lease_s=60, phase=Phase.DOSSIER, messages=messages)
    world.settle(sent, Settled.ACCEPTED, hold=True)
    expire(world)
    assert [each.doubt for each in world.claim(owner=uuid4())] == [None, None]


def test_p3_a_worker_that_dies_asking_about_a_doubt_leaves_it_and_one_that_sends_makes_it_new(world: World) -> None:
    world.store(dossier())
    (claimed,) = world.claim()
    assert world.mark(claimed)
    world.settle(claimed, Settled.IN_DOUBT)
    (asking,) = world.claim()
    assert release(world.engine, "npsp", world.owner) == 1
    (again,) = world.claim()
    assert again.doubt == asking.doubt
    assert world.mark(again)
    assert release(world.engine, "npsp", world.owner) == 1
    (newer,) = world.claim()
    assert newer.doubt is not None
    assert again.doubt is not None
    assert newer.doubt.since > again.doubt.since


def test_p3_a_doubt_waits_and_is_then_claimed_with_what_was_sent(world: World) -> None:
    world.store(dossier())
    (claimed,) = world.claim()
    assert world.mark(claimed)
    world.settle(claimed, Settled.IN_DOUBT, delay_s=3600, reason="read time-out")
    assert world.claim() == []
    assert backlog(world.engine, "npsp").doubt == 1
    world.store(dossier(hours=1, state=9))
    world.feed()
    assert world.delivery().state == "doubt", "a new version does not wash the doubt away"
    world.execute("UPDATE delivery SET due_at = now()")
    (asking,) = world.claim()
    assert asking.doubt is not None
    assert (asking.doubt.phase, asking.doubt.version, asking.version) == (Phase.DOSSIER, 1, 2)
    world.settle(asking, Settled.ACCEPTED, version=asking.doubt.version)
    row = world.delivery()
    assert (row.state, row.acked_version, row.sending_phase) == ("due", 1, None)


def test_p3_a_doubt_that_proved_to_be_not_applied_is_sent_again(world: World) -> None:
    world.store(dossier())
    (claimed,) = world.claim()
    world.settle(claimed, Settled.IN_DOUBT)
    (asking,) = world.claim()
    assert asking.doubt is not None
    assert world.mark(asking)
    world.settle(asking, Settled.ACCEPTED, hold=True)
    assert world.delivery().acked_version == 1


def test_p3_giving_up_moves_on_and_writes_down_each_step_that_nobody_will_ever_know(world: World) -> None:
    world.store(dossier(hours=3, steps=[{"at": at(hour), "state": 2 + 2 * (hour > 1)} for hour in range(4)]))
    (claimed,) = world.claim()
    world.settle(claimed, Settled.ACCEPTED, hold=True)
    world.settle(claimed, Settled.ACCEPTED, phase=Phase.STEP, step=1)
    (claimed,) = world.claim()
    world.settle(claimed, Settled.IN_DOUBT, phase=Phase.STEP, step=3)
    (asking,) = world.claim()
    world.settle(asking, Settled.GIVEN_UP, phase=Phase.STEP, step=3)
    assert (world.delivery().acked_step, world.delivery().state) == (3, "due")
    doubtful = world.rows("SELECT phase, version, step, state, resolution FROM doubtful_send ORDER BY step")
    assert [tuple(row) for row in doubtful] == [("step", 1, 2, 2, None), ("step", 1, 3, 4, None)]


def test_p3_giving_up_a_dossier_is_written_down_and_its_fingerprint_forgotten(world: World) -> None:
    world.store(dossier(state=5))
    (claimed,) = world.claim()
    world.settle(claimed, Settled.GIVEN_UP)
    row = world.delivery()
    assert (row.acked_version, row.acked_fingerprint, row.known) == (1, None, False)
    doubtful = world.rows("SELECT phase, version, step, state FROM doubtful_send")
    assert [tuple(row) for row in doubtful] == [("dossier", 1, 0, 5)]


def test_what_was_not_sent_is_given_back_and_what_was_is_in_doubt(world: World) -> None:
    world.store(dossier("H12.1-0001"), dossier("H12.1-0002"))
    first, _ = world.claim()
    assert world.mark(first)
    assert release(world.engine, "npsp", uuid4()) == 0
    assert release(world.engine, "npsp", world.owner) == 2
    states = world.rows("SELECT state FROM delivery ORDER BY dossier_id")
    assert [row.state for row in states] == ["doubt", "due"]


def test_the_backlog_counts_each_delivery_once(world: World) -> None:
    assert backlog(world.engine, "npsp") == Backlog(due=0, due_later=0, leased=0, doubt=0, dead=0, next_due_at=None)
    world.store(*(dossier(f"H12.1-{number:04}") for number in range(6)))
    claimed = world.claim()
    for each, outcome in zip(claimed, (Settled.RETRY, Settled.IN_DOUBT, Settled.REJECTED), strict=False):
        world.settle(each, outcome, delay_s=100)
    release(world.engine, "npsp", world.owner)
    world.claim(limit=1)
    told = backlog(world.engine, "npsp")
    assert (told.due, told.due_later, told.leased, told.doubt, told.dead) == (2, 1, 1, 1, 1)
    assert told.next_due_at is not None


@pytest.mark.parametrize(
    "wrong",
    [
        "SET state = 'idle', wanted_version = acked_version + 1",
        "SET state = 'leased', lease_owner = NULL",
        "SET state = 'doubt', sending_phase = NULL",
        "SET state = 'lost'",
    ],
)
def test_the_database_refuses_a_delivery_that_contradicts_itself(world: World, wrong: str) -> None:
    world.store(dossier())
    world.deliver()
    with pytest.raises(IntegrityError):
        world.execute(f"UPDATE delivery {wrong}")
