"""P3 however the portal's adapter is called: answers lost on the way, and still each state is there once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from living_portal import LivingPortal, dossier, entry, living_portal
from sqlalchemy import Engine

from connectors.catalog_models import InDoubt, Operation, Operations, Reconcile, ReconcileMethod, TargetEntry
from connectors.targets.options import DispatchCalls, ServiceCalls, UrlCalls
from ledger.engine import open_engine
from ledger.sealing import Sealer
from sync import decisions
from sync.errors import SyncError

URLS = UrlCalls(
    style="urls",
    insert_path="/HoSo/ThemMoi",
    update_path="/HoSo/CapNhat",
    progress_path="/HoSo/DongBoTienTrinh",
    notice_path="/HoSo/ThongBao",
)
NOBODY_TO_ASK = {
    "operations": Operations(dossier=Operation(in_doubt=InDoubt.RESEND), step=Operation(in_doubt=InDoubt.RESEND)),
    "reconcile": Reconcile(method=ReconcileMethod.NONE, grace_s=0),
}
STYLES: dict[str, TargetEntry] = {
    "dispatch": entry(options={"calls": DispatchCalls()}),
    "services": entry(options={"calls": ServiceCalls(style="services")}, **NOBODY_TO_ASK),
    "urls": entry(options={"calls": URLS}, **NOBODY_TO_ASK),
    "urls beside a dispatch": entry(options={"calls": URLS, "reads": DispatchCalls()}),
}


@pytest.fixture(params=STYLES)
def portal(
    request: pytest.FixtureRequest,
    own_database_url: str,
    sealer: Sealer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[LivingPortal]:
    monkeypatch.setattr(decisions, "_BASE_DELAY_S", 0.05)
    engine: Engine = open_engine(own_database_url)
    with living_portal(tmp_path, engine, sealer, STYLES[request.param]) as living:
        yield living
    engine.dispose()


def test_p3_answers_lost_at_every_turn_leave_each_record_and_step_there_once(portal: LivingPortal) -> None:
    """Between two changes of each dossier the portal hangs, fails and hangs up after it has done the work."""
    many = range(1, 31)
    for hours, state, mode in ((0, 2, "apply-then-500"), (1, 4, "apply-then-drop"), (2, 9, "cut"), (3, 10, "500")):
        portal.store(*(dossier(number, state, hours) for number in many))
        portal.fault(mode, operation="DongBoHoSoMC")
        portal.fault(mode, operation="CapNhatTienDoHoSoMC")
        portal.push()
    assert portal.states == {dossier(number).code: 10 for number in many}
    steps = Counter((row["code"], row["state"]) for row in portal.control("steps"))
    assert len(steps) == 4 * len(many)
    assert set(steps.values()) == {1}
    records = Counter((code, effect) for operation, code, effect in portal.effects if operation == "DongBoHoSoMC")
    assert sum(times for (_, effect), times in records.items() if effect == "inserted") == len(many)
    assert sum(times for (_, effect), times in records.items() if effect == "updated") == 3 * len(many)


def test_one_bad_record_among_many_is_refused_alone_and_named(portal: LivingPortal) -> None:
    """The other dossiers and their steps arrive; the refused one has no step there."""
    named = {"procedure_name": "Thủ tục mẫu", "field_code": "G99-XX01", "field_name": "Lĩnh vực mẫu"}
    codes = {n: "TS_lop1" if n == 7 else "1.990101" for n in range(1, 21)}
    portal.store(*(dossier(n, procedure_code=procedure, **named) for n, procedure in codes.items()))
    portal.push()
    assert set(portal.states) == {dossier(n).code for n in range(1, 21) if n != 7}
    assert len({row["code"] for row in portal.control("steps")}) == 19


def test_reconciliation_is_refused_where_nobody_can_be_asked_and_agrees_where_somebody_can(
    portal: LivingPortal,
) -> None:
    """A style without look-up never claims that all is well."""
    portal.store(dossier(1))
    portal.push()
    if portal.context.catalog.target("npsp").is_compared:
        report = portal.compare()
        assert (report.matched, report.open_breaks) == (1, 0)
    else:
        with pytest.raises(SyncError, match="cannot be asked"):
            portal.compare()
