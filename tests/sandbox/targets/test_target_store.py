"""The file under every target: all or nothing, append-only, counted, streamed, and safe from a killed process."""

import multiprocessing
import os
import signal
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox.targets.control import nested
from sandbox.targets.npsp.store import Clash, PortalStore
from sandbox.targets.store import encode

NOW = datetime(2025, 8, 12, tzinfo=UTC)


def records(*numbers: int, state: int = 2) -> list[dict[str, str]]:
    return [{"MaHoSo": f"H12.07-250812-{number:04d}", "TrangThaiHoSo": str(state)} for number in numbers]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "npsp.db"


def test_a_refused_batch_leaves_nothing_behind(path: Path) -> None:
    store = PortalStore(path)
    assert store.insert("H12", records(1, 2, 1), NOW) is Clash.EXISTS
    assert list(store.held()) == []
    assert list(store.writes()) == []
    assert store.tallies() == {"dossiers": 0, "steps": 0}


def test_an_error_in_the_middle_leaves_nothing_behind_and_the_store_usable(path: Path) -> None:
    store = PortalStore(path)
    with pytest.raises(KeyError):
        store.insert("H12", [*records(1), {}], NOW)
    assert store.insert("H12", records(1), NOW) is None
    assert len(list(store.writes())) == 1


def test_the_ledger_of_writes_cannot_be_changed(path: Path) -> None:
    store = PortalStore(path)
    store.insert("H12", records(1), NOW)
    for change in ("DELETE FROM writes", "UPDATE writes SET state = 9"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            store.db.execute(change)


def test_totals_follow_every_change(path: Path) -> None:
    store = PortalStore(path)
    store.insert("H12", records(1, 2, 3), NOW)
    store.update(records(1, state=9), NOW)
    store.update(records(1, state=9), NOW)
    store.delete(["H12.07-250812-0002"])
    store.tally("refused:DongBoHoSoMC:-1")
    assert nested(store.tallies()) == {
        "dossiers": 2,
        "steps": 0,
        "state": {"2": 1, "9": 1},
        "write": {"DongBoHoSoMC": {"inserted": 3, "updated": 1, "noop": 1}},
        "refused": {"DongBoHoSoMC": {"-1": 1}},
    }


def test_a_listing_shows_one_moment_while_writes_go_on(path: Path) -> None:
    store = PortalStore(path)
    store.insert("H12", records(*range(1200)), NOW)
    listing = store.held()
    next(listing)
    store.insert("H12", records(9000), NOW)
    store.update(records(*range(1200), state=9), NOW)
    rest = list(listing)
    assert len(rest) == 1199
    assert {row["state"] for row in rest} == {2}


def test_equal_records_are_equal_whatever_the_order_of_their_keys() -> None:
    assert encode({"a": 1, "b": "ạ"}) == encode({"b": "ạ", "a": 1})


def _write_and_die(path: Path) -> None:
    store = PortalStore(path)
    for number in range(50):
        store.insert("H12", records(number), NOW)
    with store.transaction() as db:
        db.execute("DELETE FROM dossiers")
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_process_loses_nothing_that_was_answered(path: Path) -> None:
    writer = multiprocessing.get_context("spawn").Process(target=_write_and_die, args=(path,))
    writer.start()
    writer.join(60)
    assert writer.exitcode == -signal.SIGKILL
    store = PortalStore(path)
    assert len(list(store.held())) == 50
    assert [write["seq"] for write in store.writes()] == list(range(1, 51))
    assert store.insert("H12", records(50), NOW) is None
