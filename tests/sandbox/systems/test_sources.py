"""What the sources have in common: a clock of their own, the truth, records broken on purpose."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.province.sectors import System

NAMES = (
    "gplx", "igate", "dkkd", "opencps", "tanso", "xaydung", "dienluc", "hotich", "lltp", "btxh", "gtvt", "vbdlis",
    "ilis", "giaoduc", "thuy", "congthuong",
)  # fmt: skip


@pytest.fixture(scope="module", params=NAMES)
def source(request: pytest.FixtureRequest, start: Any) -> Iterator[Any]:
    return start(request.param)


def test_the_truth_lists_each_dossier_once_by_time_of_filing(source: Any) -> None:
    rows = source.truth()
    codes = [row["code"] for row in rows]
    assert len(rows) > 20
    assert len(set(codes)) == len(codes)
    assert [row["submitted_at"] for row in rows] == sorted(row["submitted_at"] for row in rows)
    now = source.clock().isoformat()
    assert all(row["changed_at"] <= now for row in rows)


def test_a_clock_set_back_is_refused(source: Any) -> None:
    answer = source.control("POST", "clock", {"as_of": "2026-01-01T00:00:00+07:00"})
    assert answer.status_code == 422
    assert "only moves forward" in answer.json()["error"]


def test_a_clock_set_beyond_the_calendar_is_refused(source: Any) -> None:
    answer = source.control("POST", "clock", {"as_of": "2060-01-01T00:00:00+07:00"})
    assert answer.status_code == 422
    assert "calendar of the province ends" in answer.json()["error"]


@pytest.mark.parametrize("body", [{}, {"as_of": "tomorrow"}, {"as_of": 5}])
def test_a_clock_wants_a_time(source: Any, body: dict[str, Any]) -> None:
    assert source.control("POST", "clock", body).status_code == 422


def test_moving_the_clock_brings_new_dossiers_and_new_states(source: Any) -> None:
    before = {row["code"]: row for row in source.truth()}
    new, moved = set[str](), set[str]()
    for _ in range(40):  # days: some systems have a handful of dossiers a month, each for a day
        later = (source.clock() + timedelta(days=1)).isoformat()
        answer = source.control("POST", "clock", {"as_of": later})
        assert answer.json()["as_of"] == later
        after = {row["code"]: row for row in source.truth()}
        assert before.keys() <= after.keys()
        assert all(after[code]["steps"] >= row["steps"] for code, row in before.items())
        new |= after.keys() - before.keys()
        moved |= {code for code, row in before.items() if after[code]["state"] != row["state"]}
        if new and moved:
            return
        before = after
    pytest.fail(f"in 40 days {len(new)} dossiers were new and {len(moved)} had a new state")


@pytest.mark.parametrize("name", NAMES)
def test_a_restarted_source_goes_on_at_the_same_time(start: Any, tmp_path: Path, name: str) -> None:
    first = start(name, home=tmp_path)
    first.control("POST", "clock", {"as_of": "2026-07-09T09:00:00+07:00"})
    again = start(name, home=tmp_path)
    assert again.clock().isoformat() == "2026-07-09T09:00:00+07:00"
    assert again.truth() == first.truth()


def test_broken_records_are_named_in_the_truth_until_they_are_mended(source: Any) -> None:
    codes = [row["code"] for row in source.truth()[:2]]
    assert source.control("POST", "break", {"codes": codes, "how": "bad-date"}).json() == {"broken": 2}
    assert [row["code"] for row in source.truth() if row["broken"] == "bad-date"] == codes
    assert source.control("DELETE", "break").json() == {"broken": 0}
    assert not [row for row in source.truth() if row["broken"]]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"codes": ["H12.07-260105-9999"], "how": "bad-date"}, "no such dossier here"),
        ({"codes": "all", "how": "bad-date"}, "list of dossier codes"),
        ({"codes": [], "how": "sideways"}, "unknown-status, bad-date, missing-code"),
    ],
)
def test_what_cannot_be_broken_is_refused_with_a_reason(source: Any, body: dict[str, Any], words: str) -> None:
    answer = source.control("POST", "break", body)
    assert answer.status_code == 422
    assert words in answer.json()["error"]


def test_a_dossier_is_known_to_the_systems_that_work_on_it_and_to_no_other(start: Any) -> None:
    known: dict[str, set[str]] = {}
    systems: dict[str, list[str]] = {}
    for name in NAMES:
        for row in start(name).truth():
            known.setdefault(row["code"], set()).add(name)
            assert systems.setdefault(row["code"], row["systems"]) == row["systems"]
    assert all(names <= set(systems[code]) for code, names in known.items())
    assert any(len(names) > 1 for names in known.values())
    assert set(NAMES) <= {system.value for system in System}
