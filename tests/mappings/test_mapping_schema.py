"""The editor's schema says the same as the checks that every load makes."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from mappings import schema

FILES = sorted(schema.FILE.parent.glob("[st]*/*.yaml"))
VALIDATOR = Draft202012Validator(schema.schema())


def _as_an_editor_sees_it(path: Path):
    return json.loads(json.dumps(yaml.load(path.read_text("utf-8"), yaml.CSafeLoader), default=str))


def test_the_schema_file_is_the_one_that_the_models_make():
    assert schema.FILE.read_bytes() == schema.rendered(), "run: python -m mappings.schema"


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_an_editor_accepts_every_mapping(path):
    problems = [
        f"{list(error.path)}: {error.message[:200]}" for error in VALIDATOR.iter_errors(_as_an_editor_sees_it(path))
    ]
    assert not problems


@pytest.mark.parametrize(
    ("key", "value"),
    [("as", "datetiem"), ("from", 7), ("requierd", True), ("format_", "%Y")],
)
def test_an_editor_marks_a_mistake(key, value):
    record = _as_an_editor_sees_it(schema.FILE.parent / "sources" / "gplx.yaml")
    record["fields"]["due_at"][key] = value
    assert list(VALIDATOR.iter_errors(record))


def test_an_editor_offers_the_converters_and_the_fields():
    fields = schema.schema()["$defs"]
    names = [each["const"] for each in fields["FieldSpec"]["properties"]["as"]["oneOf"]]
    assert {"datetime", "dossier_code", "text"} <= set(names)
    assert "applicant.name" in fields["SourceFile"]["properties"]["fields"]["propertyNames"]["enum"]
