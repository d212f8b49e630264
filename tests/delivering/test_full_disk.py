"""The database's disk is full: nothing is half stored, no mark is set that did not commit, and afterwards all goes on.

The server says so itself here, with the error (53100) that it gives when a file cannot grow: at each table in turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from delivery_world import Serve, World, shipped, world
from dossiers import code, dossier
from serving import Served
from sqlalchemy import Engine, text

from ledger.errors import LedgerUnavailable
from ledger.sealing import Sealer
from sandbox.targets import province
from sync.deliver import deliver

IMPATIENT = {"lease_s": 1, "timeouts": {"connect_s": 0.5, "read_s": 0.5, "total_s": 0.9}}
WRITTEN_BY_A_PULL = ("page_archive", "pull_page", "dossier", "dossier_alias", "dossier_step", "pull_cursor")
WRITTEN_BY_A_PUSH = ("target_feed", "delivery", "delivery_attempt", "target_gate")


@pytest.fixture
def system(serve: Serve) -> Served:
    return serve("province", province.build, group_id="35166")


@pytest.fixture
def small(
    own_engine: Engine, sealer: Sealer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: Served
) -> Iterator[World]:
    assert system
    with world(own_engine, sealer, tmp_path, monkeypatch, shipped("province"), IMPATIENT) as opened:
        yield opened


@contextmanager
def _full(engine: Engine, table: str, when: str = "INSERT OR UPDATE") -> Iterator[None]:
    """No more rows go into this table inside the block."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE OR REPLACE FUNCTION is_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; "
                "END $$"
            )
        )
        connection.execute(text(f"CREATE TRIGGER no_room BEFORE {when} ON {table} EXECUTE FUNCTION is_full()"))
    yield
    with engine.begin() as connection:
        connection.execute(text(f"DROP TRIGGER no_room ON {table}"))


def _everything(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        return [
            connection.execute(text(f"SELECT to_jsonb(held) FROM {table} held ORDER BY 1")).all()
            for table in (*WRITTEN_BY_A_PULL, "quarantine")
        ]


@pytest.mark.parametrize("table", WRITTEN_BY_A_PULL)
def test_p1_a_page_for_which_there_is_no_room_leaves_nothing_and_is_stored_whole_later(
    small: World, table: str
) -> None:
    engine = small.context.engine
    small.tell(dossier(1), cursor="before")
    before = _everything(engine)
    told = (dossier(1, state=9, hours=1), dossier(2))
    with _full(engine, table), pytest.raises(LedgerUnavailable, match="DiskFull"):
        small.tell(*told, cursor="behind")
    assert _everything(engine) == before
    small.tell(*told, cursor="behind")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT code, state FROM dossier ORDER BY code")).all() == [
            (code(1), 9),
            (code(2), 4),
        ]
        assert connection.execute(text("SELECT value FROM pull_cursor")).scalar_one() == "behind"


@pytest.mark.parametrize("table", WRITTEN_BY_A_PUSH)
def test_p3_a_push_that_cannot_book_what_it_sent_asks_later_and_tells_nothing_twice(
    small: World, system: Served, table: str
) -> None:
    small.tell(*(dossier(n) for n in range(5)))
    with _full(small.context.engine, table), pytest.raises(LedgerUnavailable, match="DiskFull"):
        deliver(small.context, "province")
    assert small.push("province").remaining == 0
    assert {row["code"]: row["state"] for row in system.control("dossiers")} == {code(n): 4 for n in range(5)}
    applied = [(write["code"], write["key"]) for write in system.control("writes") if write["effect"] != "noop"]
    assert len(applied) == len(set(applied))
    assert small.compare("province").open_breaks == 0
