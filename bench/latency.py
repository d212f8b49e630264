"""How soon a change in a source is at every target, and what following costs while nothing happens.

Usage: ``python -m bench.latency [--size 2000] [--minutes 8]``. Starts `hosync up` in a folder of its own, with Airflow,
and a province whose clocks stand at the beginning of a week ago; after the first sync it lets the systems live through
that week, each a piece at a time, at moments of its own. A change is visible in its source from the moment at which
that source's clock was told to move past it; it is acknowledged when the target's answer to it is in the ledger. Calls
count from their arrival. Then nothing happens for a while, and `hosync follow` is measured alone.

Systems that are read by windows look back for eight days, as the province lives in the past; by default they read less.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from typing import Any

import psutil
import yaml
from sqlalchemy import Engine, text

from cli.up.home import read_env
from connectors.catalog import FOLDER, load_catalog
from ledger.engine import open_engine
from sandbox.home import SandboxHome
from schemas.times import VN

ROOT = Path(__file__).resolve().parents[1]
HOSYNC = Path(sys.executable).with_name("hosync")
CALLERS = ("vbdlis", "ilis")
DAYS = 6
STEP_S = 45.0
SETTLING_S = 75.0
IDLE_S = 120.0

# A change is done at a target when the first message after it has left nothing to be sent.
ACKNOWLEDGED = text("""
    SELECT attempt.target, dossier.code, attempt.at
    FROM delivery_attempt attempt JOIN dossier ON dossier.id = attempt.dossier_id
    WHERE attempt.waited_s IS NOT NULL AND attempt.at >= :since
    ORDER BY attempt.at
""")
CALLED = text("""
    SELECT attempt.target, attempt.waited_s
    FROM delivery_attempt attempt JOIN dossier ON dossier.id = attempt.dossier_id
    WHERE attempt.waited_s IS NOT NULL AND attempt.at >= :since AND dossier.state_system = ANY(:callers)
""")
COST = text("""
    SELECT (SELECT count(*) FROM pull_run) AS runs, (SELECT count(*) FROM pull_page) AS pages,
           (SELECT coalesce(sum(looks), 0) FROM pull_run) AS looks,
           (SELECT coalesce(sum(fetched), 0) FROM pull_run) AS fetched,
           (SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hosync') AS connections
""")


@dataclass(frozen=True)
class Seen:
    """A dossier that changed in a source, from this moment on (seconds since 1970)."""

    system: str
    code: str
    at: float


class Living:
    """The province's sources, each moved on by a thread of its own."""

    def __init__(self, ports: Mapping[str, int], systems: Sequence[str], begin: datetime, minutes: float) -> None:
        self._ports, self._systems, self._begin = ports, systems, begin
        self._end = time.monotonic() + 60 * minutes
        self._per_s = timedelta(days=DAYS) / (60 * minutes)
        self._began = time.monotonic()
        self.seen: list[Seen] = []

    def live(self) -> None:
        """Move all of them until the time is over."""
        threads = [threading.Thread(target=self._one, args=(system,)) for system in self._systems]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _one(self, system: str) -> None:
        chance = random.Random(system)
        before = self._begin
        time.sleep(chance.uniform(1, STEP_S))
        while time.monotonic() < self._end:
            now = self._begin + self._per_s * (time.monotonic() - self._began)
            moved_at = time.time()
            ask(self._ports[system], "clock", {"as_of": now.isoformat()})
            if system not in CALLERS:
                self.seen += [Seen(system, code, moved_at) for code in changed(self._ports[system], before, now)]
            before = now
            time.sleep(chance.uniform(0.7, 1.3) * STEP_S)


def ask(port: int, path: str, body: Mapping[str, Any] | None = None) -> bytes:
    """A control call to a server of the sandbox."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/_sandbox/{path}",
        data=json.dumps(body).encode() if body else None,
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        content: bytes = answer.read()
        return content


def changed(port: int, after: datetime, until: datetime) -> list[str]:
    """The codes of the dossiers whose last change in this system lies in that time."""
    rows = (json.loads(line) for line in ask(port, "truth").splitlines())
    return [row["code"] for row in rows if after <= datetime.fromisoformat(row["changed_at"]) < until]


@contextmanager
def running(home: Path, begin: datetime, size: int) -> Iterator[dict[str, str]]:
    """`hosync up` after its first sync; yields the environment for commands beside it."""
    catalog = home / "catalog"
    catalog.mkdir()
    for file in FOLDER.glob("*.yaml"):
        entry = yaml.safe_load(file.read_text())
        if entry["kind"] == "source" and entry["pull"]["style"] == "window" and entry["system"] != "gtvt":
            entry["pull"]["overlap"] = f"{DAYS + 2}d"
        (catalog / file.name).write_text(yaml.safe_dump(entry, allow_unicode=True, sort_keys=False))
    SandboxHome(home / "up" / "sandbox").settle(seed=None, size=size, as_of=begin)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "HOSYNC"))}
    environment = {**kept, "HOSYNC_HOME": str(home / "up"), "HOSYNC_CATALOG": str(catalog), "HOSYNC_LANG": "en"}
    log = home / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(HOSYNC), "up", "--home", str(home / "up")], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
    try:
        while "From now on" not in log.read_text():
            if process.poll() is not None:
                raise SystemExit(log.read_text()[-3000:])
            time.sleep(1)
        yield environment
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(90)


def told(what: str, seconds: Sequence[float]) -> str:
    """Count, median, 95 % and longest."""
    if not seconds:
        return f"{what:<12}{'-':>8}"
    p95 = statistics.quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]
    return f"{what:<12}{len(seconds):>8}{statistics.median(seconds):>9.1f}{p95:>9.1f}{max(seconds):>9.1f}"


def report(engine: Engine, seen: Sequence[Seen], since: datetime) -> None:
    """Print what was measured."""
    with engine.connect() as connection:
        acknowledged: dict[str, dict[str, list[float]]] = {}
        for row in connection.execute(ACKNOWLEDGED, {"since": since}):
            acknowledged.setdefault(row.target, {}).setdefault(row.code, []).append(row.at.timestamp())
        calls = connection.execute(CALLED, {"since": since, "callers": list(CALLERS)}).all()
    targets = sorted(acknowledged)
    took: dict[str, dict[str, list[float]]] = {target: {} for target in targets}
    to_all: dict[str, list[float]] = {}
    quiet = overtaken = 0
    for each in seen:
        arrived = [
            next((at for at in acknowledged[target].get(each.code, ()) if at >= each.at), None) for target in targets
        ]
        last = max((at for at in arrived if at is not None), default=None)
        if last is not None and any(other.code == each.code and each.at < other.at < last for other in seen):
            overtaken += 1  # the answer may be to the later change
            continue
        for target, at in zip(targets, arrived, strict=True):
            if at is not None:
                took[target].setdefault(each.system, []).append(at - each.at)
        if last is not None:
            to_all.setdefault(each.system, []).append(last - each.at)
        else:
            quiet += 1
    heading = f"{'':<12}{'number':>8}{'p50 s':>9}{'p95 s':>9}{'max s':>9}"
    print(f"\nFrom a change visible in a source to the last of its targets\n{heading}")
    for system in sorted(to_all):
        print(told(system, to_all[system]))
    print(told("all", [seconds for each in to_all.values() for seconds in each]))
    print(f"({overtaken} were followed by another change, {quiet} had nothing to tell: another system knew more)")
    print(f"\nBy target\n{heading}")
    for target in targets:
        print(told(target, [seconds for each in took[target].values() for seconds in each]))
    print(f"\nFrom the arrival of a call\n{heading}")
    for target in sorted({row.target for row in calls}):
        print(told(target, [row.waited_s for row in calls if row.target == target]))


def idle(engine: Engine, environment: Mapping[str, str]) -> None:
    """Measure a follower alone, with the schedules paused."""
    process = psutil.Popen(
        [str(HOSYNC), "follow"], cwd=ROOT, env=dict(environment), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(30)
    with engine.connect() as connection:
        connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        before, began = connection.execute(COST).mappings().one(), process.cpu_times()
        time.sleep(IDLE_S)
        after, ended = connection.execute(COST).mappings().one(), process.cpu_times()
    cpu = ended.user + ended.system - began.user - began.system
    looks = after["looks"] - before["looks"]
    print(
        f"\nNothing happens, {IDLE_S:.0f} s: {looks} looks, {after['fetched'] - before['fetched']} records read again; "
        f"{100 * cpu / IDLE_S:.1f} % of a core, {process.memory_info().rss >> 20} MB, {after['connections']} "
        f"connections (with Airflow's); {after['runs'] - before['runs']} new runs, "
        f"{after['pages'] - before['pages']} pages kept"
    )
    process.send_signal(signal.SIGINT)
    process.wait(60)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--size", type=int, default=2_000)
    parser.add_argument("--minutes", type=float, default=8)
    asked = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="hs-lat-"))
    home.chmod(0o755)
    begin = datetime.combine(datetime.now(VN).date() - timedelta(days=DAYS), clock_time(0), VN)
    try:
        with running(home, begin, asked.size) as environment:
            engine = open_engine(read_env(home / "up" / "connections.env")["HOSYNC_DATABASE_URL"])
            announced = json.loads((home / "up" / "sandbox" / "sandbox.json").read_text())
            ports = {name: one["port"] for name, one in announced.items() if name != "connections"}
            time.sleep(30)  # until the follower runs
            since = datetime.now(UTC)
            living = Living(ports, [entry.system for entry in load_catalog().sources], begin, asked.minutes)
            living.live()
            time.sleep(SETTLING_S)
            report(engine, living.seen, since)
            subprocess.run([str(HOSYNC), "status"], env=environment, cwd=ROOT, check=False)
            pause_everything(environment)
            idle(engine, environment)
            engine.dispose()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def pause_everything(environment: Mapping[str, str]) -> None:
    """Let Airflow begin nothing any more, and end its follower."""
    from cli.up.airflow_api import AirflowApi

    home = Path(environment["HOSYNC_HOME"])
    port = json.loads((home / "ports.json").read_text())["airflow"]
    api = AirflowApi(
        f"http://127.0.0.1:{port}", user="admin", password=read_env(home / "secrets.env")["HOSYNC_ADMIN_PASSWORD"]
    )
    api.sign_in()
    api.pause(api.dags())
    for run in api.runs(["follow_ledger"], since=datetime.now(UTC)):
        if run.state.is_active:
            api._call("PATCH", f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}", json={"state": "failed"})
    time.sleep(20)


if __name__ == "__main__":
    main()
