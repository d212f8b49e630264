"""SIGKILL of the endpoint, again and again while systems call: with callers that call until they hear success, each
call ends up in the ledger once.
"""

import base64
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from inbound_endpoint import SECRET, body
from sqlalchemy import Engine, text

from ledger.inbox import Inbox, calls
from ledger.sealing import Sealer

HOSYNC = Path(sys.executable).with_name("hosync")
CALLS = 40


@dataclass
class Process:
    """`hosync inbound` in a process of its own."""

    process: "subprocess.Popen[str]"
    port: int

    def url(self, kind: str) -> str:
        return f"http://127.0.0.1:{self.port}/hosync/inbound/vbdlis/{kind}/{SECRET}"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def environment(database_url: str, data_key: bytes) -> dict[str, str]:
    connection = {"conn_type": "http", "host": "vbdlis.invalid", "password": SECRET}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "HOSYNC"))}
    return kept | {
        "HOSYNC_DATABASE_URL": database_url,
        "HOSYNC_DATA_KEY": base64.b64encode(data_key).decode(),
        "HOSYNC_LANG": "en",
        "AIRFLOW_CONN_VBDLIS": json.dumps(connection),
        "PYTHONUNBUFFERED": "1",
    }


@pytest.fixture(autouse=True)
def _empty(engine: Engine) -> None:
    with engine.begin() as connection:
        for table in ("inbox", "inbox_tally", "pull_cursor"):
            connection.execute(text(f"DELETE FROM {table}"))


def _start(environment: dict[str, str], port: int = 0) -> Process:
    process = subprocess.Popen(
        [str(HOSYNC), "inbound", "--port", str(port)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    said = process.stdout.readline()
    found = re.search(r":(\d+)/hosync/inbound", said)
    assert found, f"it says nothing of where it listens: {said}"
    return Process(process, int(found.group(1)))


@contextmanager
def _running(environment: dict[str, str]) -> Iterator[Process]:
    running = _start(environment)
    try:
        yield running
    finally:
        running.kill()


def _until_success(url: str, content: dict[str, Any]) -> None:
    """Call as VBDLIS does: again and again until it is told that the call has arrived."""
    while True:
        try:
            answer = requests.post(url, json=content, timeout=10)
            if answer.status_code == 200 and answer.json()["Result"] == 1:
                return
        except (requests.RequestException, ValueError):
            pass
        time.sleep(0.02)


def test_p1_p3_killed_again_and_again_the_endpoint_loses_no_call_and_stores_each_once(
    environment: dict[str, str], engine: Engine, sealer: Sealer
) -> None:
    running = _start(environment)
    port, chance, kills = running.port, random.Random(7), 0
    with ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(_until_success, running.url("ChuyenHoSo"), body(number)) for number in range(CALLS)]
        while not all(call.done() for call in calls):
            time.sleep(chance.uniform(0.02, 0.15))
            if kills < 3:
                running.kill()
                running, kills = _start(environment, port), kills + 1
    running.kill()
    assert kills, "else this proves nothing"
    stored = [json.loads(call.body)["SoBienNhan"] for call in Inbox(engine, sealer, "vbdlis").after(0, 1000)]
    assert sorted(stored) == [body(number)["SoBienNhan"] for number in range(CALLS)]


def test_p1_killed_before_the_call_is_durable_the_endpoint_has_confirmed_nothing(
    environment: dict[str, str], engine: Engine, sealer: Sealer, database_url: str
) -> None:
    plain = database_url.replace("+psycopg", "")
    with psycopg.connect(plain) as holder, psycopg.connect(plain, autocommit=True) as watcher:
        holder.execute("LOCK TABLE inbox IN SHARE MODE")
        with _running(environment) as running, ThreadPoolExecutor(1) as pool:
            calling = pool.submit(requests.post, running.url("ChuyenHoSo"), json=body(1), timeout=30)
            blocked = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            while not watcher.execute(blocked).fetchone():
                assert not calling.done(), "answered before it was stored"
            running.kill()
            assert isinstance(calling.exception(), requests.ConnectionError)
        holder.rollback()
    with _running(environment) as running:
        _until_success(running.url("ChuyenHoSo"), body(1))
    assert len(Inbox(engine, sealer, "vbdlis").after(0, 10)) == 1


def test_sigterm_answers_what_is_under_way_and_then_ends(
    environment: dict[str, str], engine: Engine, database_url: str
) -> None:
    plain = database_url.replace("+psycopg", "")
    with psycopg.connect(plain) as holder, psycopg.connect(plain, autocommit=True) as watcher:
        holder.execute("LOCK TABLE inbox IN SHARE MODE")
        with _running(environment) as running, ThreadPoolExecutor(1) as pool:
            calling = pool.submit(requests.post, running.url("ChuyenHoSo"), json=body(1), timeout=30)
            blocked = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            while not watcher.execute(blocked).fetchone():
                assert not calling.done()
            running.process.terminate()
            holder.rollback()
            assert calling.result().json()["Result"] == 1
            running.process.wait(30)
    assert calls(engine)["vbdlis"].waiting == 1
