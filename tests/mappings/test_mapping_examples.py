"""Every mapping file is held by the examples it carries: they come out as written, and nothing in it is idle."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import mappings
from mappings import examples
from mappings.compiler import compile_fields
from mappings.mapping import Mapping, all_fields
from mappings.model import Direction, FieldSpec, ListSpec
from schemas import export

ALL = [(direction, name) for direction in Direction for name in mappings.available(direction)]
WIRE = Path(export.__file__).with_name("wire")
CONTRACT_PARTS = {
    ("gplx", "dossier"): ("gplx/mapi", "detail"),
    ("igate", "dossier"): ("igate/search", "item"),
    ("gtvt", "dossier"): ("gtvt/danhsachhoso", "record"),
    ("btxh", "dossier"): ("btxh/danhsachhoso", "record"),
    ("hotich", "dossier"): ("hotich/layketqua", "record"),
    ("lltp", "dossier"): ("lltp/trangthai", "record"),
    ("vbdlis", "dossier"): ("vbdlis/calls", "record"),
    ("ilis", "dossier"): ("ilis/calls", "record"),
    ("danhgia", "dossier"): ("danhgia/phieu", "record"),
    ("npsp", "dossier"): ("npsp/mapi", "dossier"),
    ("npsp", "step"): ("npsp/mapi", "step"),
    ("npsp", "notice"): ("npsp/mapi", "notice"),
    ("npsp", "satisfaction"): ("npsp/mapi", "ratings"),
    ("province", "dossier"): ("province/document", "document"),
    ("province", "step"): ("province/document", "trace"),
    ("province", "satisfaction"): ("province/document", "votes"),
    ("province", "statistics"): ("province/document", "statistics"),
    ("province_opencps", "dossier"): ("province/publish", ""),
    ("province_igate", "dossier"): ("province/igate", ""),
    ("emc", "step"): ("emc/tracking", ""),
    ("feed", "dossier"): ("feed/status", "dossier"),
    ("feed", "step"): ("feed/status", "step"),
    ("emc_opencps", "step"): ("emc/tracking", ""),
}
every_mapping = pytest.mark.parametrize(("direction", "name"), ALL, ids=[f"{kind}-{name}" for kind, name in ALL])


@every_mapping
def test_every_example_comes_out_as_written(direction: Direction, name: str) -> None:
    outcomes = examples.run(mappings.load(name, direction))
    assert len(outcomes) >= 3
    assert {outcome.label: outcome.differences for outcome in outcomes if outcome.differences} == {}


@every_mapping
def test_every_code_of_every_table_is_held_by_an_example(direction: Direction, name: str) -> None:
    mapping = mappings.load(name, direction)
    idle = [
        f"{table}: {code}"
        for table, codes in mapping.tables.items()
        for code in codes
        if not _breaks(_with_tables(mapping, {**mapping.tables, table: _without(codes, code)}))
    ]
    assert idle == []


@every_mapping
def test_every_field_is_held_by_an_example(direction: Direction, name: str) -> None:
    mapping = mappings.load(name, direction)
    idle = [f"{section}.{field}" for section, field, less in _with_one_field_less(mapping) if not _breaks(less)]
    assert idle == []


@pytest.mark.parametrize("name", mappings.available(Direction.SOURCE))
def test_what_comes_of_a_source_example_is_valid(name: str) -> None:
    mapping = mappings.load(name, Direction.SOURCE)
    records = [outcome.record for outcome in examples.run(mapping) if outcome.problem is None]
    assert mappings.validate_page(mapping, records).bad == []


@pytest.mark.parametrize("name", mappings.available(Direction.TARGET))
def test_what_a_target_gets_follows_its_contract(name: str) -> None:
    for outcome in examples.run(mappings.load(name, Direction.TARGET)):
        if outcome.result is not None:
            section = outcome.label.split()[0]
            # The connector adds the site's number to an event.
            message = {**outcome.result, "siteId": 1} if name.startswith("emc") else outcome.result
            assert _faults(name, section, message) == [], outcome.label


@pytest.mark.parametrize("name", ["gplx", "igate", "gtvt", "btxh", "hotich", "lltp", "danhgia"])
def test_the_records_in_source_examples_follow_the_contract(name: str) -> None:
    for outcome in examples.run(mappings.load(name, Direction.SOURCE)):
        if outcome.problem is None:
            record = outcome.record["detail"] if name == "gplx" else outcome.record
            assert _faults(name, "dossier", record) == [], outcome.label


@pytest.mark.parametrize("name", ["emc", "emc_opencps"])
def test_no_personal_identifier_goes_to_emc(name: str) -> None:
    mapping = mappings.load(name, Direction.TARGET)
    for outcome in examples.run(mapping):
        assert "user" not in (outcome.result or {})
        assert outcome.record.get("officer", "?") not in json.dumps(outcome.result, ensure_ascii=False)


def test_the_status_feed_holds_no_personal_data_and_reads_none() -> None:
    mapping = mappings.load("feed", Direction.TARGET)
    personal = {"applicant", "summary", "note", "officer", "content", "unit"}
    read = {path.split(".")[0] for spec in all_fields(mapping.sections) for path in spec.source}
    assert not read & personal
    for outcome in examples.run(mapping):
        assert "Văn" not in json.dumps(outcome.result, ensure_ascii=False)


def _faults(name: str, section: str, message: Any) -> list[str]:
    file, part = CONTRACT_PARTS[name, section]
    schema = json.loads((WIRE / f"{file}.schema.json").read_bytes())
    if part:
        schema = {"$ref": f"#/$defs/{part}", "$defs": schema["$defs"]}
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(message)]


def _breaks(mapping: Mapping) -> bool:
    return any(outcome.differences for outcome in examples.run(mapping))


def _without(codes: dict[str | int, Any], code: str | int) -> dict[str | int, Any]:
    return {other: value for other, value in codes.items() if not (other == code and type(other) is type(code))}


def _with_tables(mapping: Mapping, tables: dict[str, dict[str | int, Any]]) -> Mapping:
    compiled = {name: compile_fields(section.fields, tables) for name, section in mapping.sections.items()}
    return replace(mapping, compiled=compiled)


def _with_one_field_less(mapping: Mapping) -> Iterator[tuple[str, str, Mapping]]:
    for name, section in mapping.sections.items():
        for field, spec in section.fields.items():
            for label, fields in _smaller(section.fields, field, spec):
                compiled = {**mapping.compiled, name: compile_fields(fields, mapping.tables)}
                yield name, label, replace(mapping, compiled=compiled)


def _smaller(
    fields: dict[str, FieldSpec | ListSpec], field: str, spec: FieldSpec | ListSpec
) -> Iterator[tuple[str, dict[str, FieldSpec | ListSpec]]]:
    yield field, {name: other for name, other in fields.items() if name != field}
    if isinstance(spec, ListSpec) and len(spec.fields) > 1:
        for inner in spec.fields:
            rest = {name: other for name, other in spec.fields.items() if name != inner}
            yield f"{field}[].{inner}", {**fields, field: spec.model_copy(update={"fields": rest})}
