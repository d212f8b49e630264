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
