"""P1 and P2: dossiers travel through several systems, each tells its part, and the ledger knows the whole.

All systems of a simulated province are pulled in random order while its clock moves on. Afterwards every dossier is
where the province says that it is, described by the system that received it, and its steps grow in time.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from living_province import AS_OF, Province
from sqlalchemy import text

from sync.context import Context
from sync.pull import PullReport, plan, pull

pytestmark = [pytest.mark.timeout(900), pytest.mark.usefixtures("endpoint")]

PROVINCE_SIZE = 500
DAYS = (0, 1, 3, 9)
_STEPS_IN_ORDER = text("""
    SELECT bool_and(in_order) FROM (
        SELECT array_agg(step.at ORDER BY step_no) = array_agg(step.at ORDER BY step.at, step_no)
           AND array_agg(step_no ORDER BY step_no) = (SELECT array_agg(n) FROM generate_series(1, max(last_step)) n)
           AND (array_agg(step.state ORDER BY step_no DESC))[1] = max(dossier.state) AS in_order
        FROM dossier JOIN dossier_step step ON dossier_id = id AND step_no IS NOT NULL
        GROUP BY id
    ) dossiers
""")


class Pulling:
    """Pulls in random order, by the province's own clock."""

    def __init__(self, province: Province, context: Context, seed: int) -> None:
        self.province, self.context = province, context
        self.clock = datetime.fromisoformat(AS_OF)
        self._random = random.Random(seed)

    def advance(self, days: int) -> None:
        """Some days later."""
        self.province.advance(days)
        self.clock += timedelta(days=days)

    def everything(self) -> None:
        """Every system once, in an order of its own; then those that call, until they have nothing more to tell."""
        systems = self.province.sources
        self._random.shuffle(systems)
        for system in systems:
            report = self._pull(system)
            assert report.fetched == (
                report.new + report.changed + report.unchanged + report.stale + report.quarantined
            )
        self.province.hear_out()

    def _pull(self, system: str) -> PullReport:
        now = self.clock + timedelta(minutes=10)  # or what has just happened would be within the safety lag
        (piece,) = plan(self.context, system, now=now)
        return pull(self.context, piece, started_by="test", now=now)


@pytest.fixture
def pulling(province: Province, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pulling]:
    """The province, and the ledger in this process."""
    for name, value in province.environment.items():
        monkeypatch.setenv(name, value)
    with Context.from_env() as context:
        yield Pulling(province, context, seed=11)


def test_p1_p2_the_ledger_agrees_with_the_whole_province_in_whatever_order_its_systems_are_pulled(
    pulling: Pulling,
) -> None:
    travelled, disagreed = set[str](), set[str]()
    for days in DAYS:
        pulling.advance(days)
        pulling.everything()
        pulling.everything()  # what one system has brought, another may have been asked about too early
        truth = pulling.province.truth()
        with pulling.context.engine.connect() as connection:
            held = {row.code: row for row in connection.execute(text("SELECT code, state, home_system FROM dossier"))}
            waiting = connection.execute(text("SELECT count(*) FROM quarantine WHERE state = 'open'")).scalar_one()
            assert connection.execute(_STEPS_IN_ORDER).scalar_one()
        assert {code: row.state for code, row in held.items()} == {code: row["state"] for code, row in truth.items()}
        assert {code: row.home_system for code, row in held.items()} == {
            code: row["systems"][0] for code, row in truth.items()
        }
        assert waiting == 0
        travelled |= {code for code, row in truth.items() if len(row["systems"]) > 1}
        homes = {
            row["code"]: row["state"] for home in ("igate", "opencps") for row in pulling.province.lines(home, "truth")
        }
        disagreed |= {code for code, state in homes.items() if state != truth[code]["state"]}
    assert len(travelled) > 60
    assert disagreed, "no dossier was anywhere else than its home knew, so nothing was proved"
