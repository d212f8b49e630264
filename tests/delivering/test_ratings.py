"""Citizens' ratings: every row of a dropped file goes somewhere, and nothing of what citizens write is kept."""

from __future__ import annotations

from datetime import date

import pytest
from dossiers import dossier
from reporting_world import NOT_YET, REMARK, SATISFIED, Open, row
from sqlalchemy import text

from connectors.errors import ConnectorError
from ledger import ratings, report

MARCH = date(2026, 3, 1)


def test_p1_every_row_of_a_file_went_somewhere(open_world: Open) -> None:
    world = open_world(is_reported=False)
    first = world.rate(row(1), row(1), row(2, "97"), row(3, time="08:00:00"), row(3, NOT_YET, time="09:30:00"))
    assert (first.new, first.unchanged, first.stale, first.quarantined) == (2, 1, 1, 1)
    second = world.rate(row(1), row(3, SATISFIED, time="10:00:00"), row(4))
    assert (second.new, second.changed, second.unchanged, second.stale) == (1, 1, 1, 0)
    for one in (first, second):
        assert one.fetched == one.new + one.changed + one.unchanged + one.stale + one.quarantined
    (aside,) = report.quarantine(world.world.context.engine, "danhgia", 10)
    assert (aside.field, aside.rule) == ("level", "unknown-code")


def test_a_row_that_comes_again_in_good_order_closes_what_was_set_aside(open_world: Open) -> None:
    world = open_world(is_reported=False)
    world.rate(row(2, "97"))
    world.rate(row(2))
    assert report.quarantine(world.world.context.engine, "danhgia", 10) == []


def test_p5_the_same_file_again_adds_nothing(open_world: Open) -> None:
    world = open_world(is_reported=False)
    world.rate_some()
    month = ratings.votes(world.world.context.engine, MARCH)
    world.rate_some()
    assert ratings.votes(world.world.context.engine, MARCH) == month


def test_a_rating_of_an_unknown_dossier_is_kept_counted_and_flagged(open_world: Open) -> None:
    world = open_world(is_reported=False)
    unknown = row(1, NOT_YET, code="H12.99-260301-0001", agency="")
    world.rate(row(1), unknown)
    engine, march = world.world.context.engine, MARCH
    assert ratings.of_unknown_dossiers(engine, march) == 1
    assert ratings.votes(engine, march)[1].keys() == {"H12.12", "H12.99"}
    world.world.tell(dossier(1).model_copy(update={"code": "H12.99-260301-0001", "source_id": "99"}))
    assert ratings.of_unknown_dossiers(engine, march) == 0
    assert ratings.votes(engine, march)[1].keys() == {"H12.12"}, "the dossier's agency counts once it is known"


def test_a_rating_under_a_national_code_is_one_of_the_dossier(open_world: Open) -> None:
    world = open_world(is_reported=False)
    world.world.tell(dossier(8, national_code="G22.99.99-260302-0008"))
    world.rate(row(8, code="G22.99.99-260302-0008", agency=""))
    engine, march = world.world.context.engine, MARCH
    assert ratings.of_unknown_dossiers(engine, march) == 0
    assert ratings.votes(engine, march)[1].keys() == {"H12.12"}


def test_what_citizens_write_is_kept_nowhere(open_world: Open, caplog: pytest.LogCaptureFixture) -> None:
    world = open_world(is_reported=False)
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


def test_a_file_with_a_missing_column_is_left_and_named(open_world: Open) -> None:
    world = open_world(is_reported=False)
    world.drop(name="DG_20260401_080000_9999.csv")
    (world.folder / "DG_20260401_080000_9999.csv").write_text("Số phiếu;Mã hồ sơ\r\n1;2\r\n", "utf-8")
    digest = __import__("hashlib").sha256((world.folder / "DG_20260401_080000_9999.csv").read_bytes()).hexdigest()
    (world.folder / "DG_20260401_080000_9999.csv.sha256").write_text(digest)
    with pytest.raises(ConnectorError, match="column"):
        world.pull()
