"""P4: a comparison is killed at every point at which it touches the world; what is damaged is found and healed once."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from crashing import Ended, Hosync, killed_everywhere, warm
from sqlalchemy import Engine, text
from targets_under_fire import SMALL_BATCHES, Deliveries, target_under_fire

from ledger.sealing import Sealer

pytestmark = pytest.mark.timeout(300)
_STRANGER = "H12.99-261101-0001"
_OPEN = text("SELECT kind, key, status FROM break_ WHERE status <> 'closed'")
_RUNS = text("SELECT seq, status, opened, healed FROM reconcile_run WHERE seq > :after")
_COUNTS = text("SELECT key, status, reopened, theirs, closed_as FROM break_ WHERE kind = 'count_mismatch'")
_LAST_RUN = text("SELECT status, buckets_matched, buckets_mismatched FROM reconcile_run ORDER BY seq DESC LIMIT 1")


@dataclass
class _Comparison:
    """The command that compares with one target."""

    deliveries: Deliveries

    @property
    def command(self) -> tuple[str, ...]:
        """What is killed."""
        return ("reconcile", self.deliveries.target, "--json")

    def time_passes(self) -> None:
        """The slots of the dead are free again; its lock went with its session."""
        self.deliveries.time_passes()

    def is_idle(self, ended: Ended) -> bool:
        """Whether a comparison came to its end."""
        return not ended.was_killed and bool(ended.output)


@dataclass
class Comparisons(_Comparison):
    """A target that loses a dossier and changes another, each time others; and that may hold one that nobody knows."""

    hosync: Hosync
    strangers: Sequence[str]
    _turns: Iterator[int] = field(default_factory=lambda: itertools.count(0, 2))
    _lost: str = ""
    _changed: str = ""
    _last_run: int = 0
    _last_write: int = 0
    _opened: int = 0

    def something_happens(self) -> None:
        """All is well, and then it is not."""
        self.deliveries.check_that_nothing_is_missing(besides=self.strangers if self._last_run else ())
        codes, first = sorted(self.deliveries.lives), next(self._turns)
        self._lost, self._changed = codes[first % len(codes)], codes[(first + 1) % len(codes)]
        theirs = self.deliveries.their_codes()
        wrong = {theirs[self._changed]: 1}
        planted = [{"code": code, "state": 4} for code in self.strangers]
        self.deliveries.server.control("damage", {"delete": [theirs[self._lost]], "set_state": wrong, "add": planted})
        self._opened = 2 if self._last_run else 2 + len(self.strangers)
        self._last_write = max(write["seq"] for write in self.deliveries.writes())

    def check(self) -> None:
        """Every damage is a break, was one once and was healed once; the rest is left to a person."""
        with self.deliveries.engine.connect() as connection:
            found = {(row.kind, row.key): row.status for row in connection.execute(_OPEN)}
            runs = connection.execute(_RUNS, {"after": self._last_run}).all()
        assert found.pop(("missing_at_target", self._lost), None) == "healing"
        for stranger in self.strangers:
            assert found.pop(("unknown_to_us", stranger), None) == "open"
        ((kind, key),) = found
        assert (kind in ("mismatch", "stale_at_target"), key, found[kind, key]) == (True, self._changed, "healing")
        assert [run for run in runs if run.status == "running"] == []
        assert (sum(run.opened for run in runs), sum(run.healed for run in runs)) == (self._opened, 2)
        self._last_run = max(run.seq for run in runs)
        self._heals_once()

    def _heals_once(self) -> None:
        while not self.deliveries.is_idle(self.hosync.run(*self.deliveries.command)):
            self.deliveries.time_passes()
        self.deliveries.check_that_nothing_is_missing(besides=self.strangers)
        ours = {theirs: ours for ours, theirs in self.deliveries.their_codes().items()}
        writes = Counter(
            (ours[write["code"]], write["operation"], write["key"])
            for write in self.deliveries.writes()
            if write["seq"] > self._last_write
        )
        assert {code for code, _, _ in writes} == {self._lost, self._changed}
        assert set(writes.values()) == {1}


@dataclass
class Counts(_Comparison):
    """EMC counts an event that nobody sent, each time of another status; the one of the last time it counts no more."""

    _statuses: Iterator[int] = field(default_factory=lambda: itertools.cycle((1, 2, 3)))
    _wrong: Counter[str] = field(default_factory=Counter)  # how often a count began to be wrong
    _status: int = 0
    _last_write: int = 0

    def something_happens(self) -> None:
        """One count is wrong, and another one right again; there is always a dossier too many."""
        self._status = next(self._statuses)
        planted = [{"code": _STRANGER, "state": self._status}]
        self.deliveries.server.control("damage", {"delete": [_STRANGER]})
        self.deliveries.server.control("damage", {"add": planted})
        self._wrong[f"status:{self._status}"] += 1
        self._wrong["dossiers"] = 1
        self._last_write = max(write["seq"] for write in self.deliveries.writes())

    def check(self) -> None:
        """What is wrong is a break, began to be one once each time, and says what EMC counts; nothing was sent."""
        with self.deliveries.engine.connect() as connection:
            found = {row.key: row for row in connection.execute(_COUNTS)}
            runs = connection.execute(_RUNS, {"after": 0}).all()
            last = connection.execute(_LAST_RUN).one()
        assert {key: row.reopened + 1 for key, row in found.items()} == self._wrong
        wrong = {f"status:{self._status}", "dossiers"}
        counted = Counter(f"status:{event['state']}" for event in self.deliveries.server.control("steps"))
        counted["dossiers"] = len(self.deliveries.server.control("dossiers"))
        assert {key: row.theirs["count"] for key, row in found.items() if row.status == "open"} == {
            key: counted[key] for key in wrong
        }
        assert {(row.status, row.closed_as) for key, row in found.items() if key not in wrong} <= {
            ("closed", "matched")
        }
        assert [run for run in runs if run.status == "running" or run.healed] == []
        assert (last.status, last.buckets_matched, last.buckets_mismatched) == ("succeeded", len(counted) - 2, 2)
        assert max(write["seq"] for write in self.deliveries.writes()) == self._last_write


# Dossier by dossier, and everything it holds.
@pytest.mark.parametrize(("target", "strangers"), [("npsp", ()), ("province", (_STRANGER,)), ("feed", (_STRANGER,))])
def test_p4_p5_a_comparison_killed_anywhere_finds_and_heals_each_damage_once(
    target: str,
    strangers: Sequence[str],
    tmp_path: Path,
    own_database_url: str,
    own_engine: Engine,
    data_key: bytes,
    sealer: Sealer,
) -> None:
    with (
        target_under_fire(target, tmp_path, own_database_url, own_engine, sealer, data_key) as (deliveries, around),
        warm(around, SMALL_BATCHES) as hosync,
    ):
        for _ in range(2):
            deliveries.something_happens()
        assert deliveries.is_idle(hosync.run(*deliveries.command))
        killed_everywhere(hosync, Comparisons(deliveries, hosync, strangers))


def test_p4_p5_a_comparison_of_counts_killed_anywhere_says_what_is_wrong_once_and_sends_nothing(
    tmp_path: Path, own_database_url: str, own_engine: Engine, data_key: bytes, sealer: Sealer
) -> None:
    with (
        target_under_fire("emc", tmp_path, own_database_url, own_engine, sealer, data_key) as (deliveries, around),
        warm(around, SMALL_BATCHES) as hosync,
    ):
        for _ in range(2):
            deliveries.something_happens()
        assert deliveries.is_idle(hosync.run(*deliveries.command))
        killed_everywhere(hosync, Counts(deliveries))
