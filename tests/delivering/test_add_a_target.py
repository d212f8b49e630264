"""docs/add-a-target.md, followed to the letter: a new target is told every step, and nobody has written any Python."""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import forked
import pytest
import yaml
from delivery_world import World, world
from dossiers import T0, code, dossier
from jsonschema import Draft202012Validator
from sqlalchemy import Engine

import mappings
from connectors.catalog import FOLDER, load_catalog
from ledger.sealing import Sealer

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "add-a-target.md").read_text()
FILES = dict(re.findall(r"\*\*`([\w/.]+)`\*\*\n\n```\w+\n(.*?)```", PAGE, re.DOTALL))
COMMANDS = re.findall(r"^hosync .*tongdai.*$", PAGE, re.MULTILINE)


class ContactCentre(ThreadingHTTPServer):
    """Takes what the page promises, and knows an id that it has seen."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Desk)
        self.heard: dict[str, Any] = {}
        self.calls = 0
        self.lost = 0  # so many answers get lost after the work is done


class _Desk(BaseHTTPRequestHandler):
    server: ContactCentre

    def do_GET(self) -> None:
        self._answer(404)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.calls += 1
        if self.headers["X-Api-Key"] != "khoa-mau" or self.path != "/su-kien":
            return self._answer(401)
        self.server.heard.setdefault(self.headers["Idempotency-Key"], body)
        if self.server.lost:
            self.server.lost -= 1
            return self._answer(500)
        return self._answer(202)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing: the test says what went wrong."""


@pytest.fixture
def centre() -> Iterator[ContactCentre]:
    with ContactCentre() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def small(
    own_engine: Engine,
    sealer: Sealer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    centre: ContactCentre,
) -> Iterator[World]:
    """The page's files in folders of their own, beside the shipped ones, and the connection that it speaks of."""
    folders = {"mappings": ROOT / "mappings", "schemas/wire": ROOT / "schemas" / "wire"}
    for name, folder in folders.items():
        shutil.copytree(folder, tmp_path / name, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    for name, content in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    monkeypatch.setenv("HOSYNC_MAPPINGS", str(tmp_path / "mappings"))
    monkeypatch.setenv("HOSYNC_CONTRACTS", str(tmp_path / "schemas" / "wire"))
    at = {"conn_type": "http", "host": "127.0.0.1", "port": centre.server_address[1], "password": "khoa-mau"}
    monkeypatch.setenv("AIRFLOW_CONN_TONGDAI", json.dumps(at))
    entries = {"tongdai": tmp_path / "connectors" / "catalog" / "tongdai.yaml"}
    with world(own_engine, sealer, tmp_path, monkeypatch, entries) as opened:
        yield opened


def test_the_page_holds_the_three_files_and_no_python() -> None:
    assert {Path(name).suffix for name in FILES} == {".yaml", ".json"}
    assert len(FILES) == 3
    assert "```python" not in PAGE


def test_p3_the_new_target_hears_every_step_once_although_answers_are_lost(small: World, centre: ContactCentre) -> None:
    moments = [{"at": T0.replace(hour=hour).isoformat(), "state": state} for hour, state in ((1, 2), (2, 4), (3, 9))]
    small.tell(*(dossier(n, state=9, hours=2, steps=moments) for n in range(4)))
    centre.lost = 3
    assert small.push("tongdai").remaining == 0
    assert centre.calls == 4 * 3 + 3
    assert len(centre.heard) == 4 * 3
    told = [(body["maHoSo"], body["buoc"], body["trangThai"]) for body in centre.heard.values()]
    words = ("TIEP_NHAN", "DANG_XU_LY", "CO_KET_QUA")
    assert sorted(told) == sorted((code(n), step, word) for n in range(4) for step, word in enumerate(words, 1))
    contract = Draft202012Validator(json.loads(FILES["schemas/wire/tongdai/step.schema.json"]))
    assert [error for body in centre.heard.values() for error in contract.iter_errors(body)] == []


def test_the_commands_of_the_page_run_as_written(
    small: World, centre: ContactCentre, own_database_url: str, data_key: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    from base64 import b64encode

    small.tell(dossier(1))
    monkeypatch.setenv("HOSYNC_DATABASE_URL", own_database_url)
    monkeypatch.setenv("HOSYNC_DATA_KEY", b64encode(data_key).decode())
    assert COMMANDS == ["hosync check tongdai", "hosync push tongdai"]
    for command in COMMANDS:
        done = forked.run(*command.split()[1:], env=os.environ)
        assert done.returncode == 0, done.stdout + done.stderr
    assert len(centre.heard) == 1
    status = forked.run("status", "--json", env=os.environ, check=True)
    (target,) = json.loads(status.stdout)["targets"]
    assert (target["settled"], target["is_compared"]) == (1, False)


def test_the_files_stand_beside_the_shipped_ones_without_disturbing_them(small: World, tmp_path: Path) -> None:
    assert small
    for file in FOLDER.glob("*.yaml"):
        shutil.copy(file, tmp_path / "connectors" / "catalog")
    catalog = load_catalog(tmp_path / "connectors" / "catalog")
    assert "tongdai" in [entry.system for entry in catalog.targets]
    assert "tongdai" in mappings.available(mappings.Direction.TARGET)
    assert yaml.safe_load(FILES["mappings/targets/tongdai.yaml"])["step"]["ignore"]["officer"] == "personal data"
