"""The follower's task: it follows for as long as a run lasts, ends by itself, and says what became of it."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from connectors.catalog import FOLDER, load_catalog
from ledger.inbox import Inbox, calls
from ledger.sealing import Sealer
from sync.context import Context, now
from sync.pull import plan, pull

ROOT = Path(__file__).resolve().parents[2]
CONNECTION = json.dumps({"conn_type": "http", "host": "vbdlis.invalid", "password": "bi-mat-mau-0123456789"})
BODY = {"SoBienNhan": "000.00.11.H12-250812-0001", "MaTrangThai": "4", "NgayChuyen": "2025-08-12T02:00:00Z"}


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """One system, which calls."""
    shutil.copy(FOLDER / "vbdlis.yaml", tmp_path)
    return tmp_path


def test_p1_a_run_takes_over_what_was_told_and_ends_by_itself(
    engine: Engine,
    database_url: str,
    sealer: Sealer,
    data_key: bytes,
    catalog: Path,
    inspector: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_VBDLIS", CONNECTION)
    context = Context(engine=engine, sealer=sealer, catalog=load_catalog(catalog))
    (first,) = plan(context, "vbdlis", now=now())
    pull(context, first, started_by="test", now=now())
    content = json.dumps(BODY).encode()
    Inbox(engine, sealer, "vbdlis").put("ChuyenHoSo", content, content=content, remote=None)
    environment = {
        "HOSYNC_DATABASE_URL": database_url,
        "HOSYNC_DATA_KEY": base64.b64encode(data_key).decode(),
        "HOSYNC_CATALOG": str(catalog),
        "AIRFLOW_CONN_VBDLIS": CONNECTION,
    }
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("call_follower.py"), ROOT / "dags", "0.03"],
        env=inspector.clean(environment),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert "TOLD {}" in done.stdout, done.stderr[-3000:]
    assert calls(engine)["vbdlis"].waiting == 0
    with engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM pull_run WHERE looks IS NOT NULL")).mappings().one()
    assert (row["started_by"], row["status"], row["fetched"]) == ("airflow a run", "succeeded", 1)
