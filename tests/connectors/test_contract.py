"""A contract snapshot tells what has moved in a system's answers, by names and counts, never by values."""

from pathlib import Path

import pytest

from connectors import contract
from connectors.catalog import load_catalog
from connectors.contract import Contract, Departure, Drift, record_contract
from connectors.errors import CatalogError

RECORD = {
    "type": "object",
    "required": ["code", "state"],
    "additionalProperties": False,
    "properties": {
        "code": {"type": "string"},
        "state": {"type": "integer"},
        "due": {"anyOf": [{"type": "null"}, {"type": "string"}]},
        "place": {
            "anyOf": [
                {"type": "null"},
                {
                    "type": "object",
                    "required": ["name"],
                    "additionalProperties": False,
                    "properties": {"name": {"type": "string"}},
                },
            ]
        },
        "papers": {
            "type": "array",
            "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
        },
    },
}
GOOD = {"code": "H12-1", "state": 4, "due": None, "papers": [{"name": "đơn"}]}


@pytest.mark.parametrize(
    ("changes", "departure"),
    [
        ({"moi": 1}, Departure(Drift.NEW, "moi", 1)),
        ({"state": "4"}, Departure(Drift.OTHER_KIND, "state", 1)),
        ({"due": 20260101}, Departure(Drift.OTHER_KIND, "due", 1)),
        ({"place": {"name": "x", "moi": 1}}, Departure(Drift.NEW, "place.moi", 1)),
        ({"place": {}}, Departure(Drift.MISSING, "place.name", 1)),
        ({"place": 7}, Departure(Drift.OTHER_KIND, "place", 1)),
        ({"papers": [{"name": "a"}, {"ten": "b"}, {"ten": "c"}]}, Departure(Drift.MISSING, "papers[].name", 1)),
    ],
)
def test_each_departure_is_named_with_its_path_and_counted_once_a_record(changes, departure):
    assert Contract(RECORD).departures([GOOD, {**GOOD, **changes}]) == [departure]


def test_a_renamed_field_is_a_missing_one_and_a_new_one():
    renamed = {("trangThai" if key == "state" else key): value for key, value in GOOD.items()}
    assert {(each.drift, each.at) for each in Contract(RECORD).departures([renamed])} == {
        (Drift.MISSING, "state"),
        (Drift.NEW, "trangThai"),
    }


@pytest.mark.parametrize(
    ("path", "known"),
    [("due", True), ("papers.name", True), ("place.name", True), ("dueAt", False), ("place.x", False)],
)
def test_it_knows_what_it_speaks_of(path, known):
    assert Contract(RECORD).knows(path) is known


def test_what_is_said_holds_no_value():
    secret = {"code": 79000000001, "state": "Nguyễn Văn Mẫu", "due": {"Nguyễn": 1}}
    said = repr(Contract(RECORD).departures([secret]))
    assert "Nguyễn" not in said
    assert "79000000001" not in said


@pytest.mark.parametrize(
    "content", ["{", '{"type": 7}', '{"type": "object"}', None], ids=["cut", "not a schema", "no record", "absent"]
)
def test_a_snapshot_that_cannot_be_used_says_what_to_do(tmp_path: Path, monkeypatch, content):
    path = tmp_path / "x.schema.json"
    if content is not None:
        path.write_text(content)
    monkeypatch.setattr(contract, "contract_path", lambda _: path)
    with pytest.raises(CatalogError) as caught:
        record_contract(load_catalog().source("gplx"))
    assert caught.value.problems[0].fix


@pytest.mark.parametrize("system", [entry.system for entry in load_catalog().sources])
def test_every_source_describes_a_record_or_has_a_wsdl(system):
    entry = load_catalog().source(system)
    found = record_contract(entry)
    assert (found is None) == entry.contract.endswith(".wsdl")
    if found is not None:
        assert found.departures([{"khong_co_trong_hop_dong": 1}])
