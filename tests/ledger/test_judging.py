"""Judging as a pure function: whatever the order, the newest reading wins, and steps only grow."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from ledger_world import at, dossier
from one_dossier import Memory

from ledger.judging import Verdict
from schemas.dossier import Dossier
from schemas.states import State, is_legal

states = st.sampled_from([int(state) for state in State])
hours = st.integers(0, 3)


@st.composite
def records(draw: st.DrawFn) -> Dossier:
    """A record with or without a source time, a state time and steps; ties are likely."""
    changed = draw(st.none() | hours)
    entered = draw(st.none() | hours)
    steps = draw(st.lists(st.tuples(hours, states), max_size=3))
    return dossier(
        state=draw(states),
        changed_at=None if changed is None else at(changed),
        state_at=None if entered is None else at(entered),
        note=draw(st.sampled_from([None, "a"])),
        steps=[{"at": at(hour), "state": state} for hour, state in steps],
    )


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[list[Dossier]], list[list[Dossier]]]:
    """The same records twice: permuted, repeated and cut into pages in two ways."""
    once = draw(st.lists(records(), min_size=1, max_size=5))

    def cut(order: list[Dossier]) -> list[list[Dossier]]:
        pages: list[list[Dossier]] = [[]]
        for record in order:
            if pages[-1] and draw(st.booleans()):
                pages.append([])
            pages[-1].append(record)
        return pages

    repeated = draw(st.lists(st.sampled_from(once), max_size=4))
    return cut(once), cut(draw(st.permutations([*once, *repeated])))


@given(histories())
def test_p2_any_order_repetition_and_paging_ends_in_the_same_state(
    told_twice: tuple[list[list[Dossier]], list[list[Dossier]]],
) -> None:
    ends = []
    for pages in told_twice:
        memory = Memory()
        for page in pages:
            memory.page(*page)
        ends.append(memory.final)
    assert ends[0] == ends[1]


@given(histories())
def test_p2_steps_are_numbered_without_gaps_in_time_order_and_end_in_the_state(
    told_twice: tuple[list[list[Dossier]], list[list[Dossier]]],
) -> None:
    memory = Memory()
    for page in told_twice[1]:
        memory.page(*page)
        numbered = memory.numbered()
        assert memory.known is not None
        assert [step.step_no for step in numbered] == list(range(1, memory.known.last_step + 1))
        assert all(former.at <= later.at for former, later in pairwise(numbered))
        assert numbered[-1].state == memory.known.state
        assert numbered[-1].at == memory.known.last_step_at
        jumps = sum(not is_legal(State(a.state), State(b.state)) for a, b in pairwise(numbered))
        assert memory.known.illegal_jumps == jumps == sum(step.illegal for step in numbered)


@given(histories())
def test_p1_every_record_of_a_page_gets_exactly_one_verdict(
    told_twice: tuple[list[list[Dossier]], list[list[Dossier]]],
) -> None:
    memory = Memory()
    for page in told_twice[1]:
        judged = memory.page(*page)
        positions = [judged.newest.position, *(older.position for older, _ in judged.older)]
        assert sorted(positions) == list(range(len(page)))


@given(histories())
def test_p5_a_page_told_again_changes_nothing(
    told_twice: tuple[list[list[Dossier]], list[list[Dossier]]],
) -> None:
    memory = Memory()
    for page in told_twice[0]:
        memory.page(*page)
    before = memory.known, list(memory.steps), memory.versions
    for page in told_twice[0]:
        judged = memory.page(*page)
        assert judged.verdict in (Verdict.UNCHANGED, Verdict.STALE)
    assert (memory.known, memory.versions) == (before[0], before[2])
    assert memory.numbered() == sorted((s for s in before[1] if s.step_no), key=lambda step: step.step_no or 0)


def test_a_first_record_is_new_and_gets_a_step_of_its_state() -> None:
    memory = Memory()
    judged = memory.page(dossier(state=2, hours=3))
    assert judged.verdict is Verdict.NEW
    assert [(step.step_no, step.state, step.at) for step in memory.steps] == [(1, 2, at(3))]


def test_a_lawful_step_back_is_followed_because_time_orders_and_not_the_code() -> None:
    memory = Memory()
    memory.page(dossier(state=9, hours=1))
    assert memory.page(dossier(state=4, hours=2)).verdict is Verdict.CHANGED
    assert memory.known is not None
    assert memory.known.state == 4
    assert memory.known.illegal_jumps == 0


def test_a_jump_out_of_an_end_state_is_followed_and_flagged() -> None:
    memory = Memory()
    memory.page(dossier(state=8, hours=1))
    memory.page(dossier(state=4, hours=2))
    assert memory.known is not None
    assert (memory.known.state, memory.known.illegal_jumps) == (4, 1)


def test_a_corrected_mapping_takes_back_an_end_state_that_was_a_wrong_guess() -> None:
    memory = Memory()
    memory.page(dossier(state=10, hours=1), mapping_no=1)
    assert memory.page(dossier(state=4, hours=1), mapping_no=1).verdict is Verdict.STALE
    assert memory.page(dossier(state=4, hours=1), mapping_no=2).verdict is Verdict.CHANGED
    assert memory.known is not None
    assert memory.known.state == 4
    assert memory.page(dossier(state=10, hours=1), mapping_no=1).verdict is Verdict.STALE
    assert memory.page(dossier(state=10, hours=2), mapping_no=1).verdict is Verdict.CHANGED


@given(
    st.lists(st.tuples(st.sampled_from([2, 4, 10]), st.integers(1, 2), st.integers(1, 3)), min_size=1, max_size=5),
    st.data(),
)
def test_p2_readings_by_several_mappings_end_in_the_same_state_in_any_order(
    told: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    ends = []
    for order in (told, data.draw(st.permutations([*told, *told[:1]]))):
        memory = Memory()
        for state, hours, mapping_no in order:
            memory.page(dossier(state=state, hours=hours), mapping_no=mapping_no)
        assert memory.known is not None
        ends.append((memory.known.state, memory.known.home.order))
    assert ends[0] == ends[1]


def test_nothing_leaves_an_end_state_without_a_newer_source_time() -> None:
    memory = Memory()
    memory.page(dossier(state=8, hours=1))
    assert memory.page(dossier(state=4, hours=1)).verdict is Verdict.STALE
    assert memory.known is not None
    assert memory.known.state == 8


def test_an_equal_record_with_a_newer_time_is_unchanged_but_moves_the_time_on() -> None:
    memory = Memory()
    memory.page(dossier(state=4, hours=1))
    touched = dossier(state=4, hours=1, changed_at=at(5))
    assert memory.page(touched).verdict is Verdict.UNCHANGED
    assert memory.page(dossier(state=2, hours=3)).verdict is Verdict.STALE


def test_another_offset_for_the_same_instant_is_no_change() -> None:
    memory = Memory()
    memory.page(dossier(state=4, received_at="2026-03-02T08:00:00+07:00"))
    assert memory.page(dossier(state=4, received_at="2026-03-02T01:00:00Z")).verdict is Verdict.UNCHANGED


def test_a_state_whose_time_lies_behind_the_last_step_still_becomes_the_last_step() -> None:
    memory = Memory()
    memory.page(dossier(state=4, hours=5))
    memory.page(dossier(state=5, hours=2, changed_at=at(6)))
    assert [step.state for step in memory.numbered()] == [4, 5]


def test_explicit_steps_come_with_their_details_and_late_ones_get_no_number() -> None:
    memory = Memory()
    first = [{"at": at(1), "state": 2, "unit": "Một cửa"}, {"at": at(3), "state": 4, "officer": "A"}]
    memory.page(dossier(state=4, hours=3, steps=first))
    late = [*first, {"at": at(2), "state": 6}, {"at": at(4), "state": 9}]
    memory.page(dossier(state=9, hours=4, steps=late))
    assert [(step.state, step.unit, step.officer) for step in memory.numbered()] == [
        (2, "Một cửa", None),
        (4, None, "A"),
        (9, None, None),
    ]
    assert [step.state for step in memory.steps if step.step_no is None] == [6]


def test_overtaken_records_of_one_page_still_give_their_steps() -> None:
    memory = Memory()
    judged = memory.page(dossier(state=9, hours=3), dossier(state=2, hours=1), dossier(state=4, hours=2))
    assert judged.verdict is Verdict.NEW
    assert [verdict for _, verdict in judged.older] == [Verdict.STALE, Verdict.STALE]
    assert [step.state for step in memory.numbered()] == [2, 4, 9]


def test_a_step_that_only_an_overtaken_record_tells_is_not_sent_when_it_lies_behind_the_newest() -> None:
    memory = Memory()
    corrected = dossier(state=4, hours=1, steps=[{"at": at(1), "state": 2}, {"at": at(9), "state": 8}])
    memory.page(dossier(state=9, hours=3), corrected)
    assert [step.state for step in memory.numbered()] == [2, 9]
    assert [step.state for step in memory.steps if step.step_no is None] == [8]


def test_a_late_step_gets_its_number_when_the_newer_record_repeats_it() -> None:
    memory = Memory()
    memory.page(dossier(state=4, hours=5, state_at=at(1)))
    memory.page(dossier(state=4, hours=4, state_at=at(3), steps=[{"at": at(3), "state": 6}]))  # stale
    assert [step.step_no for step in memory.steps if step.state == 6] == [None]
    both = [{"at": at(1), "state": 4}, {"at": at(3), "state": 6}]
    memory.page(dossier(state=6, hours=6, state_at=at(3), steps=both))
    assert [step.state for step in memory.numbered()] == [4, 6]


# --- several systems --------------------------------------------------------------------------------------------


def test_a_guest_moves_the_state_and_leaves_the_attributes_to_the_home() -> None:
    memory = Memory()
    memory.page(dossier(state=4, hours=1), system="igate", precedence=20)
    judged = memory.page(dossier(state=9, hours=2), system="gplx", precedence=10)
    assert judged.verdict is Verdict.CHANGED
    assert not judged.is_home
    assert memory.known is not None
    assert (memory.known.home.system, memory.known.state) == ("igate", 9)


def test_a_guest_that_lags_behind_is_stale_and_one_that_agrees_is_unchanged() -> None:
    memory = Memory()
    memory.page(dossier(state=9, hours=5), system="igate", precedence=20)
    assert memory.page(dossier(state=4, hours=2), system="gplx").verdict is Verdict.STALE
    assert memory.page(dossier(state=9, hours=3), system="gplx").verdict is Verdict.UNCHANGED
    assert memory.versions == 1


def test_an_edit_at_home_does_not_pull_the_state_back_from_a_guest() -> None:
    memory = Memory()
    memory.page(dossier(state=4, hours=1), system="igate", precedence=20)
    memory.page(dossier(state=9, hours=2), system="gplx")
    edited = dossier(state=4, hours=1, changed_at=at(3), note="sửa số điện thoại")
    assert memory.page(edited, system="igate", precedence=20).verdict is Verdict.CHANGED
    assert memory.known is not None
    assert memory.known.state == 9
    assert [step.state for step in memory.numbered()] == [4, 9]


def test_the_home_is_the_strongest_system_whoever_came_first() -> None:
    memory = Memory()
    memory.page(dossier(state=4, hours=1), system="gplx", precedence=10)
    judged = memory.page(dossier(state=4, hours=1), system="igate", precedence=20)
    assert judged.verdict is Verdict.CHANGED
    assert memory.known is not None
    assert memory.known.home.system == "igate"
    assert [guest.system for guest in memory.known.guests] == ["gplx"]


@given(st.permutations(range(4)))
def test_p2_two_systems_in_any_order_end_in_the_latest_event(order: list[int]) -> None:
    told = [
        (dossier(state=2, hours=1), "igate", 20),
        (dossier(state=4, hours=2), "gplx", 10),
        (dossier(state=9, hours=4), "gplx", 10),
        (dossier(state=4, hours=3), "igate", 20),
    ]
    memory = Memory()
    for number in order:
        record, system, precedence = told[number]
        memory.page(record, system=system, precedence=precedence)
    assert memory.known is not None
    assert (memory.known.home.system, memory.known.state) == ("igate", 9)
    assert memory.numbered()[-1].state == 9
