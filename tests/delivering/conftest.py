"""Targets of the sandbox, started by the test that needs them."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from delivery_world import Serve, servers
from reporting_world import Open, reporting
from sqlalchemy import Engine

from ledger.engine import open_engine
from ledger.sealing import Sealer


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """``serve(connection, build, **extra)`` runs a target until the test ends."""
    with servers(tmp_path, monkeypatch) as serve:
        yield serve


@pytest.fixture
def open_world(
    own_engine: Engine, sealer: Sealer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serve: Serve
) -> Iterator[Open]:
    """Opens a world of ratings and reports as the test wants it."""
    with ExitStack() as stack:
        yield lambda **more: stack.enter_context(reporting(own_engine, sealer, tmp_path, monkeypatch, serve, **more))


@pytest.fixture
def own_engine(own_database_url: str) -> Iterator[Engine]:
    """The engine of a ledger for this test alone."""
    opened = open_engine(own_database_url)
    yield opened
    opened.dispose()
