"""P1 and P3: the connection to the ledger's database breaks during a COMMIT, and nobody knows whether it got in.

Whoever comes next finds out by looking, and does only what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from delivery_world import Serve, World, shipped, world
from dossiers import code, dossier
from serving import Served
from sqlalchemy import Engine, text
from wire import Loss, Wire, wire_to

from ledger.engine import open_engine
from ledger.errors import LedgerUnavailable
from ledger.sealing import Sealer
from sandbox.targets import province
from sync.deliver import deliver

IMPATIENT = {"lease_s": 1, "concurrency": 1, "timeouts": {"connect_s": 0.5, "read_s": 0.5, "total_s": 0.9}}
pytestmark = pytest.mark.parametrize("loss", Loss)


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


@pytest.fixture
def wire(small: World) -> Iterator[Wire]:
    with wire_to(small.context.engine.url) as running:
        yield running


@pytest.fixture
def far(small: World, wire: Wire) -> Iterator[World]:
    """The same world over the wire."""
    engine = open_engine(wire.url)
    yield replace(small, context=replace(small.context, engine=engine))
    engine.dispose()


def test_p1_a_page_whose_commit_is_in_doubt_is_there_once_when_it_is_stored_again(
    far: World, wire: Wire, loss: Loss
) -> None:
    told = (dossier(1), dossier(1, state=9, hours=1), dossier(2))
    wire.lose(2, loss)  # the first one opens the run
    with pytest.raises(LedgerUnavailable, match="try again"):
        far.tell(*told, cursor="behind")
    assert wire.broken
    far.tell(*told, cursor="behind")
    with far.context.engine.connect() as connection:
        assert connection.execute(text("SELECT code, state, version FROM dossier ORDER BY code")).all() == [
            (code(1), 9, 1),
            (code(2), 4, 1),
        ]
        assert connection.execute(text("SELECT count(*) FROM dossier_step")).scalar_one() == 3
        assert connection.execute(text("SELECT value FROM pull_cursor")).scalar_one() == "behind"


def test_p3_a_push_that_loses_any_of_its_commits_tells_everything_once(
    far: World, wire: Wire, small: World, system: Served, loss: Loss
) -> None:
    lost = 0
    for at in range(1, 100):
        numbers = range(at * 3, at * 3 + 3)
        small.tell(*(dossier(n) for n in numbers))
        wire.lose(at, loss)
        try:
            deliver(far.context, "province")
        except LedgerUnavailable:
            lost += 1
        if not wire.broken:
            break
        while deliver(small.context, "province").remaining:
            pass
    assert lost > 5, "else this proves little"
    held = {row["code"]: row["state"] for row in system.control("dossiers")}
    assert held == {code(n): 4 for n in range(3, at * 3 + 3)}
    applied = [(write["code"], write["key"]) for write in system.control("writes") if write["effect"] != "noop"]
    assert len(applied) == len(set(applied))
    assert small.compare("province").open_breaks == 0
