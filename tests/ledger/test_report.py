"""What people see: the numbers of the ledger, one for one."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from ledger_world import World, at, dossier, problem

from ledger import report
from ledger.intake import finish_pull
from ledger.reconcile import open_reconcile
from ledger.types import HeldRow, PullMode, Scope, Settled


def reconcile(world: World, *states: int) -> UUID:
    moment = datetime.now(UTC) + timedelta(seconds=1)
    with open_reconcile(world.engine, "npsp", method="listing", as_of=moment, grace_s=0) as run:
        run.load(HeldRow(code=f"H12.1-{n:04}", found=True, state=state) for n, state in enumerate(states, start=1))
        run.compare(Scope.ALL)
        run.finish(None)
    return run.run_id


def test_the_overview_shows_systems_targets_and_states(world: World) -> None:
    world.store(dossier("H12.1-0001"), dossier("H12.1-0002", state=10, hours=2), problems=[problem(2)], cursor="c1")
    finish_pull(world.engine, world.run(), error=None)
    failed = world.new_run("igate")
    finish_pull(world.engine, failed, error="503")
    world.deliver("npsp")
    run_id = reconcile(world, 4, 2)
    world.store(dossier("H12.1-0003"))
    seen = report.overview(world.engine)

    gplx, igate = seen.systems
    assert (gplx.system, gplx.dossiers, gplx.open_dossiers, gplx.open_quarantine) == ("gplx", 3, 2, 1)
    assert (gplx.newest_change_at, gplx.cursor) == (at(2), "c1")
    assert gplx.last_success_at is not None
    assert (gplx.last_run.fetched, gplx.last_run.new, gplx.last_run.quarantined) == (4, 3, 1)
    assert (igate.last_success_at, igate.last_run.status, igate.last_run.error) == (None, "failed", "503")

    (npsp,) = seen.targets
    assert (npsp.dossiers, npsp.settled, npsp.due, npsp.not_yet_expanded, npsp.open_breaks) == (2, 2, 0, 1, 1)
    assert npsp.last_reconciliation is not None
    assert npsp.last_reconciliation.run_id == run_id
    assert seen.states == {4: 2, 10: 1}


def test_an_empty_ledger_has_an_empty_overview(world: World) -> None:
    assert report.overview(world.engine) == report.Overview(systems=[], targets=[], states={})


def test_p1_pull_runs_show_an_equation_that_holds(world: World) -> None:
    world.store(dossier("H12.1-0001"), problems=[problem(1)])
    world.store(dossier("H12.1-0001", hours=1, state=9), dossier("H12.1-0001"))
    world.new_run("igate")
    newest, older = report.pull_runs(world.engine, 10)
    assert (newest.system, newest.mode, newest.status) == ("igate", PullMode.INCREMENTAL, "running")
    assert older.fetched == older.new + older.changed + older.unchanged + older.stale + older.quarantined == 4
    assert [run.system for run in report.pull_runs(world.engine, 10, system="gplx")] == ["gplx"]


def test_reconcile_runs_show_classes_that_add_up(world: World) -> None:
    world.store(dossier("H12.1-0001"), dossier("H12.1-0002"))
    world.deliver()
    reconcile(world, 4)
    (run,) = report.reconcile_runs(world.engine, 5, target="npsp")
    assert (run.scope, run.ours, run.theirs, run.matched, run.missing_at_target, run.opened) == (
        Scope.ALL,
        2,
        1,
        1,
        1,
        1,
    )
    assert report.reconcile_runs(world.engine, 5, target="emc") == []


def test_quarantine_and_dead_deliveries_say_why_and_hold_no_content(world: World) -> None:
    world.store(dossier("H12.1-0001"), problems=[problem(1, native="Phạm Bí Mật".encode())])
    (row,) = report.quarantine(world.engine, "gplx", 5)
    assert (row.record_key, row.field, row.rule, row.message) == ("K1", "state", "known code", "code 77 is unknown")
    assert "Bí Mật" not in repr(row)
    assert report.quarantine(world.engine, "igate", 5) == []
    (claimed,) = world.claim()
    world.settle(claimed, Settled.REJECTED, reason="unknown procedure")
    (dead,) = report.dead_deliveries(world.engine, None, 5)
    assert (dead.target, dead.code, dead.reason) == ("npsp", "H12.1-0001", "unknown procedure")


def test_illegal_jumps_are_listed_with_both_states(world: World) -> None:
    world.store(dossier(state=3, hours=1))
    world.store(dossier(state=4, hours=2))
    (jump,) = report.illegal_jumps(world.engine, 5)
    assert (jump.code, jump.former_state, jump.state, jump.at) == ("H12.1-0001", 3, 4, at(2))
