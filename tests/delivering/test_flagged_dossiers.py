"""A dossier that lacks what the indicators need is pushed like any other, and people are told of it."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from delivery_world import Serve, World, shipped, world
from dossiers import code, dossier
from serving import Served
from sqlalchemy import Engine

from ledger.sealing import Sealer
from sandbox.targets import feed

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def receiver(serve: Serve) -> Served:
    return serve("feed", feed.build, password=SECRET)


@pytest.fixture
def small(
    own_engine: Engine,
    own_database_url: str,
    sealer: Sealer,
    data_key: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    receiver: Served,
) -> Iterator[World]:
    assert receiver
    monkeypatch.setenv("HOSYNC_DATABASE_URL", own_database_url)
    monkeypatch.setenv("HOSYNC_DATA_KEY", b64encode(data_key).decode())
    with world(own_engine, sealer, tmp_path, monkeypatch, shipped("feed")) as opened:
        opened.tell(dossier(1), dossier(2, due_at=None), dossier(3, due_at=None, received_at=None, agency_code="H12.7"))
        yield opened


def _hosync(*arguments: str) -> str:
    program = Path(sys.executable).with_name("hosync")
    done = subprocess.run([program, "quality", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_flagged_is_pushed_like_all_others(small: World, receiver: Served) -> None:
    assert small.push("feed").remaining == 0
    assert {row["code"] for row in receiver.control("dossiers")} == {code(1), code(2), code(3)}
    assert json.loads(_hosync("--json"))["agencies"]


@pytest.mark.usefixtures("small")
def test_the_command_tells_agencies_rules_and_dossiers() -> None:
    told = json.loads(_hosync("--json", "--show", "5"))
    agencies: dict[str, Any] = {each["agency"]: each for each in told["agencies"]}
    assert agencies["H12.12"] == {
        "agency": "H12.12",
        "agency_name": "Sở Mẫu tỉnh Thử Nghiệm",
        "dossiers": 2,
        "flagged": 1,
        "broken": {"no_due_date": 1},
    }
    assert agencies["H12.7"]["broken"] == {"no_receipt": 1, "no_due_date": 1}
    assert set(told["first_codes"]["no_due_date"]) == {code(2), code(3)}
    (one,) = json.loads(_hosync("--json", "--agency", "000.00.12.H12"))["agencies"]
    assert one["agency"] == "H12.12"


@pytest.mark.usefixtures("small")
def test_people_read_it_in_their_language_with_the_indicator() -> None:
    vietnamese, english = _hosync("--lang", "vi"), _hosync("--lang", "en")
    assert "Quyết định 766" in vietnamese
    assert "Thiếu" in vietnamese
    assert "No day of" in english
    assert "1.4" in english
