"""Reconciliation on the real database: each class planted by hand, and against a plain dictionary comparison."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_world import ADVISORY_LOCKS, World, at, dossier
from sqlalchemy.exc import IntegrityError

from ledger.errors import AlreadyRunning, LedgerUnavailable
from ledger.reconcile import (
    due_for_lookup,
    held_fields,
    open_breaks,
    open_reconcile,
    record_count_breaks,
    step_totals,
)
from ledger.types import (
    BreakKind,
    BreakStatus,
    Comparison,
    CountComparison,
    CountRow,
    HealResult,
    HeldRow,
    Phase,
    Scope,
    Settled,
    StepTotals,
)

NONE: dict[BreakKind, int] = dict.fromkeys((kind for kind in BreakKind if kind is not BreakKind.COUNT_MISMATCH), 0)


def code(number: int) -> str:
    return f"H12.1-{number:04}"


def held(number: int, state: int | None = 4, **fields: str) -> HeldRow:
    return HeldRow(code=code(number), found=True, state=state, fields=fields)


def not_held(number: int) -> HeldRow:
    return HeldRow(code=code(number), found=False, state=None)


def reconcile(
    world: World,
    rows: Iterable[HeldRow],
    *,
    scope: Scope = Scope.ALL,
    heal: tuple[int, float] | None = None,
    as_of: datetime | None = None,
    grace_s: float = 0,
) -> tuple[Comparison, HealResult | None]:
    """A run whose cut-off lies after everything that was done so far."""
    moment = as_of or datetime.now(UTC) + timedelta(seconds=1)
    with open_reconcile(world.engine, "npsp", method="listing", as_of=moment, grace_s=grace_s) as run:
        run.load(rows)
        comparison = run.compare(scope)
        healed = run.heal(*heal) if heal else None
        run.finish(None)
    return comparison, healed


def breaks(world: World) -> dict[str, BreakKind]:
    return {row.key: row.kind for row in open_breaks(world.engine, "npsp")}


def told(ours: int, theirs: int, matched: int, in_flight: int = 0, **found: int) -> Comparison:
    return Comparison(
        ours=ours,
        theirs=theirs,
        matched=matched,
        in_flight=in_flight,
        breaks=NONE | {BreakKind(kind): count for kind, count in found.items()},
    )


# --- promise 4: each class, planted by hand ---------------------------------------------------------------------


@pytest.fixture
def settled(world: World) -> World:
    """Five dossiers in state 4 after state 2, all delivered."""
    for hours, state in ((0, 2), (1, 4)):
        world.store(*(dossier(code(number), state=state, hours=hours) for number in range(5)))
    world.deliver()
    return world


def test_p4_two_sides_that_agree_have_no_breaks(settled: World) -> None:
    assert reconcile(settled, (held(n) for n in range(5)))[0] == told(5, 5, 5)
    assert breaks(settled) == {}


@pytest.mark.parametrize(
    ("rows", "kind", "ours", "theirs"),
    [
        ([], BreakKind.MISSING_AT_TARGET, {"state": 4, "state_at": "2026-03-02T02:00:00+00:00"}, {}),
        ([held(0, 2)], BreakKind.STALE_AT_TARGET, {"state": 4, "state_at": "2026-03-02T02:00:00+00:00"}, {"state": 2}),
        ([held(0, 9)], BreakKind.MISMATCH, {"state": 4}, {"state": 9}),
        ([held(0, None)], BreakKind.MISMATCH, {"state": 4}, {"state": None}),
        (
            [held(0, 4, procedure_code="2.000001")],
            BreakKind.MISMATCH,
            {"procedure_code": "1.001612"},
            {"procedure_code": "2.000001"},
        ),
        (
            [held(0, 4, due_at="2026-03-05T00:00:00Z")],
            BreakKind.MISMATCH,
            {"due_at": None},
            {"due_at": "2026-03-05T00:00:00Z"},
        ),
        (
            [held(0), held(0, 2)],
            BreakKind.DUPLICATE,
            {"state": 4, "state_at": "2026-03-02T02:00:00+00:00"},
            {"rows": 2},
        ),
    ],
)
def test_p4_what_is_wrong_with_one_dossier_is_found_and_nothing_else(
    settled: World, rows: list[HeldRow], kind: BreakKind, ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    comparison, _ = reconcile(settled, [*rows, *(held(n) for n in range(1, 5))])
    assert comparison == told(5, 4 + len(rows), 4, **{kind: 1})
    (row,) = open_breaks(settled.engine, "npsp")
    assert (row.kind, row.key, row.code, row.ours, row.theirs) == (kind, code(0), code(0), ours, theirs)


def test_p4_what_only_the_target_knows_is_found(settled: World) -> None:
    comparison, _ = reconcile(settled, [*(held(n) for n in range(5)), held(77, 9)])
    assert comparison == told(5, 6, 5, unknown_to_us=1)
    (row,) = open_breaks(settled.engine, None)
    assert (row.kind, row.key, row.code, row.ours, row.theirs) == (
        BreakKind.UNKNOWN_TO_US,
        code(77),
        None,
        {},
        {"state": 9},
    )


def test_p4_what_the_target_refused_is_a_break_of_its_own_kind(settled: World) -> None:
    settled.store(dossier(code(0), state=9, hours=2))
    (claimed,) = settled.claim()
    settled.settle(claimed, Settled.REJECTED, reason="fee not paid")
    assert reconcile(settled, (held(n) for n in range(5)))[0] == told(5, 5, 4, rejected=1)
    (row,) = open_breaks(settled.engine, "npsp")
    assert (row.ours, row.theirs) == ({"state": 9, "reason": "fee not paid"}, {"state": 4})


def test_p4_what_is_on_its_way_is_in_flight_and_no_break(settled: World) -> None:
    settled.store(
        dossier(code(0), state=9, hours=2), dossier(code(1), state=9, hours=2), dossier(code(2), hours=2, note="x")
    )
    first, second, _ = settled.claim()
    assert settled.mark(first)
    settled.settle(second, Settled.IN_DOUBT)
    settled.store(dossier(code(3), state=9, hours=2), dossier(code(9)))  # the feed has not come to these yet
    rows = [held(0), held(1, 9), held(2), held(3), held(4), held(9)]
    assert reconcile(settled, rows)[0] == told(6, 6, 1, in_flight=5)


def test_p4_a_change_or_an_answer_after_the_cut_off_is_in_flight(settled: World) -> None:
    cut_off = datetime.now(UTC)
    settled.store(dossier(code(0), state=9, hours=2))
    settled.deliver()
    rows = [held(n) for n in range(5)]  # as it was at the cut-off
    assert reconcile(settled, rows, as_of=cut_off)[0] == told(5, 5, 4, in_flight=1)
    assert reconcile(settled, rows, grace_s=3600)[0] == told(5, 5, 4, in_flight=1), "what agrees needs no grace"
    assert reconcile(settled, rows)[0] == told(5, 5, 4, stale_at_target=1)


def test_p4_an_older_change_that_was_sent_after_the_cut_off_is_in_flight_too(world: World) -> None:
    world.store(dossier(code(0)))
    cut_off = datetime.now(UTC)
    world.deliver()
    assert reconcile(world, [], as_of=cut_off)[0] == told(1, 0, 0, in_flight=1)
    assert reconcile(world, [])[0] == told(1, 0, 0, missing_at_target=1)


def test_the_same_dossier_in_both_written_forms_of_its_code_is_one(world: World) -> None:
    world.store(dossier("H12.12-250812-0001"))
    world.deliver()
    long_form = HeldRow(code="000.00.12.H12-250812-0001", found=True, state=4)
    short_form = HeldRow(code="H12.12-250812-0001", found=True, state=4)
    assert reconcile(world, [long_form])[0].matched == 1
    assert reconcile(world, [long_form, short_form])[0].breaks[BreakKind.DUPLICATE] == 1


def test_fields_written_in_other_ways_for_the_same_thing_agree(world: World) -> None:
    world.store(dossier(code(0), procedure_code="1.001612.H12", received_at="2026-03-02T08:30:00.700+07:00"))
    world.deliver()
    for fields in (
        {"received_at": "2026-03-02T01:30:00Z", "procedure_code": "1.001612"},
        {"received_at": "2026-03-02T08:30:00+07:00", "finished_at": ""},
        {"received_at": "2026-03-02 08:30:00"},  # no zone: local time
        {"unheard_of": "x"},
    ):
        assert reconcile(world, [held(0, 4, **fields)])[0].matched == 1
    assert reconcile(world, [held(0, 4, received_at="2026-03-02T08:30:01+07:00")])[0].matched == 0
    assert held_fields({"due_at": "01/03/2026"}) == {"due_at": "01/03/2026"}


# --- promise 4: against a plain comparison ----------------------------------------------------------------------

HISTORY = {2: [2], 4: [2, 4], 9: [2, 4, 9]}
side = st.dictionaries(st.integers(0, 7), st.sampled_from([2, 4, 9]), max_size=8)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ours=side, theirs=side, twice=st.sets(st.integers(0, 7)), asked=st.none() | st.sets(st.integers(0, 7)))
def test_p4_the_classes_are_those_of_a_plain_dictionary_comparison(
    world: World, ours: dict[int, int], theirs: dict[int, int], twice: set[int], asked: set[int] | None
) -> None:
    for table in ("break_", "delivery", "target_feed", "dossier_step", "dossier_alias", "dossier"):
        world.execute(f"DELETE FROM {table}")
    for stage in range(3):
        world.store(
            *(
                dossier(code(n), state=HISTORY[s][stage], hours=stage)
                for n, s in ours.items()
                if len(HISTORY[s]) > stage
            )
        )
    world.deliver()
    in_scope = set(range(8)) if asked is None else asked
    rows = [held(n, s) for n, s in theirs.items() if n in in_scope]
    rows += [held(n, theirs[n]) for n in twice if n in theirs and n in in_scope]
    if asked is not None:
        rows += [not_held(n) for n in asked - set(theirs)]

    expected: Counter[str] = Counter()
    for n in (set(ours) | set(theirs)) & in_scope:
        expected[_plain_class(n, ours, theirs, twice)] += 1
    comparison, _ = reconcile(world, rows, scope=Scope.ALL if asked is None else Scope.ASKED)
    found = Counter({kind.value: count for kind, count in comparison.breaks.items()})
    found["matched"], found["in_flight"] = comparison.matched, comparison.in_flight
    assert +found == +expected
    assert comparison.ours == len(set(ours) & in_scope)
    assert comparison.theirs == sum(row.found for row in rows)
    wrong = {code(n) for n in (set(ours) | set(theirs)) & in_scope if _plain_class(n, ours, theirs, twice) != "matched"}
    assert set(breaks(world)) == wrong


def _plain_class(n: int, ours: dict[int, int], theirs: dict[int, int], twice: set[int]) -> str:
    if n in theirs and n in twice:
        return "duplicate"
    if n not in ours:
        return "unknown_to_us"
    if n not in theirs:
        return "missing_at_target"
    if theirs[n] == ours[n]:
        return "matched"
    return "stale_at_target" if theirs[n] in HISTORY[ours[n]] else "mismatch"


# --- breaks over time -------------------------------------------------------------------------------------------


def test_a_break_closes_only_when_a_later_comparison_finds_it_matched(settled: World) -> None:
    rows = [held(n) for n in range(1, 5)]
    _, healed = reconcile(settled, rows, heal=(10, 1.0))
    assert healed == HealResult(healed=1, held_back=0)
    (row,) = open_breaks(settled.engine, "npsp")
    assert row.status is BreakStatus.HEALING
    assert reconcile(settled, rows)[0].in_flight == 1, "the cure is on its way"
    assert breaks(settled) == {code(0): BreakKind.MISSING_AT_TARGET}
    settled.deliver()
    assert breaks(settled) == {code(0): BreakKind.MISSING_AT_TARGET}, "delivered is not yet verified"
    reconcile(settled, [held(0), *rows])
    assert breaks(settled) == {}
    (row,) = settled.rows("SELECT status, closed_as, closed_at IS NOT NULL AS at FROM break_")
    assert tuple(row) == ("closed", "matched", True)


def test_a_break_that_comes_back_keeps_its_number_and_counts(settled: World) -> None:
    rows = [held(n) for n in range(1, 5)]
    reconcile(settled, rows)
    (first,) = open_breaks(settled.engine, "npsp")
    reconcile(settled, [held(0), *rows])
    reconcile(settled, rows)
    (again,) = open_breaks(settled.engine, "npsp")
    assert (again.break_id, again.reopened, again.first_seen_at) == (first.break_id, 1, first.first_seen_at)
    assert again.last_seen_at > first.last_seen_at


def test_a_break_of_another_kind_takes_the_place_and_the_age_of_the_former(settled: World) -> None:
    others = [held(n) for n in range(1, 5)]
    reconcile(settled, others)
    (missing,) = open_breaks(settled.engine, "npsp")
    reconcile(settled, [held(0, 2), *others])
    (stale,) = open_breaks(settled.engine, "npsp")
    assert (missing.kind, stale.kind) == (BreakKind.MISSING_AT_TARGET, BreakKind.STALE_AT_TARGET)
    assert stale.first_seen_at == missing.first_seen_at
    assert settled.value("SELECT closed_as FROM break_ WHERE status = 'closed'") == "stale_at_target"


def test_a_foreign_dossier_that_the_target_dropped_is_a_break_no_more(settled: World) -> None:
    mine = [held(n) for n in range(5)]
    reconcile(settled, [*mine, held(77)])
    reconcile(settled, mine, scope=Scope.ASKED)
    assert breaks(settled) == {code(77): BreakKind.UNKNOWN_TO_US}, "it was not asked about"
    reconcile(settled, [not_held(77)], scope=Scope.ASKED)
    assert breaks(settled) == {}


def test_what_was_not_asked_stays_as_it_was(settled: World) -> None:
    reconcile(settled, [held(n) for n in range(2, 5)])
    comparison, _ = reconcile(settled, [held(0), not_held(2)], scope=Scope.ASKED)
    assert comparison == told(2, 1, 1, missing_at_target=1)
    assert breaks(settled) == {code(1): BreakKind.MISSING_AT_TARGET, code(2): BreakKind.MISSING_AT_TARGET}


# --- healing ----------------------------------------------------------------------------------------------------


def test_healing_sends_again_exactly_what_the_target_lacks(settled: World) -> None:
    rows = [held(1, 2), held(2, 9), held(3), held(4), held(77)]
    assert reconcile(settled, rows, heal=(10, 1.0))[1] == HealResult(healed=3, held_back=0)
    claimed = {each.code: each for each in settled.claim()}
    assert set(claimed) == {code(0), code(1), code(2)}
    missing, stale, mismatch = (claimed[code(n)] for n in range(3))
    assert [step["step_no"] for step in missing.steps] == [1, 2]
    assert [step["step_no"] for step in stale.steps] == [step["step_no"] for step in mismatch.steps] == [2]
    assert (missing.known, stale.known, mismatch.known) == (False, True, True)
    assert {each.acked_version for each in claimed.values()} == {0}
    assert {each.acked_fingerprint for each in claimed.values()} == {None}


def test_p5_healing_twice_heals_once(settled: World) -> None:
    with open_reconcile(
        settled.engine, "npsp", method="listing", as_of=datetime.now(UTC) + timedelta(seconds=1), grace_s=0
    ) as run:
        run.compare(Scope.ALL)
        assert run.heal(10, 1.0) == HealResult(healed=5, held_back=0)
        assert run.heal(10, 1.0) == HealResult(healed=0, held_back=0)
        run.finish(None)


@pytest.mark.parametrize(
    ("limit", "share", "healed"), [(2, 1.0, 2), (1, 1.0, 0), (9, 0.4, 2), (9, 0.2, 0), (9, 0.0, 0)]
)
def test_above_the_limit_nothing_is_healed_and_a_person_is_asked(
    settled: World, limit: int, share: float, healed: int
) -> None:
    result = reconcile(settled, [held(n) for n in range(2, 5)], heal=(limit, share))[1]
    assert result == HealResult(healed=healed, held_back=0 if healed else 2)
    assert len(settled.claim()) == healed
    run = settled.rows("SELECT healed, held_back FROM reconcile_run")
    assert [tuple(row) for row in run] == [(healed, 0 if healed else 2)]


def test_a_few_breaks_heal_however_small_the_target_is(settled: World) -> None:
    with open_reconcile(settled.engine, "npsp", method="listing", as_of=datetime.now(UTC), grace_s=0) as run:
        run.load(held(n) for n in range(2, 5))
        run.compare(Scope.ALL)
        assert run.heal(10, 0.01, few=1) == HealResult(healed=0, held_back=2)
        assert run.heal(10, 0.01, few=2) == HealResult(healed=2, held_back=0)
        run.finish(None)


def test_what_a_person_must_see_is_never_healed(settled: World) -> None:
    rows = [held(0), held(0), held(1, None), held(2), held(3), held(4), held(77)]
    assert reconcile(settled, rows, heal=(10, 1.0))[1] == HealResult(healed=0, held_back=0)
    assert len(breaks(settled)) == 3


# --- runs -------------------------------------------------------------------------------------------------------


def test_p4_the_sums_prove_themselves(settled: World) -> None:
    reconcile(settled, [held(0), held(1), held(1, 2), held(2, 9), held(77), held(78), held(78)])
    for wrong in ("ours = ours + 1", "theirs = theirs + 1", "matched = matched + 1", "unknown_to_us = 0"):
        with pytest.raises(IntegrityError, match="is_the_sum_of_its_classes"):
            settled.execute(f"UPDATE reconcile_run SET {wrong}")


def test_a_run_that_did_not_end_well_is_never_without_breaks(settled: World) -> None:
    def broken() -> Iterable[HeldRow]:
        yield held(0)
        raise ConnectionError("the listing was cut")

    with pytest.raises(ConnectionError):
        reconcile(settled, broken())
    with open_reconcile(settled.engine, "npsp", method="listing", as_of=at(0), grace_s=0):
        pass
    rows = settled.rows("SELECT status, error FROM reconcile_run ORDER BY seq")
    assert [tuple(row) for row in rows] == [
        ("failed", "ended by ConnectionError"),
        ("failed", "ended without being finished"),
    ]
    assert reconcile(settled, [held(n) for n in range(5)])[0].matched == 5, "nothing of the cut listing is left"


def test_a_run_whose_session_broke_says_so_and_is_marked_by_the_next(settled: World) -> None:
    def broken() -> Iterable[HeldRow]:
        yield held(0)
        settled.value(f"SELECT count(pg_terminate_backend(pid)) {ADVISORY_LOCKS}")
        while settled.value(f"SELECT count(*) {ADVISORY_LOCKS}"):
            pass

    with pytest.raises(LedgerUnavailable):
        reconcile(settled, broken())
    assert reconcile(settled, [held(n) for n in range(5)])[0].matched == 5
    rows = settled.rows("SELECT status FROM reconcile_run ORDER BY seq")
    assert [row.status for row in rows] == ["interrupted", "succeeded"]


def test_p5_one_reconciliation_per_target(settled: World) -> None:
    settled.execute(
        "INSERT INTO reconcile_run (run_id, target, method, as_of, grace_s, status) "
        "VALUES (gen_random_uuid(), 'npsp', 'listing', now(), 0, 'running')"
    )
    with open_reconcile(settled.engine, "npsp", method="listing", as_of=at(0), grace_s=0) as run:
        with (
            pytest.raises(AlreadyRunning, match="npsp"),
            open_reconcile(settled.engine, "npsp", method="listing", as_of=at(0), grace_s=0),
        ):
            pass
        run.finish(None)
    rows = settled.rows("SELECT status FROM reconcile_run ORDER BY seq")
    assert [row.status for row in rows] == ["interrupted", "succeeded"]


def test_each_verification_is_remembered(settled: World) -> None:
    assert due_for_lookup(settled.engine, "npsp", 10) == [code(n) for n in range(5)]
    reconcile(settled, [held(0), not_held(1)], scope=Scope.ASKED)
    assert due_for_lookup(settled.engine, "npsp", 3) == [code(2), code(3), code(4)]
    reconcile(settled, [held(2, 9)], scope=Scope.ASKED)
    assert due_for_lookup(settled.engine, "npsp", 10) == [code(n) for n in (3, 4, 0, 1, 2)]
    assert settled.delivery(code(2)).verified_state == 9
    settled.execute(
        "UPDATE delivery SET verified_at = verified_at - interval '1 hour', last_at = last_at - interval '2 hours'"
    )
    settled.store(dossier(code(2), state=9, hours=2))
    settled.feed()
    assert code(2) not in due_for_lookup(settled.engine, "npsp", 10), "it is on its way"
    settled.deliver()
    assert due_for_lookup(settled.engine, "npsp", 1) == [code(2)]


# --- counts -----------------------------------------------------------------------------------------------------


def test_step_totals_tell_what_must_may_and_never_will_be_known(settled: World) -> None:
    assert step_totals(settled.engine, "npsp") == {
        2: StepTotals(settled=5, in_flight=0, doubtful=0),
        4: StepTotals(settled=5, in_flight=0, doubtful=0),
    }
    settled.store(*(dossier(code(n), state=9, hours=2) for n in range(3)))
    settled.store(dossier(code(0), state=2, hours=0.5))  # late: never sent, never counted
    doubtful, dead, _ = settled.claim()
    settled.settle(doubtful, Settled.ACCEPTED, hold=True)
    settled.settle(doubtful, Settled.GIVEN_UP, phase=Phase.STEP)
    settled.settle(dead, Settled.REJECTED)
    assert step_totals(settled.engine, "npsp")[9] == StepTotals(settled=0, in_flight=1, doubtful=1)


def test_counts_agree_within_what_may_be_there_and_are_breaks_outside(settled: World) -> None:
    def count(theirs: dict[str, int]) -> CountComparison:
        ours = {
            "2": StepTotals(settled=5, in_flight=0, doubtful=0),
            "4": StepTotals(settled=5, in_flight=1, doubtful=1, doubled=1),
        }
        with open_reconcile(settled.engine, "npsp", method="counts", as_of=datetime.now(UTC), grace_s=0) as run:
            rows = [CountRow(bucket=bucket, ours=ours[bucket], theirs=number) for bucket, number in theirs.items()]
            result = record_count_breaks(run, rows)
            run.finish(None)
        return result

    assert count({"2": 5, "4": 8}) == CountComparison(buckets=2, matched=2, mismatched=0)
    assert count({"2": 4, "4": 9}) == CountComparison(buckets=2, matched=0, mismatched=2)
    two, four = open_breaks(settled.engine, "npsp")
    assert (two.kind, two.key, two.ours, two.theirs) == (
        BreakKind.COUNT_MISMATCH,
        "2",
        {"settled": 5, "in_flight": 0, "doubtful": 0, "doubled": 0},
        {"count": 4},
    )
    assert four.key == "4"
    reconcile(settled, [held(n) for n in range(5)])
    assert len(breaks(settled)) == 2, "a listing says nothing about counts"
    assert count({"2": 5, "4": 4}).mismatched == 1
    assert set(breaks(settled)) == {"4"}
