"""The command line as people and scripts meet it: help, exit codes, JSON, and errors without tracebacks."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import forked
import pytest

from connectors.catalog import FOLDER

_REPOSITORY = Path(__file__).parents[2]
COMMANDS = (
    "up",
    "down",
    "check",
    "new",
    "preview",
    "whatif",
    "connectors",
    "pull",
    "redrive",
    "push",
    "reconcile",
    "catalogues",
    "status",
    "dead",
    "resend",
    "replay",
    "pause",
    "resume",
)
_HEAVY = ("airflow", "sqlalchemy", "pydantic", "requests", "psycopg", "zeep", "psutil", "cryptography")


def _environment(**env: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HOSYNC_", "AIRFLOW_"))}
    return {**kept, "HOSYNC_HOME": "/nonexistent", "COLUMNS": "200", "HOSYNC_LANG": "en", **env}


def _hosync(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return forked.run(*arguments, env=_environment(**env))


def _the_program_itself(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Started by Python from nothing, as a person starts it."""
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        env=_environment(),
        cwd=_REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_help_names_every_command_and_loads_nothing_heavy() -> None:
    script = f"import sys, cli.main; print([name for name in {_HEAVY!r} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=_REPOSITORY, check=True)
    assert loaded.stdout.strip() == "[]"

    done = _the_program_itself("--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert f" {command} " in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_its_exit_codes(command: str) -> None:
    done = _hosync(command, "--help")
    assert done.returncode == 0
    assert "Exit codes" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("pull", "--nonsense"), id="unknown option"),
        pytest.param(("check", "gplxx"), id="unknown system"),
        pytest.param(("status",), id="no database"),
        pytest.param(("pull", "--from", "yesterday"), id="not a day"),
        pytest.param(("status", "--lang", "fr"), id="unknown language"),
    ],
)
def test_wrong_arguments_or_configuration_give_2_and_no_traceback(arguments: tuple[str, ...]) -> None:
    done = _hosync(*arguments)
    assert done.returncode == 2
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_system_is_answered_with_the_name_that_was_meant() -> None:
    done = _the_program_itself("check", "gplxx")
    assert done.returncode == 2
    assert "there is no system 'gplxx'" in done.stderr
    assert "What to do: Did you mean 'gplx'?" in done.stderr
    assert "Correct the catalog" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("gplx", "--from", "nowhere.json"), "gplx.yaml is there already"),
        (("nuoc", "--agency", "Nuoc"), "'Nuoc' is no agency code"),
        (("nuoc", "--agency", "H12.77"), "Add it to mappings/catalogues/agencies.yaml, or give --owner-vi"),
        (("nuoc", "--agency", "H12.10", "--state", "GD_CUOIIII=10"), "Did you mean 'GD_CUOI'?"),
        (("nuoc", "--agency", "H12.10", "--state", "GD_CUOI=99"), "N is 1 to 10"),
    ],
)
def test_a_draft_that_would_be_wrong_is_refused_before_a_file_is_written(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    shutil.copytree(_REPOSITORY / "connectors/catalog", tmp_path / "catalog")
    before = sorted(tmp_path.rglob("*"))
    document = ("--from", str(_REPOSITORY / "sandbox/practice/nuoc.openapi.json"))
    titles = ("--title-vi", "Cấp phép nước", "--title-en", "Water permits")
    given = arguments if "--from" in arguments else (*arguments, *document)
    folders = {f"HOSYNC_{name.upper()}": str(tmp_path / name) for name in ("catalog", "mappings", "contracts")}
    done = _hosync("new", *given, *titles, **folders)
    assert done.returncode != 0
    assert said in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_an_unreachable_database_is_explained_without_its_password() -> None:
    url = "postgresql+psycopg://someone:very-secret-word@127.0.0.1:1/none"
    done = _hosync("status", HOSYNC_DATABASE_URL=url)
    assert done.returncode == 2
    assert "hosync up" in done.stderr
    assert "very-secret-word" not in done.stderr + done.stdout


def test_labels_are_vietnamese_unless_english_is_asked_for() -> None:
    assert "Việc cần làm:" in _hosync("check", "gplxx", HOSYNC_LANG="").stderr
    assert "What to do:" in _hosync("check", "gplxx", "--lang", "en", HOSYNC_LANG="vi").stderr


def test_the_state_of_an_empty_ledger_is_one_json_document(ledger_env: dict[str, str]) -> None:
    done = _hosync("status", "--json", **ledger_env)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {"gplx", "igate", "dkkd"} <= {source["system"] for source in found["sources"]}
    assert all(target["dossiers"] == 0 for target in found["targets"])


@pytest.mark.parametrize(("language", "last_headings"), [("vi", "Cách ly Kết thúc"), ("en", "Set aside Ended")])
def test_the_state_is_also_a_table_that_fits_80_columns(
    ledger_env: dict[str, str], language: str, last_headings: str
) -> None:
    done = _hosync("status", "--lang", language, COLUMNS="80", **ledger_env)
    assert done.returncode == 0, done.stderr
    assert "gplx" in done.stdout
    assert max(len(line.rstrip()) for line in done.stdout.splitlines()) <= 80
    assert all(word in done.stdout for word in last_headings.split())


def test_a_mistake_in_one_catalog_file_is_told_and_the_other_systems_are_shown(
    ledger_env: dict[str, str], tmp_path: Path
) -> None:
    for file in FOLDER.glob("*.yaml"):
        text = file.read_text(encoding="utf-8")
        (tmp_path / file.name).write_text(text.replace("schedule:", "shedule:") if file.stem == "igate" else text)
    for command in ("status", "connectors"):
        done = _hosync(command, "--lang", "en", HOSYNC_CATALOG=str(tmp_path), **ledger_env)
        assert done.returncode == 1
        assert "gplx" in done.stdout
        assert re.search(r"igate\.yaml:\d+: shedule: unknown key\. Did you mean 'schedule'", done.stderr)
    named = _hosync("pull", "igate", HOSYNC_CATALOG=str(tmp_path), **ledger_env)
    assert (named.returncode, "igate.yaml" in named.stderr) == (2, True)


def test_pulling_from_a_system_without_a_connection_names_it_and_what_to_set(ledger_env: dict[str, str]) -> None:
    done = _hosync("pull", "gplx", **ledger_env)
    assert done.returncode == 1
    assert "AIRFLOW_CONN_GPLX" in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_of_a_home_are_used_unless_the_machine_is_configured_by_hand(
    ledger_env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "secrets.env").write_text(f"HOSYNC_DATA_KEY={ledger_env['HOSYNC_DATA_KEY']}\nAIRFLOW__X__Y=1\n")
    (tmp_path / "connections.env").write_text(f"HOSYNC_DATABASE_URL={ledger_env['HOSYNC_DATABASE_URL']}\n")
    assert _hosync("status", "--json", HOSYNC_HOME=str(tmp_path)).returncode == 0
    by_hand = _hosync("status", HOSYNC_HOME=str(tmp_path), HOSYNC_DATABASE_URL="postgresql+psycopg://x@127.0.0.1:1/x")
    assert by_hand.returncode == 2
