"""Every source of the catalog goes through the same tests; a new entry is among them by being in the catalog."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from kit import SYSTEMS, Bench, System, catalog, endpoint, running, system_of, tells_once

from connectors.catalog_models import PullStyle
from ledger.engine import open_engine
from ledger.sealing import Sealer


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Any]]:
    """All sources running that can be asked again and again, and the connections to them in the environment."""
    again_and_again = [name for name in SYSTEMS if not tells_once(name)]
    with running(tmp_path_factory.mktemp("sandbox"), again_and_again) as found, pytest.MonkeyPatch.context() as patch:
        for name, value in found["connections"].items():
            patch.setenv(name, value)
        yield found


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever calls again calls soon."""
    monkeypatch.setattr("connectors.retry.wait_s", lambda *_: 0.02)


@pytest.fixture(params=SYSTEMS)
def system(
    request: pytest.FixtureRequest, told: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[System]:
    """One source after the other. Tests may move its clock on, and must mend what they break."""
    if not tells_once(request.param):
        yield system_of(request.param, told)
        return
    with running(tmp_path, [request.param]) as own:
        connections = {**told["connections"], **own["connections"]}
        for name, value in own["connections"].items():
            monkeypatch.setenv(name, value)
        yield system_of(request.param, {**told, **own, "connections": connections})


@pytest.fixture
def bench(system: System, own_database_url: str, sealer: Sealer, data_key: bytes) -> Iterator[Bench]:
    """The source with an empty ledger."""
    with ExitStack() as stack:
        engine = open_engine(own_database_url)
        stack.callback(engine.dispose)
        calls_us = catalog().source(system.name).pull.style is PullStyle.INBOUND
        address = stack.enter_context(endpoint(own_database_url, data_key)) if calls_us else None
        yield Bench.of(system, engine, sealer, address)
