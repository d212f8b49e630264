"""P1 and P3: the endpoint for systems that call us, and the pulls of what was told, are killed at every point."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from callers_under_fire import Call, Endpoint, calls_of, listening
from crashing import Hosync, killed_everywhere, warm
from living_province import AS_OF, Province
from sources_under_fire import Pulls, wipe, with_small_pages
from sqlalchemy import Engine, text

from ledger.sealing import Sealer
from schemas.identifiers import dossier_long

pytestmark = pytest.mark.timeout(300)
SOURCES = ("opencps", "vbdlis")
PROVINCE_SIZE = 500
_RECENT = 6
_FROM_THE_PAGE_ON = 40
_TOLD = text("SELECT kind, body FROM inbox ORDER BY message_id")


@pytest.fixture(scope="module")
def environment(province: Province, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Two calls to a page; of the one-stop system what was received in the last weeks, in one."""
    start = datetime.fromisoformat(AS_OF).date() - timedelta(days=60)
    changed: dict[str, dict[str, Any]] = {
        "vbdlis": {"page_size": 2},
        "opencps": {"page_size": 500, "window_days": 60, "start": start},
    }
    return with_small_pages(province.environment, tmp_path_factory.mktemp("small") / "catalog", changed)


@pytest.fixture(scope="module")
def hosync(environment: dict[str, str]) -> Iterator[Hosync]:
    """A warm `hosync` beside the province."""
    with warm(environment) as started:
        yield started


@pytest.fixture(scope="module")
def endpoint(environment: dict[str, str]) -> Iterator[Endpoint]:
    """`hosync inbound` from a warm process of its own, not started yet."""
    with warm(environment) as started:
        yield Endpoint(started, "vbdlis")


@pytest.fixture(scope="module")
def calls(province: Province) -> Sequence[Call]:
    """What the land database says of a dossier that the one-stop system has forwarded."""
    rows = [row for row in province.lines("vbdlis", "truth") if row["systems"][0] == "opencps"]
    longest = max(rows[-_RECENT:], key=lambda row: int(row["steps"]))
    said = calls_of(province, "vbdlis", dossier_long(longest["code"]))
    assert len(said) > 3, "this proves nothing"
    return list(dict.fromkeys(said))  # it says some things twice


def test_p1_p3_a_call_that_was_answered_is_kept_once_wherever_the_endpoint_is_killed(
    endpoint: Endpoint, calls: Sequence[Call], engine: Engine, sealer: Sealer
) -> None:
    for point in itertools.count(1):
        wipe(engine)
        endpoint.start(die_at=point)
        died = endpoint.tell(calls)
        ended = endpoint.stop()
        with engine.connect() as connection:
            kept = [(row.kind, json.loads(sealer.open(row.body))) for row in connection.execute(_TOLD)]
        where = f"killed at point {point}: {died.touched[-1]}" if died else f"never killed: {ended.errors}"
        assert kept == [(call.kind, _without_what_is_cut(call.told)) for call in calls], where
        if died is None:
            break
    assert point > 2 * len(calls)


def _without_what_is_cut(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name != "DanhSachThongBaoThue"}


def test_p1_p3_what_was_told_is_read_once_wherever_its_reader_is_killed(
    province: Province, hosync: Hosync, endpoint: Endpoint, calls: Sequence[Call], engine: Engine
) -> None:
    def before() -> None:
        assert hosync.run("pull", "opencps", "--json").code == 0
        endpoint.tell(calls)

    story = Pulls("vbdlis", province, engine, before=before, tells_all=False)
    with listening(endpoint):
        killed_everywhere(hosync, story)
    _is_known(story, province, calls)


def test_p1_p3_what_waits_for_its_dossier_comes_in_wherever_the_pull_that_brings_it_is_killed(
    province: Province, hosync: Hosync, endpoint: Endpoint, calls: Sequence[Call], engine: Engine
) -> None:
    def before() -> None:
        endpoint.tell(calls)
        (told,) = hosync.run("pull", "vbdlis", "--json").said["pulls"]
        assert told["quarantined"] == len(calls)

    story = Pulls("opencps", province, engine, before=before, tells_all=False)
    with listening(endpoint):
        killed_everywhere(hosync, story, last=_FROM_THE_PAGE_ON)
    _is_known(story, province, calls)


def _is_known(story: Pulls, province: Province, calls: Sequence[Call]) -> None:
    told = {call.told["SoBienNhan"] for call in calls}
    truth = {row["code"]: row["merged_state"] for row in province.lines("vbdlis", "truth") if row["source_id"] in told}
    assert {code: story.held[code] for code in truth} == truth
    assert len(story.content["readings"]) == len(truth) == 1
    assert story.content["set aside"] == []
