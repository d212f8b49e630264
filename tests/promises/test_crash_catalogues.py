"""P5: a pull of a target's catalogues is killed at every point at which it touches the world; each counts once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import pytest
from crashing import Ended, Hosync, killed_everywhere, warm
from dossiers import dossier
from sqlalchemy import Engine, text
from targets_under_fire import SMALL_BATCHES, Deliveries, target_under_fire

from connectors.api import Catalogue
from ledger.catalogues import Published, replace_catalogue
from ledger.sealing import Sealer
from sandbox.targets.npsp import catalogue as portal
from sync.catalogues import canonical

pytestmark = pytest.mark.timeout(300)
_OURS, _OUR_AGENCY = dossier().procedure_code, dossier().agency_code
_GAPS = portal.UNPUBLISHED
_PROCEDURES = [one for one in portal.PROCEDURES if one.code not in _GAPS | {_OURS}]
_AGENCIES = sorted({at.code for one in _PROCEDURES for at in one.sector.agencies} - _GAPS - {_OUR_AGENCY})
_FIELDS = sorted({one.sector.field_code for one in _PROCEDURES} - _GAPS)
_ENTRIES = text("SELECT kind, code, name FROM catalogue_entry WHERE valid_until IS NULL")
_ROWS = text("SELECT kind, count(*) AS rows FROM catalogue_entry GROUP BY kind")
_PULLS = text("""
    SELECT kind, sum(added) AS added, sum(changed) AS changed, sum(gone) AS gone
    FROM catalogue_pull WHERE pull_id > :after GROUP BY kind
""")
_LAST_PULL = text("SELECT max(pull_id) FROM catalogue_pull")
_HELD_BACK = text("SELECT count(*) FROM delivery WHERE state = 'dead'")


@dataclass
class Editions:
    """The portal publishes the code that dossiers wait for, and of each catalogue another entry than the last time."""

    hosync: Hosync
    deliveries: Deliveries
    monkeypatch: pytest.MonkeyPatch
    _numbers: Iterator[int] = field(default_factory=count)
    _rows: Counter[str] = field(default_factory=Counter)
    _last_pull: int = 0

    @property
    def command(self) -> tuple[str, ...]:
        """What is killed."""
        return ("catalogues", self.deliveries.target, "--json")

    def something_happens(self) -> None:
        """Dossiers wait for a code that is not published, and then it is."""
        number = next(self._numbers)
        self._publish(number, besides=_OURS)
        for kind, entries in _published().items():
            replace_catalogue(self.deliveries.engine, self.deliveries.target, kind, entries, most_lost=1)
        self.deliveries.something_happens()
        assert self.deliveries.is_idle(self.hosync.run(*self.deliveries.command))
        with self.deliveries.engine.connect() as connection:
            assert connection.execute(_HELD_BACK).scalar_one() == (3 if number else 2)
            self._last_pull = connection.execute(_LAST_PULL).scalar_one()
            self._rows = Counter({row.kind: row.rows for row in connection.execute(_ROWS)})
        self._publish(number + 1)

    def time_passes(self) -> None:
        """The slots of the dead are free again."""
        self.deliveries.time_passes()

    def is_idle(self, ended: Ended) -> bool:
        """Whether a pull came to its end."""
        return ended.code == 0

    def check(self) -> None:
        """We hold what is published, noted once what is other than before, and what waited is delivered once."""
        with self.deliveries.engine.connect() as connection:
            held = {(row.kind, row.code): row.name for row in connection.execute(_ENTRIES)}
            rows = Counter({row.kind: row.rows for row in connection.execute(_ROWS)})
            pulls = connection.execute(_PULLS, {"after": self._last_pull}).all()
        assert held == {(kind, one.code): one.name for kind, entries in _published().items() for one in entries}
        noted = {row.kind: (row.added, row.changed, row.gone) for row in pulls}
        assert noted == {"procedure": (2, 2, 1), "agency": (1, 0, 1), "field": (1, 0, 1)}
        assert rows - self._rows == {"procedure": 4, "agency": 1, "field": 1}
        while not self.deliveries.is_idle(self.hosync.run(*self.deliveries.command)):
            self.deliveries.time_passes()
        self.deliveries.check()

    def _publish(self, number: int, besides: str = "") -> None:
        left_out, renamed = _PROCEDURES[number % 2], _PROCEDURES[2 + number % 2]
        published = [
            replace(one, name=f"{one.name} ({number})") if one is renamed else one
            for one in portal.PROCEDURES
            if one is not left_out and one.code not in _GAPS | {besides}
        ]
        self.monkeypatch.setattr(portal, "_PUBLISHED", published)
        self.monkeypatch.setattr(portal, "UNPUBLISHED", _GAPS | {_AGENCIES[number % 2], _FIELDS[number % 2]})


def _published() -> dict[Catalogue, list[Published]]:
    """What the portal publishes now, as the ledger keeps it."""
    told = {
        Catalogue.PROCEDURE: [(row["MATTHC"], row["TENTTHC"], None) for row in portal.procedures()],
        Catalogue.AGENCY: [(row["MADONVI"], row["TENDONVI"], None) for row in portal.agencies()],
        Catalogue.FIELD: [(row["MALINHVUC"], row["TENLINHVUC"], row["MANGANH"]) for row in portal.fields()],
    }
    return {
        kind: [Published(code=canonical(kind, code), name=name, parent=parent) for code, name, parent in rows]
        for kind, rows in told.items()
    }


def test_p5_catalogues_whose_pull_is_killed_anywhere_are_taken_over_once_and_let_go_what_waited(
    tmp_path: Path,
    own_database_url: str,
    own_engine: Engine,
    data_key: bytes,
    sealer: Sealer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rules = {"blocking": True}
    with (
        target_under_fire("npsp", tmp_path, own_database_url, own_engine, sealer, data_key, catalogues=rules) as (
            deliveries,
            around,
        ),
        warm(around, SMALL_BATCHES) as hosync,
    ):
        killed_everywhere(hosync, Editions(hosync, deliveries, monkeypatch))
