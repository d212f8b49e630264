"""Dossiers that several systems tell of: the home describes them, and whoever has the latest event gives the state."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_world import World, at, dossier, problem
from one_dossier import Memory

from ledger import quarantine
from ledger.intake import open_codes, store_page
from ledger.judging import Verdict
from ledger.standing import Why, standings
from ledger.types import PageCounts, PageIntake
from schemas.dossier import Dossier, Progress
from schemas.states import State, is_legal

HOME = "igate"
PRECEDENCE = {"igate": 30, "bhxh": 20, "hotich": 20, "lltp": 20}
WHOLE = frozenset({"igate", "bhxh"})  # these tell what a dossier is about, the others only how far it has come
CODE = "H12.1-0001"


def progress(code: str = CODE, state: int = 4, hours: float | None = 0, **changes: Any) -> Progress:
    """Progress of a dossier that entered ``state`` at ``at(hours)``; None: it does not say when."""
    told = {"code": code, "source_id": code, "state": state, "state_at": None if hours is None else at(hours)}
    return Progress.model_validate(told | changes)


class Telling(NamedTuple):
    """One record, and when its page was fetched."""

    system: str
    record: Dossier | Progress
    fetched_at: datetime


class Ledger(Memory):
    """One dossier; progress waits for its home, and comes in once that has told of it."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Telling] = []

    def take(self, told: Telling) -> None:
        """One record as a page of its own; then whatever waited."""
        self.waiting.append(told)
        while True:
            ready = next((each for each in self.waiting if self.known or isinstance(each.record, Dossier)), None)
            if ready is None:
                return
            self.waiting.remove(ready)
            self.page(
                ready.record,
                system=ready.system,
                precedence=PRECEDENCE[ready.system],
                fetched_at=ready.fetched_at,
            )
            self.check()

    def check(self) -> None:
        """What holds after every page: numbered steps grow in time without gaps and end in the dossier's state."""
        assert self.known is not None
        numbered = self.numbered()
        assert [step.step_no for step in numbered] == list(range(1, self.known.last_step + 1))
        assert all(former.at <= later.at for former, later in pairwise(numbered))
        assert (numbered[-1].state, numbered[-1].at) == (self.known.state, self.known.last_step_at)
        jumps = sum(not is_legal(State(former.state), State(later.state)) for former, later in pairwise(numbered))
        assert self.known.illegal_jumps == jumps


systems = st.sampled_from(sorted(PRECEDENCE))
states = st.sampled_from([2, 4, 5, 6, 9, 10, 7])
hours = st.integers(0, 5)


@st.composite
def dated(draw: st.DrawFn) -> Telling:
    """A record that says when its state was entered, with or without steps; ties are likely."""
    system, entered, changed = draw(systems), draw(hours), draw(hours)
    steps = draw(st.lists(st.tuples(hours, states), max_size=2))
    told: dict[str, Any] = {
        "state": draw(states),
        "hours": entered,
        "changed_at": at(changed),
        "steps": [{"at": at(hour), "state": state} for hour, state in steps],
    }
    record = dossier(**told) if system in WHOLE else progress(**told)
    return Telling(system, record, at(100 + draw(hours)))


@given(st.lists(dated(), min_size=2, max_size=7), st.data())
@settings(max_examples=200)
def test_p2_any_order_and_repetition_of_pages_of_all_systems_ends_in_the_same_state(
    told: list[Telling], data: st.DataObject
) -> None:
    repeated = [*told, *data.draw(st.lists(st.sampled_from(told), max_size=3))]
    ends = []
    for order in (told, data.draw(st.permutations(repeated))):
        ledger = Ledger()
        for each in order:
            ledger.take(each)
        ends.append(ledger.known and (ledger.known.state, ledger.known.home.system, ledger.known.home.content_hash))
    assert ends[0] == ends[1]


@st.composite
def histories(draw: st.DrawFn) -> dict[str, list[Telling]]:
    """What each system tells in its own order: the home without times of its states, one guest without any time."""
    told: dict[str, list[Telling]] = {}
    for system in PRECEDENCE:
        entered = sorted(draw(st.lists(st.tuples(hours, hours, states), max_size=3)))
        for number, (hour, later, state) in enumerate(entered):
            changes: dict[str, Any] = {"state": state, "hours": hour, "changed_at": at(hour)}
            if system == "lltp":
                changes |= {"hours": None, "changed_at": None}
            elif system == "igate":
                changes |= {"state_at": None}
            record = dossier(**changes) if system in WHOLE else progress(**changes)
            told.setdefault(system, []).append(Telling(system, record, at(10 * number + later)))
    return told


@given(histories(), st.data())
@settings(max_examples=200)
def test_p2_without_times_any_interleaving_that_keeps_each_systems_own_order_ends_in_the_same_state(
    told: dict[str, list[Telling]], data: st.DataObject
) -> None:
    everything = [system for system, records in told.items() for _ in records]
    ends = []
    for order in (everything, data.draw(st.permutations(everything))):
        ledger, rest = Ledger(), {system: list(records) for system, records in told.items()}
        for system in order:
            ledger.take(rest[system].pop(0))
            before = told[system][: len(told[system]) - len(rest[system])]
            ledger.take(data.draw(st.sampled_from(before)))  # told again
        ends.append(ledger.known and ledger.known.state)
    assert ends[0] == ends[1]


def test_a_sector_systems_newer_state_counts_and_the_homes_older_one_is_history() -> None:
    memory = Memory()
    memory.page(dossier(state=4, hours=1), system=HOME, precedence=30)
    judged = memory.page(progress(state=5, hours=3), system="hotich", precedence=20)
    assert (judged.verdict, judged.is_home, memory.known and memory.known.state) == (Verdict.CHANGED, False, 5)
    memory.page(dossier(state=4, hours=2, note="đã nhắc"), system=HOME, precedence=30)
    assert memory.known is not None
    assert memory.known.state == 5
    assert [step.state for step in memory.numbered()] == [4, 5]


def test_an_end_at_home_stands_against_a_guest_that_does_not_say_since_when() -> None:
    memory = Memory()
    memory.page(dossier(state=4, hours=1), system=HOME, precedence=30)
    memory.page(progress(state=9, hours=None), system="lltp", precedence=20, fetched_at=at(5))
    memory.page(dossier(state=10, hours=4), system=HOME, precedence=30)  # handed out before we saw that it was ready
    assert memory.known is not None
    assert memory.known.state == 10


def test_a_guest_without_times_knows_better_than_a_home_that_has_only_forwarded() -> None:
    memory = Memory()
    memory.page(dossier(state=2, hours=1), system=HOME, precedence=30)
    memory.page(progress(state=9, hours=None), system="lltp", precedence=20, fetched_at=at(5))
    memory.page(dossier(state=4, hours=6), system=HOME, precedence=30)  # seen late
    assert memory.known is not None
    assert memory.known.state == 9
    memory.page(dossier(state=5, hours=7), system=HOME, precedence=30)  # the home itself waits for papers
    assert memory.known.state == 5


def test_steps_that_a_guest_tells_are_told_on_even_where_the_state_stays() -> None:
    memory = Memory()
    memory.page(dossier(state=4, hours=1), system=HOME, precedence=30)
    told = progress(state=4, hours=3, steps=[{"at": at(2), "state": 4}, {"at": at(3), "state": 4}])
    assert memory.page(told, system="hotich", precedence=20).verdict is Verdict.CHANGED
    assert [(step.step_no, step.at) for step in memory.numbered()] == [(1, at(1)), (2, at(2)), (3, at(3))]
    assert memory.known is not None
    assert memory.known.last_step == 3


def test_a_state_without_a_time_began_when_a_page_first_showed_it_even_among_others_of_that_page() -> None:
    memory = Memory()
    first, later = (dossier(state=4, state_at=None, changed_at=at(hour), note=str(hour)) for hour in (1, 3))
    memory.page(first, later, system=HOME, precedence=30)
    memory.page(progress(state=5, hours=2), system="hotich", precedence=20)
    assert memory.known is not None
    assert (memory.known.home.event_at, memory.known.state) == (at(1), 5)


def test_of_two_equally_strong_systems_the_order_does_not_decide_which_is_the_home() -> None:
    homes = set()
    for order in (("bhxh", "qldc"), ("qldc", "bhxh")):
        memory = Memory()
        for system in order:
            memory.page(dossier(state=4, hours=1), system=system, precedence=20)
        assert memory.known is not None
        homes.add(memory.known.home.system)
    assert homes == {"qldc"}


# --- in the ledger ----------------------------------------------------------------------------------------------


def told_by(world: World, system: str, *records: Dossier | Progress, **changes: Any) -> PageCounts:
    """Store a page of one system with its native records."""
    natives = [f"{system} {record.source_id} {record.state}".encode() for record in records]
    given: dict[str, Any] = {"system": system, "precedence": PRECEDENCE[system], "natives": natives}
    return world.store(*records, **(given | changes))


def counts(**numbers: int) -> PageCounts:
    """The equation with these numbers, zeros elsewhere."""
    zeros = dict.fromkeys(("new", "changed", "unchanged", "stale", "quarantined"), 0) | numbers
    return PageCounts(fetched=sum(zeros.values()), **zeros)


def test_progress_changes_the_state_and_nothing_else(world: World) -> None:
    told_by(world, HOME, dossier(state=4, hours=1, agency_name="UBND", due_at=at(50)))
    described = "SELECT attributes, personal, due_at, home_system, procedure_code FROM dossier"
    before = world.rows(described)
    assert told_by(world, "hotich", progress(state=9, hours=2, due_at=at(9), note="xong")) == counts(changed=1)
    assert world.rows(described) == before
    assert [tuple(row) for row in world.rows("SELECT state, state_system, state_at FROM dossier")] == [
        (9, "hotich", at(2))
    ]
    assert told_by(world, "hotich", progress(state=9, hours=2, due_at=at(9), note="xong")) == counts(unchanged=1)
    assert told_by(world, "hotich", progress(state=4, hours=1)) == counts(stale=1)
    assert world.value("SELECT count(*) FROM dossier") == 1


def test_progress_of_a_dossier_that_nobody_has_told_of_waits_in_quarantine(world: World) -> None:
    assert told_by(world, "hotich", progress(), progress("H12.1-0002")) == counts(quarantined=2)
    rows = world.rows("SELECT rule, record_key, stage, state FROM quarantine ORDER BY record_key")
    assert [tuple(row) for row in rows] == [
        (quarantine.UNKNOWN_DOSSIER, CODE, "binding", "open"),
        (quarantine.UNKNOWN_DOSSIER, "H12.1-0002", "binding", "open"),
    ]
    assert quarantine.found_a_home(world.engine) == []
    told_by(world, HOME, dossier())
    assert quarantine.found_a_home(world.engine) == ["hotich"]
    waiting = quarantine.set_aside(world.engine, world.sealer, "hotich", limit=10, only_known=True)
    assert [(row.record_key, row.native) for row in waiting] == [(CODE, f"hotich {CODE} 4".encode())]


def test_what_waited_stays_open_until_it_is_in_however_much_newer_progress_comes(world: World) -> None:
    told_by(world, "hotich", progress(state=5, hours=1))
    told_by(world, HOME, dossier(state=2, hours=0))
    told_by(world, "hotich", progress(state=9, hours=3))
    (row,) = quarantine.set_aside(world.engine, world.sealer, "hotich", limit=10)
    told = told_by(world, "hotich", progress(state=5, hours=1), redriven=[row.quarantine_id], natives=[row.native])
    assert told == counts(stale=1)
    assert world.steps() == [(1, 2), (None, 5), (2, 9)]
    assert world.value("SELECT state FROM quarantine") == "redriven"


def test_a_guests_corrected_record_closes_its_quarantine_though_the_home_leads(world: World) -> None:
    told_by(world, HOME, dossier(state=9, hours=5))
    told_by(world, "hotich", problems=[problem(key=CODE)])
    assert told_by(world, "hotich", progress(state=4, hours=1)) == counts(stale=1)
    assert world.value("SELECT state FROM quarantine") == "redriven"


def test_progress_under_the_national_code_finds_the_dossier(world: World) -> None:
    told_by(world, HOME, dossier(national_code="G22.99-0001", hours=1))
    assert told_by(world, "hotich", progress("G22.99-0001", state=9, hours=2)) == counts(changed=1)
    assert world.value("SELECT state FROM dossier") == 9


def test_progress_that_waits_under_the_national_code_has_found_its_home_too(world: World) -> None:
    told_by(world, "hotich", progress("G22.99-0001"))
    told_by(world, HOME, dossier(national_code="G22.99-0001"))
    assert quarantine.found_a_home(world.engine) == ["hotich"]


def test_progress_never_makes_a_dossier_of_its_own_system_its_guest(world: World) -> None:
    told_by(world, "bhxh", dossier(source_id=CODE))
    assert told_by(world, "bhxh", progress(state=9, hours=5)) == counts(quarantined=1)
    assert world.value("SELECT rule FROM quarantine") == quarantine.UNKNOWN_DOSSIER
    assert world.value("SELECT state FROM dossier") == 4


def test_progress_without_its_native_records_is_refused(world: World) -> None:
    with pytest.raises(ValueError, match="native records"):
        world.page(progress())


def test_a_page_with_progress_on_known_unknown_and_broken_records_adds_up(world: World) -> None:
    told_by(world, HOME, dossier())
    told = told_by(world, "hotich", progress(state=9, hours=1), progress("H12.1-0009"), problems=[problem(2)])
    assert told == counts(changed=1, quarantined=2)
    assert world.value("SELECT fetched FROM pull_run WHERE system = 'hotich'") == 3


def _kept(world: World) -> list[Any]:
    return world.rows("SELECT code, state, home_system, content_hash FROM dossier ORDER BY code")


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(dated(), min_size=2, max_size=5), st.data())
def test_p2_any_order_of_pages_and_redrives_ends_in_the_same_dossier(
    world: World, told: list[Telling], data: st.DataObject
) -> None:
    ends = []
    for order in (told, data.draw(st.permutations([*told, *told[:2]]))):
        for table in ("quarantine", "dossier_step", "dossier_alias", "dossier_reading", "dossier"):
            world.execute(f"DELETE FROM {table}")
        for each in order:
            _take(world, each, order)
        numbered = world.rows("SELECT step_no, at FROM dossier_step WHERE step_no IS NOT NULL ORDER BY step_no")
        assert [row.step_no for row in numbered] == list(range(1, len(numbered) + 1))
        assert [row.at for row in numbered] == sorted(row.at for row in numbered)
        ends.append(_kept(world))
    assert ends[0] == ends[1]


def _take(world: World, told: Telling, everything: Sequence[Telling]) -> None:
    """Store one record as a page, then map again what waited for a dossier that is known now."""
    natives = {str(index).encode(): each for index, each in enumerate(everything)}

    def store(each: Telling, native: bytes, redriven: Sequence[int] | None = None) -> None:
        page: PageIntake = world.page(
            each.record,
            system=each.system,
            precedence=PRECEDENCE[each.system],
            fetched_at=each.fetched_at,
            natives=[native],
            redriven=redriven,
        )
        told = store_page(world.engine, world.sealer, page)
        assert told.fetched == told.new + told.changed + told.unchanged + told.stale + told.quarantined == 1

    store(told, next(native for native, each in natives.items() if each is told))
    for system in quarantine.found_a_home(world.engine):
        for row in quarantine.set_aside(world.engine, world.sealer, system, limit=100, only_known=True):
            store(natives[row.native], row.native, [row.quarantine_id])


# --- who is asked about what ------------------------------------------------------------------------------------


def test_a_system_is_asked_about_open_dossiers_of_others_that_it_has_not_ended(world: World) -> None:
    for number, (procedure, state) in enumerate([("1.990401", 4), ("1.990402", 4), ("1.990401", 10), ("2.1", 4)]):
        name = procedure if procedure != "2.1" else "1.991701"
        told_by(world, HOME, dossier(f"H12.1-000{number}", procedure_code=name, state=state))
    told_by(world, "bhxh", dossier("H12.1-0008", procedure_code="1.990401"))
    births = ["1.990401", "1.990402"]
    asked = open_codes(world.engine, "hotich", procedures=births, homes=[HOME])
    assert sorted(asked) == ["H12.1-0000", "H12.1-0001"]
    assert sorted(open_codes(world.engine, "hotich", procedures=births)) == [*sorted(asked), "H12.1-0008"]
    assert len(open_codes(world.engine, "hotich")) == 4
    assert open_codes(world.engine, HOME, homes=[HOME]) == []
    told_by(world, "hotich", progress("H12.1-0001", state=3, hours=-1))  # refused there, and overtaken at home
    assert open_codes(world.engine, "hotich", procedures=births, homes=[HOME]) == ["H12.1-0000"]


def test_each_turn_asks_in_another_order(world: World) -> None:
    told_by(world, HOME, *(dossier(f"H12.1-{number:04}") for number in range(40)))
    orders = {tuple(open_codes(world.engine, "hotich", turn=turn)) for turn in range(5)}
    assert len(orders) == 5
    assert len({order[0] for order in orders}) > 1
    assert len({frozenset(order) for order in orders}) == 1


# --- why it stands as it does -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "system", "why"),
    [
        ([], HOME, Why.ONLY),
        ([("hotich", progress(state=5, hours=2))], "hotich", Why.LATEST),
        ([("hotich", progress(state=5, hours=1))], HOME, Why.PRECEDENCE),
        ([("hotich", progress(state=10, hours=1))], "hotich", Why.END),
        ([("lltp", progress(state=9, hours=None))], "lltp", Why.FORWARDED),
        ([("lltp", progress(state=9, hours=None)), ("hotich", progress(state=10, hours=3))], "hotich", Why.END_STANDS),
    ],
)
def test_the_ledger_says_whose_state_counts_and_why(
    world: World, told: list[tuple[str, Progress]], system: str, why: Why
) -> None:
    told_by(world, HOME, dossier(hours=1, national_code="G22.99-0001"))
    for guest, record in told:
        told_by(world, guest, record)
    found = standings(world.engine, [CODE, "G22.99-0001", "H12.1-9999"])
    assert found.keys() == {CODE, "G22.99-0001"}
    assert found[CODE] == found["G22.99-0001"]
    one = found[CODE]
    assert (one.code, one.system, one.why) == (CODE, system, why)
    assert one.state == world.value("SELECT state FROM dossier")
    assert (one.told[0].system, one.told[0].is_home) == (HOME, True)
    assert len(one.told) == 1 + len(told)
