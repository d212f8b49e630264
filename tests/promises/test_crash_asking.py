"""P1 and P3: systems that tell only what they are asked for; whoever asks is killed at every point.

They are asked about the dossiers of others, about spans of days and then about what is still open, or they make their
lists as jobs.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from crashing import Hosync, killed_everywhere, warm
from living_province import HALF_A_YEAR_BEFORE, Province
from sources_under_fire import Pulls, planted, with_small_pages
from sqlalchemy import Engine

from ledger.sealing import Sealer

pytestmark = pytest.mark.timeout(300)
SOURCES = ("hotich", "lltp", "gtvt", "gplx", "qldc")
PROVINCE_SIZE = 130
_OPEN, _NEW = 2, 3
_NOT_SO_LONG_AGO = HALF_A_YEAR_BEFORE + timedelta(days=90)
_PULLED: dict[str, dict[str, Any]] = {
    "hotich": {"page_size": 1},
    "lltp": {"page_size": 1},
    "gtvt": {"window_days": 75},
    "gplx": {"window_days": 60, "page_size": 1},
    "qldc": {"window_days": 80, "page_size": 1, "start": _NOT_SO_LONG_AGO},
}


@pytest.fixture(scope="module")
def hosync(province: Province, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosync]:
    """A warm `hosync` beside the province, with so small pages and so long spans that there are about three."""
    changed = {system: {"overlap": "1m", **pull} for system, pull in _PULLED.items()}
    environment = with_small_pages(province.environment, tmp_path_factory.mktemp("small") / "catalog", changed)
    with warm(environment) as started:
        yield started


# Three calls about a dossier, and one.
@pytest.mark.parametrize(("system", "tells_times"), [("hotich", True), ("lltp", False)])
def test_p1_p3_what_is_told_of_others_dossiers_is_known_wherever_who_asks_is_killed(
    system: str, tells_times: bool, province: Province, engine: Engine, sealer: Sealer, hosync: Hosync
) -> None:
    told = province.lines(system, "truth")

    def before() -> None:
        for row in told:
            at = datetime.fromisoformat(row["submitted_at"])
            planted(engine, sealer, "igate", row["code"], procedure_code=row["procedure_code"], at=at)

    story = Pulls(system, province, engine, before=before, tells_times=tells_times)
    killed_everywhere(hosync, story)
    assert sum(row.system == system for row in story.content["readings"]) == len(told) > 1


def test_p1_p3_days_whose_reader_is_killed_anywhere_are_read_whole(
    province: Province, engine: Engine, hosync: Hosync
) -> None:
    killed_everywhere(hosync, Pulls("gtvt", province, engine, tells_times=False))


def test_p1_p3_months_of_the_past_whose_reader_is_killed_anywhere_are_read_whole_and_move_no_cursor(
    province: Province, engine: Engine, hosync: Hosync
) -> None:
    received = sorted(datetime.fromisoformat(row["received_at"]) for row in province.lines("gtvt", "truth"))
    first, last = received[0] - timedelta(days=1), received[-1] + timedelta(days=1)
    span = ("--from", first.isoformat(), "--to", last.isoformat())
    story = Pulls("gtvt", province, engine, tells_times=False, arguments=span)
    killed_everywhere(hosync, story)
    assert story.content["cursors"] == []


def test_p1_p3_what_is_open_of_earlier_days_is_asked_for_wherever_who_asks_is_killed(
    province: Province, engine: Engine, sealer: Sealer, hosync: Hosync
) -> None:
    received = sorted(province.lines("gplx", "truth"), key=lambda row: str(row["received_at"]))
    former = received[-_OPEN - _NEW : -_NEW]
    cursor = (datetime.fromisoformat(former[-1]["received_at"]) + timedelta(days=1)).isoformat()

    def before() -> None:
        for row in former:
            at = datetime.fromisoformat(row["submitted_at"])
            planted(engine, sealer, "gplx", row["code"], source_id=row["source_id"], at=at, cursor=cursor)

    story = Pulls("gplx", province, engine, before=before, tells_all=False, tells_times=False)
    killed_everywhere(hosync, story)
    assert story.held == {row["code"]: row["state"] for row in received[-_OPEN - _NEW :]}


def test_p1_p3_lists_that_are_made_as_jobs_are_read_whole_wherever_who_ordered_them_is_killed(
    province: Province, engine: Engine, hosync: Hosync
) -> None:
    story = Pulls("qldc", province, engine, tells_all=False)
    killed_everywhere(hosync, story)
    changed = [row for row in province.lines("qldc", "truth") if row["changed_at"] >= str(_NOT_SO_LONG_AGO)]
    assert story.held == {row["code"]: row["state"] for row in changed}
    assert len(changed) > 3
