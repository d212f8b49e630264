"""Dossiers that were filed on the portal: their steps are told as steps, as notices, or as both, in every style."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from living_portal import LivingPortal, dossier, entry, living_portal

from connectors.catalog_models import InDoubt, Operation, Operations, Reconcile, ReconcileMethod
from connectors.targets.options import DispatchCalls, FiledThere, ServiceCalls, UrlCalls
from ledger.engine import open_engine
from ledger.sealing import Sealer
from sync import decisions

NATIONAL = "G22.99.99-260301-0007"
OURS = "000.00.07.H12-260302-0001"
URLS = UrlCalls(
    style="urls",
    insert_path="/HoSo/ThemMoi",
    update_path="/HoSo/CapNhat",
    progress_path="/HoSo/DongBoTienTrinh",
    notice_path="/HoSo/ThongBao",
)
RESEND = Operation(in_doubt=InDoubt.RESEND)
UNASKED = {
    "operations": Operations(dossier=RESEND, step=RESEND),
    "reconcile": Reconcile(method=ReconcileMethod.NONE, grace_s=0),
}
STYLES: dict[str, tuple[Any, dict[str, Any]]] = {
    "dispatch": (DispatchCalls(), {}),
    "services": (ServiceCalls(style="services"), UNASKED),
    "urls": (URLS, UNASKED),
}
Start = Callable[..., LivingPortal]


@pytest.fixture
def start(own_database_url: str, sealer: Sealer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    monkeypatch.setattr(decisions, "_BASE_DELAY_S", 0.05)
    with ExitStack() as stack:
        engine = open_engine(own_database_url)
        stack.callback(engine.dispose)

        def begin(told_by: str = "both", style: str = "dispatch", **extra: Any) -> LivingPortal:
            calls, more = STYLES[style]
            told = FiledThere.model_validate({"told_by": told_by})
            target = entry(options={"calls": calls, "filed_there": told}, **more)
            return stack.enter_context(living_portal(tmp_path, engine, sealer, target, own_agency="G22.99.99", **extra))

        yield begin


def a_life(portal: LivingPortal) -> None:
    """One dossier filed there and one filed in the province, through three states."""
    for hours, state in ((0, 2), (1, 4), (2, 3)):
        portal.store(dossier(1, state, hours, national_code=NATIONAL), dossier(2, state, hours))
        portal.push()


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("told_by", "steps", "notices"), [("steps", 3, 0), ("notices", 0, 3), ("both", 3, 3)])
def test_progress_is_told_as_the_catalog_says_and_of_no_other_dossier(
    start: Start, style: str, told_by: str, steps: int, notices: int
) -> None:
    portal = start(told_by, style)
    a_life(portal)
    assert len(portal.control(f"steps?code={NATIONAL}")) == steps
    assert len(portal.control("steps?code=000.00.07.H12-260302-0002")) == 3
    told = portal.control("notices")
    assert [row["body"]["TrangThai"] for row in told] == ["2", "4", "11"][:notices]
    assert {(row["code"], row["body"]["MaHoSoDonVi"]) for row in told} == ({(NATIONAL, OURS)} if notices else set())
    assert portal.control(f"dossiers?code={NATIONAL}")[0]["state"] == 3


def test_after_notices_the_portal_answers_to_our_code_too_and_all_agrees(start: Start) -> None:
    portal = start()
    a_life(portal)
    report = portal.compare()
    assert (report.matched, report.open_breaks) == (2, 0)
    portal.control("damage", {"set_state": {NATIONAL: 9}})
    assert portal.compare(heal=True).healed == 1
    portal.push()
    assert portal.compare().matched == 2
    assert len(portal.control("dossiers")) == 2


@pytest.mark.parametrize("mode", ["apply-then-500", "apply-then-drop", "500", "cut"])
def test_p3_a_notice_whose_answer_is_lost_is_there_once(start: Start, mode: str) -> None:
    portal = start()
    for hours, state in ((0, 2), (1, 9)):
        portal.fault(mode, operation="DongBoTrangThaiHoSo")
        portal.store(dossier(1, state, hours, national_code=NATIONAL))
        portal.push()
    assert [row["state"] for row in portal.control("notices")] == [2, 9]
    assert [row["state"] for row in portal.control("steps")] == [2, 9]


def test_a_code_that_the_portal_refuses_in_a_notice_is_named(start: Start) -> None:
    portal = start(notice_codes=["2", "5"])
    portal.store(dossier(1, 9, national_code=NATIONAL))
    report = portal.push()
    assert report.rejected == 1
    with portal.context.engine.connect() as connection:
        (reason,) = connection.exec_driver_sql("SELECT last_reason FROM delivery").scalars()
    assert reason.startswith("DongBoTrangThaiHoSo: refused by the portal")
    assert "TrangThai không có trong danh mục" in reason


def test_a_dossier_whose_national_code_the_portal_does_not_know_is_told_by_steps(start: Start) -> None:
    portal = start()
    portal.store(dossier(1, 9, national_code="G23.99.99-260301-0007"))
    portal.push()
    assert portal.control("notices") == []
    assert [row["code"] for row in portal.control("steps")] == [OURS]
