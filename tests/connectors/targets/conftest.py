"""Sandbox targets for the connector tests, one per test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pushing import Running, running

from sandbox.targets import emc, npsp, province


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Running]:
    """The national portal."""
    with running(npsp.build, tmp_path, dstcode="VN:GOV:mau") as server:
        yield server


@pytest.fixture
def provincial(tmp_path: Path) -> Iterator[Running]:
    """The provincial system: gateway and dossier search."""
    with running(province.build, tmp_path, group_id="35166") as server:
        yield server


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Running]:
    """EMC."""
    with running(emc.build, tmp_path, site_id=99999) as server:
        yield server
