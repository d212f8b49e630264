"""A mapping that tells only of progress: what it may fill, what comes of a page, what it leaves out."""

from pathlib import Path
from typing import Any

import pytest

import mappings
from mappings import Tells, coverage, examples
from mappings.errors import MappingFileError
from mappings.mapping import Mapping, load_file
from schemas.dossier import Dossier, Progress

GOOD = """\
system: hotich
version: 1
direction: source
tells: progress
record_key: ma
fields:
  code: {from: ma, as: dossier_code, required: true}
  source_id: {from: ma, as: text, required: true}
  state: {from: trangThai, table: state, required: true}
  state_at: {from: luc, as: datetime, format: "%d/%m/%Y %H:%M:%S"}
  steps:
    each: buoc
    fields:
      at: {from: luc, as: datetime, format: "%d/%m/%Y %H:%M:%S", required: true}
      state: {value: 4}
tables:
  state: {"3": 4, "4": 9}
examples:
  - name: done
    given: {ma: 000.00.101.H12-250812-0001, trangThai: "4", luc: "13/08/2025 09:30:00"}
    gives:
      code: H12.101-250812-0001
      source_id: 000.00.101.H12-250812-0001
      state: 9
      state_at: "2025-08-13T09:30:00+07:00"
      steps: []
  - {like: done, set: {trangThai: "9"}, problem: {field: state, rule: unknown-code}}
"""
RECORD: dict[str, Any] = {"ma": "H12.101-250812-0001", "trangThai": "4", "luc": "13/08/2025 09:30:00"}


def load(tmp_path: Path, text: str) -> Mapping:
    """The mapping in this text."""
    file = tmp_path / "hotich.yaml"
    file.write_text(text, encoding="utf-8")
    return load_file(file)


def test_what_is_not_said_is_dossiers(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD).tells is Tells.PROGRESS
    assert mappings.load("gplx", mappings.Direction.SOURCE).tells is Tells.DOSSIER
    assert mappings.load("npsp", mappings.Direction.TARGET).tells is Tells.DOSSIER


def test_a_page_becomes_progress_and_problems(tmp_path: Path) -> None:
    mapping = load(tmp_path, GOOD)
    page = [RECORD, {**RECORD, "trangThai": "7"}, {**RECORD, "luc": "01/01/0001 00:00:00"}, RECORD]
    validated = mappings.validate_page(mapping, page)
    assert [(index, type(one)) for index, one in validated.good] == [(0, Progress), (3, Progress)]
    assert [(one.index, one.field, one.stage) for one in validated.bad] == [
        (1, "state", "mapping"),
        (2, "state_at", "schema"),
    ]
    whole = mappings.load("gplx", mappings.Direction.SOURCE)
    (outcome, *_) = examples.run(whole)
    assert isinstance(mappings.validate_page(whole, [outcome.record]).good[0][1], Dossier)


def test_its_examples_run(tmp_path: Path) -> None:
    assert [outcome.differences for outcome in examples.run(load(tmp_path, GOOD))] == [(), ()]


def test_what_it_leaves_out_is_counted_among_what_progress_may_tell(tmp_path: Path) -> None:
    found = coverage.measure(load(tmp_path, GOOD), [RECORD])
    assert "note" in found.not_mapped
    assert "results[].name" in found.not_mapped
    assert not {"procedure_code", "applicant.name"} & set(found.not_mapped)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("  state_at:", "  procedure_code:", "a system that tells only of progress does not tell this"),
        ("  state_at:", "  applicant.name:", "a system that tells only of progress does not tell this"),
        ("  state_at:", "  stateat:", 'the common schema has no such field. Did you mean "state_at"?'),
        ("tells: progress", "tells: nothing", "Input should be 'dossier', 'progress' or 'rating'"),
        ("tells: progress", "tells: dossier", "the required field procedure_code is not mapped"),
        ("  source_id: {from: ma, as: text, required: true}\n", "", "the required field source_id is not mapped"),
    ],
)
def test_a_wrong_file_is_told_by_what_is_wrong(tmp_path: Path, before: str, after: str, expected: str) -> None:
    assert before in GOOD
    with pytest.raises(MappingFileError) as caught:
        load(tmp_path, GOOD.replace(before, after))
    assert any(expected in str(issue) for issue in caught.value.issues)


def test_a_target_is_told_of_dossiers(tmp_path: Path) -> None:
    text = "system: npsp\nversion: 1\ndirection: target\ntells: progress\nrecord_key: code\n"
    with pytest.raises(MappingFileError, match="there is no such key"):
        load(tmp_path, f"{text}step:\n  fields:\n    A: {{from: code, as: str}}\n")
