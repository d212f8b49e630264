"""The three sources against the sandbox's servers, which share no code with them."""

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from entries import AT_ONCE, records, source_entry

from connectors.api import CheckStatus, Page, Window
from connectors.connections import parse
from connectors.errors import GatewayRefused
from connectors.sources.igate import IgateSource
from connectors.sources.mapi import MapiSource
from connectors.sources.xroad_soap import XRoadSoapSource
from schemas.times import VN

AS_OF = datetime(2025, 12, 31, 17, 0, tzinfo=VN)
SOURCES: dict[str, Any] = {"gplx": MapiSource, "igate": IgateSource, "dkkd": XRoadSoapSource}
RECENTLY = date(2025, 12, 20)
TERMINAL = {3, 7, 8, 10}


class Sandbox:
    """A running sandbox and what its control endpoints say."""

    def __init__(self, home: Path) -> None:
        self.told = json.loads((home / "sandbox.json").read_text())

    def source(self, name: str, **pull: Any) -> Any:
        settings = parse(name, self.told["connections"][f"AIRFLOW_CONN_{name.upper()}"])
        return SOURCES[name](source_entry(name, **pull), settings, retry=AT_ONCE)

    def control(self, server: str, path: str, body: Any = None, method: str | None = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.told[server]['port']}/_sandbox/{path}"
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request) as answer:
            return bytes(answer.read())

    def truth(self, name: str) -> dict[str, dict[str, Any]]:
        rows = map(json.loads, self.control(name, "truth").splitlines())
        return {row["source_id"]: row for row in rows}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory) -> Iterator[Sandbox]:
    home = tmp_path_factory.mktemp("sandbox")
    command = [sys.executable, "-m", "sandbox", "serve", "--home", str(home), "--size", "600"]
    process = subprocess.Popen([*command, "--as-of", AS_OF.isoformat()], stdout=subprocess.DEVNULL)
    try:
        while not (home / "sandbox.json").exists():
            assert process.poll() is None, "the sandbox does not start"
            time.sleep(0.05)
        yield Sandbox(home)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def pull(source, *, cursor=None, window=None, open_codes=(), now=AS_OF) -> list[Page]:
    return list(source.pull(window=window, cursor=cursor, open_codes=open_codes, now=now))


def state_of(name: str) -> Callable[[Any], tuple[str, Any]]:
    """Id and what shows that a record is the newest: the state, or the time of the last change."""
    return {
        "gplx": lambda record: (record["detail"]["MaHoSo"], int(record["detail"]["MaTrangThai"])),
        "igate": lambda record: (record["id"], datetime.fromisoformat(record["updatedDate"])),
        "dkkd": lambda record: (record["maHoSo"], datetime.fromisoformat(record["capNhatLuc"])),
    }[name]


def true_state(name: str, row: dict[str, Any]) -> Any:
    return row["state"] if name == "gplx" else datetime.fromisoformat(row["changed_at"])


@pytest.mark.parametrize("name", SOURCES)
def test_check_finds_everything_in_order(sandbox, name):
    assert {result.status for result in sandbox.source(name).check()} == {CheckStatus.OK}


@pytest.mark.parametrize("name", SOURCES)
def test_a_first_and_then_incremental_pulls_hold_the_truth(sandbox, name):
    source = sandbox.source(name, page_size=50)
    held: dict[str, Any] = {}
    cursor = None
    now = datetime.fromisoformat(json.loads(sandbox.control(name, "clock"))["as_of"])
    for _ in range(3):
        truth = sandbox.truth(name)
        open_codes = [key for key in held if key in truth and held_is_open(name, key, held)]
        for page in pull(source, cursor=cursor, open_codes=open_codes, now=now):
            held.update(map(state_of(name), page.records))
            cursor = page.cursor or cursor
        assert held == {key: true_state(name, row) for key, row in truth.items()}
        now += timedelta(days=2)
        sandbox.control(name, "clock", {"as_of": now.isoformat()})


def held_is_open(name: str, key: str, held: dict[str, Any]) -> bool:
    return name == "gplx" and held[key] not in TERMINAL


MODES = ["drop-before", "apply-then-drop", "500", "503", "429", "cut", "html-200"]


@pytest.mark.parametrize(
    ("name", "mode"),
    [("gplx", "expire-sessions"), ("igate", "expire-sessions"), *((name, mode) for name in SOURCES for mode in MODES)],
)
def test_a_passing_fault_is_overcome(sandbox, name, mode):
    source = sandbox.source(name, page_size=50, start=RECENTLY)
    server = "xroad" if name == "dkkd" else name
    before = {state_of(name)(record)[0] for record in records(pull(source))}
    sandbox.control(server, "faults", {"mode": mode, "times": 1})
    after = {state_of(name)(record)[0] for record in records(pull(source))}
    sandbox.control(server, "faults", method="DELETE")
    assert before <= after


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("how", ["unknown-status", "bad-date", "missing-code"])
def test_a_broken_record_is_handed_on_among_the_others(sandbox, name, how):
    source = sandbox.source(name, start=RECENTLY)
    whole = records(pull(source))
    victim = sandbox.truth(name)[state_of(name)(whole[0])[0]]
    sandbox.control(name, "break", {"codes": [victim["code"]], "how": how})
    try:
        spoiled = records(pull(source))
    finally:
        sandbox.control(name, "break", method="DELETE")
    assert len(spoiled) == len(whole)
    assert sum(1 for record in spoiled if record not in whole) == 1


@pytest.mark.parametrize("spelling", ["7.7", "7.8"])
def test_a_security_server_that_denies_access_is_understood_in_both_spellings(sandbox, spelling):
    sandbox.control("xroad", "xroad", {"code": "Server.ServerProxy.AccessDenied", "times": 1, "spelling": spelling})
    with pytest.raises(GatewayRefused):
        pull(sandbox.source("dkkd"))


def test_windows_of_acceptance_bring_all_that_were_accepted(sandbox):
    accepted = {key for key, row in sandbox.truth("igate").items() if row["received_at"]}
    window = Window(datetime(2025, 1, 1, tzinfo=VN), datetime(2027, 1, 1, tzinfo=VN))
    assert {record["id"] for record in records(pull(sandbox.source("igate"), window=window))} == accepted
