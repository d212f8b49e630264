"""Coverage tells what a mapping leaves out, and shows no personal data."""

import copy
from typing import Any

import pytest

import mappings
from mappings import coverage, examples
from mappings.model import Direction


def records(name: str, direction: Direction = Direction.SOURCE, section: str = "dossier") -> list[dict[str, Any]]:
    """The good example records of a section."""
    return [
        copy.deepcopy(dict(outcome.record))
        for outcome in examples.run(mappings.load(name, direction))
        if outcome.problem is None and outcome.label.startswith(section)
    ]


@pytest.mark.parametrize("name", mappings.available(Direction.SOURCE))
def test_the_shipped_source_mappings_know_every_field_of_their_examples(name: str) -> None:
    found = coverage.measure(mappings.load(name, Direction.SOURCE), records(name))
    # (A code that a table does not know does no harm where something else answers for it: then nothing is set aside.)
    assert (found.unmapped, found.set_aside) == ((), 0)
    assert found.never_filled == ()


@pytest.mark.parametrize(
    ("name", "section"),
    [("npsp", "dossier"), ("npsp", "step"), ("province", "dossier"), ("province", "step"), ("emc", "step")],
)
def test_the_shipped_target_mappings_know_every_field_of_their_examples(name: str, section: str) -> None:
    samples = records(name, Direction.TARGET, section)
    found = coverage.measure(mappings.load(name, Direction.TARGET), samples, section)
    assert found.unmapped == ()
    assert found.not_mapped == ()


def test_new_renamed_and_missing_native_fields_are_told() -> None:
    samples = records("igate")
    for sample in samples:
        sample["finishedDate"] = sample.pop("completedDate", None) or "2025-08-12T07:45:00.000+0700"
        sample["applicant"] = {"data": {"fullname": "Mẫu", "birthday": "1999-01-01"}}
        sample["notes"] = [{"text": "ghi chú", "by": None}]
    found = coverage.measure(mappings.load("igate", Direction.SOURCE), samples)
    assert found.unmapped == ("applicant.data.birthday", "finishedDate", "notes[].text")
    assert {"completedDate", "applicant.data.identityNumber"} <= set(found.never_present)
    assert {"finished_at", "applicant.identity_number"} <= set(found.never_filled)
    assert {"note", "steps[].at", "results[].url"} <= set(found.not_mapped)


def test_codes_that_are_in_no_table_are_counted_and_only_codes_are_shown() -> None:
    samples = records("dkkd")[:4]
    samples[0]["trangThai"] = samples[1]["trangThai"] = "LA"
    samples[2]["kenhNop"] = "Nguyễn Thị Bí Mật"
    samples[3]["quaTrinh"] = [{"thoiDiem": "2026-01-05T08:00:00", "trangThai": "LA2"}]
    found = coverage.measure(mappings.load("dkkd", Direction.SOURCE), samples)
    assert found.set_aside == 4
    assert [(code.table, code.code, code.records) for code in found.unknown_codes] == [
        ("channel", "(hidden)", 1),
        ("state", "LA", 2),
        ("state", "LA2", 1),
    ]


def test_no_records_give_no_findings() -> None:
    found = coverage.measure(mappings.load("gplx", Direction.SOURCE), [])
    assert (found.records, found.unmapped, found.never_present, found.never_filled) == (0, (), (), ())


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        (coverage.Kind.STATE, "Đã trả kết quả", True),
        (coverage.Kind.STATE, "GD_CUOI", True),
        (coverage.Kind.STATE, "000099000001", False),
        (coverage.Kind.STATE, "Bà Nguyễn Thị Bí Mật, số 0 Đường Mẫu, phường Thử Nghiệm", False),
        (coverage.Kind.CODE, "Đã trả kết quả", False),
        (coverage.Kind.CODE, "LA2", True),
        (coverage.Kind.MOMENT, "31/02/2026 25:61", True),
        (coverage.Kind.MOMENT, "2026-01-05T08:30:00.123+07:00", True),
        (coverage.Kind.MOMENT, "20260105083000", True),
        (coverage.Kind.MOMENT, "000099000001", False),
        (coverage.Kind.MOMENT, "0900 000 000", False),
    ],
)
def test_only_what_looks_like_a_state_a_code_or_a_moment_is_shown(kind: coverage.Kind, value: str, shown: bool) -> None:
    assert coverage.looks_like(kind, value) is shown


def test_a_state_in_words_is_named_when_no_table_knows_it() -> None:
    samples = records("dkkd")[:1]
    samples[0]["trangThai"] = "Chờ lãnh đạo ký"
    (found,) = coverage.measure(mappings.load("dkkd", Direction.SOURCE), samples).unknown_codes
    assert found.code == "Chờ lãnh đạo ký"


def test_the_paths_of_states_codes_and_moments_are_known() -> None:
    kinds = coverage.kinds(mappings.load("dienluc", Direction.SOURCE))
    assert kinds["status"] is coverage.Kind.STATE
    assert kinds["history[].status"] is coverage.Kind.STATE
    assert kinds["channel"] is coverage.Kind.CODE
    assert kinds["history[].at"] is coverage.Kind.MOMENT
    assert "customer.fullName" not in kinds
