"""How many stories are told, and how: the same ones in every run, or as many new ones as a person asks for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from model_desk import Database, desk
from model_machine import Delivery
from model_target import Dialect

NEW_STORIES = int(os.environ.get("HOSYNC_MODEL_STORIES", "0"))
LONG = pytest.mark.timeout(900 + 60 * NEW_STORIES)
PROFILE = settings(
    max_examples=NEW_STORIES or 16,
    stateful_step_count=50,
    derandomize=not NEW_STORIES,
    database=None,
    deadline=None,
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


def tell_stories(dialect: Dialect, database: Database, home: Path) -> None:
    """Drive one target through all stories; the shortest that breaks a promise is shown."""
    with desk(dialect, database, home) as one:
        run_state_machine_as_test(type("Story", (Delivery,), {"desk": one}), settings=PROFILE)
