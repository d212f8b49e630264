"""Examples that do not come out as written are told, with what differs."""

from pathlib import Path

import pytest

from mappings import examples
from mappings.mapping import load_file

FILE = """\
system: thu
version: 1
direction: target
record_key: code
step:
  fields:
    ma: {from: code, as: text, required: true}
    luc: {from: at, as: wire_datetime, format: "%Y%m%d%H%M%S"}
    dung: {from: state, table: dung}
  examples:
    - {name: one, given: {code: A-1, at: "2025-08-12T01:15:00Z", state: 9}, ENDING}
tables:
  dung: {1: false, 9: true}
"""


def _differences(tmp_path: Path, ending: str) -> tuple[str, ...]:
    file = tmp_path / "thu.yaml"
    file.write_text(FILE.replace("ENDING", ending), encoding="utf-8")
    (outcome,) = examples.run(load_file(file))
    return outcome.differences


@pytest.mark.parametrize(
    "ending",
    [
        'gives: {ma: A-1, luc: "20250812081500", dung: true}',
        "includes: {dung: true}",
        "includes: {}",
    ],
)
def test_an_example_that_comes_out_as_written_has_no_differences(tmp_path: Path, ending: str) -> None:
    assert _differences(tmp_path, ending) == ()


@pytest.mark.parametrize(
    ("ending", "difference"),
    [
        ("includes: {dung: 1}", "dung: expected 1, got True"),
        ("includes: {dung: false}", "dung: expected False, got True"),
        ("includes: {khac: 1}", "khac: missing in the result"),
        ('gives: {ma: A-1, luc: "20250812081500"}', "dung: in the result but not in the example"),
        ("problem: {field: ma, rule: required}", "expected the problem required at ma, got none"),
        ("set: {code: null}, includes: {}", "the record was set aside: thu: field ma: the field is required"),
        (
            "set: {code: null}, problem: {field: ma, rule: text}",
            "expected the problem text at ma, got required at ma",
        ),
    ],
)
def test_a_difference_is_told(tmp_path: Path, ending: str, difference: str) -> None:
    (found,) = _differences(tmp_path, ending)
    assert found.startswith(difference)
