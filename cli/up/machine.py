"""Everything that runs: started in order, watched, and ended in reverse order."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cli.up import airflow, ports, postgres, province
from cli.up.airflow import Airflow
from cli.up.children import Children, reaping
from cli.up.errors import ComponentDied, UpError
from cli.up.home import Home, ensure_secrets, write_private_env
from cli.up.leftovers import Book, end_leftovers
from cli.up.logs import last_words, put_logs_aside
from cli.up.province import Province
from cli.up.screen import Screen, Stage
from cli.up.signals import StopSignals

_HEALTH_LIMIT_S = 240.0
_POLL_S = 0.2
_PORT_ATTEMPTS = 3
_TITLES = {"postgres": "PostgreSQL", "province": "Simulated province"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the person asked for. ``size``: dossiers of the simulated province, ``None`` = its own default."""

    home: Path
    dags: Path
    once: bool
    sandbox: bool
    size: int | None
    deadline_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Everything is healthy: where it is."""

    airflow: Airflow
    province: Province | None
    secrets: Mapping[str, str]
    environment: Mapping[str, str]  # what the product's own commands need


class Machine:
    """Starts and stops the parts of one home. The caller holds the home and has the signals installed."""

    def __init__(self, home: Home, *, options: Options, screen: Screen, signals: StopSignals) -> None:
        self._home = home
        self._options = options
        self._screen = screen
        self._signals = signals
        self._secrets: Mapping[str, str] = {}
        self._hidden: set[str] = set()
        self._begun_at = time.monotonic()
        self._has_upgraded = False
        book = Book(home.book)
        if found := end_leftovers(book.read()):
            screen.note(screen.texts("Ended what an earlier start left behind: {names}.", names=", ".join(found)))
        self._children = Children(book=book, signals=signals)

    @property
    def age_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._begun_at

    @contextmanager
    def running(self) -> Iterator[Running]:
        """Start everything, and stop everything at the end of the block, however it ends."""
        with reaping():
            try:
                with self._screen.live():
                    started = self._start()
                yield started
            finally:
                try:
                    self._signals.begin_stop()
                finally:  # a signal in the very moment before does not get past this
                    self._stop()

    def require_alive(self) -> None:
        """Raise ``ComponentDied`` when a server has ended by itself."""
        if child := self._children.dead():
            raise ComponentDied(
                f"{_TITLES.get(child.name, child.name)} ended by itself ({_how(child.exit_code)}).",
                where=str(child.command.log),
                next_step="Read its last lines above, or the whole log. Then start again: nothing is lost.",
                detail=last_words(child.command.log, self._hidden),
            )

    def tick(self) -> None:
        """What has to happen all the time while we wait for something."""
        self.require_alive()
        self._screen.refresh()

    def _start(self) -> Running:
        options, screen, home = self._options, self._screen, self._home
        put_logs_aside(home.root / "logs")
        self._secrets = ensure_secrets(home)
        self._hidden |= set(self._secrets.values())
        screen.expect("PostgreSQL", *(["Simulated province"] if options.sandbox else []), "Ledger tables")
        screen.expect("Airflow tables", *airflow.NAMES)

        screen.set("PostgreSQL", Stage.STARTING)
        server = postgres.prepare(home)
        starting = None
        if options.sandbox:  # it needs nothing of the others, so it starts beside them
            screen.set("Simulated province", Stage.STARTING)
            starting = province.start(self._children, home, size=options.size, now=datetime.now(UTC))
        server.start(self._children, on_wait=self.tick)
        screen.set("PostgreSQL", Stage.READY)

        environment = {
            "HOSYNC_DATABASE_URL": server.url("hosync"),
            "HOSYNC_DATA_KEY": self._secrets["HOSYNC_DATA_KEY"],
        }
        work = self._configure(server)
        screen.set("Airflow tables", Stage.STARTING)
        work.migrate(self._children, on_wait=self.tick)
        screen.set("Airflow tables", Stage.READY)

        found = self._await_province(starting) if starting else None
        if found:
            screen.set("Simulated province", Stage.READY)
            environment |= found.connections
            self._hidden |= _passwords(found.connections)
        write_private_env(home.connections_file, {k: v for k, v in environment.items() if k != "HOSYNC_DATA_KEY"})

        work = self._start_airflow(server, work, environment)
        if found:
            province.subscribe(found, work.url)
        return Running(airflow=work, province=found, secrets=self._secrets, environment=environment)

    def _configure(self, server: postgres.Postgres) -> Airflow:
        return airflow.configure(
            self._home,
            database_url=server.url("airflow"),
            secrets=self._secrets,
            dags=self._options.dags,
            port=ports.choose_ports(self._home)["airflow"],
        )

    def _start_airflow(self, server: postgres.Postgres, work: Airflow, environment: Mapping[str, str]) -> Airflow:
        """Start Airflow; once more on another port when somebody takes ours in the seconds before it listens."""
        for _ in range(_PORT_ATTEMPTS):
            work.start(self._children, product_env=environment)
            for name in airflow.NAMES:
                self._screen.set(name, Stage.STARTING)
            if not self._has_upgraded:  # Airflow needs longer to start than this takes
                self._upgrade_ledger(environment["HOSYNC_DATABASE_URL"])
            if self._await_health(work):
                return work
            self._children.stop(*airflow.NAMES)
            work = self._configure(server)
        raise UpError(
            f"Somebody else took Airflow's port {_PORT_ATTEMPTS} times.",
            where=work.url,
            next_step="Start again.",
        )

    def _upgrade_ledger(self, url: str) -> None:
        from ledger.engine import open_engine
        from ledger.migrate import upgrade

        self._screen.set("Ledger tables", Stage.STARTING)
        engine = open_engine(url)
        try:
            upgrade(engine)
        finally:
            engine.dispose()
        self._screen.set("Ledger tables", Stage.READY)
        self._has_upgraded = True

    def _await_province(self, starting: province.Starting) -> Province:
        deadline = time.monotonic() + _HEALTH_LIMIT_S
        while (found := starting.ready()) is None:
            self.tick()
            if time.monotonic() > deadline:
                raise self._too_slow(["province"])
            time.sleep(_POLL_S)
        return found

    def _await_health(self, work: Airflow) -> bool:
        """Whether all four processes got ready; ``False``: the port went to somebody else."""
        deadline = time.monotonic() + _HEALTH_LIMIT_S
        while missing := work.unhealthy():
            for name in airflow.NAMES:
                if name not in missing:
                    self._screen.set(name, Stage.READY)
            try:
                self.tick()
            except ComponentDied:
                dead = self._children.dead()
                if dead and dead.name == "api-server" and not ports.is_free(work.port):
                    return False
                raise
            if time.monotonic() > deadline:
                raise self._too_slow(missing)
            time.sleep(_POLL_S)
        for name in airflow.NAMES:
            self._screen.set(name, Stage.READY)
        return True

    def _too_slow(self, names: list[str]) -> UpError:
        return UpError(
            f"Not ready after {_HEALTH_LIMIT_S:.0f} s: {', '.join(names)}.",
            where=str(self._home.log(names[0])),
            next_step="Read that log. On a very busy machine simply start again.",
            detail=last_words(self._home.log(names[0]), self._hidden),
        )

    def _stop(self) -> None:
        begun = time.monotonic()
        self._screen.note(self._screen.texts("Stopping; Ctrl-C again ends everything at once."))
        # Airflow first (it uses the others), PostgreSQL last (the others use it).
        for names in (airflow.NAMES, ("migrate", "province"), ("postgres", "initdb")):
            self._children.stop(*names)
        self._children.stop_everything()
        self._screen.note(
            self._screen.texts("Everything has stopped after {seconds:.1f} s.", seconds=time.monotonic() - begun)
        )


def _how(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"


def _passwords(connections: Mapping[str, str]) -> set[str]:
    found = set()
    for text in connections.values():
        try:
            found.add(str(json.loads(text).get("password") or ""))
        except (ValueError, AttributeError):
            continue
    return found - {""}
