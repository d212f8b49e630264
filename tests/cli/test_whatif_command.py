"""`hosync whatif` as people and scripts meet it, on a ledger with one archived page."""

from __future__ import annotations

import copy
import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import forked
import orjson
import pytest
from sqlalchemy import Engine

import mappings
from connectors import archived
from ledger.intake import start_pull, store_page
from ledger.sealing import Sealer
from ledger.types import PageIntake, PullMode

_MAPPING = mappings.load("gplx", mappings.Direction.SOURCE)
_NAME = "Nguyễn Thị Thử Nghiệm"


@pytest.fixture(scope="module")
def ledger(engine: Engine, sealer: Sealer) -> None:
    """Three dossiers of the driving licences, pulled with the mapping in use."""
    records = []
    for number in range(3):
        given: Any = copy.deepcopy(_MAPPING.sections["dossier"].examples[0].given)
        given["list"]["maHoSo"] = given["detail"]["MaHoSo"] = f"000.00.07.H12-260302-{number:04d}"
        given["detail"]["HoTenNguoiNop"] = _NAME
        records.append(given)
    validated = mappings.validate_page(_MAPPING, records)
    page = PageIntake(
        run_id=start_pull(engine, system="gplx", mode=PullMode.INCREMENTAL, window=None, started_by="test"),
        system="gplx",
        precedence=20,
        number=1,
        raw=archived.bundled(
            items=[one["list"] for one in records],
            told=[orjson.dumps({"error_code": 0, "data": [one["detail"]]}) for one in records],
        ),
        media_type=archived.BUNDLE,
        fetched_at=datetime(2026, 3, 2, tzinfo=UTC),
        fetched=len(records),
        dossiers=[dossier for _, dossier in validated.good],
        problems=(),
        cursor=None,
        mapping_version=_MAPPING.version,
    )
    store_page(engine, sealer, page)


def candidate(folder: Path, old: str, new: str) -> str:
    content = _MAPPING.file.read_text("utf-8")
    assert old in content
    path = folder / "gplx.yaml"
    path.write_text(content.replace(old, new), "utf-8")
    return str(path)


def hosync(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HOSYNC_", "AIRFLOW_"))}
    settings = {"HOSYNC_HOME": "/nonexistent", "COLUMNS": "100", "HOSYNC_LANG": "en"}
    return forked.run("whatif", "gplx", *arguments, env={**kept, **settings, **env})


@pytest.mark.usefixtures("ledger")
def test_it_says_what_would_change_and_ends_well_when_everything_is_still_understood(
    ledger_env: dict[str, str], tmp_path: Path
) -> None:
    done = hosync(ledger_env, "--mapping", candidate(tmp_path, '"4": 4,', '"4": 5,'))
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    for words in (
        "Read otherwise 3",
        "state 3 H12.07-260302-0000: 4 → 5",
        "Processing → Supplement requested 3",
        "npsp 3",
    ):
        assert words in said


@pytest.mark.usefixtures("ledger")
def test_records_that_would_be_set_aside_ask_for_a_look(ledger_env: dict[str, str], tmp_path: Path) -> None:
    done = hosync(ledger_env, "--lang", "vi", "--mapping", candidate(tmp_path, '"4": 4,', ""))
    assert done.returncode == 1, done.stderr
    said = " ".join(done.stdout.split())
    assert "Sẽ bị cách ly 3" in said
    assert "state unknown-code 3" in said


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize(("option", "is_shown"), [((), False), (("--reveal",), True)])
def test_persons_are_shown_only_when_they_are_asked_for(
    ledger_env: dict[str, str], tmp_path: Path, option: tuple[str, ...], is_shown: bool
) -> None:
    changed = candidate(tmp_path, "{from: detail.HoTenNguoiNop, as: text}", "{from: detail.DonViXuLy, as: text}")
    done = hosync(ledger_env, "--json", "--mapping", changed, *option)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["changed"], found["fields"][0]["field"]) == (3, "applicant.name")
    assert (_NAME in done.stdout) is is_shown


@pytest.mark.usefixtures("ledger")
def test_without_a_mapping_pages_of_the_mapping_in_use_need_no_look(ledger_env: dict[str, str]) -> None:
    done = hosync(ledger_env)
    assert done.returncode == 0, done.stderr
    assert "3 records were stored by this very mapping" in done.stdout


def test_a_mapping_that_is_not_there_or_is_another_systems_is_refused(ledger_env: dict[str, str]) -> None:
    assert hosync(ledger_env, "--mapping", "/nonexistent.yaml").returncode == 2
    other = hosync(ledger_env, "--mapping", str(_MAPPING.file.with_name("igate.yaml")))
    assert other.returncode != 0
    assert "Give a changed copy of gplx.yaml" in other.stderr
