"""P4: a comparison is killed at every point at which it touches the world; what is damaged is found and healed once."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from crashing import Ended, Hosync, killed_everywhere, warm
from sqlalchemy import Engine, text
from targets_under_fire import Deliveries, target_under_fire

from ledger.sealing import Sealer

pytestmark = pytest.mark.timeout(300)
_BREAKS = text("SELECT kind, key, status, reopened FROM break_ WHERE target = :target AND status <> 'closed'")
_RUNS = text("SELECT status, healed FROM reconcile_run WHERE target = :target AND as_of > :since")


@dataclass
class Comparisons:
    """A target that loses a dossier, changes another and holds one that nobody knows, each time."""

    hosync: Hosync
    deliveries: Deliveries
    _round: int = 0
    _damaged: Sequence[str] = ()
    _strangers: list[str] = field(default_factory=list)
    _writes_before: int = 0

    @property
    def target(self) -> str:
        """Its name."""
        return self.deliveries.target

    @property
    def command(self) -> tuple[str, ...]:
        """What is killed."""
        return ("reconcile", self.target, "--json")

    def something_happens(self) -> None:
        """All is well, and then it is not."""
        self._round += 1
        lost, changed = (sorted(self.deliveries.lives)[(2 * self._round + n) % len(self.deliveries.lives)] for n in (0, 1))
        stranger = f"H12.99-261101-{self._round:04d}"
        self._damaged = lost, changed
        self.deliveries.server.control(
            "damage",
            {"delete": [lost], "set_state": {changed: 5}, "add": [{"code": stranger, "state": 4}]},
        )
