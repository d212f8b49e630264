"""P2, P3 and P5: of two pushes side by side one is killed, at every point in turn; the other goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from crashing import killed_everywhere, warm
from sqlalchemy import Engine
from targets_under_fire import SMALL_BATCHES, target_under_fire

from ledger.sealing import Sealer

pytestmark = pytest.mark.timeout(300)
_ANSWERS_AFTER_S = 0.05  # so that nobody is done before the other has begun
_SHARED = SMALL_BATCHES | {"sync.deliver._LANES": 1}  # so that one process alone does not claim all there is


@pytest.mark.parametrize("target", ["npsp", "province", "feed", "emc"])
def test_p2_p3_p5_of_two_pushes_one_is_killed_anywhere_and_each_state_is_there_once_and_the_last_one_last(
    target: str, tmp_path: Path, own_database_url: str, own_engine: Engine, data_key: bytes, sealer: Sealer
) -> None:
    with (
        target_under_fire(target, tmp_path, own_database_url, own_engine, sealer, data_key, concurrency=1) as (
            deliveries,
            around,
        ),
        warm(around, _SHARED) as hosync,
        warm(around, _SHARED) as other,
    ):
        deliveries.server.fault("slow", times=100_000, seconds=_ANSWERS_AFTER_S)
        killed_everywhere(hosync, deliveries, beside=other)
