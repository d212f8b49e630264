"""A target that counts: a real server that takes one message a call and remembers when and how many.

It can be slow, refuse to answer some records for ever, be down, or ask to be left alone.
"""

import base64
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import forked
import yaml
from dossiers import dossier
from forked import Running
from sqlalchemy import Engine, text

from connectors.catalog import FOLDER, Catalog, load_catalog
from ledger.delivery import expand_feed
from ledger.intake import start_pull, store_page
from ledger.sealing import Sealer
from ledger.types import PageIntake, PullMode
from schemas.dossier import Dossier
from sync.context import Context

NOON = datetime(2026, 3, 2, 5, tzinfo=UTC)


@dataclass
class Counting:
    """What the target does, and what it saw. ``poison``: codes (their last part) that it answers with 500.

    ``held``: the state that it was told last, even where an older one came after a newer one.
    """

    port: int = 0
    slow_s: float = 0.0
    poison: frozenset[str] = frozenset()
    down: bool = False
    retry_after_s: int | None = None
    taken: Counter[str] = field(default_factory=Counter)
    order: list[str] = field(default_factory=list)
    held: dict[str, int] = field(default_factory=dict)
    calls: int = 0
    at: list[float] = field(default_factory=list)
    most_at_once: int = 0
    _now: int = 0
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def take(self, message: Mapping[str, Any]) -> tuple[int, dict[str, str]]:
        """Status and headers of the answer to one message."""
        code = str(message["code"]).rsplit("-", 1)[-1]
        with self._guard:
            self.calls += 1
            self.at.append(time.monotonic())
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            time.sleep(self.slow_s)
            if self.retry_after_s is not None:
                return 429, {"Retry-After": str(self.retry_after_s)}
            if self.down or code in self.poison:
                return 500, {}
            with self._guard:
                self.taken[code] += 1
                self.order.append(code)
                self.held[code] = message["state"]
            return 200, {}
        finally:
            with self._guard:
                self._now -= 1

    @property
    def most_in_a_second(self) -> int:
        """The largest number of calls that began within any second."""
        return max((sum(0 <= other - first < 1 for other in self.at) for first in self.at), default=0)


@contextmanager
def counting() -> Iterator[Counting]:
    """The target on the loopback for the length of the block."""
    state = Counting()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, headers = state.take(json.loads(body))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    class Server(ThreadingHTTPServer):
        request_queue_size = 128
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()


def catalog_with(folder: Path, **changes: Any) -> Catalog:
    """A catalog in ``folder`` with this target alone, impatient; ``changes`` replace keys of the entry."""
    entry = yaml.safe_load((FOLDER / "feed.yaml").read_text("utf-8"))
    entry |= {
        "reconcile": {"method": "none"},
        "options": {"path": "/", "signed": False},
        "concurrency": 4,
        "lease_s": 6,
    }
    entry |= {"timeouts": {"connect_s": 2, "read_s": 2, "total_s": 3}} | changes
    (folder / "feed.yaml").write_text(yaml.safe_dump(entry, allow_unicode=True), "utf-8")
    return load_catalog(folder)


def connection(target: Counting) -> dict[str, str]:
    """The environment variable that leads to the target."""
    return {"AIRFLOW_CONN_FEED": json.dumps({"conn_type": "http", "host": "127.0.0.1", "port": target.port})}


@dataclass
class Desk:
    """An empty ledger, a catalog with the target, and a way to bring dossiers in."""

    engine: Engine
    sealer: Sealer
    context: Context
    folder: Path

    def news(self, *numbers: int, agency: str = "H12.12", hours: float = 0, state: int = 4) -> None:
        """Dossiers with these numbers have changed."""
        when = NOON + timedelta(hours=hours)
        dossiers = [_dossier(number, agency, when, state) for number in numbers]
        run_id = start_pull(self.engine, system="gplx", mode=PullMode.REDRIVE, window=None, started_by="test")
        page = PageIntake(
            run_id=run_id,
            system="gplx",
            precedence=10,
            number=1,
            raw=os.urandom(8),
            media_type="application/json",
            fetched_at=datetime.now(UTC),
            fetched=len(dossiers),
            dossiers=dossiers,
            problems=(),
            cursor=None,
            mapping_version="1",
        )
        store_page(self.engine, self.sealer, page)

    def feed(self) -> None:
        """Make it due."""
        while expand_feed(self.engine, "feed"):
            pass

    def deliveries(self) -> Counter[str]:
        """How many deliveries are in which state."""
        with self.engine.connect() as connection_:
            return Counter(connection_.execute(text("SELECT state FROM delivery")).scalars())

    def execute(self, statement: str) -> None:
        """Change the database behind the ledger's back."""
        with self.engine.begin() as connection_:
            connection_.execute(text(statement))


def worker(desk: Desk, database_url: str, data_key: bytes) -> Running:
    """`hosync push feed` in a process of its own."""
    environment = os.environ | {
        "HOSYNC_DATABASE_URL": database_url,
        "HOSYNC_DATA_KEY": base64.b64encode(data_key).decode(),
        "HOSYNC_CATALOG": str(desk.folder),
    }
    return forked.start("push", "feed", "--json", env=environment)


Open = Callable[..., Desk]
"""Opens a desk; keyword arguments replace keys of the target's entry."""


def _dossier(number: int, agency: str, when: datetime, state: int) -> Dossier:
    return dossier(
        number,
        state=state,
        code=f"{agency}-250812-{number:04}",
        source_id=f"{agency} {number}",
        agency_code=agency,
        state_at=when,
        changed_at=when,
    )
