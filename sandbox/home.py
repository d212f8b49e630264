"""The sandbox's directory: what is in it, and how its files are read and written.

``province.json``   which province lives here: seed, size, and the moment at which its half-year ends
``ports.json``      the ports used last, taken again by the next start if they are free
``sandbox.json``    there while the sandbox answers: each server's port, and the connections to hand to clients
``certificates/``   an authority, and what servers with TLS and their clients show each other
``<server>/``       what a server keeps, and its log (``server.log``)
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sandbox.connections import CONNECTIONS, tls_listener
from sandbox.http import write_atomically
from schemas.times import with_zone

DEFAULT_SEED = 20260101


class HomeError(Exception):
    """The sandbox cannot run in this directory as asked; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvinceSettings:
    """Which province it is. ``as_of`` is where its half-year ends, not where its clock stands now."""

    seed: int
    size: int
    as_of: datetime


@dataclass(frozen=True, slots=True)
class SandboxHome:
    """The files of one sandbox."""

    root: Path

    @property
    def announcement(self) -> Path:
        """``sandbox.json``."""
        return self.root / "sandbox.json"

    def log(self, server: str) -> Path:
        """Where a server's output goes."""
        return self.root / server / "server.log"

    def province(self) -> ProvinceSettings:
        """The province that lives here; raises :class:`HomeError` if there is none."""
        path = self._province_file
        if not path.exists():
            raise HomeError(f"no sandbox has been started in {self.root}; run: python -m sandbox serve --home …")
        stored = json.loads(path.read_text("utf-8"))
        return ProvinceSettings(
            seed=int(stored["seed"]), size=int(stored["size"]), as_of=datetime.fromisoformat(stored["as_of"])
        )

    def settle(self, *, seed: int | None, size: int | None, as_of: datetime | None) -> ProvinceSettings:
        """Make this the home of a province, or check that it is the home of the one asked for.

        What is None is taken from the province that lives here. A different ``as_of`` is no contradiction: the clock
        of a province that has been started goes on where it stopped.
        """
        if self._province_file.exists():
            lives_here = self.province()
            for name, asked, there in (("seed", seed, lives_here.seed), ("size", size, lives_here.size)):
                if asked is not None and asked != there:
                    raise HomeError(
                        f"the province in {self.root} has {name} {there}, not {asked}; leave --{name} out or use "
                        "another --home"
                    )
            return lives_here
        if size is None or as_of is None:
            raise HomeError("a new province needs --size and --as-of")
        if size < 1:
            raise HomeError(f"a province needs at least 1 dossier, so --size must not be {size}")
        settings = ProvinceSettings(
            seed=DEFAULT_SEED if seed is None else seed, size=size, as_of=with_zone(as_of).replace(microsecond=0)
        )
        self.root.mkdir(parents=True, exist_ok=True)
        stored = {"seed": settings.seed, "size": settings.size, "as_of": settings.as_of.isoformat()}
        write_atomically(self._province_file, json.dumps(stored, indent=2))
        return settings

    def ports(self) -> dict[str, int]:
        """The ports used last, by listener: a server's name, or that of its listener for TLS."""
        path = self.root / "ports.json"
        if not path.exists():
            return {}
        return {name: int(port) for name, port in json.loads(path.read_text("utf-8")).items()}

    def write_ports(self, ports: Mapping[str, int]) -> None:
        """Remember the ports in use."""
        write_atomically(self.root / "ports.json", json.dumps(dict(ports), indent=2))

    def announce(self, ports: Mapping[str, int]) -> None:
        """Tell everybody who waits for it that all servers answer; ``ports`` are by listener."""
        connections = {
            f"AIRFLOW_CONN_{name.upper()}": one.airflow(ports[one.listener], self.root)
            for name, one in CONNECTIONS.items()
            if one.listener in ports
        }
        secure = {tls_listener(name): name for name in ports}
        servers = {name: {"port": port} for name, port in ports.items() if name not in secure}
        for listener, name in secure.items():
            if listener in ports:
                servers[name]["tls_port"] = ports[listener]
        write_atomically(self.announcement, json.dumps({**servers, "connections": connections}, indent=2))

    def announced_ports(self) -> dict[str, int]:
        """The ports of the running sandbox; raises :class:`HomeError` when none runs."""
        if not self.announcement.exists():
            raise HomeError(f"no sandbox is running in {self.root}; start it with: python -m sandbox serve --home …")
        announced = json.loads(self.announcement.read_text("utf-8"))
        return {name: int(one["port"]) for name, one in announced.items() if name != "connections"}

    @property
    def _province_file(self) -> Path:
        return self.root / "province.json"
