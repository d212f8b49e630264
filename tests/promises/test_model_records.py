"""P1, P2 and P3 at targets that hold records and steps, against everything that may go wrong, in any order.

A state machine tells stories, thousands of steps in all: see ``model_machine.py``. ``HOSYNC_MODEL_STORIES=500`` tells
as many new ones.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from model_desk import Database
from model_stories import LONG, tell_stories
from model_target import NPSP, PROVINCE, Dialect

pytestmark = LONG


@pytest.mark.parametrize("dialect", [NPSP, PROVINCE], ids=lambda dialect: dialect.target)
def test_p1_p2_p3_hold_after_every_step_whatever_goes_wrong(
    dialect: Dialect, own_database: Database, tmp_path: Path
) -> None:
    tell_stories(dialect, own_database, tmp_path)
