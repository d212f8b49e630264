"""A page of native records becomes dossiers and problems, and every record is one or the other."""

import copy
from typing import Any

import pytest

import mappings
from mappings import examples
from mappings.model import Direction

SECRET = "Nguyễn Thị Bí Mật"


def good_record() -> dict[str, Any]:
    """A native record of business registration that is good."""
    outcome = examples.run(mappings.load("dkkd", Direction.SOURCE))[0]
    return copy.deepcopy(dict(outcome.record))


def changed(**changes: Any) -> dict[str, Any]:
    """The good record with changes."""
    return {**good_record(), **changes}


def test_a_good_page_becomes_dossiers_in_order() -> None:
    mapping = mappings.load("dkkd", Direction.SOURCE)
    page = [changed(maHoSo=f"DK{number}") for number in range(5)]
    validated = mappings.validate_page(mapping, page)
    assert [(index, dossier.source_id) for index, dossier in validated.good] == [(n, f"DK{n}") for n in range(5)]
    assert validated.bad == []


def test_bad_records_are_told_by_index_and_stage_and_the_rest_is_kept() -> None:
    mapping = mappings.load("dkkd", Direction.SOURCE)
    page = [
        good_record(),
        changed(trangThai="LA"),
        changed(ngayNop="0001-01-01T00:00:00"),
        good_record(),
        changed(tenThuTuc="x" * 5000, ngayHenTra="9999-12-31T00:00:00"),
        changed(soBienNhan=None),
    ]
    validated = mappings.validate_page(mapping, page)
    assert [index for index, _ in validated.good] == [0, 3]
    assert [(problem.index, problem.stage, problem.field) for problem in validated.bad] == [
        (1, "mapping", "state"),
        (2, "schema", "submitted_at"),
        (4, "schema", "procedure_name"),
        (5, "mapping", "code"),
    ]
    assert validated.bad[1].message == "dkkd: field submitted_at: the year must lie between 1990 and 2100"


def test_a_page_of_nothing_but_bad_records_has_no_dossiers() -> None:
    mapping = mappings.load("dkkd", Direction.SOURCE)
    page = [changed(ngayNop="0001-01-01T00:00:00"), changed(trangThai="LA")]
    validated = mappings.validate_page(mapping, page)
    assert validated.good == []
    assert [problem.index for problem in validated.bad] == [0, 1]


def test_an_empty_page_is_fine() -> None:
    validated = mappings.validate_page(mappings.load("dkkd", Direction.SOURCE), [])
    assert (validated.good, validated.bad) == ([], [])


@pytest.mark.parametrize(
    "changes",
    [
        {"tenDoanhNghiep": f"{SECRET}\x00"},
        {"tenDoanhNghiep": SECRET * 1000},
        {"soBienNhan": SECRET},
        {"trangThai": SECRET},
        {"ngayNop": SECRET},
        {"nguoiNop": SECRET},
        {"quaTrinh": [{"thoiDiem": SECRET, "trangThai": "MOI"}]},
        {"quaTrinh": [SECRET]},
    ],
    ids=ascii,
)
def test_no_problem_repeats_a_value(changes: dict[str, Any]) -> None:
    validated = mappings.validate_page(mappings.load("dkkd", Direction.SOURCE), [changed(**changes)])
    assert len(validated.bad) == 1
    assert SECRET not in repr(validated.bad)


def test_the_index_of_a_bad_step_is_told() -> None:
    steps = [
        {"thoiDiem": "2026-01-05T08:00:00", "trangThai": "MOI"},
        {"thoiDiem": "0001-01-01T00:00:00", "trangThai": "MOI"},
    ]
    (problem,) = mappings.validate_page(mappings.load("dkkd", Direction.SOURCE), [changed(quaTrinh=steps)]).bad
    assert (problem.stage, problem.field) == ("schema", "steps.1.at")
