"""PostgreSQL of a home: starts anywhere, survives what a crash leaves, ends with us."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import create_engine, text

from cli.up import postgres
from cli.up.children import Children
from cli.up.home import Home
from cli.up.leftovers import Book, end_leftovers
from cli.up.postgres import Postgres
from cli.up.signals import StopSignals


def _children(home: Home) -> Children:
    return Children(book=Book(home.book), signals=StopSignals())


def _start(home: Home, children: Children) -> Postgres:
    server = postgres.prepare(home)
    server.start(children, on_wait=lambda: None)
    return server


def _answer(server: Postgres, database: str = "hosync") -> object:
    engine = create_engine(server.url(database))
    try:
        with engine.connect() as connection:
            return connection.execute(text("SELECT current_database()")).scalar()
    finally:
        engine.dispose()


def _server(home: Home) -> psutil.Process:
    [entry] = [entry for entry in Book(home.book).read() if entry.name == "postgres"]
    return psutil.Process(entry.pid)


@pytest.fixture
def private_home() -> Iterator[Home]:
    """Below folders that only we may enter, with a space and Vietnamese letters in the path."""
    outer = Path(tempfile.mkdtemp(prefix="hs-up-"))
    outer.chmod(0o700)
    yield Home.at(outer / "hồ sơ của tôi" / "home")
    shutil.rmtree(outer, ignore_errors=True)


def test_both_databases_are_there_and_no_port_is_open(home: Home, children: Children) -> None:
    server = _start(home, children)
    assert _answer(server, "hosync") == "hosync"
    assert _answer(server, "airflow") == "airflow"
    assert [c for c in _server(home).net_connections("inet") if c.status == psutil.CONN_LISTEN] == []


def test_a_private_folder_with_an_unusual_name_works_and_stays_private(private_home: Home) -> None:
    private_home.root.mkdir(parents=True)
    children = _children(private_home)
    try:
        assert _answer(_start(private_home, children)) == "hosync"
        assert private_home.root.parents[1].stat().st_mode & 0o777 == 0o700
    finally:
        children.stop()
        shutil.rmtree(private_home.socket_folder(), ignore_errors=True)


def test_data_is_there_again_after_a_crash_of_everything(home: Home) -> None:
    home.root.mkdir()
    children = _children(home)
    server = _start(home, children)
    engine = create_engine(server.url("hosync"))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept AS SELECT 42 AS answer"))
    engine.dispose()
    postmaster = _server(home)
    postmaster.send_signal(signal.SIGKILL)
    postmaster.wait()
    assert (home.postgres_data / "postmaster.pid").exists()

    again = _children(home)
    try:
        engine = create_engine(_start(home, again).url("hosync"))
        with engine.connect() as connection:
            assert connection.execute(text("SELECT answer FROM kept")).scalar() == 42
        engine.dispose()
    finally:
        again.stop()


def test_a_server_that_survived_a_crash_is_ended_before_the_next_starts(home: Home) -> None:
    home.root.mkdir()
    children = _children(home)
    _start(home, children)
    stray = _server(home)

    again = _children(home)  # a new start, which knows nothing of the first but its book
    book = Book(home.book)
    assert "postgres" in end_leftovers(book.read())
    try:
        assert _answer(_start(home, again)) == "hosync"
        assert not stray.is_running() or stray.status() == psutil.STATUS_ZOMBIE
    finally:
        again.stop()


def test_a_mark_with_the_number_of_a_stranger_does_not_stop_the_start(home: Home, children: Children) -> None:
    _start(home, children)
    children.stop()
    stranger = subprocess.Popen(
        ["sleep", "600"], user=home.postgres_data.stat().st_uid if os.geteuid() == 0 else None, cwd="/"
    )
    try:
        mark = home.postgres_data / "postmaster.pid"
        mark.write_text(f"{stranger.pid}\n{home.postgres_data}\n0\n5432\n\n\n\nready\n")
        assert _answer(_start(home, children)) == "hosync"
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_cluster_whose_making_was_interrupted_is_made_anew(home: Home, children: Children) -> None:
    half = home.postgres_data.with_name("data.new")
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    assert _answer(_start(home, children)) == "hosync"
    assert not half.exists()
