"""A wrong mapping file is told by line, key, mistake and fix, all mistakes at once."""

from pathlib import Path

import pytest

from mappings.errors import MappingFileError
from mappings.mapping import load_file

GOOD = """\
system: gplx
version: 1
direction: source
record_key: MaHoSo
fields:
  code: {from: MaHoSo, as: dossier_code, required: true}
  source_id: {from: MaHoSo, as: text, required: true}
  procedure_code: {from: MaTTHC, as: procedure_code}
  agency_code: {value: H12.07}
  channel: {value: 1}
  subject_kind: {value: 1}
  state: {from: TrangThai, table: state}
  due_at: {from: HanTra, as: datetime, format: "%d/%m/%Y"}
tables:
  state: {"4": 4}
examples:
  - {name: one, given: {MaHoSo: A-1}, includes: {code: A-1}}
"""

TARGET = """\
system: npsp
version: 1
direction: target
record_key: code
step:
  fields:
    MaHoSo: {from: code, as: dossier_code_long}
    TrangThai: {from: state, as: str}
"""


def _issues(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "gplx.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(MappingFileError) as caught:
        load_file(file)
    return [str(issue).partition("gplx.yaml:")[2] for issue in caught.value.issues]


def test_the_good_files_are_good(tmp_path: Path) -> None:
    for text in (GOOD, TARGET):
        file = tmp_path / "good.yaml"
        file.write_text(text, encoding="utf-8")
        assert load_file(file).system in text


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("  due_at:", "  due_et:", '13: fields.due_et: the common schema has no such field. Did you mean "due_at"?'),
        ("as: text", "as: txt", '7: fields.source_id.as: there is no such converter. Did you mean "text"?'),
        ("table: state", "table: status", '12: fields.state.table: there is no such table. Did you mean "state"?'),
        ("format:", "formet:", '13: fields.due_at.formet: datetime has no such option. Did you mean "format"?'),
        (
            "required: true}\n  source",
            "requred: true}\n  source",
            '6: fields.code.requred: dossier_code has no such option. Did you mean "required"?',
        ),
        ("%d/%m/%Y", "%d/%b/%Y", "13: fields.due_at.format[0]: %b is not supported"),
        ("%d/%m/%Y", "%d/%m", "13: fields.due_at.format[0]: a format needs %Y, %m and %d"),
        ('"4": 4', '"4": 44', "15: tables.state.4: not a value of the field state: Input should be 1, 2"),
        ("value: H12.07", "value: h12", "9: fields.agency_code.value: not a value of the field agency_code"),
        ("from: MaTTHC", "from: 'MaTTHC[0]'", "8: fields.procedure_code.from[0]: a path is plain names"),
        ("from: MaTTHC", "jmespath: 'a[b'", "8: fields.procedure_code.jmespath: not a JMESPath expression"),
        ("{from: MaTTHC, as: procedure_code}", "{from: MaTTHC}", "8: fields.procedure_code: say how the value is read"),
        (
            "{from: MaTTHC, as: procedure_code}",
            "{as: text}",
            "8: fields.procedure_code: a field has exactly one origin",
        ),
        ("value: 1}\n  subject", "value: 1, from: a}\n  subject", "10: fields.channel: a field has exactly one origin"),
        (
            "required: true}\n  proc",
            "required: true, default: x}\n  proc",
            "7: fields.source_id: a required field has no default",
        ),
        ("as: procedure_code}", "as: procedure_code, on_unknown: x}", "8: fields.procedure_code: on_unknown says"),
        (
            "{from: MaTTHC, as: procedure_code}",
            "{lookup: {in: procedurs, by: a, take: name}}",
            '8: fields.procedure_code.lookup.in: no such catalogue. Did you mean "procedures"?',
        ),
        (
            "{from: MaTTHC, as: procedure_code}",
            "{lookup: {in: procedures, by: a, take: nam}}",
            '8: fields.procedure_code.lookup.take: the catalogue has no such column. Did you mean "name"?',
        ),
        ("  channel: {value: 1}\n", "", "5: fields: the required field channel is not mapped. Add channel:"),
        ("version: 1", "version: one", "2: version: Input should be a valid integer"),
        ("direction: source", "direction: sideways", "3: direction: direction must be source or target"),
        ("direction: source", "direktion: source", "1: direction: direction must be source or target"),
        ("record_key: MaHoSo", "record_kei: MaHoSo", '4: record_kei: there is no such key. Did you mean "record_key"?'),
        ("system: gplx\n", "system: gplx\nsystem: igate\n", "2: system: the key stands twice"),
        ('{"4": 4}', '{"4": 4, "4": 5}', "15: tables.state.4: the key stands twice"),
        ('state: {"4": 4}', 'state: {"4": 4}\n  other: {a: 1}', "16: tables.other: no field uses this table"),
        (
            "{name: one, given",
            "{name: one, like: two, given",
            "17: examples[0]: an example starts from given or from like",
        ),
        ("{name: one, given: {MaHoSo: A-1}", "{like: two", "17: examples[0].like: no earlier example has that name"),
        ("includes: {code: A-1}}", "gives: {}, includes: {}}", "17: examples[0]: an example ends with exactly one"),
        ("examples:", "ignore: {MaHoSo: known}\nexamples:", "16: ignore.MaHoSo: a field reads this path"),
        ("examples:", "examples: &a\n  - *a\nmore:", "16: "),
        ("version: 1", "version: [1", "not YAML"),
        (
            "version: 1",
            "version: !!python/name:os.system 1",
            "the tag tag:yaml.org,2002:python/name:os.system is not allowed",
        ),
        ("record_key", "? [a, b]\n: 1\nrecord_key", "1: file: a key must be plain text or a number"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_fix(tmp_path: Path, before: str, after: str, expected: str) -> None:
    assert before in GOOD
    issues = _issues(tmp_path, GOOD.replace(before, after, 1))
    assert any(expected in issue for issue in issues), issues


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            "from: code",
            "from: cod",
            '7: step.fields.MaHoSo.from: there is nothing of that name to read. Did you mean "code"?',
        ),
        ("from: state", "from: applicant.name", "8: step.fields.TrangThai.from: there is nothing of that name to read"),
        ("step:", "stap:", '5: stap: there is no such key. Did you mean "step"?'),
        (
            "TrangThai: {from: state, as: str}",
            "Buoc: {each: stepz, fields: {A: {value: 1}}}",
            "8: step.fields.Buoc.each: there is no such list to read",
        ),
        (
            "{from: state, as: str}",
            "{from: state, as: str, else: {from: level, as: str, required: true}}",
            "8: step.fields.TrangThai: required and default stand beside else",
        ),
        (
            "{from: state, as: str}",
            "{from: state, as: str, else: {from: lavel, as: str}}",
            '8: step.fields.TrangThai.else.from: there is nothing of that name to read. Did you mean "level"?',
        ),
    ],
)
def test_a_target_may_read_only_what_there_is(tmp_path: Path, before: str, after: str, expected: str) -> None:
    assert before in TARGET
    issues = _issues(tmp_path, TARGET.replace(before, after, 1))
    assert any(expected in issue for issue in issues), issues


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = GOOD.replace("as: text", "as: txt").replace("due_at", "due_et").replace("table: state", "table: stat")
    assert [issue.split(":")[0] for issue in _issues(tmp_path, text)] == ["7", "12", "13", "15"]
    tables = '  state: {"4": 4}\n'
    tables_first = text.replace(f"tables:\n{tables}", "").replace("fields:", f"tables:\n{tables}fields:", 1)
    assert [issue.split(":")[0] for issue in _issues(tmp_path, tables_first)] == ["6", "9", "14", "15"]


def test_an_empty_file_and_one_that_is_not_utf8_are_told(tmp_path: Path) -> None:
    assert "direction must be source or target" in _issues(tmp_path, "")[0]
    file = tmp_path / "gplx.yaml"
    file.write_bytes("system: Sở".encode("cp1258", errors="replace") + b"\xff")
    with pytest.raises(MappingFileError, match="not UTF-8"):
        load_file(file)


def test_codes_in_a_file_stay_the_text_they_look_like(tmp_path: Path) -> None:
    file = tmp_path / "gplx.yaml"
    file.write_text(GOOD.replace('{"4": 4}', "{04: 4, 1.10: 5, no: 6, 2025-01-01: 7, 1e3: 8, 7: 9}"), encoding="utf-8")
    assert list(load_file(file).tables["state"]) == ["04", "1.10", "no", "2025-01-01", "1e3", 7]


def test_a_required_field_of_a_list_must_be_mapped(tmp_path: Path) -> None:
    text = GOOD.replace("tables:", "  steps: {each: quaTrinh, fields: {unit: {from: donVi, as: text}}}\ntables:")
    issues = _issues(tmp_path, text)
    assert any("fields.steps: the required field at is not mapped" in issue for issue in issues)
    assert any("fields.steps: the required field state is not mapped" in issue for issue in issues)


def test_a_field_that_is_sent_is_not_among_those_left_out(tmp_path: Path) -> None:
    left_out = TARGET + "  leaves_out: {TrangThai: nobody tells, ChucDanh: nobody tells}\n"
    assert _issues(tmp_path, left_out) == [
        "9: step.leaves_out.TrangThai: this field is sent. Remove it from leaves_out"
    ]
