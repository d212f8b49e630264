"""The three files of a new connector, as a person would write them: in order, with a word on what to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import orjson
import yaml

from sync.drafting import guesses
from sync.drafting.shapes import closed, shape_of
from sync.drafting.sketch import Sketch, values

_CONVERTERS = {
    "code": "dossier_code",
    "source_id": "code",
    "national_code": "dossier_code",
    "procedure_code": "procedure_code",
    "agency_code": "agency_code",
    "field_code": "code",
    "applicant.identity_number": "identity_number",
    "applicant.phone": "phone",
}
_REQUIRED = ("code", "source_id", "procedure_code", "agency_code", "channel", "subject_kind", "state")
_ORDER = (
    *("code", "source_id", "national_code", "procedure_code", "procedure_name", "field_code", "field_name"),
    *("agency_code", "agency_name", "channel", "subject_kind", "applicant.name", "applicant.identity_number"),
    *("applicant.identity_kind", "applicant.phone", "applicant.email", "applicant.address", "summary"),
    *("submitted_at", "received_at", "due_at", "finished_at", "returned_at", "state", "native_state", "state_at"),
    *("changed_at", "note"),
)
_INVENTED = {
    "applicant.name": "Nguyễn Văn Mẫu",
    "applicant.identity_number": "000099000001",
    "applicant.phone": "0900000000",
    "applicant.email": "mau@example.invalid",
    "applicant.address": "Thôn Mẫu, xã Thử Nghiệm",
    "summary": "Nội dung mẫu",
    "note": "Ghi chú mẫu",
}
_UNUSED = "not used by the draft: decide whether it matters"
_STRANGE = "__ma_la__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What no document tells and a person said.

    ``states``: the system's code to the national one. ``procedure``, ``agency``, ``channel``, ``subject``: the values
    of all dossiers, where the records do not tell.
    """

    title_vi: str
    title_en: str
    owner_agency: str
    owner_vi: str
    owner_en: str
    schedule: str = "*/10 * * * *"
    precedence: int = 20
    start: date = date(2025, 1, 1)
    states: Mapping[str, int] = field(default_factory=dict)
    procedure: str | None = None
    agency: str | None = None
    channel: int = 1
    subject: int = 1


def catalog_file(system: str, sketch: Sketch, answers: Answers, contract: str) -> str:
    """The catalog entry."""
    pull: dict[str, Any] = {"style": sketch.style}
    if sketch.style == "changed-since":
        pull |= {"overlap": "1h", "safety_lag": "5m"}
    pull |= {"page_size": 100, "start": answers.start}
    entry: dict[str, Any] = {
        "kind": "source",
        "system": system,
        "title": {"vi": answers.title_vi, "en": answers.title_en},
        "owner": {"agency": answers.owner_agency, "vi": answers.owner_vi, "en": answers.owner_en},
        "protocol": sketch.protocol,
        "connection": system,
        "contract": contract,
        "mapping": system,
        "schedule": answers.schedule,
        "precedence": answers.precedence,
        "pull": pull,
        "options": dict(sketch.options),
    }
    head = (
        "# yaml-language-server: $schema=../catalog.schema.json\n"
        f"# {answers.title_en}. Drafted by `hosync new`; every key is explained in docs/reference/catalog.md.\n"
        f"# The address and the account are in the connection: AIRFLOW_CONN_{system.upper()}.\n"
    )
    return head + _yaml(entry)


def contract_files(system: str, sketch: Sketch, answers: Answers) -> dict[str, bytes]:
    """The contract's files by their paths below schemas/wire; the first is the one that the entry names."""
    if sketch.contract:
        return {f"{system}/{name}": content for name, content in sketch.contract}
    record = closed(sketch.record_schema) if sketch.record_schema else shape_of(sketch.records)
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://hosync.invalid/wire/{system}/record.schema.json",
        "title": f"{answers.title_en}: one record",
        "$ref": "#/$defs/record",
        "$defs": {"record": record},
    }
    content = orjson.dumps(schema, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return {f"{system}/record.schema.json": content}


def mapping_file(system: str, sketch: Sketch, answers: Answers) -> str:
    """The mapping with its examples, made of the sample's first record without anybody's data."""
    seen = values(sketch.records)
    found = {guess.field: guess for guess in guesses.fields(seen)}
    fields = _fields(found, answers)
    tables = _tables(found, seen, answers)
    used = {guess.path for guess in found.values()}
    unused = {path: _UNUSED for path in seen if path not in used}
    lists = {name: _UNUSED for record in sketch.records for name, value in record.items() if isinstance(value, list)}
    document: dict[str, Any] = {
        "system": system,
        "version": 1,
        "direction": "source",
        "record_key": list(dict.fromkeys(found[name].path for name in ("code", "source_id") if name in found)),
        "fields": {name: fields[name] for name in _ORDER if name in fields},
    }
    if tables:
        document["tables"] = tables
    if unused or lists:
        document["ignore"] = {**unused, **lists}
    document["examples"] = _examples(sketch.records[0], found, answers)
    head = (
        "# yaml-language-server: $schema=../mapping.schema.json\n"
        f"# {answers.title_en}. Drafted by `hosync new` from a sample: read it line by line, above all the states.\n"
        "# `hosync check` says what it leaves out, `hosync preview` shows what becomes of each record.\n"
    )
    return head + _yaml(document)


def codes_without_meaning(sketch: Sketch, known: Mapping[str, int]) -> list[str]:
    """The state codes of the sample that nobody has told the meaning of, and that cannot be guessed."""
    seen = values(sketch.records)
    guess = next((each for each in guesses.fields(seen) if each.field == "state"), None)
    codes = {str(value) for value in seen[guess.path] if value not in (None, "")} if guess else set()
    return sorted(code for code in codes if code not in known and guesses.state(code) is None)


def missing(sketch: Sketch, answers: Answers) -> list[str]:
    """What a dossier needs and neither the sample nor the answers give."""
    found = {guess.field for guess in guesses.fields(values(sketch.records))}
    given = {"procedure_code": answers.procedure, "agency_code": answers.agency, "channel": 1, "subject_kind": 1}
    if "source_id" in found or "code" in found:
        found.add("source_id")
    return [name for name in _REQUIRED if name not in found and not given.get(name)]


def _fields(found: Mapping[str, guesses.Guess], answers: Answers) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, guess in found.items():
        spec: dict[str, Any] = {"from": guess.path}
        if name == "state":
            spec["table"] = "state"
        elif name == "channel":
            spec["table"] = "channel"
        elif guess.formats:
            spec |= {"as": "datetime", "format": guess.formats[0] if len(guess.formats) == 1 else list(guess.formats)}
        else:
            spec["as"] = _CONVERTERS.get(name, "text")
        if name in _REQUIRED:
            spec["required"] = True
        fields[name] = spec
    if "code" in found:
        fields.setdefault("source_id", {"from": found["code"].path, "as": "code", "required": True})
    if "state" in found:
        fields["native_state"] = {"from": found["state"].path, "as": "code"}
    if "applicant.identity_number" in found:
        fields["applicant.identity_kind"] = {"from": found["applicant.identity_number"].path, "as": "identity_kind"}
    for name, value in (
        ("procedure_code", answers.procedure),
        ("agency_code", answers.agency),
        ("channel", answers.channel),
        ("subject_kind", answers.subject),
    ):
        fields.setdefault(name, {"value": value})
    return fields


def _tables(
    found: Mapping[str, guesses.Guess], seen: Mapping[str, Sequence[Any]], answers: Answers
) -> dict[str, dict[Any, int]]:
    tables: dict[str, dict[Any, int]] = {}
    if "state" in found:
        codes = dict.fromkeys(value for value in seen[found["state"].path] if value not in (None, ""))
        told: dict[Any, int] = {code: _meaning(code, answers) for code in codes if _meaning(code, answers)}
        also = {code: int(meaning) for code, meaning in answers.states.items() if code not in map(str, codes)}
        tables["state"] = {**told, **also}
    if "channel" in found:
        codes = dict.fromkeys(value for value in seen[found["channel"].path] if value not in (None, ""))
        tables["channel"] = dict.fromkeys(codes, answers.channel)
    return tables


def _meaning(code: Any, answers: Answers) -> int:
    told = answers.states.get(str(code))
    guessed = guesses.state(code)
    return int(told) if told else int(guessed or 0)


def _examples(record: Mapping[str, Any], found: Mapping[str, guesses.Guess], answers: Answers) -> list[dict[str, Any]]:
    given = _without_people(record, found)
    code = _at(record, found["state"].path) if "state" in found else None
    examples: list[dict[str, Any]] = []
    state = _meaning(code, answers) if code not in (None, "") else 0
    if state:
        examples.append({"name": "first", "given": given, "includes": {"state": state, "native_state": str(code)}})
    else:
        examples.append({"name": "first", "given": given, "problem": {"field": "state", "rule": "unknown-code"}})
    strange = {"like": "first", "set": {found["state"].path: _STRANGE}} if "state" in found else None
    if strange:
        examples.append({**strange, "problem": {"field": "state", "rule": "unknown-code"}})
    examples.append(
        {"like": "first", "set": {found["code"].path: None}, "problem": {"field": "code", "rule": "required"}}
    )
    if "due_at" in found and state:
        broken = {"like": "first", "set": {found["due_at"].path: "31/02/2026 25:61"}}
        examples.append({**broken, "problem": {"field": "due_at", "rule": "datetime"}})
    return examples


def _without_people(record: Mapping[str, Any], found: Mapping[str, guesses.Guess]) -> dict[str, Any]:
    """What the mapping reads of a record, with invented persons: a sample may be a real one."""
    given: dict[str, Any] = {}
    for name, guess in found.items():
        value = _at(record, guess.path)
        if value is not None and name in _INVENTED:
            value = _INVENTED[name]
        *outer, last = guess.path.split(".")
        place = given
        for part in outer:
            place = place.setdefault(part, {})
        place[last] = value
    return given


def _at(record: Any, path: str) -> Any:
    for name in path.split("."):
        record = record.get(name) if isinstance(record, Mapping) else None
    return record


class _Writer(yaml.SafeDumper):
    """Indents lists and keeps short parts on one line, as people write YAML."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        del indentless
        super().increase_indent(flow, False)


def _yaml(document: Mapping[str, Any]) -> str:
    one_a_line = ("fields", "tables", "examples")
    return "".join(_nested(key, value) if key in one_a_line else _block(key, value) for key, value in document.items())


def _block(key: str, value: Any) -> str:
    return yaml.dump({key: value}, Dumper=_Writer, allow_unicode=True, sort_keys=False, width=110)


def _nested(key: str, value: Any) -> str:
    """One field, table or example to a line, in braces."""
    lines = [f"{key}:\n"]
    if isinstance(value, list):
        lines += [f"  - {_flow(item)}\n" for item in value]
    else:
        lines += [f"  {_flow(name)}: {_flow(inner)}\n" for name, inner in value.items()]
    return "".join(lines)


def _flow(value: Any) -> str:
    text = yaml.dump(
        value, Dumper=yaml.SafeDumper, allow_unicode=True, sort_keys=False, width=10_000, default_flow_style=True
    )
    return text.removesuffix("\n...\n").rstrip("\n")
