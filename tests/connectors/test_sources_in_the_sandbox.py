"""The sources against the sandbox's servers, which share no code with them."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sandboxes
from entries import AT_ONCE, records, source_entry

from connectors.api import CheckStatus, Page, Window
from connectors.connections import parse
from connectors.contract import Drift, record_contract
from connectors.errors import GatewayRefused
from connectors.sources.igate import IgateSource
from connectors.sources.mapi import MapiSource
from connectors.sources.rest import RestSource
from connectors.sources.soap import SoapSource
from sandbox.systems.opencps import STATUSES
from schemas.times import VN

AS_OF = datetime(2025, 12, 31, 17, 0, tzinfo=VN)
SOURCES: dict[str, Any] = {
    "gplx": MapiSource,
    "igate": IgateSource,
    "dkkd": SoapSource,
    "gtvt": RestSource,
    "btxh": RestSource,
    "hotich": RestSource,
    "lltp": RestSource,
    "opencps": RestSource,
    "xaydung": RestSource,
    "dienluc": RestSource,
}
OPEN_LIST = ("hotich", "lltp")
REFRESHED = ("gplx", "opencps")
BREAKS = ("unknown-status", "bad-date", "missing-code")
RECENTLY = {name: date(2025, 7, 1) if name in ("xaydung", "dienluc") else date(2025, 12, 20) for name in SOURCES}
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
    with sandboxes.running(home, [*SOURCES, "xroad"], size=600, as_of=AS_OF):
        yield Sandbox(home)


def questions(sandbox, name: str) -> list[str]:
    """What an open-list system is asked about: all that it knows, and something that it does not."""
    return ["H12.08-250105-9999", *sandbox.truth(name)] if name in OPEN_LIST else []


def pull(source, *, cursor=None, window=None, open_codes=(), now=AS_OF) -> list[Page]:
    return list(source.pull(window=window, cursor=cursor, open_codes=open_codes, now=now))


def state_of(name: str) -> Callable[[Any], tuple[str, Any]]:
    """Id and what shows that a record is the newest: the state, or the time of the last change."""
    return {
        "gplx": lambda record: (record["detail"]["MaHoSo"], int(record["detail"]["MaTrangThai"])),
        "igate": lambda record: (record["id"], datetime.fromisoformat(record["updatedDate"])),
        "dkkd": lambda record: (record["maHoSo"], datetime.fromisoformat(record["capNhatLuc"])),
        "gtvt": lambda record: (record["MaHoSo"], int(record["TrangThaiHoSo"])),
        "btxh": lambda record: (record["MaHoSo"], int(record["StatusId"])),
        "hotich": lambda record: (record["maHoSoMCDT"], {"2": 5, "3": 4, "4": 9}[str(record["trangThai"])]),
        "lltp": lambda record: (record["maHoSoMCDT"], record["trangThaiXuLy"]),
        "opencps": lambda record: (
            record["referenceUid"],
            STATUSES[record["dossierStatus"], record["dossierSubStatus"]],
        ),
        "xaydung": lambda record: (record["id"], datetime.fromisoformat(record["cap_nhat_luc"])),
        "dienluc": lambda record: (record["requestId"], datetime.fromisoformat(record["updatedAt"])),
    }[name]


def true_state(name: str, row: dict[str, Any]) -> Any:
    timed = ("igate", "dkkd", "xaydung", "dienluc")
    return datetime.fromisoformat(row["changed_at"]) if name in timed else row["state"]


def distinct(told: list[Any]) -> list[Any]:
    """Each record once: opencps tells a dossier in the listing of each of its dates."""
    return list({json.dumps(record, sort_keys=True): record for record in told}.values())


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
        open_codes = questions(sandbox, name) or [key for key in held if held_is_open(name, key, held)]
        for page in pull(source, cursor=cursor, open_codes=open_codes, now=now):
            held.update(map(state_of(name), page.records))
            cursor = page.cursor or cursor
        assert held == {key: true_state(name, row) for key, row in truth.items()}
        now += timedelta(days=2)
        sandbox.control(name, "clock", {"as_of": now.isoformat()})


def held_is_open(name: str, key: str, held: dict[str, Any]) -> bool:
    return name in REFRESHED and held[key] not in TERMINAL


MODES = ["drop-before", "apply-then-drop", "500", "503", "429", "cut", "html-200"]


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        *((name, "expire-sessions") for name in ("gplx", "igate", "hotich", "xaydung", "dienluc")),
        *((name, mode) for name in SOURCES for mode in MODES),
    ],
)
def test_a_passing_fault_is_overcome(sandbox, name, mode):
    source = sandbox.source(name, page_size=50, start=RECENTLY[name])
    server = "xroad" if name == "dkkd" else name
    asked = questions(sandbox, name)
    before = {state_of(name)(record)[0] for record in records(pull(source, open_codes=asked))}
    sandbox.control(server, "faults", {"mode": mode, "times": 1})
    after = {state_of(name)(record)[0] for record in records(pull(source, open_codes=asked))}
    sandbox.control(server, "faults", method="DELETE")
    assert before <= after


# What lltp tells holds no date once it has been cut.
BROKEN = [(name, how) for name in SOURCES for how in BREAKS if (name, how) != ("lltp", "bad-date")]


@pytest.mark.parametrize(("name", "how"), BROKEN)
def test_a_broken_record_is_handed_on_among_the_others(sandbox, name, how):
    source = sandbox.source(name, start=RECENTLY[name])
    asked = questions(sandbox, name)
    whole = distinct(records(pull(source, open_codes=asked)))
    victim = sandbox.truth(name)[state_of(name)(whole[0])[0]]
    sandbox.control(name, "break", {"codes": [victim["code"]], "how": how})
    try:
        spoiled = distinct(records(pull(source, open_codes=asked)))
    finally:
        sandbox.control(name, "break", method="DELETE")
    assert len(spoiled) == len(whole)
    assert sum(1 for record in spoiled if record not in whole) == 1


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "dkkd"])  # whose contract is a WSDL
def test_what_a_source_tells_follows_its_contract(sandbox, name):
    contract = record_contract(source_entry(name))
    told = records(pull(sandbox.source(name, start=RECENTLY[name]), open_codes=questions(sandbox, name)))
    assert told
    assert contract.departures(told) == []


@pytest.mark.parametrize("name", [name for name, source in SOURCES.items() if source is RestSource])
@pytest.mark.parametrize(
    ("how", "drifts"), [("extra-field", {Drift.NEW}), ("renamed-field", {Drift.NEW, Drift.MISSING})]
)
def test_a_field_that_is_new_or_renamed_is_seen_by_the_contract(sandbox, name, how, drifts):
    source, asked = sandbox.source(name, start=RECENTLY[name]), questions(sandbox, name)
    victim = sandbox.truth(name)[state_of(name)(records(pull(source, open_codes=asked))[0])[0]]
    sandbox.control(name, "break", {"codes": [victim["code"]], "how": how})
    try:
        told = distinct(records(pull(source, open_codes=asked)))
    finally:
        sandbox.control(name, "break", method="DELETE")
    departures = record_contract(source_entry(name)).departures(told)
    assert {departure.drift for departure in departures} == drifts
    assert {departure.records for departure in departures} == {1}


@pytest.mark.parametrize(
    ("name", "marks"),
    [
        ("hotich", (b"giayKhaiSinh", b"giayChungNhanKetHon", b"banSaoTrichLuc", b"hoTen")),
        ("lltp", (b"ketQuaXuLy", b"phieuLLTP", b"thongTinAn")),
        ("btxh", (b"CertificateExtentData", b"GiayTo")),
    ],
)
def test_what_may_not_be_kept_is_in_no_page(sandbox, name, marks):
    pages = pull(sandbox.source(name), open_codes=questions(sandbox, name))
    kept = b"".join(page.raw + repr(page.records).encode() for page in pages)
    assert b"000.00." in kept
    assert [mark for mark in marks if mark in kept] == []


def test_each_run_reads_again_what_was_received_in_two_months_where_nobody_can_be_asked_for_one_dossier(sandbox):
    now = datetime.fromisoformat(json.loads(sandbox.control("gtvt", "clock"))["as_of"])
    told = {record["MaHoSo"] for record in records(pull(sandbox.source("gtvt"), cursor=now.isoformat(), now=now))}
    since = (now - timedelta(days=60)).date().isoformat()
    rows = sandbox.truth("gtvt").values()
    assert told == {row["source_id"] for row in rows if row["received_at"][:10] >= since} != set()
    assert len(told) < len(rows)


@pytest.mark.parametrize("spelling", ["7.7", "7.8"])
def test_a_security_server_that_denies_access_is_understood_in_both_spellings(sandbox, spelling):
    sandbox.control("xroad", "xroad", {"code": "Server.ServerProxy.AccessDenied", "times": 1, "spelling": spelling})
    with pytest.raises(GatewayRefused):
        pull(sandbox.source("dkkd"))


def test_windows_of_acceptance_bring_all_that_were_accepted(sandbox):
    accepted = {key for key, row in sandbox.truth("igate").items() if row["received_at"]}
    window = Window(datetime(2025, 1, 1, tzinfo=VN), datetime(2027, 1, 1, tzinfo=VN))
    assert {record["id"] for record in records(pull(sandbox.source("igate"), window=window))} == accepted
