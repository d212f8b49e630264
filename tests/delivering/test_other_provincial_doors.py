"""The provincial system behind other doors: each alternative keeps the promises that the shipped entry keeps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from delivery_world import Serve, World, world
from dossiers import code, dossier
from serving import LOGIN, PASSWORD, Served
from sqlalchemy import Engine

from connectors.catalog import FOLDER, load_entry
from connectors.errors import CatalogError
from connectors.targets.opencps_publish import reference_uid
from ledger.report import dead_deliveries
from ledger.sealing import Sealer
from sandbox.targets import igate, province

ALTERNATIVES = FOLDER / "alternatives"
TOKEN_PATH = "/auth/realms/digo/protocol/openid-connect/token"
DOORS: dict[str, tuple[Any, dict[str, Any]]] = {
    "province_opencps": (province.build, {"group_id": "35166"}),
    "province_igate": (
        igate.build,
        {"token_path": TOKEN_PATH, "client_id": "hosync-mau", "client_secret": "bi-mat-mau"},
    ),
}
LOST = ("apply-then-500", "apply-then-drop", "apply-then-hang", "html-200", "drop-before", "cut")


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def system(serve: Serve, door: str) -> Served:
    build, extra = DOORS[door]
    return serve(door, build, **extra)


@pytest.fixture
def small(
    own_engine: Engine, sealer: Sealer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, door: str, system: Served
) -> Iterator[World]:
    assert system
    entries = {"province": ALTERNATIVES / f"{door}.yaml"}
    with world(own_engine, sealer, tmp_path, monkeypatch, entries, {"timeouts": {"read_s": 1}}) as opened:
        yield opened


def _states(system: Served) -> dict[str, int]:
    return {row["code"]: row["state"] for row in system.control("dossiers")}


def test_every_national_state_arrives_and_is_read_back_as_itself(small: World, system: Served) -> None:
    small.tell(*(dossier(state, state=state, finished_at=None) for state in range(1, 11)))
    assert small.push("province").remaining == 0
    assert _states(system) == {code(state): state for state in range(1, 11)}
    report = small.compare("province")
    assert (report.matched, report.open_breaks) == (10, 0)


def test_p3_every_dossier_arrives_once_although_answers_were_lost(small: World, system: Served) -> None:
    small.tell(*(dossier(n) for n in range(12)))
    for mode in LOST:
        system.fault(mode)
    assert small.push("province").remaining == 0
    assert _states(system) == {code(n): 4 for n in range(12)}
    applied = [write["code"] for write in system.control("writes") if write["effect"] != "noop"]
    assert sorted(applied) == sorted(_states(system))
    assert small.compare("province").open_breaks == 0


def test_p3_an_update_in_doubt_is_looked_up_and_told_again_only_as_an_update(small: World, system: Served) -> None:
    small.tell(dossier(1, state=4))
    small.push("province")
    small.tell(dossier(1, state=9, hours=1))
    system.fault("apply-then-500")
    assert small.push("province").remaining == 0
    assert _states(system) == {code(1): 9}
    assert [write["effect"] for write in system.control("writes") if write["effect"] != "noop"] == [
        "inserted",
        "updated",
    ]


def test_p2_a_dossier_never_goes_back(small: World, system: Served) -> None:
    for state, hours in ((4, 0.0), (9, 2.0), (5, 1.0)):
        small.tell(dossier(1, state=state, hours=hours))
        small.push("province")
    assert [write["state"] for write in system.control("writes") if write["effect"] != "noop"] == [4, 9]


def test_p4_what_the_system_lost_or_holds_otherwise_is_found_and_mended(small: World, system: Served) -> None:
    small.tell(*(dossier(n) for n in range(7)))
    small.push("province")
    damage = {"delete": [code(0)], "set_state": {code(1): 8}, "add": [{"code": "H12.12-260302-0099", "state": 1}]}
    system.control("damage", damage)
    found = {kind: number for kind, number in small.compare("province").breaks.items() if number}
    assert found == {"missing_at_target": 1, "mismatch": 1, "unknown_to_us": 1}
    assert small.push("province").remaining == 0
    assert small.compare("province").breaks["unknown_to_us"] == 1
    assert _states(system) == {**{code(n): 4 for n in range(7)}, "H12.12-260302-0099": 1}


def test_a_comparison_reads_every_page(
    own_engine: Engine, sealer: Sealer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, door: str, system: Served
) -> None:
    small_pages = {"options": {"page_size": 4} if door == "province_igate" else {"search": {"page_size": 4}}}
    entries = {"province": ALTERNATIVES / f"{door}.yaml"}
    with world(own_engine, sealer, tmp_path, monkeypatch, entries, small_pages) as opened:
        opened.tell(*(dossier(n) for n in range(17)))
        opened.push("province")
        system.control("damage", {"delete": [code(16)]})
        report = opened.compare("province", heal=False)
        assert (report.theirs, report.matched, report.breaks["missing_at_target"]) == (16, 16, 1)


def test_due_dates_and_procedures_are_compared_too(small: World, system: Served, door: str) -> None:
    small.tell(dossier(1), dossier(2))
    small.push("province")
    assert small.compare("province").matched == 2
    fields = {"DocTypeCode": "9.999999"} if door == "province_opencps" else {"procedure": {"code": "9.999999"}}
    system.control("damage", {"delete": [code(1)]})
    system.control("damage", {"add": [{"code": code(1), "state": 4, "fields": fields}]})
    assert small.compare("province", heal=False).breaks["mismatch"] == 1


@pytest.mark.parametrize("door", ["province_opencps"], indirect=True)
def test_a_refused_dossier_is_listed_with_the_systems_own_words(small: World, system: Served) -> None:
    taken = {
        "referenceUid": "00000000-0000-4000-8000-0000000000a1",
        "dossierNo": code(1),
        "serviceCode": "1.990101",
        "govAgencyCode": "H12",
        "applicantIdType": "citizen",
        "dossierStatus": "new",
        "receiveDate": "1754961300000",
    }
    url = f"{system.url}/o/rest/v2/dossiers/publish"
    answer = requests.post(url, data=taken, auth=(LOGIN, PASSWORD), headers={"groupId": "35166"}, timeout=10)
    assert answer.ok, answer.text
    small.tell(dossier(1), dossier(2))
    report = small.push("province")
    assert (report.rejected, report.accepted) == (1, 1)
    (dead,) = dead_deliveries(small.context.engine, "province", 10)
    assert (dead.code, "referenceUid" in (dead.reason or "")) == (code(1), True)


@pytest.mark.parametrize("door", ["province_igate"], indirect=True)
def test_a_token_that_ends_is_renewed_and_costs_nothing(small: World, system: Served) -> None:
    small.tell(dossier(1))
    small.push("province")
    system.control("faults", {"mode": "expire-sessions"})
    small.tell(dossier(2))
    assert small.push("province").accepted == 1
    assert _states(system) == {code(1): 4, code(2): 4}


def test_the_same_dossier_has_the_same_key_whoever_publishes_it() -> None:
    assert reference_uid(code(1)) == reference_uid(code(1)) == "32b5198b-0f27-5ed4-bd59-ba7e2cd3705b"
    assert reference_uid(code(1)) != reference_uid(code(2))


@pytest.mark.parametrize("file", sorted(ALTERNATIVES.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_alternative_can_take_the_place_of_an_entry_that_ships(file: Path, tmp_path: Path) -> None:
    replaced = load_entry(file, alternative=True).system
    assert (FOLDER / f"{replaced}.yaml").exists()
    copied = tmp_path / f"{replaced}.yaml"
    copied.write_text(file.read_text())
    assert load_entry(copied).system == replaced


@pytest.mark.parametrize("door", DOORS)
def test_what_the_door_cannot_do_is_told_when_the_catalog_is_loaded(door: str, tmp_path: Path) -> None:
    entry = yaml.safe_load((ALTERNATIVES / f"{door}.yaml").read_text())
    entry["messages"] = ["dossier", "step"]
    entry["operations"]["step"] = {"in_doubt": "resend"}
    entry["reconcile"]["method"] = "counts"
    file = tmp_path / "province.yaml"
    file.write_text(yaml.safe_dump(entry))
    with pytest.raises(CatalogError) as wrong:
        load_entry(file)
    assert {problem.key for problem in wrong.value.problems} == {"messages", "reconcile.method"}
