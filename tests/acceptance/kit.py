"""What the acceptance of a source needs: its sandbox servers, a ledger, and the eyes to compare the two.

A source is accepted as it stands in the catalog; only its pages are made small, so that there are several of them.
"""

from __future__ import annotations

import base64
import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sandboxes
import uvicorn
import yaml
from sqlalchemy import Engine, text

import mappings
from connectors.catalog import Catalog, load_catalog
from connectors.catalog_models import PullStyle, SourceEntry, SourceProtocol
from connectors.connections import ConnectionSettings, parse
from connectors.errors import BrokenAnswer, NotSent, OutcomeUnknown
from connectors.options.soap import SoapJobsOptions
from ledger import report
from ledger.quarantine import set_aside
from ledger.sealing import Sealer
from mappings import coverage, yamllines
from mappings.mapping import load_file
from sandbox.connections import CONNECTIONS
from schemas.states import TERMINAL
from sync.context import Context
from sync.inbound_app import PREFIX, create_server_app
from sync.pull import PullReport, plan, pull

ROOT = Path(__file__).resolve().parents[2]
AS_OF = datetime.fromisoformat("2026-06-24T16:00:00+07:00")  # a Wednesday, so that the days after it bring changes
START = date(2025, 12, 25)  # a few days before the province begins
SIZE = 3_300  # each system has open dossiers in it
WINDOW_DAYS = 31  # few windows, so that a reader can be killed in each
PAGES = 4  # about so many, whatever the system's size
PATIENCE_S = 60.0
SYSTEMS = [entry.system for entry in load_catalog().sources]
catalog = cache(load_catalog)  # the shipped one, read once
TRUTH_IS_HELD = text("""
    SELECT source_id, home_state AS state FROM dossier WHERE home_system = :system
    UNION ALL
    SELECT source_id, state FROM dossier_reading WHERE system = :system
    UNION ALL
    SELECT source_id, level AS state FROM rating WHERE system = :system
""")
PERSONAL = text("SELECT id, personal FROM dossier")


def homes_of(entry: SourceEntry) -> list[str]:
    """The systems that must be pulled first, since this one only tells how far their dossiers have come."""
    if mapping_of(entry).tells != "progress":
        return []
    asked = entry.pull.open_list.home if entry.pull.open_list else ()
    return list(asked) or ["igate", "opencps"]


@dataclass(frozen=True)
class System:
    """One source with its running sandbox servers."""

    name: str
    homes: tuple[str, ...]
    told: Mapping[str, Any]
    page_size: int = 0

    @property
    def connections(self) -> dict[str, str]:
        """The variables by which hosync finds the servers."""
        return dict(self.told["connections"])

    @property
    def settings(self) -> ConnectionSettings:
        """The system's own connection."""
        return parse(self.name, self.connections[f"AIRFLOW_CONN_{self.name.upper()}"])

    def control(self, path: str, body: Any = None, *, server: str | None = None, method: str | None = None) -> bytes:
        """One control call; raises ``HTTPError`` when it is refused."""
        url = f"http://127.0.0.1:{self.told[server or self.name]['port']}/_sandbox/{path}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return bytes(answer.read())

    def truth(self) -> dict[str, dict[str, Any]]:
        """Every dossier that the system shows by now, by its own id; or rating, whose level stands for a state."""
        if tells_ratings(self.name):
            rows = [json.loads(line) for line in self.control("ratings").splitlines()]
            return {row["source_id"]: {**row, "state": row["level"], "changed_at": row["rated_at"]} for row in rows}
        rows = [json.loads(line) for line in self.control("truth").splitlines()]
        return {row["source_id"]: row for row in rows}

    def must_hold(self) -> dict[str, int]:
        """State by own id of what a ledger that starts now must come to hold.

        A system that is asked about open dossiers is not asked about others, and one that lists what it works on no
        longer lists what is long at its end.
        """
        entry = catalog().source(self.name)
        leaves_out = entry.pull.style in (PullStyle.OPEN_LIST, PullStyle.SNAPSHOT) or entry.pull.open_list
        return {
            source_id: row["state"]
            for source_id, row in self.truth().items()
            if not (leaves_out and row["merged_state"] in TERMINAL)
        }

    @property
    def now(self) -> datetime:
        """What the system's clock says."""
        return datetime.fromisoformat(json.loads(self.control("clock"))["as_of"])

    def live_on(self, span: timedelta) -> None:
        """Let time pass at the system and at the homes of its dossiers."""
        servers = (*self.homes, self.name)
        clocks = [json.loads(self.control("clock", server=server))["as_of"] for server in servers]
        later = max(map(datetime.fromisoformat, clocks)) + span
        for server in servers:
            self.control("clock", {"as_of": later.isoformat()}, server=server)


@contextmanager
def running(folder: Path, names: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    """The servers of these sources; gives what ``sandbox.json`` says."""
    servers = {server for name in names for server in (name, CONNECTIONS[name].server)}
    with sandboxes.running(folder, servers, size=SIZE, as_of=AS_OF) as told:
        yield told


def tells_ratings(name: str) -> bool:
    """Whether a source tells how citizens rate, and nothing of dossiers."""
    return mapping_of(catalog().source(name)).tells == "rating"


def tells_once(name: str) -> bool:
    """Whether a source hands out what it has only once, so that every test needs one of its own."""
    entry = catalog().source(name)
    return entry.pull.style in (PullStyle.QUEUE, PullStyle.INBOUND) or entry.protocol is SourceProtocol.FILES


def system_of(name: str, told: Mapping[str, Any]) -> System:
    """One source of the running sandbox, to be read in about ``PAGES`` pages, as late as its homes are."""
    found = System(name, tuple(homes_of(catalog().source(name))), told)
    if found.homes:
        found.live_on(timedelta())
    return replace(found, page_size=max(2, len(found.must_hold()) // PAGES))


@contextmanager
def endpoint(database_url: str, data_key: bytes) -> Iterator[str]:
    """Where systems call us: the address below which each has its own path."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOSYNC_DATABASE_URL", database_url)
        patch.setenv("HOSYNC_DATA_KEY", base64.b64encode(data_key).decode())
        server = uvicorn.Server(uvicorn.Config(create_server_app(), port=0, log_level="warning"))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive(), "the endpoint does not come up"
                time.sleep(0.02)
            port = server.servers[0].sockets[0].getsockname()[1]
            yield f"http://127.0.0.1:{port}{PREFIX}"
        finally:
            server.should_exit = True
            thread.join()


def with_pages_of(catalog: Catalog, name: str, size: int) -> Catalog:
    """The same catalog with smaller pages of one system; all begin where the province does, and wait for no job."""

    def small(entry: SourceEntry) -> SourceEntry:
        pull = entry.pull.model_copy(
            update={"start": START, "window_days": WINDOW_DAYS} | ({"page_size": size} if entry.system == name else {})
        )
        options = entry.options
        if isinstance(options, SoapJobsOptions):
            options = options.model_copy(update={"poll": options.poll.model_copy(update={"first": timedelta()})})
        return entry.model_copy(update={"pull": pull, "options": options})

    return replace(catalog, sources=tuple(small(entry) for entry in catalog.sources))


@dataclass(frozen=True)
class Bench:
    """A source, an empty ledger of its own, and what can be done with the two."""

    system: System
    context: Context
    calls_come_to: str | None = None

    @classmethod
    def of(cls, system: System, engine: Engine, sealer: Sealer, calls_come_to: str | None = None) -> Bench:
        """With the shipped catalog in small pages."""
        shrunk = with_pages_of(catalog(), system.name, system.page_size)
        return cls(system, Context(engine=engine, sealer=sealer, catalog=shrunk), calls_come_to)

    @property
    def entry(self) -> SourceEntry:
        """The source's catalog entry."""
        return self.context.catalog.source(self.system.name)

    def pull_homes(self) -> None:
        """Bring the dossiers in that the source tells of."""
        for home in self.system.homes:
            self._pull(home, None)

    def pull(self, on_page: Callable[[], None] | None = None) -> PullReport:
        """One incremental pull of the source alone, at the time of its own clock, once it has said what it will."""
        self.wait_for_calls()
        return self._pull(self.system.name, on_page)

    def wait_for_calls(self) -> None:
        """Let a system that calls us say what it has to say."""
        if self.calls_come_to is None:
            return
        self.system.control("subscribe", {"url": f"{self.calls_come_to}/{self.system.name}"})
        if self.entry.pull.open_list:
            self._pull(self.system.name, None)  # announces the dossiers that it then calls about
        deadline = time.monotonic() + PATIENCE_S
        while json.loads(self.system.control("calls"))["waiting"] != 0:
            assert time.monotonic() < deadline, "it does not come to an end with calling"
            time.sleep(0.1)

    def _pull(self, name: str, on_page: Callable[[], None] | None) -> PullReport:
        now = self.system.now
        (only,) = plan(self.context, name, now=now)
        after = None if on_page is None else lambda _: on_page()
        return pull(self.context, only, started_by="acceptance", now=now, on_page=after)

    def held(self) -> dict[str, int]:
        """The state of every dossier as this source last told it, by the source's own id."""
        with self.context.engine.connect() as connection:
            rows = connection.execute(TRUTH_IS_HELD, {"system": self.system.name}).all()
        assert len({row.source_id for row in rows}) == len(rows), "a dossier is held twice"
        return {row.source_id: row.state for row in rows}

    def assert_agrees(self) -> None:
        """The ledger holds what the system shows: nothing missing, nothing invented, each in its state."""
        held, must, truth = self.held(), self.system.must_hold(), self.system.truth()
        assert truth, "the system shows nothing, so this proves nothing"
        assert sorted(must.keys() - held.keys()) == [], "missing in the ledger"
        assert sorted(held.keys() - truth.keys()) == [], "unknown to the system"
        differing = {one: (held[one], state) for one, state in must.items() if held[one] != state}
        assert differing == {}, "held, told"

    def quarantined(self) -> list[report.QuarantineRow]:
        """What is set aside of this source."""
        return report.quarantine(self.context.engine, self.system.name, 1000)

    def records(self) -> list[Mapping[str, Any]]:
        """Everything that the source tells, as it comes, without storing it."""
        now = self.system.now
        with self.context.source(self.system.name) as source:
            pages = source.pull(window=None, cursor=None, open_codes=self.open_codes(), now=now)
            return [record for page in pages for record in page.records]

    def open_codes(self) -> Sequence[str]:
        """The dossiers that the source may be asked about, by its own ids."""
        return sorted(self.system.truth())

    def disturb(self, mode: str, times: int = 1, seconds: float = 0.2) -> None:
        """Arm a fault at the source's server, or at the gateway before it."""
        server = CONNECTIONS[self.system.name].server
        self.system.control("faults", {"mode": mode, "times": times, "seconds": seconds}, server=server)

    def calm(self) -> None:
        """Disarm all faults."""
        self.system.control("faults", server=CONNECTIONS[self.system.name].server, method="DELETE")

    def pull_until_it_works(self, tries: int = 6) -> None:
        """Pull again after each failure that says of itself that it passes, as Airflow does."""
        for _ in range(tries - 1):
            try:
                self.pull()
                return
            except (NotSent, OutcomeUnknown, BrokenAnswer):
                continue
        self.pull()

    def secrets(self) -> set[str]:
        """What no log may hold: passwords, secrets, and the persons of the dossiers."""
        settings = self.system.settings
        found = {settings.password, *(str(settings.extra[key]) for key in settings.extra if "secret" in key)}
        with self.context.engine.connect() as connection:
            sealed = [row.personal for row in connection.execute(PERSONAL)]
        for one in sealed:
            applicant = json.loads(self.context.sealer.open(one)).get("applicant") or {}
            found |= {str(applicant[key]) for key in ("name", "identity_number", "phone") if applicant.get(key)}
        found |= {row.get("remark", "") for row in self.system.truth().values()}
        return {one for one in found if len(one) > 5}

    @contextmanager
    def mended_mapping(self, folder: Path) -> Iterator[None]:
        """The source's mapping with every state code in its table that stands in the records set aside."""
        mapping = mapping_of(self.entry)
        whole: Any = yamllines.read(mapping.file).data
        rows = set_aside(self.context.engine, self.context.sealer, self.system.name, limit=1000)
        found = coverage.measure(mapping, [json.loads(row.native) for row in rows])
        for unknown in found.unknown_codes:
            table = whole["tables"][unknown.table]
            table |= {unknown.code: next(iter(table.values()))}
            if unknown.code.isdigit():
                table |= {int(unknown.code): next(iter(table.values()))}
        del whole["examples"]
        whole["version"] += 1
        path = folder / mapping.file.name
        path.write_text(yaml.safe_dump(whole, allow_unicode=True))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(mappings, "load", lambda *_: load_file(path))
            yield


def mapping_of(entry: SourceEntry) -> mappings.Mapping:
    """The mapping of a source."""
    return mappings.load(entry.mapping, mappings.Direction.SOURCE)


def newest(rows: Mapping[str, Mapping[str, Any]], count: int) -> Sequence[str]:
    """The dossier codes of those that changed last."""
    return [row["code"] for row in sorted(rows.values(), key=lambda row: str(row["changed_at"]))[-count:]]
