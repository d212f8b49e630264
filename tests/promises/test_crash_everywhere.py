"""P2 and P3: a push is killed at every point at which it touches the world, and nobody can tell afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from crashing import killed_everywhere, warm
from sqlalchemy import Engine
from targets_under_fire import SMALL_BATCHES, target_under_fire

from ledger.sealing import Sealer

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("target", ["npsp", "province", "feed", "emc"])
def test_p2_p3_a_push_killed_anywhere_leaves_each_state_once_and_the_last_one_last(
    target: str, tmp_path: Path, own_database_url: str, own_engine: Engine, data_key: bytes, sealer: Sealer
) -> None:
    with (
        target_under_fire(target, tmp_path, own_database_url, own_engine, sealer, data_key) as (deliveries, around),
        warm(around, SMALL_BATCHES) as hosync,
    ):
        killed_everywhere(hosync, deliveries)
