"""What the indicators need: one rule set, judged for single dossiers and for the whole ledger alike."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_world import T0, World, at, dossier

from ledger.quality import by_agency, codes
from schemas.codes import Channel, SubjectKind
from schemas.dossier import Dossier
from schemas.quality import RULES, flags
from schemas.states import State

_moment = st.none() | st.datetimes(datetime(2026, 1, 1), datetime(2026, 6, 1)).map(
    lambda moment: moment.replace(tzinfo=T0.tzinfo)
)
_paper = st.fixed_dictionaries(
    {"name": st.just("Giấy phép")},
    optional={"code": st.just("G99.KQ.01"), "url": st.sampled_from(["", "https://mau.example.invalid/kq"])},
)
_changes = st.fixed_dictionaries(
    {
        "state": st.sampled_from(State),
        "channel": st.sampled_from(Channel),
        "subject_kind": st.sampled_from(SubjectKind),
        "agency_code": st.sampled_from(["H12.1", "H12.2", "H12.2.3", "H12.21"]),
        "procedure_code": st.sampled_from(["1.001612", "1.001612.000.00.00.H12", "TS_lop1.000.00.00.H22"]),
        "submitted_at": _moment,
        "received_at": _moment,
        "due_at": _moment,
        "finished_at": _moment,
        "returned_at": _moment,
        "results": st.lists(_paper, max_size=2),
        "applicant": st.sampled_from([{}, {"identity_number": "000099000001", "identity_kind": 1}]),
    }
)


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_changes, min_size=1, max_size=30))
def test_the_ledger_flags_exactly_what_a_preview_of_each_dossier_flags(
    world: World, told: list[dict[str, Any]]
) -> None:
    world.execute("TRUNCATE dossier, dossier_step, dossier_alias CASCADE")
    dossiers = [dossier(f"H12.1-{number:04d}", **changes) for number, changes in enumerate(told)]
    world.store(*dossiers)
    wanted: dict[str, dict[str, set[str]]] = {}
    for each in dossiers:
        for rule in flags(each):
            wanted.setdefault(each.agency_code, {}).setdefault(rule.name, set()).add(each.code)
    found = by_agency(world.engine)
    counts = {each.agency_code: {name: number for name, number in each.broken.items() if number} for each in found}
    assert {agency: rules for agency, rules in counts.items() if rules} == {
        agency: {name: len(flagged) for name, flagged in rules.items()} for agency, rules in wanted.items()
    }
    assert sum(each.dossiers for each in found) == len(dossiers)
    assert sum(each.flagged for each in found) == sum(bool(flags(each)) for each in dossiers)
    for rule in RULES:
        everywhere = set().union(*(rules.get(rule.name, set()) for rules in wanted.values()))
        assert set(codes(world.engine, rule.name, limit=100)) == everywhere


def _complete(**changes: Any) -> Dossier:
    full = {
        "submitted_at": at(-2),
        "received_at": at(-1),
        "due_at": at(99),
        "finished_at": at(5),
        "results": [{"name": "Giấy phép", "code": "G99.KQ.01", "url": "https://mau.example.invalid/kq"}],
        "applicant": {"identity_number": "000099000001", "identity_kind": 1},
    }
    return dossier(**{"state": 9, **full, **changes})


@pytest.mark.parametrize("state", State)
def test_a_dossier_that_has_everything_is_not_flagged_in_any_state(state: State) -> None:
    assert flags(_complete(state=state)) == []


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({"received_at": None}, ["no_receipt"]),
        ({"received_at": None, "state": 1}, []),
        ({"due_at": None}, ["no_due_date"]),
        ({"finished_at": None}, ["no_end"]),
        ({"finished_at": None, "returned_at": at(6), "state": 10}, []),
        ({"finished_at": None, "state": 4}, []),
        ({"results": []}, ["no_result_code", "no_result_link"]),
        ({"results": [{"name": "Giấy phép", "code": "G99.KQ.01"}]}, ["no_result_link"]),
        ({"submitted_at": None}, ["no_submission"]),
        ({"submitted_at": None, "channel": 1}, []),
        ({"applicant": {}}, ["no_identity"]),
        ({"applicant": {}, "subject_kind": 2}, []),
        ({"procedure_code": "TS_lop1.000.00.00.H22"}, ["local_procedure"]),
    ],
)
def test_each_rule_is_broken_by_what_it_names_and_by_nothing_else(changes: dict[str, Any], rules: list[str]) -> None:
    assert [rule.name for rule in flags(_complete(**changes))] == rules


def test_an_agency_is_asked_for_with_those_below_it_and_no_others(world: World) -> None:
    for number, agency in enumerate(("H12.2", "H12.2.3", "H12.21", "H12.1")):
        world.store(dossier(f"H12.1-{number:04d}", agency_code=agency))
    assert sorted(each.agency_code for each in by_agency(world.engine, agency="H12.2")) == ["H12.2", "H12.2.3"]
    assert codes(world.engine, "no_due_date", agency="H12.2", limit=1) == ["H12.1-0001"]


def test_only_what_changed_since_a_moment_is_looked_at_where_that_is_asked(world: World) -> None:
    world.store(dossier())
    now = world.value("SELECT now()")
    assert by_agency(world.engine, since=now + timedelta(hours=1)) == []
    assert len(by_agency(world.engine, since=now - timedelta(hours=1))) == 1


def test_every_rule_explains_itself_in_both_languages_and_names_its_indicators() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule.vi.endswith(".")
        assert rule.en.endswith(".")
        assert all(number[0].isdigit() and "." in number for number in rule.indicators)
