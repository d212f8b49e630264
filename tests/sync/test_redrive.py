"""P1: once the mapping is mended, what was set aside comes in, as old as it is, and nothing newer is covered by it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import text

import mappings
from connectors.catalog import load_catalog
from ledger.intake import start_pull, store_page
from ledger.report import overview, quarantine
from ledger.types import PageIntake, Problem, PullMode
from mappings.mapping import load_file
from sync.context import Context
from sync.redrive import hopeful, redrive

T0 = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
MAPPING = mappings.load("gplx", mappings.Direction.SOURCE)


def record(code: str, state: str) -> dict[str, Any]:
    """A native record of the driving-licence system."""
    given = MAPPING.sections["dossier"].examples[0].given
    detail = {**given["detail"], "MaHoSo": code, "MaTrangThai": state}
    return {"list": {**given["list"], "maHoSo": code}, "detail": detail}


@pytest.fixture
def context(own_database_url: str, sealer) -> Context:
    from ledger.engine import open_engine

    return Context(engine=open_engine(own_database_url), sealer=sealer, catalog=load_catalog())


@pytest.fixture
def tell(context: Context) -> Callable[..., None]:
    """Stores a page of records as if they had been fetched at ``at``."""
    run = start_pull(context.engine, system="gplx", mode=PullMode.INCREMENTAL, window=None, started_by="test")
    numbers = iter(range(1, 100))

    def store(records: list[dict[str, Any]], at: datetime) -> None:
        validated = mappings.validate_page(mappings.load("gplx", mappings.Direction.SOURCE), records)
        bad = [
            Problem(
                index=each.index,
                record_key=MAPPING.key_of(records[each.index]),
                native=orjson.dumps(records[each.index], option=orjson.OPT_SORT_KEYS),
                stage=each.stage,
                field=each.field,
                rule=each.rule,
                message=each.message,
            )
            for each in validated.bad
        ]
        number = next(numbers)
        page = PageIntake(
            run_id=run,
            system="gplx",
            precedence=20,
            number=number,
            raw=b"%d" % number,
            media_type="application/json",
            fetched_at=at,
            fetched=len(records),
            dossiers=[dossier for _, dossier in validated.good],
            problems=bad,
            cursor=None,
            mapping_version="old",
        )
        store_page(context.engine, context.sealer, page)

    return store


@pytest.fixture
def mended(tmp_path, monkeypatch) -> Callable[[], None]:
    """Gives the mapping of the driving licences the code 77, as an engineer would."""

    def mend() -> None:
        path = tmp_path / "gplx.yaml"
        path.write_text(MAPPING.file.read_text().replace('{"1": 1, "2": 2,', '{"77": 9, "1": 1, "2": 2,'))
        monkeypatch.setattr(mappings, "load", lambda *_: load_file(path))

    return mend


def held(context: Context) -> dict[str, int]:
    with context.engine.connect() as connection:
        return {row.code: row.state for row in connection.execute(text("SELECT code, state FROM dossier"))}


def test_a_mended_mapping_brings_every_record_in(context, tell, mended):
    codes = [f"000.00.07.H12-260302-{number:04d}" for number in range(1, 1201)]
    tell([record(code, "77") for code in codes], T0)
    tell([record("000.00.07.H12-260302-9001", "4")], T0)
    assert len(held(context)) == 1

    before = redrive(context, "gplx", started_by="test")
    assert (before.tried, before.still_set_aside, dict(before.reasons)) == (1200, 1200, {"state unknown-code": 1200})

    mended()
    report = redrive(context, "gplx", started_by="test")
    assert (report.tried, report.new, report.still_set_aside) == (1200, 1200, 0)
    assert len(held(context)) == 1201
    assert quarantine(context.engine, "gplx", 10) == []
    assert redrive(context, "gplx", started_by="test").tried == 0


def test_an_old_record_does_not_cover_a_newer_one(context, tell, mended):
    code = "000.00.07.H12-260302-0001"
    tell([record(code, "77")], T0)
    tell([{**record("000.00.07.H12-260302-0002", "4")}], T0)
    with context.engine.begin() as connection:  # the newer reading must not close the row by itself in this test
        connection.execute(text("UPDATE quarantine SET record_key = NULL"))
    tell([record(code, "10")], T0 + timedelta(hours=1))
    mended()
    report = redrive(context, "gplx", started_by="test")
    assert (report.tried, report.stale) == (1, 1)
    assert held(context)["H12.07-260302-0001"] == 10


def test_only_the_asked_rule_is_tried_and_trying_does_not_count_as_told(context, tell):
    broken = record("000.00.07.H12-260302-0002", "4")
    broken["detail"]["NgayHenTra"] = "31/02/2026 25:61:00"
    tell([record("000.00.07.H12-260302-0001", "77"), broken], T0)
    assert redrive(context, "gplx", started_by="test", rule="datetime").tried == 1
    rows = quarantine(context.engine, "gplx", 10)
    assert {(row.rule, row.times_seen) for row in rows} == {("unknown-code", 1), ("datetime", 1)}


def test_a_redrive_is_no_pull(context, tell):
    tell([record("000.00.07.H12-260302-0001", "77")], T0)
    redrive(context, "gplx", started_by="test")
    (row,) = overview(context.engine).systems
    assert row.last_success_at is None
    assert row.last_run.mode is PullMode.INCREMENTAL


def test_only_systems_with_hope_are_tried_by_the_clock(context, tell, mended):
    assert hopeful(context) == []
    tell([record("000.00.07.H12-260302-0001", "77")], T0)
    assert hopeful(context) == ["gplx"]  # set aside by another version of the mapping
    redrive(context, "gplx", started_by="test")
    assert hopeful(context) == []
    assert hopeful(context, everything=True) == ["gplx"]
    mended()
    assert hopeful(context) == ["gplx"]
