"""A portal, a ledger and the delivery between them: a real server, a real database, the shipped mapping."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
import uvicorn

from connectors.catalog import FOLDER, Catalog, load_entry
from connectors.catalog_models import Reconcile, TargetEntry, Timeouts
from connectors.connections import ConnectionSettings, Turnstile
from connectors.factory import open_target
from connectors.targets.npsp import NpspTarget
from ledger.intake import start_pull, store_page
from ledger.types import PageIntake, PullMode
from sandbox.http import ServerOptions, config_of, listen
from sandbox.targets import npsp
from schemas.dossier import Dossier
from schemas.identifiers import dossier_short
from sync.context import Context, now
from sync.deliver import DeliverReport, deliver
from sync.reconcile import ReconcileReport, reconcile

T0 = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
EXTRA = {"dstcode": "VN:GOV:mau"}
PATIENCE_S = 20.0


def entry(*, options: Mapping[str, Any] | None = None, **changes: Any) -> TargetEntry:
    """The shipped entry of the portal, impatient; ``options`` replaces single options."""
    found = load_entry(FOLDER / "npsp.yaml")
    assert isinstance(found, TargetEntry)
    return found.model_copy(
        update={
            "timeouts": Timeouts(connect_s=2, read_s=0.5, total_s=1),
            "lease_s": 2,
            "reconcile": Reconcile(method=found.reconcile.method, grace_s=0),
            "options": found.options.model_copy(update=dict(options or {})),
            **changes,
        }
    )


def dossier(number: int, state: int = 4, hours: float = 0, **changes: Any) -> Dossier:
    """A dossier that entered ``state`` ``hours`` after the beginning."""
    moment = T0 + timedelta(hours=hours)
    record = {
        "code": f"H12.07-260302-{number:04d}",
        "source_id": f"id {number}",
        "procedure_code": "1.990101",
        "agency_code": "H12.07",
        "agency_name": "Trung tâm Giấy phép lái xe tỉnh Thử Nghiệm",
        "channel": 2,
        "subject_kind": 1,
        "submitted_at": T0 - timedelta(hours=1),
        "received_at": T0,
        "state": state,
        "state_at": moment,
        "changed_at": moment,
        "applicant": {"name": "Nguyễn Văn Thử", "identity_kind": 1, "identity_number": "000099000001"},
    }
    return Dossier.model_validate(record | changes)


@dataclass
class LivingPortal:
    """One portal with its own ledger."""

    context: Context
    url: str
    _pages: Iterator[int] = field(default_factory=lambda: iter(range(1, 10_000)))

    def store(self, *dossiers: Dossier) -> None:
        """A source tells of these dossiers."""
        engine = self.context.engine
        run = start_pull(engine, system="gplx", mode=PullMode.INCREMENTAL, window=None, started_by="test")
        number = next(self._pages)
        page = PageIntake(
            run_id=run,
            system="gplx",
            precedence=10,
            number=number,
            raw=b"page %d" % number,
            media_type="application/json",
            fetched_at=T0 + timedelta(days=30, minutes=number),
            fetched=len(dossiers),
            dossiers=dossiers,
            problems=(),
            cursor=None,
            mapping_version="1",
        )
        store_page(engine, self.context.sealer, page)

    def push(self) -> DeliverReport:
        """Deliver until nothing is left, through retries."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            report = deliver(self.context, "npsp", wait_s=10)
            if not report.remaining:
                return report
            assert time.monotonic() < deadline, f"it does not settle: {report}"

    def compare(self, *, heal: bool = False) -> ReconcileReport:
        """Reconcile."""
        return reconcile(self.context, "npsp", as_of=now(), heal=heal)

    def control(self, path: str, body: Any = None) -> Any:
        """GET, or POST with a body; JSON lines come as a list."""
        url = f"{self.url}/_sandbox/{path}"
        answer = requests.get(url, timeout=10) if body is None else requests.post(url, json=body, timeout=10)
        assert answer.ok, answer.text
        if "ndjson" in answer.headers["content-type"]:
            return [json.loads(line) for line in answer.text.splitlines()]
        return answer.json()

    def fault(self, mode: str, **more: Any) -> None:
        """Arm a fault."""
        self.control("faults", {"mode": mode, **more})

    @property
    def states(self) -> dict[str, int]:
        """What the portal holds, by canonical code."""
        return {dossier_short(row["code"]): row["state"] for row in self.control("dossiers")}

    @property
    def effects(self) -> list[tuple[str, str, str]]:
        """What was really written: operation, code and effect, repetitions left out."""
        rows = self.control("writes")
        return [(row["operation"], row["code"], row["effect"]) for row in rows if row["effect"] != "noop"]


@dataclass(frozen=True)
class _Here(Context):
    settings: ConnectionSettings

    def open_target(self, target: str, turnstile: Turnstile | None) -> NpspTarget:
        """The portal of this test."""
        opened = open_target(self.catalog.target(target), replace(self.settings, turnstile=turnstile))
        assert isinstance(opened, NpspTarget)
        return opened


@contextmanager
def living_portal(home: Path, engine: Any, sealer: Any, target: TargetEntry, **extra: Any) -> Iterator[LivingPortal]:
    """A portal for the length of the block, and the catalog that names it alone."""
    options = ServerOptions(
        name="npsp", seed=1, size=0, as_of=T0, login="mau", password="mau", extra={**EXTRA, **extra}, peers={}
    )
    listener = listen(0)
    server = uvicorn.Server(config_of(npsp.build(home, options)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    port = listener.getsockname()[1]
    while not server.started:
        assert thread.is_alive(), "the portal did not start"
        time.sleep(0.01)
    settings = ConnectionSettings(conn_id="npsp", host="127.0.0.1", port=port, login="mau", password="mau", extra=EXTRA)
    catalog = Catalog(sources=(), targets=(target,), folder=FOLDER)
    try:
        yield LivingPortal(
            _Here(engine=engine, sealer=sealer, catalog=catalog, settings=settings), f"http://127.0.0.1:{port}"
        )
    finally:
        server.should_exit = True
        thread.join()
