"""When a run is news, when it is nothing, and when it is an alarm."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CALL = Path(__file__).with_name("call_tasks.py")
DAGS = Path(__file__).resolve().parents[2] / "dags"

NOTHING_PULLED = dict.fromkeys(("pages", "fetched", "new", "changed", "unchanged", "stale", "quarantined"), 0)
NOTHING_SENT = {
    "target": "npsp",
    **dict.fromkeys(
        ("accepted", "unchanged", "rejected", "retry", "in_doubt", "given_up", "resolved_by_asking", "remaining"), 0
    ),
}
ALL_MATCHED = {
    "target": "npsp",
    **dict.fromkeys(("ours", "theirs", "matched", "in_flight", "healed", "held_back", "waiting"), 0),
    "breaks": {"missing_at_target": 0},
}
PULL, PUSH = ("pull_gplx", "summary"), ("push_npsp", "summary")
RECONCILE = ("reconcile_npsp", "announce")

CALLS: dict[str, tuple[tuple[str, str], Any, list[str]]] = {
    "two windows with news": (PULL, [NOTHING_PULLED | {"fetched": 5, "new": 5}, NOTHING_PULLED | {"changed": 2}], []),
    "nothing new": (PULL, [NOTHING_PULLED | {"fetched": 9, "unchanged": 9}], []),
    "no window": (PULL, [], []),
    "delivered": (PUSH, [NOTHING_SENT | {"accepted": 7, "retry": 1}], ["hosync/pulled/gplx"]),
    "delivered as correction": (PUSH, [NOTHING_SENT | {"accepted": 1}], ["hosync/heal/npsp"]),
    "corrected by the follower": (PUSH, [NOTHING_SENT], ["hosync/heal/npsp"]),
    "nothing due": (PUSH, [NOTHING_SENT], []),
    "refused only": (PUSH, [NOTHING_SENT | {"rejected": 3}], []),
    "target silent": (PUSH, [NOTHING_SENT | {"retry": 30}], []),
    "target lost": (PUSH, [NOTHING_SENT | {"in_doubt": 30}], []),
    "target paused": (PUSH, [NOTHING_SENT | {"retry": 2, "remaining": 9, "resting": "paused"}], []),
    "target broken": (PUSH, [NOTHING_SENT | {"retry": 8, "remaining": 9, "resting": "broken"}], []),
    "all matched": (RECONCILE, ALL_MATCHED, []),
    "corrected": (RECONCILE, ALL_MATCHED | {"healed": 4}, []),
    "held back": (RECONCILE, ALL_MATCHED | {"held_back": 900}, []),
}


@pytest.fixture(scope="module")
def outcomes(inspector: Any) -> dict[str, Any]:
    """What came of every call above."""
    calls = [
        {"dag": dag, "task": task, "report": report, "triggered_by": assets}
        for (dag, task), report, assets in CALLS.values()
    ]
    done = subprocess.run(
        [sys.executable, CALL, DAGS],
        input=json.dumps(calls),
        env=inspector.clean({}),
        capture_output=True,
        text=True,
        timeout=240,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("OUTCOMES ")]
    assert lines, done.stderr[-3000:]
    return dict(zip(CALLS, json.loads(lines[0].removeprefix("OUTCOMES ")), strict=True))


def test_a_pull_with_news_announces_the_sum_of_its_windows(outcomes: dict[str, Any]) -> None:
    found = outcomes["two windows with news"]
    sums = NOTHING_PULLED | {"fetched": 5, "new": 5, "changed": 2}
    assert found == {"outcome": "done", "events": {"hosync/pulled/gplx": sums}, "pushed": {"counts": sums}}


@pytest.mark.parametrize("case", ["nothing new", "no window"])
def test_a_pull_without_news_starts_no_push_but_keeps_its_counts(outcomes: dict[str, Any], case: str) -> None:
    assert outcomes[case]["outcome"] == "skipped"
    assert outcomes[case]["pushed"]["counts"].keys() == NOTHING_PULLED.keys()


def test_a_correction_that_the_follower_has_delivered_meanwhile_is_compared_all_the_same(
    outcomes: dict[str, Any],
) -> None:
    extra = outcomes["corrected by the follower"]["events"]["hosync/delivered/npsp"]
    assert (extra["accepted"], extra["correction"]) == (1, True)


def test_a_delivery_is_announced_and_is_no_correction(outcomes: dict[str, Any]) -> None:
    extra = outcomes["delivered"]["events"]["hosync/delivered/npsp"]
    assert (extra["accepted"], extra["correction"]) == (7, False)


def test_a_correction_says_so_that_it_starts_no_other(outcomes: dict[str, Any]) -> None:
    assert outcomes["delivered as correction"]["events"]["hosync/delivered/npsp"]["correction"] is True


@pytest.mark.parametrize("case", ["nothing due", "refused only", "target paused"])
def test_a_push_that_sent_nothing_starts_no_comparison(outcomes: dict[str, Any], case: str) -> None:
    assert outcomes[case]["outcome"] == "skipped"


@pytest.mark.parametrize("case", ["target silent", "target lost", "target broken"])
def test_a_target_that_takes_nothing_is_an_alarm_that_says_what_to_do(outcomes: dict[str, Any], case: str) -> None:
    assert outcomes[case]["outcome"] == "failed"
    assert "hosync check npsp" in outcomes[case]["said"]
    assert "Không mất dữ liệu" in outcomes[case]["said"]


def test_a_comparison_that_made_deliveries_due_starts_a_push(outcomes: dict[str, Any]) -> None:
    assert outcomes["corrected"]["events"]["hosync/heal/npsp"]["healed"] == 4


@pytest.mark.parametrize("case", ["all matched", "held back"])
def test_a_comparison_that_corrected_nothing_starts_none(outcomes: dict[str, Any], case: str) -> None:
    assert outcomes[case]["outcome"] == "skipped"
