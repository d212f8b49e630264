"""What waits in the inbox is taken over once, whoever drains it and whatever comes in meanwhile."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from inbound_endpoint import SECRET, body
from sqlalchemy import Engine, text

from connectors.catalog import load_catalog
from ledger.errors import AlreadyRunning
from ledger.inbox import Inbox, calls
from ledger.sealing import Sealer
from sync.context import Context, now
from sync.pull import PullReport, plan, pull


@pytest.fixture
def inbox(engine: Engine, sealer: Sealer) -> Inbox:
    with engine.begin() as connection:
        for table in ("inbox", "inbox_tally", "pull_cursor"):
            connection.execute(text(f"DELETE FROM {table}"))
    return Inbox(engine, sealer, "vbdlis")


@pytest.fixture
def context(engine: Engine, sealer: Sealer, monkeypatch: pytest.MonkeyPatch) -> Context:
    monkeypatch.setenv("AIRFLOW_CONN_VBDLIS", json.dumps({"conn_type": "http", "host": "x", "password": SECRET}))
    return Context(engine=engine, sealer=sealer, catalog=load_catalog())


def _drain(context: Context) -> PullReport | None:
    (piece,) = plan(context, "vbdlis", now=now())
    try:
        return pull(context, piece, started_by="test", now=now())
    except AlreadyRunning:
        return None


def _waiting(context: Context) -> int:
    """How many calls are stored and not taken over; none before the first."""
    told = calls(context.engine).get("vbdlis")
    return told.waiting if told else 0


def test_p5_two_drains_at_once_take_each_call_over_once(context: Context, inbox: Inbox) -> None:
    for number in range(450):
        content = json.dumps(body(number)).encode()
        inbox.put("ChuyenHoSo", content, content=content, remote=None)
    together = threading.Barrier(3)

    def drain(_: int) -> PullReport | None:
        together.wait()
        return _drain(context)

    with ThreadPoolExecutor(3) as pool:
        reports = [report for report in pool.map(drain, range(3)) if report]
    assert sum(report.fetched for report in reports) == 450
    assert _waiting(context) == 0
    last = _drain(context)
    assert last is not None
    assert (last.fetched, last.pages) == (0, 0)


def test_p1_calls_that_come_while_the_inbox_is_drained_are_taken_over_by_this_drain_or_the_next(
    context: Context, inbox: Inbox
) -> None:
    def put(number: int) -> None:
        content = json.dumps(body(number)).encode()
        inbox.put("ChuyenHoSo", content, content=content, remote=None)

    fetched = 0
    with ThreadPoolExecutor(8) as pool:
        puts = [pool.submit(put, number) for number in range(400)]
        while not all(done.done() for done in puts) or _waiting(context):
            report = _drain(context)
            assert report is not None
            fetched += report.fetched
    assert fetched == 400
