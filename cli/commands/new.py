"""`hosync new`: the files of a new connector, drafted from what the system's owner handed over."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any

import typer
from rich.text import Text

from cli.errors import ExitCode, UserError
from cli.output import Output
from connectors.catalog_models import SYSTEM_NAME
from mappings.places import shown
from schemas.states import State
from sync.drafting.draft import Draft, Folders, draft, prove
from sync.drafting.owner import agency_code, agency_name
from sync.drafting.reading import read
from sync.drafting.sketch import Sketch
from sync.drafting.writing import (
    Answers,
    assumed,
    channels_without_meaning,
    codes_without_meaning,
    state_codes,
    strangers,
)

_MEANINGS = MappingProxyType(
    {("channel", 1): "filed at the counter", ("subject_kind", 1): "a citizen", ("subject_kind", 2): "an enterprise"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What was said on the command line; what is ``None`` is asked for on a terminal."""

    document: Path
    operation: str | None
    url_path: str | None
    title_vi: str | None
    title_en: str | None
    agency: str | None
    owner_vi: str | None
    owner_en: str | None
    procedure: str | None
    auth: str | None
    states: Mapping[str, int]


def run(output: Output, system: str, given: Given) -> ExitCode:
    """Write catalog entry, mapping and contract; say what to read and what to do next. Overwrites nothing."""
    if not SYSTEM_NAME.match(system):
        raise UserError(
            f"'{system}' is no name for a system.",
            next_step="Write 2 to 31 lower-case letters, digits and '_', beginning with a letter.",
            code=ExitCode.USAGE,
        )
    folders = Folders.in_use()
    folders.require_free(system)
    sketch = read(given.document, operation=given.operation, url_path=given.url_path)
    if given.auth:
        sketch = replace(sketch, options={**sketch.options, "auth": _auth(given.auth)})
    if strange := strangers(sketch, given.states):
        raise _no_such_state(strange[0], sketch)
    try:
        answers = _answers(output, sketch, given)
    except typer.Abort:
        output.out.print()  # the question still stands on its line
        raise UserError(
            output.texts("Cancelled; nothing is written."),
            next_step=output.texts("Run it again; `hosync new --help` lists the options that answer its questions."),
        ) from None
    made = draft(system, sketch, answers, folders)
    made.write()
    return _tell(output, system, sketch, answers, made)


def _tell(output: Output, system: str, sketch: Sketch, answers: Answers, made: Draft) -> ExitCode:
    """What was written, what it takes for granted, what it does not know, and what to do next."""
    problems = prove(made)
    unknown, channels = codes_without_meaning(sketch, answers.states), channels_without_meaning(sketch)
    guessed = assumed(sketch)
    if output.as_json:
        output.json(
            {
                "files": [str(path) for path in made.files],
                "problems": problems,
                "assumed": {each.field: int(each.value) for each in guessed},
                "unknown_states": unknown,
                "unknown_channels": channels,
            }
        )
        return ExitCode.FAILED if problems else ExitCode.OK
    texts = output.texts
    lines = [(texts("Written: {file}", file=shown(path)), "green") for path in made.files]
    lines += [(problem, "red") for problem in problems]
    for each in guessed:
        text = "Assumed, as nothing tells it: {field} is {value} ({meaning}) in every dossier. Correct it if not."
        meaning = texts(_MEANINGS[each.field, int(each.value)])
        lines.append((texts(text, field=each.field, value=int(each.value), meaning=meaning), "yellow"))
    for code in unknown:
        text = "State code '{code}' has no meaning yet: its records are set aside until the table 'state' names it."
        lines.append((texts(text, code=code), "yellow"))
    for code in channels:
        text = "Channel code '{code}' has no meaning yet: its records are set aside until the table 'channel' names it."
        lines.append((texts(text, code=code), "yellow"))
    for line, style in lines:
        output.out.print(Text(line, style=style), soft_wrap=True)
    output.out.print(texts("Next: read the mapping, set AIRFLOW_CONN_{name}, then", name=system.upper()))
    output.out.print(
        f"  hosync check {system}\n  hosync preview {system} -n 1\n  hosync pull {system}", highlight=False
    )
    return ExitCode.FAILED if problems else ExitCode.OK


def _no_such_state(code: str, sketch: Sketch) -> UserError:
    known = state_codes(sketch)
    near = get_close_matches(code, known, n=1)
    return UserError(
        f"--state {code}: the document lists no such code.",
        where="--state",
        next_step=f"Did you mean '{near[0]}'?" if near else f"It lists: {', '.join(known)}.",
        code=ExitCode.USAGE,
    )


def _auth(text: str) -> dict[str, Any]:
    """``none``, ``basic``, ``bearer``, ``oauth2:/token`` or ``api-key:X-Api-Key`` as the catalog writes it."""
    kind, _, where = text.partition(":")
    if kind == "oauth2" and where:
        return {"kind": kind, "token_path": where}
    if kind == "api-key" and where:
        return {"kind": kind, "headers": {where: "{password}"}}
    if text in ("none", "basic", "bearer"):
        return {"kind": text}
    raise UserError(
        f"--auth {kind} is not known.",
        where="--auth",
        next_step="Write none, basic, bearer, oauth2:/token or api-key:X-Api-Key; other kinds go into the catalog.",
        code=ExitCode.USAGE,
    )


def _answers(output: Output, sketch: Sketch, given: Given) -> Answers:
    ask = _Asker(output, is_person=sys.stdin.isatty() and not output.as_json)
    agency = agency_code(ask("--agency", given.agency, output.texts("Code of the agency that runs it (H12.06)")))
    owner_vi = given.owner_vi or agency_name(agency)
    if owner_vi is None and not ask.is_person:
        raise UserError(
            f"The agency {agency} is not listed, so its name is not known.",
            where="--agency",
            next_step="Add it to mappings/catalogues/agencies.yaml, or give --owner-vi.",
            code=ExitCode.USAGE,
        )
    owner_vi = ask("--owner-vi", owner_vi, output.texts("Name of the agency {agency} in Vietnamese", agency=agency))
    title_vi = ask("--title-vi", given.title_vi, output.texts("Title in Vietnamese"))
    title_en = ask("--title-en", given.title_en, output.texts("Title in English"))
    states = dict(given.states)
    if ask.is_person and (asked := codes_without_meaning(sketch, states)):
        output.out.print(", ".join(f"{int(state)} {output.texts.state(state)}" for state in State), style="dim")
        for code in asked:
            if meant := _state(output, code):
                states[code] = meant
    return Answers(
        title_vi=title_vi,
        title_en=title_en,
        owner_agency=agency,
        owner_vi=owner_vi,
        owner_en=given.owner_en or owner_vi,
        states=states,
        procedure=given.procedure,
        agency=agency,
    )


@dataclass(frozen=True, slots=True)
class _Asker:
    """Takes what was given, or asks a person, or says which option is missing."""

    output: Output
    is_person: bool

    def __call__(self, option: str, given: str | None, question: str) -> str:
        if given:
            return given
        if self.is_person:
            return str(typer.prompt(question))
        raise UserError(f"{option} is missing.", where="hosync new", next_step=f"Give {option}.", code=ExitCode.USAGE)


def _state(output: Output, code: str) -> int:
    """Ask what a state code means; 0 when the person does not know."""
    question = output.texts("State code '{code}' means (1 to 10; press Enter if you don't know)", code=code)
    while text := str(typer.prompt(question, default="", show_default=False)).strip():
        if text.isascii() and text.isdigit() and 1 <= int(text) <= 10:
            return int(text)
    return 0
