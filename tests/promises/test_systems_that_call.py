"""Systems that call us: what they tell reaches the ledger whole, in whatever order it comes, and nothing twice."""

from __future__ import annotations

import json

import pytest
import requests
from living_province import CALLERS, Province
from sqlalchemy import Engine, text

pytestmark = pytest.mark.timeout(600)
PROVINCE_SIZE = 300  # so that land dossiers are at work at any time


def _pull_homes(province: Province) -> None:
    """Bring in the dossiers that are forwarded."""
    province.hosync("pull", "igate", "opencps")
    province.hosync("pull", "igate", "opencps", "--full")  # the province's clock is behind the one that cursors follow


def _notes(province: Province, system: str) -> list[dict[str, str]]:
    notes: list[dict[str, str]] = json.loads(province.ask(system, "calls"))["calls"]
    return notes


def _agree(province: Province, engine: Engine) -> int:
    """Compare each dossier that a caller has told of with what is true of it; returns how many there are."""
    with engine.connect() as connection:
        held = {row.code: row.state for row in connection.execute(text("SELECT code, state FROM dossier"))}
    compared = 0
    for system in CALLERS:
        told = {note["code"] for note in _notes(province, system)}
        for row in province.lines(system, "truth"):
            if row["source_id"] in told:
                assert held[row["code"]] == row["merged_state"], row["code"]
                compared += 1
    return compared


def test_p1_p2_every_dossier_that_is_told_of_is_where_its_systems_say(
    province: Province, endpoint: str, engine: Engine
) -> None:
    assert endpoint
    _pull_homes(province)
    province.hear_out()
    assert _agree(province, engine) >= 3
    with engine.connect() as connection:
        stored = connection.execute(text("SELECT count(*) FROM inbox")).scalar_one()
    told = [note for system in CALLERS for note in _notes(province, system)]
    assert stored == len(told) > 10


def test_p1_p2_what_happens_later_is_told_and_taken_over_too(province: Province, endpoint: str, engine: Engine) -> None:
    assert endpoint
    province.advance(4)
    _pull_homes(province)
    province.hear_out()
    assert _agree(province, engine) >= 4
    assert {note["outcome"] for system in CALLERS for note in _notes(province, system)} == {"acknowledged"}
    assert _notes(province, "ilis"), "nothing was announced"


def test_p1_a_call_that_is_told_wrongly_is_set_aside_until_it_is_told_rightly(
    province: Province, endpoint: str, engine: Engine
) -> None:
    assert endpoint
    _pull_homes(province)
    province.hear_out()
    open_there = [row for row in province.lines("vbdlis", "truth") if row["merged_state"] == row["state"]]
    code = open_there[0]["code"]
    aside = text("SELECT count(*) FROM quarantine WHERE system = 'vbdlis' AND state = 'open' AND rule = 'unknown-code'")
    province.ask("vbdlis", "break", {"codes": [code], "how": "unknown-status"})
    province.hear_out()
    with engine.connect() as connection:
        assert connection.execute(aside).scalar() == 1
    requests.delete(f"http://127.0.0.1:{province.ports['vbdlis']}/_sandbox/break", timeout=30).raise_for_status()
    province.hear_out()
    with engine.connect() as connection:
        assert connection.execute(aside).scalar() == 0
    assert _agree(province, engine) >= 4
