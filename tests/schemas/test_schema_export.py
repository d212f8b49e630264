"""The JSON Schema on disk is the one the models give, and the contracts of the outside systems are schemas."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from schemas import export

WIRE = Path(export.__file__).with_name("wire")
CONTRACTS = sorted(WIRE.glob("*/*.schema.json"))


def test_the_json_schema_on_disk_is_up_to_date() -> None:
    assert export.main(["--check"]) == 0


def test_the_json_schema_is_one_and_takes_a_dossier() -> None:
    schema = json.loads(export.rendered())
    Draft202012Validator.check_schema(schema)
    dossier = {
        "code": "H12.12-250812-0001",
        "source_id": "1",
        "procedure_code": "1.001612",
        "agency_code": "H12.12",
        "channel": 2,
        "subject_kind": 1,
        "state": 4,
        "due_at": "2025-08-19T17:00:00+07:00",
    }
    assert Draft202012Validator(schema).is_valid(dossier)
    assert not Draft202012Validator(schema).is_valid({**dossier, "state": 11})


def test_an_outdated_file_is_told_and_then_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "json" / "dossier.schema.json"
    monkeypatch.setattr(export, "TARGET", target)
    assert export.main(["--check"]) == 1
    assert export.main([]) == 0
    assert target.read_bytes() == export.rendered()
    assert export.main(["--check"]) == 0


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_contract_is_a_json_schema_with_a_name(contract: Path) -> None:
    schema = json.loads(contract.read_bytes())
    Draft202012Validator.check_schema(schema)
    assert schema["title"]
    assert schema["$id"].endswith(f"/{contract.parent.name}/{contract.name}")
