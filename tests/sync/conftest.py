"""A ledger with one target that counts what reaches it."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from counting_target import Counting, Desk, Open, catalog_with, connection, counting

from ledger.engine import open_engine
from ledger.sealing import Sealer
from sync.context import Context


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counting]:
    """The counting target, named by the environment."""
    with counting() as running:
        for name, value in connection(running).items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def desk(own_database_url: str, sealer: Sealer, target: Counting, tmp_path: Path) -> Iterator[Open]:
    """Opens an empty ledger with the target's entry as the test wants it."""
    assert target.port
    with ExitStack() as stack:

        def open_desk(**changes: Any) -> Desk:
            engine = open_engine(own_database_url)
            stack.callback(engine.dispose)
            catalog = catalog_with(tmp_path, **changes)
            return Desk(engine, sealer, Context(engine=engine, sealer=sealer, catalog=catalog), tmp_path)

        yield open_desk
