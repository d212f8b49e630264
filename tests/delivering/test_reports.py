"""Ratings and statistics by the month: from a dropped file to the portal and the province, each month told once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta

import pytest
from dossiers import T0, dossier
from reporting_world import APRIL_10, NOT_YET, Open, row

from ledger import audit
from schemas.times import VN
from sync.errors import SyncError
from sync.reports import report_to, send_again

MONTH = ("satisfaction", "2026-03", "H12")
LOST = ["apply-then-hang", "apply-then-500", "apply-then-drop"]


def test_a_file_of_ratings_becomes_the_portals_month_and_the_provinces(open_world: Open) -> None:
    world = open_world()
    world.rate_some()
    assert world.report("npsp").accepted == 1
    held = world.held("npsp", "DongBoDanhGia")
    assert {key: (one["TongSoNguoiDanhGia"], one["PhanTramDanhGiaDichVuRatHaiLong"]) for key, one in held.items()} == {
        "3-2026|000.00.00.H12||Thái độ phục vụ": (4, "50%"),
        "3-2026|000.00.00.H12||Thời gian giải quyết": (4, "0%"),
    }
    assert {(one["PhanTramDanhGiaRatHaiLong"], one["PhanTramDanhGiaHaiLong"]) for one in held.values()} == {
        ("40%", "40%")
    }
    assert world.report("province").accepted > 0
    votes = world.held("province", "UpdateVote")
    assert votes.keys() == {"2026-03|H12", "2026-03|H12.12"}
    assert votes["2026-03|H12"]["TotalVoted"] == 4
    assert [one["Content"] for one in votes["2026-03|H12"]["Questions"]] == ["Thái độ phục vụ", "Thời gian giải quyết"]
    assert votes["2026-03|H12"]["Questions"][0]["PercentVeryGood"] == 50.0


def test_statistics_are_counted_from_the_ledger_and_sent_for_the_province_and_each_agency(open_world: Open) -> None:
    world = open_world()
    at = T0 + timedelta(days=3)
    world.world.tell(
        dossier(1, state=10, hours=72, finished_at=at, returned_at=at),
        dossier(2, state=9, hours=24 * 9, finished_at=T0 + timedelta(days=9)),
        dossier(7, agency_code="H12.07", agency_name="Trung tâm Mẫu", received_at=T0 - timedelta(days=20)),
    )
    world.report("province")
    held = world.held("province", "UpdateStatistic")
    march = held["2026-03|H12"]
    assert (march["NewReception"], march["PreExtisting"], march["Total"]) == (5, 1, 6)
    assert (march["SolvedInTime"], march["SolvedLate"], march["SolvedInTimePercent"]) == (1, 1, 50.0)
    assert (march["Pending"], march["PendingLate"]) == (0, 4)
    assert held["2026-03|H12.07"]["PreExtisting"] == 1
    assert held["2026-03|H12.07"]["OrganizationInchargeName"] == "Trung tâm Mẫu"
    assert held["2026-02|H12.07"]["NewReception"] == 1


def test_p5_what_has_not_changed_is_not_sent_again(open_world: Open) -> None:
    world = open_world()
    world.rate_some()
    for target in ("npsp", "province"):
        world.report(target)
        before = world.targets[target].control("writes")
        again = world.report(target, APRIL_10 + timedelta(days=1))
        assert (again.changed, again.accepted) == (0, 0)
        assert world.targets[target].control("writes") == before


def test_a_month_is_told_once_its_days_of_grace_are_over(open_world: Open) -> None:
    world = open_world()
    world.rate_some()
    world.report("npsp", datetime(2026, 4, 3, 23, tzinfo=VN))
    assert world.rows("npsp") == {}
    world.report("npsp", datetime(2026, 4, 4, 0, tzinfo=VN))
    assert world.rows("npsp").keys() == {MONTH}


@pytest.mark.parametrize("mode", LOST)
def test_p3_a_report_whose_answer_is_lost_is_there_once(open_world: Open, mode: str) -> None:
    world = open_world()
    world.rate_some()
    for target in ("npsp", "province"):
        world.targets[target].fault(mode, seconds=1)
        world.report(target)
        world.report(target)
    assert len(world.held("npsp", "DongBoDanhGia")) == 2
    assert len(world.applied("npsp")) == 2
    assert world.rows("npsp")[MONTH].last_outcome == "given_up"
    applied = [(write["operation"], write["key"]) for write in world.applied("province")]
    assert len(set(applied)) == len(applied)
    assert {each.state for each in world.rows("province").values()} == {"idle"}
    assert all(each.acked for each in world.rows("province").values())


def test_p3_a_report_that_surely_did_not_arrive_is_sent_until_it_does(open_world: Open) -> None:
    world = open_world(changes={"reports": {"satisfaction": {"in_doubt": "risk_double"}}})
    world.rate_some()
    world.targets["npsp"].fault("429", times=2)
    world.report("npsp")
    world.report("npsp")
    found = world.rows("npsp")[MONTH]
    assert found.acked is not None
    assert found.copies == 0
    assert len(world.applied("npsp")) == 2, "a record for each question"


def test_where_a_second_one_is_risked_it_is_counted_as_often_as_it_was_sent_in_doubt(open_world: Open) -> None:
    world = open_world(changes={"reports": {"satisfaction": {"in_doubt": "risk_double"}}})
    world.rate(row(1))
    world.targets["npsp"].fault("apply-then-500")
    world.targets["npsp"].fault("429")  # the second try surely does not arrive: that is no copy
    world.report("npsp")
    world.report("npsp")
    assert [write["operation"] for write in world.applied("npsp")] == ["DongBoDanhGia"] * 2
    assert world.rows("npsp")[MONTH].copies == 1


def test_a_month_in_doubt_that_the_portal_says_it_has_is_there(open_world: Open) -> None:
    world = open_world(changes={"reports": {"satisfaction": {"in_doubt": "resend"}}}, ratings="is-refused")
    world.rate_some()
    world.targets["npsp"].fault("apply-then-500")
    world.report("npsp")
    world.report("npsp")
    assert world.rows("npsp")[MONTH].acked is not None
    assert len(world.held("npsp", "DongBoDanhGia")) == 2


def test_a_refused_report_waits_for_a_person_with_its_reason(open_world: Open) -> None:
    world = open_world(ratings="is-refused")
    world.rate_some()
    world.report("npsp")
    send_again(world.world.context, "npsp", by="test", month=None)
    assert world.report("npsp").rejected == 1
    found = world.rows("npsp")[MONTH]
    assert (found.state, found.last_outcome) == ("dead", "rejected")
    assert found.last_reason
    assert "đã tồn tại" in found.last_reason


def test_a_month_that_cannot_be_told_twice_waits_for_the_systems_that_tell_of_it(open_world: Open) -> None:
    world = open_world()
    waiting = world.report("npsp")
    assert (waiting.waiting_for, waiting.changed) == (("danhgia",), 0)
    world.rate_some()
    assert world.report("npsp").waiting_for == ()
    assert world.rows("npsp").keys() == {MONTH}


def test_p3_two_workers_at_once_send_each_report_once(open_world: Open) -> None:
    world = open_world()
    world.rate_some()
    for target in ("npsp", "province"):
        world.targets[target].fault("slow", times=1000, seconds=0.02)
        barrier = threading.Barrier(2)

        def work(name: str = target, both: threading.Barrier = barrier) -> None:
            both.wait()
            report_to(world.world.context, name, now=APRIL_10, wait_s=10)

        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(work), pool.submit(work)]:
                done.result()
        writes = [(write["operation"], write["key"]) for write in world.targets[target].control("writes")]
        assert len(set(writes)) == len(writes) > 0


def test_a_late_rating_is_told_again_only_where_a_month_is_replaced(open_world: Open) -> None:
    world = open_world()
    world.rate(row(1))
    for target in ("npsp", "province"):
        world.report(target)
    world.rate(row(2, NOT_YET))
    assert (world.report("npsp").changed, world.report("npsp").accepted) == (1, 0)
    assert world.rows("npsp")[MONTH].has_changed
    assert len(world.applied("npsp")) == 1
    world.report("province")
    assert world.held("province", "UpdateVote")["2026-03|H12"]["PercentBad"] == 50.0
    assert not world.rows("province")[MONTH].has_changed


def test_older_months_are_counted_again_only_when_a_person_says_so(open_world: Open) -> None:
    world = open_world()
    world.rate_some()
    world.report("province")
    world.rate(row(5, NOT_YET))
    july = datetime(2026, 7, 10, tzinfo=VN)
    world.report("province", july)
    assert world.held("province", "UpdateVote")["2026-03|H12"]["TotalVoted"] == 4
    world.report("province", july, since=date(2026, 3, 1))
    assert world.held("province", "UpdateVote")["2026-03|H12"]["TotalVoted"] == 5


def test_what_changes_while_a_report_is_in_doubt_is_told_afterwards(open_world: Open) -> None:
    world = open_world()
    world.rate(row(1))
    world.targets["province"].fault("apply-then-drop", times=1, operation="UpdateVote")
    world.report("province", wait_s=0)
    world.rate(row(2))
    world.report("province")
    assert world.held("province", "UpdateVote")["2026-03|H12"]["TotalVoted"] == 2
    assert not world.rows("province")[MONTH].has_changed


def test_the_gate_of_the_target_holds_reports_too(open_world: Open) -> None:
    from ledger import gate

    world = open_world()
    world.rate_some()
    gate.pause(world.world.context.engine, "npsp", by="test")
    paused = world.report("npsp", wait_s=0)
    assert (paused.resting, paused.remaining) == ("paused", 1)
    assert world.applied("npsp") == []
    gate.resume(world.world.context.engine, "npsp", by="test")
    assert world.report("npsp").accepted == 1


def test_a_person_sends_a_month_again(open_world: Open) -> None:
    world = open_world()
    world.rate_some()
    world.targets["npsp"].fault("apply-then-500")
    world.report("npsp")
    context = world.world.context
    assert send_again(context, "npsp", by="test", month=date(2026, 2, 1)) == 0
    assert send_again(context, "npsp", by="test", month=None, only_failed=True) == 1
    assert world.report("npsp").accepted == 1
    assert send_again(context, "npsp", by="test", month=None, only_failed=True) == 0
    done = audit.last(context.engine, system="npsp")[1]
    assert (done.action, done.person, done.details) == ("resend", "test", {"reports": 1, "only_failed": True})


def test_a_target_without_reports_says_so(open_world: Open) -> None:
    world = open_world(changes={"reports": None})
    with pytest.raises(SyncError, match="takes no reports"):
        world.report("npsp")
