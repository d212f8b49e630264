"""Compiled mappings: exact codes, honest problems, and a slow path that agrees with the fast one."""

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mappings
from mappings import examples, paths
from mappings.mapping import Mapping, load_file
from mappings.model import Direction

SECRET = "Bí-Mật-9f3a"
JUNK_VALUES: list[Any] = [
    *(None, "", " ", SECRET, f"{SECRET}\x00", "4", 4, 4.0, True, "04", float("nan"), 1 << 70),
    *([], [SECRET], {}, {SECRET: SECRET}, {"id": 2}, [None], [{}]),
    *("9999-99-99T99:99:99", "31/02/2026 25:61:00", "2025-08-12T24:00:00"),
]
JUNK = st.sampled_from(JUNK_VALUES) | st.text(max_size=8)


def mapping_of(tmp_path: Path, fields: str, tables: str = "{}") -> Mapping:
    """A source mapping whose ``note`` and other optional fields are those given."""
    file = tmp_path / "thu.yaml"
    file.write_text(
        f"""
system: thu
version: 1
direction: source
record_key: ma
fields:
  code: {{value: A-123}}
  source_id: {{value: "1"}}
  procedure_code: {{value: 1.001612}}
  agency_code: {{value: H12}}
  channel: {{value: 1}}
  subject_kind: {{value: 1}}
  state: {{value: 4}}
{fields}
tables: {tables}
""",
        encoding="utf-8",
    )
    return load_file(file)


def field_of(mapping: Mapping, record: Any, field: str = "note") -> Any:
    """The field of the one record, or the rule it broke."""
    converted = mapping.convert([record])
    if converted.bad:
        return converted.bad[0].rule
    return converted.good[0][1].get(field, "absent")


@pytest.mark.parametrize(
    ("code", "found"),
    [
        *(("4", "bốn"), (4, "unknown-code"), (" 4", "unknown-code"), ("04", "unknown-code"), (True, "unknown-code")),
        *((1, "một"), ("1", "unknown-code"), (1.0, "unknown-code"), ([1], "unknown-code"), ({}, "unknown-code")),
        *((1.5, "unknown-code"), ("True", "đúng"), (False, "unknown-code")),
        *(("", "absent"), ("  ", "absent"), (None, "absent")),
    ],
)
def test_a_table_is_exact_about_spelling_and_type(tmp_path: Path, code: object, found: str) -> None:
    mapping = mapping_of(
        tmp_path, "  note: {from: ma, table: so}", '{so: {"4": bốn, 1: một, "True": đúng, "1.5": rưỡi}}'
    )
    assert field_of(mapping, {"ma": code}) == found


@pytest.mark.parametrize(
    ("spec", "record", "found"),
    [
        ("{from: a, as: text}", {}, "absent"),
        ("{from: a, as: text, default: khác}", {"a": " "}, "khác"),
        ("{from: a, as: text, default: null}", {}, None),
        ("{from: a, as: text, required: true}", {"a": None}, "required"),
        ("{from: a, as: text, blanks: ['000000001']}", {"a": "000000001"}, "absent"),
        ("{from: [a, b], as: text}", {"a": "", "b": "hai"}, "hai"),
        ("{from: [a, b], as: text}", {"a": "một", "b": "hai"}, "một"),
        ("{from: [a, b.c], as: text}", {"a": None, "b": {"c": "sâu"}}, "sâu"),
        ("{from: a, as: text, else: {from: b.c, as: text, else: {value: cuối}}}", {"b": None}, "cuối"),
        ("{from: a, as: text, else: {from: b.c, as: text, else: {value: cuối}}}", {"b": {"c": "x"}}, "x"),
        ("{from: a, table: so, on_unknown: lạ}", {"a": "9"}, "lạ"),
        ("{from: a, table: so, on_unknown: null}", {"a": "9"}, "absent"),
        ("{jmespath: \"a[?b=='x'].c | [0]\", as: text}", {"a": [{"b": "y"}, {"b": "x", "c": "thấy"}]}, "thấy"),
        ("{jmespath: 'length(a)', as: str}", {"a": None}, "shape"),
        ("{lookup: {in: procedures, by: a, take: name}}", {"a": "1.990101.000.00.00.H12"}, "Đổi giấy phép lái xe"),
        ("{lookup: {in: procedures, by: a, take: name}}", {"a": "không phải mã"}, "absent"),
        ("{lookup: {in: procedures, by: a, take: name}}", {"a": ["1.990101"]}, "absent"),
        ("{from: a.b.c, as: text}", {"a": {"b": None}}, "absent"),
        ("{from: a.b.c, as: text}", {"a": ""}, "absent"),
        ("{from: a.b.c, as: text}", {"a": {"b": "chữ"}}, "shape"),
        ("{from: a.b.c, as: text}", {"a": []}, "shape"),
    ],
    ids=str,
)
def test_what_becomes_of_a_field(tmp_path: Path, spec: str, record: dict[str, Any], found: object) -> None:
    mapping = mapping_of(tmp_path, f"  note: {spec}", "{so: {a: b}}" if "table" in spec else "{}")
    assert field_of(mapping, record) == found


@pytest.mark.parametrize("record", [None, "text", 4, ["list"]])
def test_a_record_that_is_no_object_is_set_aside(tmp_path: Path, record: object) -> None:
    mapping = mapping_of(tmp_path, "  note: {from: a.b, as: text}")
    assert field_of(mapping, record) == "shape"


def test_a_list_is_mapped_item_by_item_and_its_problems_tell_the_position(tmp_path: Path) -> None:
    mapping = mapping_of(
        tmp_path,
        "  results: {each: giay.to, fields: {name: {from: ten, as: text, required: true}, url: {from: a.b, as: text}}}",
    )
    assert field_of(mapping, {"giay": {"to": [{"ten": "một"}, {"ten": "hai", "a": {"b": "u"}}]}}, "results") == [
        {"name": "một"},
        {"name": "hai", "url": "u"},
    ]
    assert field_of(mapping, {"giay": None}, "results") == []
    bad = mapping.convert([{"giay": {"to": [{"ten": "một"}, {"ten": ""}, "chữ"]}}, {"giay": {"to": "chữ"}}]).bad
    assert [(problem.field, problem.rule) for problem in bad] == [("results[1].name", "required"), ("results", "shape")]
    assert "results[2] shape" in bad[0].message


def test_constants_are_fresh_in_every_record(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "  results: {each: giay, fields: {name: {value: a}}}\n  note: {value: x}")
    first, second = (record for _, record in mapping.convert([{}, {}]).good)
    first["results"].append("mine")
    assert second["results"] == []


def test_a_problem_names_system_field_and_rule_and_the_other_broken_fields(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "  note: {from: a, as: text}\n  summary: {from: b, as: text}")
    (problem,) = mapping.convert([{"a": 1, "b": "\x00"}]).bad
    assert (problem.field, problem.rule, problem.stage) == ("note", "text", "mapping")
    assert problem.message == "thu: field note: the value is not text (also: summary control-character)"


def test_the_record_key_is_told_when_there_is_one(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, "  note: {from: a, as: text}")
    assert mapping.key_of({"ma": "H12-1"}) == "H12-1"
    assert mapping.key_of({"ma": 17}) == "17"
    assert mapping.key_of({"ma": ""}) is None
    assert mapping.key_of({"ma": {"x": 1}}) is None
    gplx = mappings.load("gplx", Direction.SOURCE)
    assert gplx.key_of({"detail": None, "list": {"maHoSo": "A"}}) == "A"


def test_a_mapping_without_steps_says_so(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="no section step"):
        mapping_of(tmp_path, "").convert_steps([{}])


BASES = {
    (direction, name): [outcome for outcome in examples.run(mappings.load(name, direction)) if outcome.problem is None]
    for direction in Direction
    for name in mappings.available(direction)
}


@st.composite
def spoiled(draw: st.DrawFn) -> tuple[Mapping, str, dict[str, Any]]:
    """An example record of any mapping with some of its values replaced by junk."""
    key = draw(st.sampled_from(sorted(BASES)))
    outcome = draw(st.sampled_from(BASES[key]))
    record = copy.deepcopy(dict(outcome.record))
    places = sorted({*(path for path, _ in paths.leaves(record)), *record})
    for place in draw(st.lists(st.sampled_from(places), min_size=1, max_size=3)):
        _put(record, place.replace("[]", ".0").split("."), draw(JUNK))
    return mappings.load(key[1], key[0]), outcome.label.split()[0], record


def _put(holder: Any, names: list[str], value: Any) -> None:
    for name in names[:-1]:
        holder = holder[int(name)] if isinstance(holder, list) and holder else _inside(holder, name)
    if isinstance(holder, dict):
        holder[names[-1]] = value


def _inside(holder: Any, name: str) -> Any:
    return holder.get(name) if isinstance(holder, dict) else None


@given(spoiled())
@settings(max_examples=400)
def test_whatever_a_record_holds_it_ends_good_or_bad_and_no_message_repeats_it(
    case: tuple[Mapping, str, dict[str, Any]],
) -> None:
    mapping, section, record = case
    converted = mapping.convert_steps([record]) if section == "step" else mapping.convert_dossiers([record])
    assert len(converted.good) + len(converted.bad) == 1
    for problem in converted.bad:
        assert SECRET not in repr(problem)


@given(spoiled())
@settings(max_examples=400)
def test_the_slow_path_gives_what_the_fast_one_gives(case: tuple[Mapping, str, dict[str, Any]]) -> None:
    mapping, section, record = case
    compiled = mapping.compiled[section]
    slow, broken = compiled.explain(record)
    try:
        fast = compiled.fast(record)
    except Exception:
        assert broken
    else:
        assert not broken
        assert repr(fast) == repr(slow)
