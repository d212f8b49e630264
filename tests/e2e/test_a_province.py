"""The main job, end to end, as `make run` does it. The tests tell one story and stand in its order."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from running_system import HOSYNC, ROOT, TARGETS, RunningSystem

from schemas.identifiers import dossier_short

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

STRANGER = "H12.99-261101-0001"
LOST = 60


def test_every_dossier_of_the_province_is_in_every_target(system: RunningSystem) -> None:
    truth = system.truth()
    assert len(truth) >= 200
    ours = system.national_codes()
    for target in ("npsp", "province", "feed"):
        held = {ours.get(each["code"]) or dossier_short(each["code"]): each["state"]
                for each in system.lines(target, "dossiers")}  # fmt: skip
        assert held == truth
    assert {dossier_short(each["code"]) for each in system.lines("emc", "dossiers")} == set(truth)


def test_p1_the_equation_of_every_pull_is_printed_and_holds(system: RunningSystem) -> None:
    runs = {source["system"]: source["last_run"] for source in system.hosync("status")["sources"]}
    assert runs.keys() == set(system.sources)
    for run in runs.values():
        parts = ("new", "changed", "unchanged", "stale", "quarantined")
        assert run["fetched"] == sum(run[part] for part in parts)
        assert run["quarantined"] == 0
    printed = system.log.read_text()
    assert all(name in printed for name in (*system.sources, "Quarantined"))


def test_p4_the_first_reconciliation_of_every_target_is_complete_and_clean(system: RunningSystem) -> None:
    for name in TARGETS:
        target = system.target(name)
        last = target["last_reconciliation"]
        assert last["status"] == "succeeded"
        assert last["matched"] == last["ours"] > 0
        assert target["open_breaks"] == {}


def test_the_overview_page_stands_behind_airflows_login(system: RunningSystem) -> None:
    api = system.airflow()
    page = api._answer("GET", "/hosync/")
    assert page.status_code == 200
    assert "Giám sát đồng bộ" in page.text
    api._session.headers.pop("Authorization")
    assert api._session.get(api.url + "/hosync/", allow_redirects=False).status_code in (302, 303, 307, 401)


def test_p4_damage_at_a_target_is_named_and_healed_by_the_next_reconciliations(system: RunningSystem) -> None:
    _let_the_last_delivery_settle(system, "province")
    codes = sorted(system.truth())
    states = {each["code"]: each["state"] for each in system.lines("province", "dossiers")}
    deleted, changed = codes[:5], codes[20:23]
    system.ask(
        "province",
        "damage",
        {
            "delete": deleted,
            "set_state": {code: 1 if states[code] != 1 else 4 for code in changed},
            "add": [{"code": STRANGER, "state": 4}],
        },
    )
    before = system.target("province")["last_reconciliation"]["finished_at"]
    system.airflow().trigger("reconcile_province")
    system.until(lambda: system.target("province")["last_reconciliation"]["finished_at"] != before, "the comparison")
    # The DAGs go on by themselves: the healing makes a push, the push another comparison. So the run that found the
    # damage may not be the last one any more; it is the only one that healed.
    system.until(lambda: system.target("province")["open_breaks"] == {"unknown_to_us": 1}, "the healing")
    held = {each["code"]: each["state"] for each in system.lines("province", "dossiers")}
    assert held.pop(STRANGER) == 4
    assert held == states
    (found,) = (run for run in _reconciliations(system) if run["healed"])
    assert found["missing_at_target"] == 5
    assert found["unknown_to_us"] == 1
    assert found["stale_at_target"] + found["mismatch"] == 3
    assert found["healed"] == 8
    system.ask("province", "damage", {"delete": [STRANGER]})
    system.airflow().trigger("reconcile_province")
    system.until(lambda: system.target("province")["open_breaks"] == {}, "the end of the last break")


def test_the_commands_of_the_tutorial_work_beside_the_running_system(system: RunningSystem) -> None:
    _let_the_last_delivery_settle(system, "province")
    text = (ROOT / "docs" / "tutorial.md").read_text()
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) >= 6
    script = "\n".join(blocks).replace(".hosync/", f"{system.home}/")
    script = re.sub(r"(hosync [^|\n]+?) \|\| true.*", r"if \1; then exit 7; fi", script)  # what it says must fail, must
    done = subprocess.run(
        ["bash", "-eu", "-c", script],
        env={**system.environment, "HOSYNC_HOME": str(system.home), "COLUMNS": "140"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert system.target("province")["open_breaks"] == {}


def test_p3_a_push_whose_task_is_killed_is_brought_to_its_end_by_airflows_own_retry(system: RunningSystem) -> None:
    held = {each["code"]: each["state"] for each in system.lines("feed", "dossiers")}
    lost, last = sorted(held)[:LOST], max(each["seq"] for each in system.lines("feed", "writes"))
    system.ask("feed", "damage", {"delete": lost})
    system.ask("feed", "faults", {"mode": "slow", "times": 100_000, "seconds": 2})
    system.hosync("replay", "feed", "--from", "2000-01-01", "--to", "2100-01-01")
    api = system.airflow()
    # The follower delivers beside it: only the task's own calls show that it is in the middle of something.
    task = f"/api/v2/dags/push_feed/dagRuns/{api.trigger('push_feed')}/taskInstances/deliver/0"
    system.until(lambda: api._call("GET", task)["pid"] is not None, "the task")
    victim = psutil.Process(api._call("GET", task)["pid"])
    assert psutil.Process(system.process.pid) in victim.parents()
    system.until(lambda: system.is_calling(victim, "feed"), "the middle of the push", every_s=0.05)
    victim.send_signal(signal.SIGKILL)
    system.until(lambda: bool(api._call("GET", task)["state"] == "up_for_retry"), "the end of the task")
    system.calm("feed")
    system.time_passes()
    system.until(lambda: bool(api._call("GET", task)["state"] == "success"), "the retry")
    assert api._call("GET", task)["try_number"] == 2
    system.until(
        lambda: {each["code"]: each["state"] for each in system.lines("feed", "dossiers")} == held, "what was lost"
    )
    written = [each for each in system.lines("feed", f"writes?after={last}") if each["effect"] != "noop"]
    assert sorted(each["code"] for each in written) == lost
    system.until(lambda: bool(system.target("feed")["in_doubt"] == 0), "the end of all doubts")


def test_no_log_of_any_part_names_a_person(system: RunningSystem) -> None:
    people = {each["body"]["ChuHoSo"] for each in system.lines("npsp", "dossiers") if each["body"].get("ChuHoSo")}
    assert len(people) > 100
    personal = re.compile("|".join([r"\b000099\d{6}\b", r"\b0900\d{6}\b", *map(re.escape, people)]))
    logs = [*(system.home / "logs").rglob("*.log"), *(system.home / "airflow").rglob("*.log"), system.log]
    assert len(logs) > 10
    assert [log.name for log in logs if personal.search(log.read_text(errors="replace"))] == []


def test_ctrl_c_stops_everything_that_was_started(system: RunningSystem) -> None:
    started = [child.pid for child in psutil.Process(system.process.pid).children(recursive=True)]
    assert len(started) > 8
    system.process.send_signal(signal.SIGINT)
    assert system.process.wait(60) == 0
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in started if psutil.pid_exists(pid)], timeout=5)
    assert [process.name() for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


def test_p5_a_second_run_ends_well_and_writes_nothing_at_the_targets(
    system: RunningSystem, home: Path, clean_environment: dict[str, str]
) -> None:
    assert system.process.poll() is not None
    stores = [home / "sandbox" / target / f"{target}.db" for target in TARGETS]
    before = [_written(store) for store in stores]
    assert min(before) > 0
    again = subprocess.run(
        [str(HOSYNC), "up", "--once", "--home", str(home)],
        cwd=ROOT,
        env=clean_environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert again.returncode == 0, again.stdout[-3000:] + again.stderr[-3000:]
    assert [_written(store) for store in stores] == before


def _written(store: Path) -> int:
    import sqlite3

    with sqlite3.connect(store) as connection:
        count: int = connection.execute("SELECT count(*) FROM writes").fetchone()[0]
        return count


def _reconciliations(system: RunningSystem) -> list[dict[str, int]]:
    from dataclasses import asdict

    from cli.up.home import read_env
    from ledger.engine import open_engine
    from ledger.report import reconcile_runs

    engine = open_engine(read_env(system.home / "connections.env")["HOSYNC_DATABASE_URL"])
    try:
        return [asdict(run) for run in reconcile_runs(engine, 20, target="province")]
    finally:
        engine.dispose()


def _let_the_last_delivery_settle(system: RunningSystem, target: str) -> None:
    """Until the shipped grace is over, a difference counts as still on its way."""
    last = datetime.fromisoformat(system.target(target)["last_sent_at"])
    time.sleep(max(0.0, 32 - (datetime.now(UTC) - last).total_seconds()))
