"""After a restore one side is a day behind the other. Comparing names the differences in both directions; reading and
delivering again closes them, and nothing is told twice or set back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from delivery_world import Serve, World, shipped, world
from dossiers import code, dossier
from serving import Served
from sqlalchemy import URL, Engine

from ledger.engine import open_engine
from ledger.sealing import Sealer
from sandbox.targets import feed, province
from sync.deliver import deliver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
YESTERDAY = range(6)
CHANGED, NEW = range(3), range(6, 8)


@pytest.fixture(params=["province", "feed"])
def target(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(serve: Serve, target: str) -> Served:
    if target == "province":
        return serve("province", province.build, group_id="35166")
    return serve("feed", feed.build, password=SECRET)


@pytest.fixture
def yesterday(
    own_engine: Engine, sealer: Sealer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, server: Served
) -> Iterator[World]:
    """What both sides held when the backup was made."""
    assert server
    with world(own_engine, sealer, tmp_path, monkeypatch, shipped(target)) as opened:
        opened.tell(*(dossier(n) for n in YESTERDAY))
        assert deliver(opened.context, target).remaining == 0
        yield opened


@pytest.fixture
def restored(yesterday: World, target: str) -> Iterator[World]:
    """The ledger as it was yesterday, while the target has heard of everything since."""
    url = yesterday.context.engine.url
    yesterday.context.engine.dispose()  # nobody may look on while a database is copied
    backup = f"{url.database}_backup"
    with psycopg.connect(_plain(url.set(database="postgres")), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{backup}" TEMPLATE "{url.database}" STRATEGY file_copy')
        _today(yesterday)
        assert deliver(yesterday.context, target).remaining == 0
        engine = open_engine(url.set(database=backup).render_as_string(hide_password=False))
        yield World(replace(yesterday.context, engine=engine), _numbers=iter(range(100, 200)))
        engine.dispose()
        connection.execute(f'DROP DATABASE "{backup}" WITH (FORCE)')


def _plain(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _today(world_: World) -> None:
    world_.tell(*(dossier(n, state=9, hours=5) for n in CHANGED), *(dossier(n, hours=5) for n in NEW))


def _states(server: Served) -> dict[str, int]:
    return {row["code"]: row["state"] for row in server.control("dossiers")}


def _really_written(server: Served) -> list[tuple[str, str, str, str]]:
    return [
        (write["operation"], write["code"], write["key"], write["body_hash"])
        for write in server.control("writes")
        if write["effect"] != "noop"
    ]


def test_p4_a_ledger_of_yesterday_sees_what_the_target_knows_better(restored: World, target: str) -> None:
    found = restored.compare(target, heal=False)
    assert {kind: number for kind, number in found.breaks.items() if number} == {
        "mismatch": len(CHANGED),
        "unknown_to_us": len(NEW),
    }
    assert found.matched == len(YESTERDAY) - len(CHANGED)


def test_p2_p3_a_ledger_of_yesterday_reads_on_where_it_stood_and_tells_nothing_twice(
    restored: World, server: Served, target: str
) -> None:
    now_held, written = _states(server), _really_written(server)
    _today(restored)  # its cursor is of yesterday too, so the sources tell it all of this again
    assert deliver(restored.context, target).remaining == 0
    assert _states(server) == now_held == {code(n): 9 if n in CHANGED else 4 for n in (*YESTERDAY, *NEW)}
    assert Counter(_really_written(server)) == Counter(written)
    report = restored.compare(target)
    assert (report.open_breaks, report.matched) == (0, len(YESTERDAY) + len(NEW))


def test_p4_a_target_of_yesterday_is_told_again_what_it_lost(yesterday: World, server: Served, target: str) -> None:
    _today(yesterday)
    assert deliver(yesterday.context, target).remaining == 0
    lost = {"delete": [code(n) for n in NEW], "set_state": {code(n): 4 for n in CHANGED}}
    server.control("damage", lost)  # as its own backup has it
    found = yesterday.compare(target)
    assert {kind: number for kind, number in found.breaks.items() if number} == {
        "missing_at_target": len(NEW),
        "stale_at_target": len(CHANGED),
    }
    assert deliver(yesterday.context, target).remaining == 0
    assert _states(server) == {code(n): 9 if n in CHANGED else 4 for n in (*YESTERDAY, *NEW)}
    assert yesterday.compare(target).open_breaks == 0
