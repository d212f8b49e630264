"""A ledger with some dossiers, targets of the sandbox in this process, and the use cases that join them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml
from serving import Served, served
from sqlalchemy import Engine
from starlette.types import ASGIApp

from connectors.catalog import FOLDER, load_catalog
from ledger.intake import finish_pull, start_pull, store_page
from ledger.sealing import Sealer
from ledger.types import PageIntake, PullMode
from schemas.dossier import Dossier
from sync.context import Context, now
from sync.deliver import DeliverReport, deliver
from sync.reconcile import ReconcileReport, reconcile
from sync.status import TargetStatus, status


@dataclass
class World:
    """The ledger, the catalog of this test, and its targets."""

    context: Context
    _numbers: Iterator[int] = field(default_factory=count)

    def tell(self, *dossiers: Dossier, cursor: str | None = None, tells_once: bool = False) -> None:
        """Take these in, as if their system had told them just now, and nothing else."""
        run = start_pull(
            self.context.engine,
            system="gplx",
            mode=PullMode.INCREMENTAL,
            window=None,
            started_by="test",
            tells_once=tells_once,
        )
        number = next(self._numbers)
        page = PageIntake(
            run_id=run,
            system="gplx",
            precedence=10,
            number=number,
            raw=f"page {number}".encode(),
            media_type="application/json",
            fetched_at=now(),
            fetched=len(dossiers),
            dossiers=dossiers,
            problems=(),
            cursor=cursor,
            mapping_version="1",
        )
        store_page(self.context.engine, self.context.sealer, page)
        finish_pull(self.context.engine, run, error=None)

    def push(self, target: str) -> DeliverReport:
        """Deliver until nothing is left; waits for what comes due again."""
        return deliver(self.context, target, wait_s=30)

    def compare(self, target: str, *, heal: bool = True) -> ReconcileReport:
        """Reconcile as of now."""
        return reconcile(self.context, target, as_of=now(), heal=heal)

    def status(self, target: str) -> TargetStatus:
        """What `hosync status` tells of a target."""
        return next(each for each in status(self.context, now()).targets if each.target == target)


@contextmanager
def world(
    engine: Engine,
    sealer: Sealer,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    entries: Mapping[str, Path],
    changes: Mapping[str, Any] | None = None,
) -> Iterator[World]:
    """A world whose catalog holds these files by the name of their system, with impatient limits.

    ``changes`` are put over every target's entry, keys inside keys.
    """
    folder = home / "catalog"
    folder.mkdir()
    for system, file in entries.items():
        entry = yaml.safe_load(file.read_text())
        hurried: dict[str, Any] = {
            "timeouts": {"connect_s": 2, "read_s": 0.5, "total_s": 2},
            "lease_s": 3,
            "reconcile": {"grace_s": 0},
        }
        merged = _over(_over(entry, hurried), changes or {}) if entry["kind"] == "target" else entry
        (folder / f"{system}.yaml").write_text(yaml.safe_dump(merged, allow_unicode=True))
    monkeypatch.setenv("HOSYNC_CATALOG", str(folder))
    # Waiting grows with every failure; tests of what happens afterwards need not wait.
    monkeypatch.setattr("sync.decisions._MAX_DELAY_S", 0.05)
    yield World(Context(engine=engine, sealer=sealer, catalog=load_catalog()))


def shipped(*systems: str) -> dict[str, Path]:
    """The project's own catalog files."""
    return {system: FOLDER / f"{system}.yaml" for system in systems}


def _over(entry: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(entry)
    for key, value in changes.items():
        merged[key] = _over(merged.get(key, {}), value) if isinstance(value, Mapping) else value
    return merged


Serve = Callable[..., Served]


@contextmanager
def servers(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """``serve(connection, build, **extra)`` runs a target and sets the connection that leads to it."""
    with ExitStack() as stack:

        def serve(connection: str, build: Callable[..., ASGIApp], **extra: Any) -> Served:
            server = stack.enter_context(served(build, home, name=connection, **extra))
            monkeypatch.setenv(f"AIRFLOW_CONN_{connection.upper()}", server.connection)
            return server

        yield serve
