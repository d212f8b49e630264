"""P2 and P3: workers are killed with SIGKILL in the middle of a push, over and over, while the province lives on.

Afterwards no dossier is missing at a target, nothing was applied twice, and nothing went backwards. EMC can neither
recognise a repetition nor be asked; there the declared policy must hold: at most once, and the doubtful ones counted.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from living_province import SOME_SIZE, SOME_SOURCES, TARGETS, Province

from schemas.identifiers import dossier_short

pytestmark = pytest.mark.timeout(600)
SOURCES, PROVINCE_SIZE = SOME_SOURCES, SOME_SIZE  # this is about the targets
KILL_AFTER = (1, 9, 25)  # writes, counted from the start of each worker
_SLOWED = {"mode": "slow", "times": 100_000, "seconds": 0.01}


def _push_through_kills(province: Province, target: str) -> int:
    kills = sum(province.kill_after(province.start("push", target), target, more=writes) for writes in KILL_AFTER)
    while province.hosync("push", target, ok=(0, 1))["deliveries"][0]["remaining"]:
        pass
    return kills


@pytest.fixture(scope="module")
def survived(province: Province) -> Province:
    """Two rounds of pulling and pushing, with a few days of life between them."""
    for target in TARGETS:
        province.ask(target, "faults", _SLOWED)
    kills: Counter[str] = Counter()
    for days in (0, 4):
        province.advance(days)
        province.bring_in()
        with ThreadPoolExecutor(len(TARGETS)) as side_by_side:
            counts = side_by_side.map(lambda target: _push_through_kills(province, target), TARGETS)
            kills.update(dict(zip(TARGETS, counts, strict=True)))
    assert min(kills.values()) >= 4, f"too few workers were killed in the middle to prove anything: {kills}"
    return province


@pytest.mark.parametrize("target", ["npsp", "province", "feed"])
def test_p3_no_dossier_is_missing_after_workers_were_killed(survived: Province, target: str) -> None:
    held = {each["code"]: each["state"] for each in survived.holdings(target, "dossiers")}
    assert held == {code: each["state"] for code, each in survived.truth().items()}


@pytest.mark.parametrize("target", ["npsp", "province", "feed"])
def test_p3_nothing_is_applied_twice_although_workers_were_killed(survived: Province, target: str) -> None:
    applied = Counter(
        (write["operation"], write["code"], write["key"], write["body_hash"]) for write in survived.writes(target)
    )
    assert [message for message, times in applied.items() if times > 1] == []


@pytest.mark.parametrize("target", ["npsp", "province"])
def test_p2_no_target_is_told_an_older_step_after_a_newer_one(survived: Province, target: str) -> None:
    last: dict[str, str] = {}
    for write in survived.writes(target):
        if write["operation"] in ("CapNhatTienDoHoSoMC", "UpdateDocumentTraces"):
            at = write["key"].partition("|")[0]
            assert at >= last.get(write["code"], ""), f"{write['code']} went back from {last[write['code']]} to {at}"
            last[write["code"]] = at


def test_p3_emc_counts_each_step_at_most_once_and_every_doubtful_one_is_known(survived: Province) -> None:
    told = Counter((dossier_short(event["code"]), event["state"]) for event in survived.lines("emc", "steps"))
    steps = survived.holdings("npsp", "steps")  # the NPSP has all of them, by the tests above
    status = {1: 1, 2: 1, 4: 2, 9: 3, 10: 3}
    due = Counter((step["code"], status.get(step["state"], 0)) for step in steps)
    assert told - due == Counter(), "EMC was told something twice, or something that never happened"
    report = survived.hosync("status", ok=(0, 1))
    (emc,) = (target for target in report["targets"] if target["target"] == "emc")
    assert (due - told).total() <= emc["doubtful"]
    assert (emc["due"], emc["in_work"], emc["in_doubt"]) == (0, 0, 0)


def test_p4_the_reconciliation_after_the_kills_finds_no_difference(survived: Province) -> None:
    reports = survived.hosync("reconcile", "--limit", "100000")["reconciliations"]
    assert [report["breaks"] for report in reports if any(report["breaks"].values())] == []
    for report in reports:
        assert report["matched"] == report["ours"] > 0
