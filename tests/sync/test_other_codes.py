"""Dossiers that the portal holds under another code: born there, or given a code. Real portal, real ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from living_portal import LivingPortal, dossier, entry, living_portal
from sqlalchemy import text

from connectors.catalog_models import InDoubt, Operation, Operations, Reconcile, ReconcileMethod
from connectors.targets.options import ServiceCalls
from ledger.engine import open_engine
from ledger.sealing import Sealer
from sync import decisions

NATIONAL = "G22.99.99-260301-0007"
FOREIGN = "H26.14-260302-0001"
PORTALS: dict[str, dict[str, Any]] = {
    "filed there": {"own_agency": "G22.99.99"},
    "not filed there": {},
    "gives codes": {"gives_codes": True},
}


@pytest.fixture
def start(own_database_url: str, sealer: Sealer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(decisions, "_BASE_DELAY_S", 0.05)
    engine = open_engine(own_database_url)
    opened = []

    def begin(kind: str, **changes: Any) -> LivingPortal:
        context = living_portal(tmp_path, engine, sealer, entry(**changes), **PORTALS[kind])
        opened.append(context)
        return context.__enter__()

    yield begin
    for context in opened:
        context.__exit__(None, None, None)
    engine.dispose()


def aliases(portal: LivingPortal) -> list[str]:
    with portal.context.engine.connect() as connection:
        return list(connection.execute(text("SELECT alias FROM dossier_alias WHERE system = 'npsp'")).scalars())


def test_a_dossier_filed_on_the_portal_is_told_under_its_national_code_and_never_doubled(start: Any) -> None:
    portal = start("filed there")
    for hours, state in ((0, 2), (1, 4), (2, 10)):
        portal.store(dossier(1, state, hours, national_code=NATIONAL), dossier(2, state, hours))
        portal.push()
    assert {row["code"]: row["state"] for row in portal.control("dossiers")} == {
        NATIONAL: 10,
        "000.00.07.H12-260302-0002": 10,
    }
    assert sorted(row["state"] for row in portal.control(f"steps?code={NATIONAL}")) == [2, 4, 10]
    assert aliases(portal) == [NATIONAL]
    report = portal.compare()
    assert (report.matched, report.open_breaks) == (2, 0)


def test_a_national_code_that_the_portal_does_not_know_costs_one_refusal_once(start: Any) -> None:
    portal = start("not filed there")
    for hours, state in ((0, 2), (1, 10)):
        portal.store(dossier(1, state, hours, national_code=NATIONAL))
        portal.push()
    assert portal.states == {dossier(1).code: 10}
    assert portal.control("stats")["refused"] == {"DongBoHoSoMC": {"-1": 1}}
    assert aliases(portal) == []


@pytest.mark.parametrize("mode", [None, "apply-then-500", "500"])
def test_p3_a_dossier_that_is_given_a_code_is_found_updated_and_its_steps_told_under_it(
    start: Any, mode: str | None
) -> None:
    """Also when the answer that names the code is lost."""
    portal = start("gives codes")
    if mode:
        portal.fault(mode, operation="DongBoHoSoMC")
    for hours, state in ((0, 2), (1, 9)):
        portal.store(dossier(1, state, hours, code=FOREIGN))
        portal.push()
    (held,) = portal.control("dossiers")
    assert held["sender_code"] == FOREIGN.replace("H26.14", "000.00.14.H26")
    assert held["code"] == "000.00.00.H12-260302-00001"
    assert held["state"] == 9
    assert [row["state"] for row in portal.control(f"steps?code={held['code']}")] == [2, 9]
    assert aliases(portal) == [held["code"]]
    assert portal.compare().matched == 1


def test_p3_answers_lost_about_dossiers_filed_there_leave_one_dossier_and_each_step_once(start: Any) -> None:
    """A portal in a style without look-up, so that nothing can be asked."""
    resend = Operation(in_doubt=InDoubt.RESEND)
    portal = start(
        "filed there",
        options={"calls": ServiceCalls(style="services")},
        operations=Operations(dossier=resend, step=resend),
        reconcile=Reconcile(method=ReconcileMethod.NONE),
    )
    for hours, state, mode in ((0, 2, "apply-then-500"), (1, 4, "apply-then-drop"), (2, 9, "500")):
        portal.fault(mode, times=2)
        portal.store(*(dossier(n, state, hours, national_code=f"{NATIONAL}{n}") for n in range(1, 8)))
        portal.push()
    assert {row["code"]: row["state"] for row in portal.control("dossiers")} == {
        f"{NATIONAL}{n}": 9 for n in range(1, 8)
    }
    assert len(portal.control("steps")) == 21


def test_what_was_lost_over_there_under_its_other_code_is_healed_under_our_own(start: Any) -> None:
    portal = start("gives codes")
    portal.store(dossier(1, 4, code=FOREIGN))
    portal.push()
    (held,) = portal.control("dossiers")
    portal.control("damage", {"delete": [held["code"]]})
    report = portal.compare(heal=True)
    assert report.healed == 1
    portal.push()
    (again,) = portal.control("dossiers")
    assert again["sender_code"] == held["sender_code"]
    assert aliases(portal) == [again["code"]]
    assert portal.compare().matched == 1
