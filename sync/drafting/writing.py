"""The three files of a new connector, as a person would write them: in order, with a word on what to look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import orjson

from schemas.codes import Channel, SubjectKind
from sync.drafting import guesses
from sync.drafting.shapes import closed, shape_of
from sync.drafting.sketch import Sketch, values
from sync.drafting.yaml_text import written

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
_CODES = {
    "channel": "1 at the counter, 2 online, 3 by post",
    "subject_kind": "1 citizen, 2 enterprise, 3 state agency, 4 organisation",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What no document tells and a person said.

    ``states``: the system's code to the national one. ``procedure`` and ``agency``: the values of all dossiers, where
    the records do not tell.
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


@dataclass(frozen=True, slots=True)
class Assumed:
    """A value that every dossier gets because nothing tells it; a person confirms or corrects it."""

    field: str
    value: Channel | SubjectKind


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
    return head + written(entry)


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
    guessed = assumed(sketch)
    fields = _fields(found, answers, guessed)
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
    document["examples"] = _examples(_speaking(sketch.records, found, answers), found, answers)
    head = (
        "# yaml-language-server: $schema=../mapping.schema.json\n"
        f"# {answers.title_en}. Drafted by `hosync new` from a sample: read it line by line, above all the states.\n"
        "# `hosync check` says what it leaves out, `hosync preview` shows what becomes of each record.\n"
    )
    remarks = {each.field: f"assumed, nothing tells it: {_CODES[each.field]}" for each in guessed}
    return head + written(document, remarks)


def assumed(sketch: Sketch) -> list[Assumed]:
    """What all dossiers are taken for because the records don't tell it."""
    found = guesses.fields(values(sketch.records))
    names = {guess.field for guess in found}
    channel = [] if "channel" in names else [Assumed("channel", Channel.DIRECT)]
    return [*channel, Assumed("subject_kind", guesses.subject(found))]


def codes_without_meaning(sketch: Sketch, known: Mapping[str, int]) -> list[str]:
    """The state codes of the sample that nobody has told the meaning of, and that cannot be guessed."""
    return [code for code in _codes(sketch, "state") if code not in known and guesses.state(code) is None]


def channels_without_meaning(sketch: Sketch) -> list[str]:
    """The codes for the way of filing that cannot be guessed."""
    return [code for code in _codes(sketch, "channel") if guesses.channel(code) is None]


def _codes(sketch: Sketch, field: str) -> list[str]:
    seen = values(sketch.records)
    path = next((each.path for each in guesses.fields(seen) if each.field == field), None)
    return sorted({str(value) for value in seen[path] if value not in (None, "")}) if path else []


def state_codes(sketch: Sketch) -> list[str]:
    """All codes of the state, where a document lists them; empty where a sample only shows some."""
    path = next((each.path for each in guesses.fields(values(sketch.records)) if each.field == "state"), "")
    schema: Any = sketch.record_schema or {}
    for name in path.split("."):
        schema = schema.get("properties", {}).get(name, {})
    return [str(code) for code in schema.get("enum", ())]


def strangers(sketch: Sketch, states: Iterable[str]) -> list[str]:
    """Those of the codes that are not among all codes of the state, where those are known: misspelt, most likely."""
    listed = state_codes(sketch)
    return [code for code in states if code not in listed] if listed else []


def missing(sketch: Sketch, answers: Answers) -> list[str]:
    """What a dossier needs and neither the sample nor the answers give."""
    found = {guess.field for guess in guesses.fields(values(sketch.records))}
    given = {"procedure_code": answers.procedure, "agency_code": answers.agency, "channel": True, "subject_kind": True}
    if "source_id" in found or "code" in found:
        found.add("source_id")
    return [name for name in _REQUIRED if name not in found and not given.get(name)]


def _fields(found: Mapping[str, guesses.Guess], answers: Answers, guessed: Sequence[Assumed]) -> dict[str, Any]:
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
    # Targets want the agency's name as well; the catalogue has it where the records give the code alone.
    if "agency_code" in found:
        by_code = {"in": "agencies", "by": found["agency_code"].path, "take": "name"}
        fields.setdefault("agency_name", {"lookup": by_code})
    for name, value in (
        ("procedure_code", answers.procedure),
        ("agency_code", answers.agency),
        ("agency_name", answers.owner_vi),
        *((each.field, int(each.value)) for each in guessed),
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
        tables["channel"] = {code: int(meant) for code in codes if (meant := guesses.channel(code))}
    return tables


def _meaning(code: Any, answers: Answers) -> int:
    told = answers.states.get(str(code))
    guessed = guesses.state(code)
    return int(told) if told else int(guessed or 0)


def _speaking(
    records: Sequence[Mapping[str, Any]], found: Mapping[str, guesses.Guess], answers: Answers
) -> Mapping[str, Any]:
    """The first record with a state all of whose codes have a meaning, for the examples; the first of all when there
    is none."""
    with_state = [record for record in records if _at(record, found["state"].path) not in (None, "")]
    return next((record for record in with_state if not _unknown(record, found, answers)), [*with_state, *records][0])


def _unknown(record: Mapping[str, Any], found: Mapping[str, guesses.Guess], answers: Answers) -> list[str]:
    """The coded fields whose code in this record is in no table, in the order in which a mapping meets them."""
    codes = {name: _at(record, found[name].path) for name in ("channel", "state") if name in found}
    known = {"channel": lambda code: bool(guesses.channel(code)), "state": lambda code: bool(_meaning(code, answers))}
    return [name for name, code in codes.items() if code not in (None, "") and not known[name](code)]


def _examples(record: Mapping[str, Any], found: Mapping[str, guesses.Guess], answers: Answers) -> list[dict[str, Any]]:
    given = _without_people(record, found)
    unknown = _unknown(record, found, answers)
    examples: list[dict[str, Any]] = []
    if unknown:
        first: dict[str, Any] = {"problem": {"field": unknown[0], "rule": "unknown-code"}}
    else:
        code = _at(record, found["state"].path)
        first = {"includes": {"state": _meaning(code, answers), "native_state": str(code)}}
    examples.append({"name": "first", "given": given, **first})
    at_fault = unknown[0] if unknown else "state"
    strange = {"like": "first", "set": {found["state"].path: _STRANGE}}
    examples.append({**strange, "problem": {"field": at_fault, "rule": "unknown-code"}})
    examples.append(
        {"like": "first", "set": {found["code"].path: None}, "problem": {"field": "code", "rule": "required"}}
    )
    if "due_at" in found and not unknown:
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
