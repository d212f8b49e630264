"""Targets of the sandbox, started by the test that needs them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from delivery_world import Serve, servers
from sqlalchemy import Engine

from ledger.engine import open_engine


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """``serve(connection, build, **extra)`` runs a target until the test ends."""
    with servers(tmp_path, monkeypatch) as serve:
        yield serve


@pytest.fixture
def own_engine(own_database_url: str) -> Iterator[Engine]:
    """The engine of a ledger for this test alone."""
    opened = open_engine(own_database_url)
    yield opened
    opened.dispose()
