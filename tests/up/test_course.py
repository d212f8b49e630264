"""When is everything done? Decided from pictures; each test changes one thing in a picture where all is well."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli.up.airflow_api import DagRun, RunState
from cli.up.course import Compared, Delivered, Picture, Pulled, missing, nudges, worth_knowing, wrong

BEGAN = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


def _at(minutes: float) -> datetime:
    return BEGAN + timedelta(minutes=minutes)


def _run(dag_id: str, state: RunState = RunState.SUCCESS) -> DagRun:
    return DagRun(dag_id=dag_id, run_id="r", state=state, started_at=_at(0.1), ended_at=_at(1))


def _compared(**changes: Any) -> Compared:
    well = Compared(began_at=_at(3), is_complete=True, ours=10, theirs=10, matched=10, in_flight=0, breaks={})
    return replace(well, **changes)


PULLED = Pulled(
    system="gplx",
    run=_run("pull_gplx"),
    counts={"fetched": 10, "new": 6, "changed": 2, "unchanged": 1, "stale": 0, "quarantined": 1},
)
DELIVERED = Delivered(
    target="npsp",
    delivered=10,
    due=0,
    sending=0,
    in_doubt=0,
    refused=0,
    given_up=0,
    last_delivery_at=_at(2),
    can_be_asked=True,
    compared=_compared(),
    open_breaks=0,
    push=_run("push_npsp"),
    reconcile=_run("reconcile_npsp"),
)


def _picture(*, pull: dict[str, Any] | None = None, target: dict[str, Any] | None = None) -> Picture:
    return Picture(
        began_at=BEGAN,
        pulls=[replace(PULLED, **(pull or {}))],
        targets=[replace(DELIVERED, **(target or {}))],
    )


def test_all_is_done_when_pulled_delivered_and_compared_afterwards() -> None:
    assert missing(_picture()) == []
    assert wrong(_picture()) == []
    assert nudges(_picture()) == []


@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.RUNNING, RunState.FAILED])
def test_a_pull_that_has_not_succeeded_is_missing(state: RunState) -> None:
    picture = _picture(pull={"run": _run("pull_gplx", state)})
    [remark] = missing(picture)
    assert remark.values == {"dag": "pull_gplx", "state": state.value}
    assert nudges(picture) == []


@pytest.mark.parametrize("left", [{"due": 1}, {"sending": 1}, {"in_doubt": 1}])
def test_anything_left_to_deliver_is_missing_and_calls_for_a_push(left: dict[str, int]) -> None:
    assert missing(_picture(target=left))
    assert nudges(_picture(target=left)) == ["push_npsp"]


@pytest.mark.parametrize(
    "compared",
    [
        pytest.param(None, id="never"),
        pytest.param(_compared(is_complete=False), id="broke off"),
        pytest.param(_compared(began_at=_at(-5)), id="of an earlier start"),
        pytest.param(_compared(began_at=_at(0.5)), id="before the pull had ended"),
        pytest.param(_compared(began_at=_at(1.5)), id="before the last delivery"),
        pytest.param(_compared(matched=4, in_flight=6), id="too fresh to judge"),
    ],
)
def test_a_comparison_that_proves_nothing_is_missing_and_asked_for_again(compared: Compared | None) -> None:
    picture = _picture(target={"compared": compared})
    assert missing(picture)
    assert nudges(picture) == ["reconcile_npsp"]


def test_a_target_that_never_got_anything_is_compared_after_the_pull() -> None:
    assert missing(_picture(target={"last_delivery_at": None, "compared": _compared(began_at=_at(1.1))})) == []


@pytest.mark.parametrize("busy", ["push", "reconcile"])
@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.RUNNING])
def test_nobody_is_nudged_while_the_target_is_worked_on(busy: str, state: RunState) -> None:
    assert nudges(_picture(target={"due": 5, busy: _run(busy, state)})) == []


def test_a_failed_run_is_named_beside_what_is_missing() -> None:
    remarks = missing(_picture(target={"due": 5, "push": _run("push_npsp", RunState.FAILED)}))
    assert {"dag": "push_npsp", "state": "failed"} in [remark.values for remark in remarks]


@pytest.mark.parametrize("trouble", [{"open_breaks": 2}, {"refused": 2}])
def test_what_is_settled_but_not_well_is_wrong(trouble: dict[str, int]) -> None:
    [remark] = wrong(_picture(target=trouble))
    assert remark.values == {"target": "npsp", "number": 2}


def test_messages_given_up_in_doubt_are_told_but_not_wrong() -> None:
    picture = _picture(target={"given_up": 2})
    assert wrong(picture) == []
    [remark] = worth_knowing(picture)
    assert remark.values == {"target": "npsp", "number": 2}


def test_a_pull_whose_numbers_do_not_add_up_is_wrong() -> None:
    counts = {**PULLED.counts, "new": 5}
    [remark] = wrong(_picture(pull={"counts": counts}))
    assert remark.values == {"dag": "pull_gplx"}
