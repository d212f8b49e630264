"""`hosync new`: the files of a new connector, drafted from what the system's owner handed over."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import typer
from rich.text import Text

from cli.errors import ExitCode, UserError
from cli.output import Output
from connectors.catalog_models import SYSTEM_NAME
from schemas.states import LABELS_VI
from sync.drafting.draft import Folders, draft, prove
from sync.drafting.reading import read
from sync.drafting.sketch import Sketch
from sync.drafting.writing import Answers, codes_without_meaning


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
    sketch = read(given.document, operation=given.operation, url_path=given.url_path)
    if given.auth:
        sketch = replace(sketch, options={**sketch.options, "auth": _auth(given.auth)})
    answers = _answers(output, sketch, given)
    made = draft(system, sketch, answers, Folders.in_use())
    made.write()
    problems = prove(made)
    unknown = codes_without_meaning(sketch, answers.states)
    if output.as_json:
        output.json({"files": [str(path) for path in made.files], "problems": problems, "unknown_states": unknown})
        return ExitCode.FAILED if problems else ExitCode.OK
    for path in made.files:
        output.out.print(Text(output.texts("Written: {file}", file=path), style="green"), soft_wrap=True)
    for problem in problems:
        output.out.print(Text(problem, style="red"), soft_wrap=True)
    for code in unknown:
        text = "State code '{code}' has no meaning yet: its records are set aside until the table 'state' names it."
        output.out.print(Text(output.texts(text, code=code), style="yellow"), soft_wrap=True)
    output.out.print(output.texts("Next: read the mapping, set AIRFLOW_CONN_{name}, then", name=system.upper()))
    output.out.print(f"  hosync check {system}\n  hosync preview {system}\n  hosync pull {system}", highlight=False)
    return ExitCode.FAILED if problems else ExitCode.OK


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
    agency = ask("--agency", given.agency, output.texts("Code of the agency that runs it (H12.06)"))
    title_vi = ask("--title-vi", given.title_vi, output.texts("Title in Vietnamese"))
    title_en = ask("--title-en", given.title_en, output.texts("Title in English"))
    states = dict(given.states)
    if ask.is_person:
        for code in codes_without_meaning(sketch, states):
            if meant := _state(output, code):
                states[code] = meant
    return Answers(
        title_vi=title_vi,
        title_en=title_en,
        owner_agency=agency,
        owner_vi=given.owner_vi or title_vi,
        owner_en=given.owner_en or title_en,
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
    choices = ", ".join(f"{int(state)} {label}" for state, label in LABELS_VI.items())
    output.out.print(choices, style="dim")
    question = output.texts("State code '{code}' means (1 to 10, 0: not known)", code=code)
    return int(typer.prompt(question, type=int, default=0))
