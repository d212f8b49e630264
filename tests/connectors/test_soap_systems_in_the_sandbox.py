"""Signed messages and lists made as jobs: the SOAP sources against the sandbox's servers, through to the dossiers."""

import json
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sandboxes
from entries import AT_ONCE, records, source_entry

from connectors.api import CheckStatus, Page, Window
from connectors.connections import ConnectionSettings, parse
from connectors.errors import NotSent, Refused, SignInFailed
from connectors.sources.soap import SoapSource
from connectors.sources.soap_jobs import SoapJobsSource
from mappings import Direction, load
from schemas.times import VN

AS_OF = datetime(2025, 12, 31, 17, 0, tzinfo=VN)
SYSTEMS = ("bhxh", "qldc")
HOWS = {
    "unknown-status": ("state", "unknown-code"),
    "bad-date": ("submitted_at", "datetime"),
    "missing-code": ("code", "required"),
    "renamed-field": ("state", "required"),
}


class Sandbox:
    """The two servers, and what their control endpoints say."""

    def __init__(self, home: Path) -> None:
        self.told = json.loads((home / "sandbox.json").read_text())

    def settings(self, name: str, **changes: Any) -> ConnectionSettings:
        told = json.loads(self.told["connections"][f"AIRFLOW_CONN_{name.upper()}"])
        return parse(name, json.dumps({**told, **changes}))

    def source(self, name: str, settings: ConnectionSettings | None = None, **pull: Any) -> Any:
        entry, settings = source_entry(name, **pull), settings or self.settings(name)
        if name == "bhxh":
            return SoapSource(entry, settings, retry=AT_ONCE)
        return SoapJobsSource(entry, settings, retry=AT_ONCE, sleep=lambda _: None)

    def control(self, server: str, path: str, body: Any = None, method: str | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.told[server]['port']}/_sandbox/{path}"
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request) as answer:
            lines = [json.loads(line) for line in answer.read().splitlines()]
        return lines if path == "truth" else lines[0]

    def truth(self, name: str) -> dict[str, dict[str, Any]]:
        return {row["source_id"]: row for row in self.control(name, "truth")}

    def clock(self, name: str) -> datetime:
        return datetime.fromisoformat(self.control(name, "clock")["as_of"])


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    home = tmp_path_factory.mktemp("sandbox")
    with sandboxes.running(home, SYSTEMS, size=2500, as_of=AS_OF):
        yield Sandbox(home)


@pytest.fixture
def mended(sandbox: Sandbox) -> Iterator[Sandbox]:
    yield sandbox
    for name in SYSTEMS:
        sandbox.control(name, "break", method="DELETE")
        sandbox.control(name, "faults", method="DELETE")
    sandbox.control("bhxh", "packaging", {"mtom": True})
    sandbox.control("qldc", "jobs", {"fail": 0})


def pull(source: Any, now: datetime, *, cursor: str | None = None, window: Window | None = None) -> list[Page]:
    return list(source.pull(window=window, cursor=cursor, open_codes=(), now=now))


def dossiers(name: str, pages: list[Page]) -> dict[str, dict[str, Any]]:
    """What the mapping makes of the records, by their id; nothing may be set aside."""
    converted = load(name, Direction.SOURCE).convert(records(pages))
    assert converted.bad == []
    return {one["source_id"]: one for _, one in converted.good}


def last_cursor(pages: list[Page], held: str | None = None) -> str | None:
    return next((page.cursor for page in reversed(pages) if page.cursor), held)


@pytest.mark.parametrize("name", SYSTEMS)
def test_check_finds_everything_in_order(sandbox: Sandbox, name: str) -> None:
    results = sandbox.source(name).check()
    assert {result.status for result in results} == {CheckStatus.OK}, results


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_first_and_then_incremental_pulls_hold_the_truth(sandbox: Sandbox, name: str) -> None:
    source = sandbox.source(name, page_size=50)
    held: dict[str, Any] = {}
    cursor = None
    now = sandbox.clock(name)
    for round_number in range(3):
        pages = pull(source, now, cursor=cursor)
        told, truth = dossiers(name, pages), sandbox.truth(name)
        held.update(told)
        cursor = last_cursor(pages, cursor)
        for source_id, row in truth.items():
            one = held[source_id]
            assert (one["code"], one["state"]) == (row["code"], row["state"])
            for field in ("changed_at", "received_at", "due_at", "finished_at", "returned_at"):
                assert one.get(field) == (row[field] and datetime.fromisoformat(row[field])), field
        assert round_number == 0 or len(told) < len(truth) / 2, "only what is new is read again"
        now += timedelta(days=2)
        sandbox.control(name, "clock", {"as_of": now.isoformat()})


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_pull_that_was_cut_off_goes_on_where_its_cursor_stands(sandbox: Sandbox, name: str) -> None:
    source = sandbox.source(name, page_size=20, window_days=30)
    now, everything = sandbox.clock(name), sandbox.truth(name)
    first = source.pull(window=None, cursor=None, open_codes=(), now=now)
    pages: list[Page] = []
    while last_cursor(pages) is None or len(records(pages)) < len(everything) / 2:
        pages.append(next(first))
    first.close()
    cursor = last_cursor(pages)
    rest = pull(source, now, cursor=cursor)
    assert dossiers(name, [*pages, *rest]).keys() == everything.keys()
    assert len(records(rest)) < len(everything) * 0.8, "what is behind the cursor is not read again"


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_window_holds_what_changed_within_it(sandbox: Sandbox, name: str) -> None:
    now = sandbox.clock(name)
    window = Window(now - timedelta(days=20), now - timedelta(days=10))
    pages = pull(sandbox.source(name), now, window=window)
    within = {
        source_id
        for source_id, row in sandbox.truth(name).items()
        if window.start <= datetime.fromisoformat(row["changed_at"]) < window.end
    }
    assert within <= dossiers(name, pages).keys()
    assert last_cursor(pages) is None


MODES = ["drop-before", "apply-then-drop", "500", "503", "429", "cut", "html-200"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", SYSTEMS)
def test_a_passing_fault_is_overcome(mended: Sandbox, name: str, mode: str) -> None:
    source = mended.source(name, page_size=50, start=AS_OF.date() - timedelta(days=20))
    before = dossiers(name, pull(source, mended.clock(name))).keys()
    mended.control(name, "faults", {"mode": mode, "times": 1})
    assert dossiers(name, pull(source, mended.clock(name))).keys() == before


@pytest.mark.parametrize(("how", "problem"), HOWS.items())
@pytest.mark.parametrize("name", SYSTEMS)
def test_a_broken_record_is_set_aside_alone(mended: Sandbox, name: str, how: str, problem: tuple[str, str]) -> None:
    source = mended.source(name, start=AS_OF.date() - timedelta(days=20))
    whole = records(pull(source, mended.clock(name)))
    codes = {row["code"] for row in mended.truth(name).values()}
    one = load(name, Direction.SOURCE).convert(whole).good[3][1]["code"]
    assert one in codes
    mended.control(name, "break", {"codes": [one], "how": how})
    converted = load(name, Direction.SOURCE).convert(records(pull(source, mended.clock(name))))
    assert [(bad.field, bad.rule) for bad in converted.bad] == [problem]
    assert len(converted.good) == len(whole) - 1


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_wrong_password_is_said_to_be_one(sandbox: Sandbox, name: str) -> None:
    source = sandbox.source(name, sandbox.settings(name, password="sai"))
    with pytest.raises(SignInFailed) as caught:
        pull(source, sandbox.clock(name))
    assert "sai" not in str(caught.value)


def test_scans_are_not_kept_however_they_come(mended: Sandbox) -> None:
    source = mended.source("bhxh", start=AS_OF.date() - timedelta(days=5))
    beside = pull(source, mended.clock("bhxh"))
    mended.control("bhxh", "packaging", {"mtom": False})
    inside = pull(source, mended.clock("bhxh"))
    assert records(beside) == records(inside)
    for page in (*beside, *inside):
        assert b"banQuet" not in page.raw
        assert b"PDF" not in page.raw


def test_a_key_that_is_not_registered_is_refused(sandbox: Sandbox) -> None:
    extra = dict(sandbox.settings("bhxh").extra)
    folder = Path(extra["sign_cert"]).parent
    foreign = {"sign_cert": str(folder / "client.pem"), "sign_key": str(folder / "client.key")}
    source = sandbox.source("bhxh", sandbox.settings("bhxh", extra={**extra, **foreign}))
    with pytest.raises(SignInFailed, match="InvalidSecurityToken"):
        pull(source, sandbox.clock("bhxh"))


def test_jobs_are_deleted_once_they_are_read(sandbox: Sandbox) -> None:
    sandbox.control("qldc", "faults", {"mode": "expire-sessions"})  # those that others left behind
    pull(sandbox.source("qldc"), sandbox.clock("qldc"))
    assert sandbox.control("qldc", "jobs") == {}


def test_a_failed_job_fails_the_pull_and_the_next_orders_anew(mended: Sandbox) -> None:
    source = mended.source("qldc")
    mended.control("qldc", "jobs", {"fail": 1})
    with pytest.raises(NotSent, match="the job has failed over there"):
        pull(source, mended.clock("qldc"))
    assert dossiers("qldc", pull(source, mended.clock("qldc"))).keys() == mended.truth("qldc").keys()


@pytest.mark.parametrize("how", ["expire", "forget"])
def test_a_list_that_is_gone_is_ordered_anew_within_the_same_pull(mended: Sandbox, how: str) -> None:
    source = mended.source("qldc", page_size=5)
    reading = source.pull(window=None, cursor=None, open_codes=(), now=mended.clock("qldc"))
    pages = [next(reading)]
    while not pages[-1].records:
        pages.append(next(reading))
    if how == "expire":
        mended.control("qldc", "jobs", {"expire": True})
    else:
        mended.control("qldc", "faults", {"mode": "expire-sessions"})
    pages += reading
    assert dossiers("qldc", pages).keys() == mended.truth("qldc").keys()


def test_a_list_longer_than_the_service_makes_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(Refused, match="CungCapDanhSachThayDoiCuTru"):
        pull(sandbox.source("qldc", window_days=120), sandbox.clock("qldc"))
