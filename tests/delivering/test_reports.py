"""Ratings and statistics by the month: from a dropped file to the portal and the province, each month told once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from delivery_world import T0, Serve, dossier
from reporting_world import APRIL_10, NOT_YET, REMARK, SATISFIED, Reporting, reporting, row
from sqlalchemy import Engine, text

from connectors.errors import ConnectorError
from ledger import ratings, report
from ledger.sealing import Sealer
from schemas.times import VN
from sync.errors import SyncError
from sync.reports import report_to, send_again

Open = Callable[..., Reporting]
MONTH = ("satisfaction", "2026-03", "H12")
LOST = ["apply-then-hang", "apply-then-500", "apply-then-drop"]


@pytest.fixture
def open_world(
    own_engine: Engine, sealer: Sealer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serve: Serve
) -> Iterator[Open]:
    """Opens the world as the test wants it."""
    with ExitStack() as stack:
        yield lambda **more: stack.enter_context(reporting(own_engine, sealer, tmp_path, monkeypatch, serve, **more))


def rated(world: Reporting) -> None:
    """Four dossiers rated by one question, one of them by two."""
    world.rate(row(1), row(2), row(3, SATISFIED), row(4, NOT_YET), row(1, SATISFIED, "Thời gian giải quyết"))


def test_a_file_of_ratings_becomes_the_portals_month_and_the_provinces(open_world: Open) -> None:
    world = open_world()
    rated(world)
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
    rated(world)
    for target in ("npsp", "province"):
        world.report(target)
        before = world.targets[target].control("writes")
        again = world.report(target, APRIL_10 + timedelta(days=1))
        assert (again.changed, again.accepted) == (0, 0)
        assert world.targets[target].control("writes") == before


def test_a_month_is_told_once_its_days_of_grace_are_over(open_world: Open) -> None:
    world = open_world()
    rated(world)
    world.report("npsp", datetime(2026, 4, 3, 23, tzinfo=VN))
    assert world.rows("npsp") == {}
    world.report("npsp", datetime(2026, 4, 4, 0, tzinfo=VN))
    assert world.rows("npsp").keys() == {MONTH}


@pytest.mark.parametrize("mode", LOST)
def test_p3_a_report_whose_answer_is_lost_is_there_once(open_world: Open, mode: str) -> None:
    world = open_world()
    rated(world)
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


@pytest.mark.parametrize("mode", ["500", "503", "429", "drop", "html-200"])
def test_p3_a_report_that_surely_did_not_arrive_is_sent_until_it_does(open_world: Open, mode: str) -> None:
    world = open_world(changes={"reports": {"satisfaction": {"in_doubt": "risk_double"}}, "quota": {}})
    rated(world)
    world.targets["npsp"].fault(mode)
    world.report("npsp")
    world.report("npsp")
    assert world.rows("npsp")[MONTH].acked is not None
    doubtful = mode in ("500", "503", "html-200")  # nobody can tell these from an answer that was lost
    assert world.rows("npsp")[MONTH].copies == int(doubtful)
    assert len(world.held("npsp", "DongBoDanhGia")) == 2


def test_where_a_second_one_is_risked_it_is_counted(open_world: Open) -> None:
    world = open_world(changes={"reports": {"satisfaction": {"in_doubt": "risk_double"}}})
    world.rate(row(1))
    world.targets["npsp"].fault("apply-then-500")
    world.report("npsp")
    world.report("npsp")
    assert [write["operation"] for write in world.applied("npsp")] == ["DongBoDanhGia"] * 2
    assert world.rows("npsp")[MONTH].copies == 1


def test_a_month_in_doubt_that_the_portal_says_it_has_is_there(open_world: Open) -> None:
    world = open_world(changes={"reports": {"satisfaction": {"in_doubt": "resend"}}}, ratings="is-refused")
    rated(world)
    world.targets["npsp"].fault("apply-then-500")
    world.report("npsp")
    world.report("npsp")
    assert world.rows("npsp")[MONTH].acked is not None
    assert len(world.held("npsp", "DongBoDanhGia")) == 2


def test_a_refused_report_waits_for_a_person_with_its_reason(open_world: Open) -> None:
    world = open_world(ratings="is-refused")
    rated(world)
    world.report("npsp")
    send_again(world.world.context, "npsp", month=None)
    assert world.report("npsp").rejected == 1
    found = world.rows("npsp")[MONTH]
    assert (found.state, found.last_outcome) == ("dead", "rejected")
    assert found.last_reason
    assert "đã tồn tại" in found.last_reason


def test_p3_two_workers_at_once_send_each_report_once(open_world: Open) -> None:
    world = open_world()
    rated(world)
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
    rated(world)
    world.report("province")
    world.rate(row(5, NOT_YET))
    july = datetime(2026, 7, 10, tzinfo=VN)
    world.report("province", july)
    assert world.held("province", "UpdateVote")["2026-03|H12"]["TotalVoted"] == 4
    world.report("province", july, since=datetime(2026, 3, 1).date())
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


def test_p1_every_row_of_a_file_went_somewhere(open_world: Open) -> None:
    world = open_world()
    first = world.rate(row(1), row(1), row(2, "97"), row(3, time="08:00:00"), row(3, NOT_YET, time="09:30:00"))
    assert (first.new, first.unchanged, first.stale, first.quarantined) == (2, 1, 1, 1)
    second = world.rate(row(1), row(3, SATISFIED, time="10:00:00"), row(4))
    assert (second.new, second.changed, second.unchanged, second.stale) == (1, 1, 1, 0)
    for one in (first, second):
        assert one.fetched == one.new + one.changed + one.unchanged + one.stale + one.quarantined
    (aside,) = report.quarantine(world.world.context.engine, "danhgia", 10)
    assert (aside.field, aside.rule) == ("level", "unknown-code")


def test_a_row_that_comes_again_in_good_order_closes_what_was_set_aside(open_world: Open) -> None:
    world = open_world()
    world.rate(row(2, "97"))
    world.rate(row(2))
    assert report.quarantine(world.world.context.engine, "danhgia", 10) == []


def test_p5_the_same_file_again_adds_nothing(open_world: Open) -> None:
    world = open_world()
    rated(world)
    month = ratings.votes(world.world.context.engine, datetime(2026, 3, 1).date())
    rated(world)
    assert ratings.votes(world.world.context.engine, datetime(2026, 3, 1).date()) == month


def test_a_rating_of_an_unknown_dossier_is_kept_counted_and_flagged(open_world: Open) -> None:
    world = open_world()
    unknown = row(1, NOT_YET, code="H12.99-260301-0001", agency="")
    world.rate(row(1), unknown)
    engine, march = world.world.context.engine, datetime(2026, 3, 1).date()
    assert ratings.of_unknown_dossiers(engine, march) == 1
    assert ratings.votes(engine, march)[1].keys() == {"H12.12", "H12.99"}
    world.world.tell(dossier(1).model_copy(update={"code": "H12.99-260301-0001", "source_id": "99"}))
    assert ratings.of_unknown_dossiers(engine, march) == 0
    assert ratings.votes(engine, march)[1].keys() == {"H12.12"}, "the dossier's agency counts once it is known"


def test_a_rating_under_a_national_code_is_one_of_the_dossier(open_world: Open) -> None:
    world = open_world()
    world.world.tell(dossier(8, national_code="G22.99.99-260302-0008"))
    world.rate(row(8, code="G22.99.99-260302-0008", agency=""))
    engine, march = world.world.context.engine, datetime(2026, 3, 1).date()
    assert ratings.of_unknown_dossiers(engine, march) == 0
    assert ratings.votes(engine, march)[1].keys() == {"H12.12"}


def test_what_citizens_write_is_kept_nowhere(open_world: Open, caplog: pytest.LogCaptureFixture) -> None:
    world = open_world()
    world.rate(row(1, remark=REMARK), row(2, "97", remark=REMARK))
    context = world.world.context
    with context.engine.connect() as connection:
        for table in ("rating", "quarantine"):
            kept = " ".join(str(found) for found in connection.execute(text(f"SELECT * FROM {table}")))
            assert "Trần Thị" not in kept
        (native,) = connection.execute(text("SELECT native FROM quarantine")).scalars()
    assert "Trần Thị" not in context.sealer.open(native).decode()
    assert "Trần Thị" not in caplog.text
    assert list(world.folder.rglob("*.csv")) == []


def test_the_gate_of_the_target_holds_reports_too(open_world: Open) -> None:
    from ledger import gate

    world = open_world()
    rated(world)
    gate.pause(world.world.context.engine, "npsp", by="test")
    paused = world.report("npsp", wait_s=0)
    assert (paused.resting, paused.remaining) == ("paused", 1)
    assert world.applied("npsp") == []
    gate.resume(world.world.context.engine, "npsp")
    assert world.report("npsp").accepted == 1


def test_a_person_sends_a_month_again(open_world: Open) -> None:
    world = open_world()
    rated(world)
    world.targets["npsp"].fault("apply-then-500")
    world.report("npsp")
    context = world.world.context
    assert send_again(context, "npsp", month=datetime(2026, 2, 1).date()) == 0
    assert send_again(context, "npsp", month=None, only_failed=True) == 1
    assert world.report("npsp").accepted == 1
    assert send_again(context, "npsp", month=None, only_failed=True) == 0


def test_a_target_without_reports_says_so(open_world: Open) -> None:
    world = open_world(changes={"reports": None})
    with pytest.raises(SyncError, match="takes no reports"):
        world.report("npsp")


def test_a_file_with_a_missing_column_is_left_and_named(open_world: Open) -> None:
    world = open_world()
    world.drop(name="DG_20260401_080000_9999.csv")
    (world.folder / "DG_20260401_080000_9999.csv").write_text("Số phiếu;Mã hồ sơ\r\n1;2\r\n", "utf-8")
    digest = __import__("hashlib").sha256((world.folder / "DG_20260401_080000_9999.csv").read_bytes()).hexdigest()
    (world.folder / "DG_20260401_080000_9999.csv.sha256").write_text(digest)
    with pytest.raises(ConnectorError, match="column"):
        world.pull()
