"""Commands about deliveries, in processes of their own over a real ledger: what is dead, again, stop and go on."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import forked
import pytest
from sqlalchemy import Engine, text

from ledger.again import DeadGroup
from ledger.intake import start_pull, store_page
from ledger.sealing import Sealer
from ledger.types import PageIntake, PullMode
from schemas.dossier import Dossier

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def hosync(database_url: str, data_key: bytes) -> Run:
    """Runs `hosync` on this module's ledger."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HOSYNC_", "AIRFLOW_"))}
    key = base64.b64encode(data_key).decode()
    environment = {**kept, "HOSYNC_DATABASE_URL": database_url, "HOSYNC_DATA_KEY": key, "HOSYNC_LANG": "en"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return forked.run(*arguments, env={**environment, "COLUMNS": "220"})

    return run


@pytest.fixture
def _three_dead(engine: Engine, sealer: Sealer) -> None:
    """Three dossiers that the portal refused, for two reasons."""
    now = datetime(2026, 3, 2, 5, tzinfo=UTC)
    dossiers = [
        Dossier.model_validate(
            {
                "code": f"H12.12-260302-000{number}",
                "source_id": str(number),
                "procedure_code": "1.990101",
                "agency_code": "H12.12",
                "channel": 2,
                "subject_kind": 1,
                "state": 4,
                "state_at": now,
                "changed_at": now,
                "applicant": {"name": "Nguyễn Văn Thử", "identity_kind": 1, "identity_number": "000099000001"},
            }
        )
        for number in range(3)
    ]
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE delivery, target_feed, target_gate, dossier CASCADE"))
    page = PageIntake(
        run_id=start_pull(engine, system="gplx", mode=PullMode.INCREMENTAL, window=None, started_by="test"),
        system="gplx",
        precedence=10,
        number=1,
        raw=b"page",
        media_type="application/json",
        fetched_at=now,
        fetched=len(dossiers),
        dossiers=dossiers,
        problems=(),
        cursor=None,
        mapping_version="1",
    )
    store_page(engine, sealer, page)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO delivery (target, dossier_id, state, priority, due_at, wanted_version, wanted_step, "
                "last_outcome, last_reason, last_at) "
                "SELECT 'npsp', id, 'dead', 5, now(), 1, 1, 'rejected', "
                "CASE WHEN source_id = '0' THEN 'bad date' ELSE 'unknown procedure' END, now() FROM dossier"
            )
        )
        connection.execute(
            text(
                "INSERT INTO target_feed SELECT 'npsp', (SELECT max(change_no) FROM dossier), "
                "(SELECT system_identifier FROM pg_control_system())"
            )
        )


@pytest.mark.usefixtures("_three_dead")
def test_the_dead_are_listed_made_due_and_then_gone(hosync: Run) -> None:
    shown = hosync("dead", "npsp")
    assert shown.returncode == 1
    assert "unknown procedure" in shown.stdout
    assert "hosync resend npsp" in shown.stdout
    groups = json.loads(hosync("dead", "--json").stdout)["dead"]
    assert [(each["agency"], each["dossiers"], each["reason"]) for each in groups] == [
        ("H12.12", 2, "unknown procedure"),
        ("H12.12", 1, "bad date"),
    ]
    assert set(groups[0]) == set(DeadGroup.__dataclass_fields__)
    assert "Nguyễn" not in shown.stdout

    assert hosync("resend", "npsp").returncode == 2
    assert hosync("resend", "npsp", "--all", "--reason", "date").returncode == 2
    by_code = hosync("resend", "npsp", "--code", "000.00.12.H12-260302-0000", "--json")
    assert json.loads(by_code.stdout) == {"target": "npsp", "made_due": 1}
    assert json.loads(hosync("resend", "npsp", "--reason", "PROCEDURE", "--json").stdout)["made_due"] == 2
    nothing = hosync("resend", "npsp", "--all")
    assert nothing.returncode == 1
    assert hosync("dead", "npsp").returncode == 0


@pytest.mark.usefixtures("_three_dead")
def test_a_replay_says_what_it_did_and_refuses_a_target_that_would_count_twice(hosync: Run) -> None:
    span = ("--from", "2026-03-02", "--to", "2026-03-03")
    done: dict[str, Any] = json.loads(hosync("replay", "npsp", *span, "--json").stdout)
    assert done == {"target": "npsp", "made_due": 0, "in_work": 0, "dead": 3}
    refused = hosync("replay", "emc", *span)
    assert refused.returncode == 1
    assert "counted twice" in refused.stderr
    assert "--force" in refused.stderr
    assert hosync("replay", "emc", *span, "--force").returncode == 0
    assert hosync("replay", "npsp", "--from", "2026-03-03", "--to", "2026-03-02").returncode == 2


@pytest.mark.usefixtures("_three_dead")
def test_a_pause_shows_in_the_status_until_it_is_over(hosync: Run) -> None:
    assert hosync("pause", "npsp").returncode == 0
    assert "paused" in hosync("status").stdout
    (npsp,) = (each for each in json.loads(hosync("status", "--json").stdout)["targets"] if each["target"] == "npsp")
    assert (npsp["gate"]["resting"], npsp["gate"]["resting_until"]) == ("paused", None)
    assert npsp["gate"]["paused_by"]
    assert hosync("pause", "npsp", "--until", "2020-01-01").returncode == 2
    assert "goes on with the next push" in hosync("resume", "npsp").stdout
    assert "was not paused" in hosync("resume", "npsp").stdout
    assert hosync("pause", "nobody").returncode == 2


@pytest.mark.usefixtures("_three_dead")
def test_who_did_what_by_hand_is_told(hosync: Run) -> None:
    hosync("pause", "npsp", "--until", "2126-01-01")
    hosync("resend", "npsp", "--reason", "unknown procedure")
    hosync("resume", "npsp")
    hosync("resume", "npsp")  # it goes on already: nothing was done
    hosync("replay", "province", "--from", "2026-03-01", "--to", "2026-03-02")
    told = json.loads(hosync("audit", "--json").stdout)["actions"]
    assert [(each["action"], each["system"]) for each in told[:4]] == [
        ("replay", "province"),
        ("resume", "npsp"),
        ("resend", "npsp"),
        ("pause", "npsp"),
    ]
    assert all(each["person"] for each in told)
    assert told[2]["details"] == {"reason": "unknown procedure"}
    assert told[2]["dossiers"] == 2
    shown = hosync("audit", "npsp", "-n", "3")
    assert shown.returncode == 0
    assert "unknown procedure" in shown.stdout
    assert "2126-01-01" in shown.stdout
    assert "province" not in shown.stdout


@pytest.mark.usefixtures("_three_dead")
def test_a_restored_ledger_says_what_is_held_back_and_how_to_go_on(hosync: Run, engine: Engine) -> None:
    assert "restored" not in hosync("status").stdout
    with engine.begin() as connection:
        connection.execute(text("UPDATE ledger_life SET identity = 'that of the backup'"))
        connection.execute(text("UPDATE pull_run SET fetched = 3, new_ = 3, tells_once = true"))
    shown = hosync("status", "--lang", "vi")
    assert shown.returncode == 1
    for words in ("vừa được khôi phục", "hosync pull gplx", "hosync resume --after-restore"):
        assert words in shown.stdout
    told = json.loads(hosync("status", "--json").stdout)
    assert {**told["woken"], "since": ""} == {
        "since": "",
        "restored": True,
        "unread": ["gplx"],
        "telling_once": ["gplx"],
    }
    refused = hosync("replay", "npsp", "--from", "2026-03-02", "--to", "2026-03-03")
    assert refused.returncode == 1
    assert "restored from a backup" in refused.stderr
    assert hosync("resume").returncode == 2
    assert "go on with the next push" in hosync("resume", "--after-restore").stdout
    assert "No restored ledger" in hosync("resume", "--after-restore").stdout
    assert json.loads(hosync("status", "--json").stdout)["woken"] is None
    (last, *_) = json.loads(hosync("audit", "--json").stdout)["actions"]
    assert (last["action"], last["system"]) == ("caught_up", "ledger")
