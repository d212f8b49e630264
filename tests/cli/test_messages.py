"""The message catalogue: what is printed in two languages says the same."""

from __future__ import annotations

import ast
import string
from pathlib import Path

import pytest

from cli import messages, told
from cli.messages import Language, Texts, default_language

_CLI = Path(messages.__file__).parent
_FIELDS = string.Formatter()


def _names(text: str) -> set[str]:
    return {name for _, name, _, _ in _FIELDS.parse(text) if name}


@pytest.mark.parametrize("english", sorted(messages._VI))
def test_a_translation_uses_the_same_values(english: str) -> None:
    assert _names(messages._VI[english]) <= _names(english)


@pytest.mark.parametrize("english", sorted(told._VI))
def test_what_the_floors_below_say_is_said_with_the_same_values(english: str) -> None:
    names = _names(english)
    values = {name: f"<{name}>" for name in names}
    assert told.in_vietnamese(english.format(**values)) == told._VI[english].format(**values)
    assert _names(told._VI[english]) == names


def test_a_sentence_that_nobody_translated_is_shown_as_it_is() -> None:
    assert Texts(Language.VI).told("the moon is made of cheese") == "the moon is made of cheese"
    assert Texts(Language.EN).told("signed in") == "signed in"


def test_every_message_of_the_catalogue_is_used_somewhere() -> None:
    # Words that a state or a kind of break is called by, rather than written in the code.
    from cli.up.airflow_api import RunState
    from cli.up.screen import Stage
    from connectors.api import Catalogue
    from ledger.audit import Action
    from ledger.types import BreakKind
    from schemas.report import ReportKind
    from sync.health import Health

    said = {kind.value.replace("_", " ") for kind in BreakKind} | {
        s.value for s in (*RunState, *Stage, *Health, *Catalogue, *Action, *ReportKind)
    }
    said |= {"succeeded", "interrupted", "failed", "running", "ok", "warning"}
    said |= {name.capitalize() for name in ("new", "changed", "unchanged", "stale", "quarantined")}
    for file in _CLI.rglob("*.py"):
        if file.name != "messages.py":
            tree = ast.parse(file.read_text())
            said |= {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    assert sorted(set(messages._VI) - said) == []


def test_numbers_and_names_are_filled_in() -> None:
    assert Texts(Language.VI)("{target}: {number} open breaks", target="npsp", number=3) == "npsp: 3 sai lệch còn mở"
    assert Texts(Language.EN)("{target}: {number} open breaks", target="npsp", number=3) == "npsp: 3 open breaks"


@pytest.mark.parametrize(("named", "expected"), [("", "vi"), ("EN", "en"), (" vi ", "vi"), ("fr", "vi")])
def test_vietnamese_is_spoken_unless_english_is_named(
    monkeypatch: pytest.MonkeyPatch, named: str, expected: str
) -> None:
    monkeypatch.setenv("HOSYNC_LANG", named)
    assert default_language().value == expected
