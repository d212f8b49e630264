"""How the monitor judges systems and what it says, without a server."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from uuid import UUID

import pytest

from ledger.report import PullRunRow, ReconcileRunRow, SystemRow, TargetRow
from ledger.types import BreakKind, BreakStatus, PullMode, Scope
from plugins.overview import BreakLine, Overview
from plugins.pages import down_page, overview_page
from plugins.words import FIELDS, KINDS, STATES_EN, WORDS, Language, Speech
from schemas.states import State
from schemas.times import VN
from sync.health import Health, is_late, source_health, target_health

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)  # ten o'clock in Vietnam
RUN = PullRunRow(
    run_id=UUID(int=1),
    system="gplx",
    mode=PullMode.INCREMENTAL,
    window_start=None,
    window_end=None,
    started_by="test",
    status="succeeded",
    error=None,
    started_at=NOW,
    finished_at=NOW,
    pages=1,
    fetched=0,
    new=0,
    changed=0,
    unchanged=0,
    stale=0,
    quarantined=0,
    looks=None,
    repeated_pages=0,
)
SYSTEM = SystemRow(
    system="gplx",
    dossiers=1,
    open_dossiers=1,
    newest_change_at=NOW,
    last_success_at=NOW,
    cursor=None,
    cursor_moved_at=None,
    open_quarantine=0,
    last_run=RUN,
)
COMPARED = ReconcileRunRow(
    run_id=UUID(int=2),
    target="npsp",
    method="listing",
    scope=Scope.ALL,
    as_of=NOW,
    grace_s=0,
    status="succeeded",
    error=None,
    started_at=NOW,
    finished_at=NOW,
    **dict.fromkeys(
        (
            "ours",
            "theirs",
            "matched",
            "in_flight",
            "duplicate",
            "rejected",
            "missing_at_target",
            "unknown_to_us",
            "stale_at_target",
            "mismatch",
            "buckets_matched",
            "buckets_mismatched",
            "opened",
            "closed",
            "healed",
            "held_back",
        ),
        0,
    ),
)
TARGET = TargetRow(
    target="npsp",
    dossiers=1,
    settled=1,
    due=0,
    leased=0,
    doubt=0,
    dead=0,
    not_yet_expanded=0,
    oldest_due_at=None,
    last_sent_at=NOW,
    doubtful_sends=0,
    perhaps_doubled=0,
    open_breaks=0,
    last_reconciliation=COMPARED,
)
EVERY_QUARTER = "*/15 * * * *"


@pytest.mark.parametrize(
    ("row", "health"),
    [
        (None, Health.NEVER),
        (SYSTEM, Health.GOOD),
        (replace(SYSTEM, last_run=replace(RUN, status="running")), Health.RUNNING),
        (replace(SYSTEM, last_run=replace(RUN, status="failed")), Health.FAILED),
        (replace(SYSTEM, last_run=replace(RUN, status="interrupted")), Health.FAILED),
        (replace(SYSTEM, last_success_at=NOW - timedelta(hours=1)), Health.LATE),
        (replace(SYSTEM, open_quarantine=1), Health.ATTENTION),
    ],
)
def test_a_source_gets_the_worst_word_that_is_true(row: SystemRow | None, health: Health) -> None:
    assert source_health(row, EVERY_QUARTER, NOW) is health


@pytest.mark.parametrize(
    ("row", "health"),
    [
        (None, Health.NEVER),
        (TARGET, Health.GOOD),
        (replace(TARGET, last_reconciliation=None), Health.UNVERIFIED),
        (replace(TARGET, last_reconciliation=replace(COMPARED, status="failed")), Health.FAILED),
        (replace(TARGET, oldest_due_at=NOW - timedelta(hours=1)), Health.LATE),
        (replace(TARGET, dead=1), Health.ATTENTION),
        (replace(TARGET, doubt=1), Health.ATTENTION),
        (replace(TARGET, doubtful_sends=1), Health.ATTENTION),
        (replace(TARGET, open_breaks=1), Health.ATTENTION),
    ],
)
def test_a_target_is_good_only_when_a_comparison_proved_it(row: TargetRow | None, health: Health) -> None:
    assert target_health(row, EVERY_QUARTER, NOW) is health


def test_one_missed_run_is_no_alarm_and_two_are() -> None:
    last = datetime(2026, 11, 22, 9, 1, tzinfo=VN)
    assert not is_late(last, EVERY_QUARTER, datetime(2026, 11, 22, 9, 31, tzinfo=VN))
    assert is_late(last, EVERY_QUARTER, datetime(2026, 11, 22, 9, 33, tzinfo=VN))


def test_the_schedule_is_read_in_vietnamese_time() -> None:
    nightly, last = "30 1 * * *", datetime(2026, 11, 21, 1, 40, tzinfo=VN)
    assert not is_late(last, nightly, datetime(2026, 11, 23, 1, 31, tzinfo=VN))
    assert is_late(last, nightly, datetime(2026, 11, 23, 1, 33, tzinfo=VN))


def test_a_system_without_a_schedule_is_never_late() -> None:
    assert not is_late(NOW - timedelta(days=900), None, NOW)


def test_every_word_has_both_languages_and_the_same_gaps() -> None:
    def gaps(text: str) -> set[str]:
        return {part.partition("}")[0] for part in text.split("{")[1:]}

    for key, (vi, en) in {**WORDS, **FIELDS, **{str(kind): pair for kind, pair in KINDS.items()}}.items():
        assert vi, key
        assert en, key
        assert gaps(vi) == gaps(en), key


def test_every_kind_state_and_status_has_a_name() -> None:
    for language in Language:
        say = Speech(language)
        assert all(say.kind(kind) for kind in BreakKind)
        assert all(say.state(state) for state in State)
        assert all(say.handling(status) for status in BreakStatus)
        assert all(say(f"health_{health}") for health in Health)
    assert set(STATES_EN) == set(State)


def test_numbers_and_times_are_written_as_each_language_writes_them() -> None:
    vi, en = Speech(Language.VI), Speech(Language.EN)
    assert (vi.number(1234567), en.number(1234567)) == ("1.234.567", "1,234,567")
    assert (vi.moment(NOW), en.moment(NOW)) == ("10:00 22/11/2026", "2026-11-22 10:00")
    ages = [timedelta(seconds=30), timedelta(minutes=59), timedelta(hours=23), timedelta(days=9)]
    assert [vi.age(age) for age in ages] == ["vừa xong", "59 phút trước", "23 giờ trước", "9 ngày trước"]
    assert [en.age(age) for age in ages] == ["just now", "59 min ago", "23 h ago", "9 d ago"]


def test_a_break_tells_both_sides_in_words() -> None:
    line = BreakLine(
        key="H12.12-251101-0001",
        target=("Cổng", "Portal"),
        kind=BreakKind.MISMATCH,
        held_by_us={"state": 9, "due_at": "2026-11-22T03:00:00Z", "state_at": "2026-11-22T03:00:00Z"},
        held_there={"state": None, "due_at": None, "rows": 2},
        first_seen_at=NOW,
        status=BreakStatus.OPEN,
    )
    assert line.ours(Speech(Language.VI)) == "Đã xử lý xong, hẹn trả 10:00 22/11/2026"
    assert line.theirs(Speech(Language.EN)) == "—, due —, rows 2"


def test_what_comes_from_outside_is_text_and_never_markup() -> None:
    hostile = "<img src=x onerror=alert(1)>"
    line = BreakLine(
        key=hostile,
        target=(hostile, hostile),
        kind=BreakKind.REJECTED,
        held_by_us=MappingProxyType({"reason": hostile}),
        held_there={hostile: hostile},
        first_seen_at=NOW,
        status=BreakStatus.OPEN,
    )
    page = Overview(at=NOW, dossiers=0, quarantined=0, open_breaks=1, sources=[], targets=[], breaks=[line])
    for html in (overview_page(page, Speech(Language.VI)), down_page(hostile, Speech(Language.EN), at=NOW)):
        assert "<img" not in html
        assert "&lt;img" in html


def test_an_empty_catalog_and_an_uncompared_target_are_said_plainly() -> None:
    page = Overview(at=NOW, dossiers=0, quarantined=0, open_breaks=0, sources=[], targets=[], breaks=[])
    html = overview_page(page, Speech(Language.EN))
    assert "Nothing has been reconciled yet" in html
    assert "No open breaks" not in html


LOAD = """
import sys
import airflow.sdk.plugins_manager
before = set(sys.modules)
import plugins.airflow_plugin
heavy = {"fastapi", "jinja2", "plugins.web", "ledger", "connectors", "sqlalchemy.orm"}
print("LOADED", sorted(heavy & (set(sys.modules) - before)))
"""


def test_loading_the_plugin_builds_no_web_application(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        env={**environment, "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "LOADED []" in done.stdout
