"""Mappings against the sandbox's real servers: what they tell is understood, and matches what they know to be true.

The records come through the real connectors, so this also holds connectors and mappings together.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import requests
import sandboxes

import mappings
from connectors.catalog import load_catalog
from connectors.connections import resolve
from connectors.factory import open_source
from mappings import Validated, catalogues, coverage
from mappings.model import Direction
from sandbox.province.catalogue import PROCEDURES
from sandbox.systems import dienluc, opencps, tanso, xaydung
from sandbox.systems.dkkd import STATUS_CODES
from sandbox.systems.igate import STATUS_IDS
from sandbox.targets.emc.events import parse_event
from sandbox.targets.npsp.rules import DOSSIER_RULES, STEP_RULES, check_batch
from sandbox.targets.province.documents import parse_document, parse_trace
from schemas.dossier import Dossier

ROOT = Path(__file__).parents[2]
Told = Callable[[str], list[dict[str, Any]]]
AS_OF = datetime.fromisoformat("2026-06-30T17:00:00+07:00")
SOURCES = ("gplx", "igate", "dkkd", "gtvt", "btxh")
MOMENTS = {
    "gplx": ("submitted_at", "received_at", "due_at"),
    "igate": ("submitted_at", "received_at", "due_at", "finished_at", "changed_at"),
    "dkkd": ("submitted_at", "received_at", "due_at", "finished_at", "returned_at", "changed_at"),
    "gtvt": ("submitted_at", "received_at", "due_at", "finished_at", "returned_at"),
    "btxh": ("submitted_at", "received_at", "due_at", "finished_at", "returned_at", "changed_at"),
}
# Systems that only tell how far dossiers have come that they are asked about, and the moments that they tell.
PROGRESS: dict[str, tuple[str, ...]] = {"hotich": ("state_at",), "lltp": ()}
BREAKS = {"unknown-status": ("state", "unknown-code"), "bad-date": (None, "datetime")}


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The running servers, by what ``sandbox.json`` says of them."""

    announced: Mapping[str, Any]

    def control(self, system: str, path: str) -> str:
        return f"http://127.0.0.1:{self.announced[system]['port']}/_sandbox/{path}"

    def truth(self, system: str) -> dict[str, dict[str, Any]]:
        answer = requests.get(self.control(system, "truth"), timeout=60)
        answer.encoding = "utf-8"
        rows = [json.loads(line) for line in answer.text.splitlines()]
        return {row["code"]: row for row in rows}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    home = tmp_path_factory.mktemp("sandbox")
    with sandboxes.running(home, [*SOURCES, *PROGRESS, "xroad"], size=900, as_of=AS_OF) as announced:
        yield Sandbox(announced)


@pytest.fixture(scope="module")
def connected(sandbox: Sandbox) -> Iterator[None]:
    """The connections of the sandbox, in the environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in sandbox.announced["connections"].items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def told(connected: None, sandbox: Sandbox) -> Told:
    """A function that gives everything a source tells when nothing is broken; asked once."""
    del connected
    return lru_cache(lambda system: _pull(system, sorted(sandbox.truth(system)) if system in PROGRESS else ()))


def _pull(system: str, open_codes: Sequence[str] = ()) -> list[dict[str, Any]]:
    entry = load_catalog(ROOT / "connectors" / "catalog").source(system)
    source = open_source(entry, resolve(entry.connection))
    try:
        pages = source.pull(window=None, cursor=None, open_codes=open_codes, now=AS_OF)
        return [dict(record) for page in pages for record in page.records]
    finally:
        source.close()


def _validated(system: str, records: list[dict[str, Any]]) -> Validated:
    return mappings.validate_page(mappings.load(system, Direction.SOURCE), records)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(AS_OF.tzinfo).isoformat()


@pytest.mark.parametrize("system", SOURCES)
def test_every_record_of_a_source_becomes_the_dossier_it_is(sandbox: Sandbox, told: Told, system: str) -> None:
    validated = _validated(system, told(system))
    truth = sandbox.truth(system)
    assert validated.bad == []
    dossiers = {dossier.code: dossier for _, dossier in validated.good}
    assert dossiers.keys() == truth.keys() != set()
    for code, dossier in dossiers.items():
        row = truth[code]
        assert dossier.state == row["state"]
        assert dossier.source_id == row["source_id"]
        assert dossier.procedure_code == row["procedure_code"]
        assert dossier.field_code == row["field_code"]
        assert dossier.agency_code == row["agency_code"]
        assert {name: _iso(getattr(dossier, name)) for name in MOMENTS[system]} == {
            name: row[name] for name in MOMENTS[system]
        }
        if system in ("dkkd", "xaydung", "dienluc"):
            assert (len(dossier.steps), dossier.channel) == (row["steps"], row["channel"])
            assert dossier.steps[-1].state == dossier.state
        if system in ("igate", "xaydung"):
            assert dossier.national_code == row["national_code"]
        if system == "gtvt":  # it counts what came by post as direct
            assert dossier.channel == (2 if row["channel"] == 2 else 1)


@pytest.mark.parametrize("system", PROGRESS)
def test_every_record_about_progress_says_how_far_the_dossier_is(sandbox: Sandbox, told: Told, system: str) -> None:
    validated = _validated(system, told(system))
    truth = sandbox.truth(system)
    assert validated.bad == []
    progress = {one.code: one for _, one in validated.good}
    assert progress.keys() == truth.keys() != set()
    for code, one in progress.items():
        row = truth[code]
        assert (one.state, one.source_id) == (row["state"], row["source_id"])
        assert [_iso(getattr(one, name)) for name in PROGRESS[system]] == [row[name] for name in PROGRESS[system]]
        if system == "hotich":  # it tells the day of registration, in one of three spellings
            assert (_iso(one.finished_at) or "")[:10] == (row["finished_at"] or "")[:10]


@pytest.mark.parametrize("system", [*SOURCES, *PROGRESS])
def test_a_source_tells_nothing_the_mapping_does_not_speak_of(told: Told, system: str) -> None:
    found = coverage.measure(mappings.load(system, Direction.SOURCE), told(system))
    assert found.unmapped == ()
    assert found.unknown_codes == ()
    assert set(found.never_present) <= {"refused"}


@pytest.mark.parametrize("system", SOURCES)
def test_every_target_takes_what_comes_of_every_dossier(told: Told, system: str) -> None:
    dossiers = [dossier for _, dossier in _validated(system, told(system)).good]
    canonical = [{**dossier.model_dump(exclude_none=True), "version": 1} for dossier in dossiers]
    steps = [step for dossier in dossiers for step in _steps(dossier)]

    npsp = mappings.load("npsp", Direction.TARGET)
    assert check_batch(_all(npsp.convert_dossiers(canonical)), DOSSIER_RULES) is None
    assert check_batch(_all(npsp.convert_steps(steps)), STEP_RULES) is None

    province = mappings.load("province", Direction.TARGET)
    documents = [parse_document(message) for message in _all(province.convert_dossiers(canonical))]
    assert [document.code for document in documents] == [dossier.code for dossier in dossiers]
    traces = [parse_trace(message) for message in _all(province.convert_steps(steps))]
    assert [trace.status for trace in traces] == [step["state"] for step in steps]

    events = _all(mappings.load("emc", Direction.TARGET).convert_steps(steps))
    for event in events:
        parse_event("application/json", json.dumps({**event, "siteId": 99999}).encode())


@pytest.mark.parametrize("how", BREAKS)
@pytest.mark.parametrize("system", ["igate", "dkkd", "gtvt", "btxh"])
def test_a_broken_record_is_set_aside_and_the_others_are_kept(
    sandbox: Sandbox, connected: None, system: str, how: str
) -> None:
    del connected
    code = sorted(sandbox.truth(system))[0]
    answer = requests.post(sandbox.control(system, "break"), json={"codes": [code], "how": how}, timeout=10)
    assert answer.status_code == 200
    try:
        records = _pull(system)
    finally:
        requests.delete(sandbox.control(system, "break"), timeout=10)
    validated = _validated(system, records)
    field, rule = BREAKS[how]
    # Some tell a dossier more than once: in several listings, or whenever something happened to it.
    assert {problem.rule for problem in validated.bad} == {rule}
    assert field in (None, validated.bad[0].field)
    key_of = mappings.load(system, Direction.SOURCE).key_of
    (key,) = {key_of(records[problem.index]) for problem in validated.bad}
    assert key is not None
    assert len(validated.good) == sum(key_of(record) != key for record in records)


def _steps(dossier: Dossier) -> list[dict[str, Any]]:
    """Outgoing steps: the source's own, or one for the present state."""
    common = {
        "code": dossier.code,
        "procedure_code": dossier.procedure_code,
        "procedure_name": dossier.procedure_name,
        "channel": dossier.channel,
        "agency_code": dossier.agency_code,
        "agency_name": dossier.agency_name,
        "level": dossier.level,
        "due_at": dossier.due_at,
    }
    told = [step.model_dump() for step in dossier.steps] or [{"at": AS_OF, "state": dossier.state}]
    return [{**common, **step, "step_no": number} for number, step in enumerate(told, start=1)]


def _all(converted: mappings.Converted) -> list[dict[str, Any]]:
    assert converted.bad == []
    return [message for _, message in converted.good]


def test_the_catalogues_hold_what_the_province_has() -> None:
    procedures = catalogues.entries("procedures")
    assert {code: (row.name, row.field_code, row.field_name, row.level) for code, row in procedures.items()} == {
        one.code: (one.name, one.sector.field_code, one.sector.field_name, one.level) for one in PROCEDURES
    }
    agencies = {agency.code: agency.name for one in PROCEDURES for agency in one.sector.agencies}
    known = {code: row.name for code, row in catalogues.entries("agencies").items()}
    assert agencies.items() <= known.items()
    assert known.keys() - agencies.keys() == {"H12"}


def test_the_state_tables_are_the_systems_own() -> None:
    igate = mappings.load("igate", Direction.SOURCE).tables["state"]
    assert igate == {native: int(state) for state, native in STATUS_IDS.items()}
    dkkd = mappings.load("dkkd", Direction.SOURCE).tables["state"]
    assert dkkd == {native: int(state) for state, native in STATUS_CODES.items()}
    for system, codes in (("xaydung", xaydung.STATUS_CODES), ("dienluc", dienluc.STATUS_CODES)):
        table = mappings.load(system, Direction.SOURCE).tables["state"]
        assert table == {native: int(state) for state, native in codes.items()}
    assert mappings.load("tanso", Direction.SOURCE).tables["kind"].keys() == set(tanso.KINDS.values())
    opencps_tables = mappings.load("opencps", Direction.SOURCE).tables
    for (status, sub_status), state in opencps.STATUSES.items():
        known = opencps_tables["state_by_sub_status"].get(sub_status) or opencps_tables["state"][status]
        assert known == state
