"""Targets of the sandbox, started by the test that needs them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from delivery_world import Serve, servers


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """``serve(connection, build, **extra)`` runs a target until the test ends."""
    with servers(tmp_path, monkeypatch) as serve:
        yield serve
