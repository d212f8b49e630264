"""The three systems that drop files, from the sandbox's folders to dossiers: none is lost, none is told wrongly."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sandboxes
from dropped import AT_ONCE, tree
from entries import source_entry

import mappings
from connectors.api import CheckStatus, Page
from connectors.catalog_models import SourceEntry
from connectors.connections import parse
from connectors.contract import record_contract
from connectors.errors import BrokenAnswer, ConnectorError
from connectors.sources.files import FilesSource
from mappings import coverage
from sandbox.systems import congthuong, giaoduc, thuy
from schemas.dossier import Dossier
from schemas.times import VN

AS_OF = datetime(2026, 6, 30, 17, 0, tzinfo=VN)
NAMES = ("giaoduc", "thuy", "congthuong")
FOLDERS = {"giaoduc": "gui-di", "thuy": "sftp/ket-qua", "congthuong": "ket-xuat"}
MOMENTS = ("submitted_at", "received_at", "due_at", "finished_at", "returned_at", "changed_at")
LISTED = timedelta(days=30)


class Sandbox:
    """A running sandbox: its folders, its connections, its control endpoints."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.told = json.loads((home / "sandbox.json").read_text())

    def folder(self, name: str) -> Path:
        return self.home / name / FOLDERS[name]

    def source(self, name: str) -> FilesSource:
        settings = parse(name, self.told["connections"][f"AIRFLOW_CONN_{name.upper()}"])
        return FilesSource(source_entry(name, page_size=20), settings, retry=AT_ONCE)

    def pull(self, name: str, cursor: str | None = None) -> list[Page]:
        """One run; every page is stored."""
        pages = []
        with closing(self.source(name)) as reading:
            for page in reading.pull(window=None, cursor=cursor, open_codes=(), now=datetime.now(UTC)):
                pages.append(page)
                if page.after_store is not None:
                    page.after_store()
        return pages

    def control(self, name: str, path: str, body: Any = None, method: str | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.told[name]['port']}/_sandbox/{path}"
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return [json.loads(line) for line in answer.read().splitlines()]

    def truth(self, name: str) -> dict[str, dict[str, Any]]:
        return {row["code"]: row for row in self.control(name, "truth")}

    def advance(self, name: str, days: int) -> None:
        (clock,) = self.control(name, "clock")
        later = datetime.fromisoformat(clock["as_of"]) + timedelta(days=days)
        self.control(name, "clock", {"as_of": later.isoformat()})

    def now(self, name: str) -> datetime:
        (clock,) = self.control(name, "clock")
        return datetime.fromisoformat(clock["as_of"])

    def some_code(self, name: str) -> str:
        """The code of a dossier that the system tells about."""
        now = self.now(name)
        return next(code for code, row in self.truth(name).items() if listed(row, now))


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    home = tmp_path_factory.mktemp("sandbox")
    with sandboxes.running(home, NAMES, size=3000, as_of=AS_OF):
        yield Sandbox(home)


def entry_of(name: str) -> SourceEntry:
    return source_entry(name)


def validated(name: str, pages: list[Page]) -> mappings.Validated:
    records = [record for page in pages for record in page.records]
    return mappings.validate_page(mappings.load(name, mappings.Direction.SOURCE), records)


def dossiers(name: str, pages: list[Page]) -> dict[str, Dossier]:
    """What the pages say, later rows after earlier ones; everything must be good."""
    found = validated(name, pages)
    assert found.bad == []
    return {dossier.code: dossier for _, dossier in found.good}


def listed(row: dict[str, Any], now: datetime) -> bool:
    """Whether a snapshot holds the dossier: not once it has been at its end for thirty days."""
    is_over = row["state"] in (3, 7, 8, 10)
    return not is_over or datetime.fromisoformat(row["state_at"]) > now - LISTED


def assert_true(dossier: Dossier, row: dict[str, Any]) -> None:
    for name in ("source_id", "state", "procedure_code", "field_code", "agency_code", "channel"):
        assert getattr(dossier, name) == row[name], name
    told = {name: getattr(dossier, name) for name in MOMENTS}
    assert {name: at and at.astimezone(VN).isoformat() for name, at in told.items()} == {
        name: row[name] for name in MOMENTS
    }


@pytest.mark.parametrize("name", ["giaoduc", "thuy"])
def test_a_queue_tells_all_it_holds_once_and_then_what_has_changed(sandbox, name):
    sandbox.control(name, "drop", {"all": True})
    held = dossiers(name, sandbox.pull(name))
    assert held.keys() == sandbox.truth(name).keys() != set()
    assert sandbox.pull(name) == []
    changed = 0
    for days in (1, 6, 30):
        sandbox.advance(name, days)
        news = dossiers(name, sandbox.pull(name))
        changed += len(news)
        held |= news
        truth = sandbox.truth(name)
        assert held.keys() == truth.keys()
        for code, dossier in held.items():
            assert_true(dossier, truth[code])
    assert changed
    assert not [path for path in tree(sandbox.folder(name)) if not path.startswith("da-nhan/")]


def test_a_snapshot_tells_what_is_on_the_desks_and_disappeared_dossiers_are_missing(sandbox):
    name, cursor = "congthuong", None
    seen: list[set[str]] = []
    for days in (0, 3, 40):
        sandbox.advance(name, days)
        pages = sandbox.pull(name, cursor)
        cursor = pages[-1].cursor
        assert [page.completes for page in pages] == [False] * (len(pages) - 1) + [True]
        found = dossiers(name, pages)
        now, truth = sandbox.now(name), sandbox.truth(name)
        assert found.keys() == {code for code, row in truth.items() if listed(row, now)}
        for code, dossier in found.items():
            assert_true(dossier, truth[code])
        seen.append(set(found))
    assert seen[0] - seen[2]
    assert seen[2] - seen[0]


def test_names_come_through_every_encoding(sandbox):
    agencies = {"thuy": "Chi cục Chăn nuôi và Thú y tỉnh Thử Nghiệm", "congthuong": "Sở Công Thương tỉnh Thử Nghiệm"}
    for name, agency in agencies.items():
        sandbox.control(name, "drop", {"all": True})
        assert {dossier.agency_name for dossier in dossiers(name, sandbox.pull(name)).values()} == {agency}


@pytest.mark.parametrize("name", NAMES)
def test_the_mapping_speaks_of_all_that_comes_and_the_contract_describes_it(sandbox, name):
    sandbox.control(name, "drop", {"all": True})
    records = [record for page in sandbox.pull(name) for record in page.records]
    found = coverage.measure(mappings.load(name, mappings.Direction.SOURCE), records)
    assert found.unmapped == ()
    assert found.unknown_codes == ()
    assert set(found.never_present) <= {"problem", "cells"}
    contract = record_contract(entry_of(name))
    assert contract is not None
    assert contract.departures(records) == []


def test_what_is_cut_is_nowhere_in_what_is_kept(sandbox):
    sandbox.control("giaoduc", "drop", {"all": True})
    pages = sandbox.pull("giaoduc")
    assert pages
    kept = b"".join(page.raw for page in pages).decode() + str([page.records for page in pages])
    assert "Ngày sinh" not in kept
    assert "/1999" not in kept  # everybody in the sandbox was born that year
    assert tree(sandbox.folder("giaoduc")) == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("how", "field", "rule"),
    [
        ("unknown-status", "state", "unknown-code"),
        ("bad-date", "due_at", "datetime"),
        ("missing-code", "code", "required"),
    ],
)
def test_a_record_that_is_told_wrongly_is_set_aside_and_told_rightly_later(sandbox, name, how, field, rule):
    code = sandbox.some_code(name)
    sandbox.pull(name)
    sandbox.control(name, "break", {"codes": [code], "how": how})
    pages = sandbox.pull(name)
    found = validated(name, pages)
    assert [(problem.field, problem.rule) for problem in found.bad] == [(field, rule)]
    records = [record for page in pages for record in page.records]
    assert len(found.good) == len(records) - 1
    key = mappings.load(name, mappings.Direction.SOURCE).key_of(records[found.bad[0].index])
    # In a snapshot a row without a code may be any dossier, so its number must not pass for one.
    assert (key is None) == (name == "congthuong" and how == "missing-code")
    sandbox.control(name, "break", method="DELETE")
    assert code in dossiers(name, sandbox.pull(name))


@pytest.mark.parametrize("name", NAMES)
def test_a_column_that_is_new_is_drift_and_harms_nobody(sandbox, name):
    code = sandbox.some_code(name)
    sandbox.pull(name)
    sandbox.control(name, "break", {"codes": [code], "how": "extra-field"})
    pages = sandbox.pull(name)
    assert code in dossiers(name, pages)
    contract = record_contract(entry_of(name))
    assert contract is not None
    (departure,) = contract.departures([record for page in pages for record in page.records])
    assert (departure.drift, departure.at) == ("new", "Cột mới")
    sandbox.control(name, "break", method="DELETE")
    sandbox.pull(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_column_that_is_renamed_stops_its_file_and_is_named(sandbox, name):
    code = sandbox.some_code(name)
    sandbox.pull(name)
    sandbox.control(name, "break", {"codes": [code], "how": "renamed-field"})
    with pytest.raises(ConnectorError, match=r"the header lacks '(Trạng thái|TRANG_THAI|Tình trạng)'.* mới' now"):
        sandbox.pull(name)
    left = [path for path in sandbox.folder(name).iterdir() if path.is_file()]
    assert {path.suffix for path in left} in ({".csv", ".sha256"}, {".xlsx", ".sha256"})
    sandbox.control(name, "break", method="DELETE")
    for path in left:
        path.unlink()
    sandbox.pull(name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("leave", ["partial", "unchecked"])
def test_files_that_are_not_whole_are_left_alone(sandbox, name, leave):
    sandbox.control(name, "drop", {"all": True})
    sandbox.pull(name)
    (made,) = sandbox.control(name, "drop", {"all": True, "leave": leave})
    pages = sandbox.pull(name)
    last = made["files"][-1]
    (left,) = [path for path in sandbox.folder(name).iterdir() if path.is_file()]
    assert left.name == (f"{last}.part" if leave == "partial" else last)
    assert bool(pages) == (len(made["files"]) > 1)
    left.unlink()


def test_a_file_cut_on_its_way_is_named_once_it_had_time_to_arrive(sandbox):
    sandbox.pull("thuy")
    (made,) = sandbox.control("thuy", "drop", {"all": True, "leave": "bad-checksum"})
    assert sandbox.pull("thuy") == []
    (name,) = made["files"]
    later = datetime.now(UTC) + timedelta(hours=1)
    with closing(sandbox.source("thuy")) as reading:
        pages = reading.pull(window=None, cursor=None, open_codes=(), now=later)
        with pytest.raises(BrokenAnswer, match="its checksum is not the one"):
            list(pages)
    for end in ("", ".sha256"):
        (sandbox.folder("thuy") / f"{name}{end}").unlink()


@pytest.mark.parametrize("name", NAMES)
def test_check_finds_everything_in_order(sandbox, name):
    sandbox.control(name, "drop", {"all": True})
    with closing(sandbox.source(name)) as reading:
        assert {result.status for result in reading.check()} == {CheckStatus.OK}
    sandbox.pull(name)


def test_the_state_tables_are_the_systems_own():
    for name, codes in (
        ("giaoduc", giaoduc.STATUS_WORDS),
        ("thuy", thuy.STATUS_NUMBERS),
        ("congthuong", congthuong.STATUS_LETTERS),
    ):
        table = mappings.load(name, mappings.Direction.SOURCE).tables["state"]
        assert table == {native: int(state) for state, native in codes.items()}
