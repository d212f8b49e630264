"""A hand on a running `hosync up`: the command line, Airflow's API, and the controls of the sandbox."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString

import psutil
import psycopg
from sqlalchemy import make_url

from cli.up.airflow_api import AirflowApi
from cli.up.home import read_env
from connectors.catalog import load_catalog
from schemas.states import State

ROOT = Path(__file__).resolve().parents[2]
HOSYNC = Path(sys.executable).with_name("hosync")
SIZE = 250
TARGETS = ("npsp", "province", "emc", "feed")
# By database; hosync's own has no name here.
_PASSED: Mapping[str, Sequence[LiteralString]] = {
    "": (
        "UPDATE delivery_lease SET until = now()",
        "UPDATE target_gate SET holders = '[]'",
    ),
    "airflow": ("UPDATE task_instance SET end_date = end_date - interval '1 hour' WHERE state = 'up_for_retry'",),
}


@dataclass(frozen=True)
class RunningSystem:
    """What the tests need to know of it."""

    home: Path
    process: subprocess.Popen[bytes]
    environment: Mapping[str, str]
    log: Path

    def await_first_sync(self) -> None:
        """Wait for the word that both sides agree; whatever else happens is shown with the log's end."""
        self.until(lambda: "agree" in self.log.read_text(errors="replace"), "the first sync", patience_s=600)

    def until(self, happened: Callable[[], bool], what: str, *, patience_s: float = 120, every_s: float = 0.5) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + patience_s
        while not happened():
            tail = self.log.read_text(errors="replace")[-3000:]
            assert self.process.poll() is None, f"hosync up ended while waiting for {what}: {tail}"
            assert time.monotonic() < deadline, f"{what} did not come: {tail}"
            time.sleep(every_s)

    def time_passes(self) -> None:
        """What a killed task held has run out: leases, calls at the targets, Airflow's wait before it tries again."""
        url = make_url(read_env(self.home / "connections.env")["HOSYNC_DATABASE_URL"]).set(drivername="postgresql")
        for database, statements in _PASSED.items():
            at = (url.set(database=database) if database else url).render_as_string(hide_password=False)
            with psycopg.connect(at) as connection:
                for statement in statements:
                    connection.execute(statement)

    def hosync(self, *arguments: str) -> Any:
        """A command beside the running system; its JSON document."""
        done = subprocess.run(
            [str(HOSYNC), *arguments, "--json"],
            env={**self.environment, "HOSYNC_HOME": str(self.home)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode in (0, 1), done.stderr[-2000:]
        return json.loads(done.stdout)

    def target(self, name: str) -> dict[str, Any]:
        """Where one target stands."""
        found: dict[str, Any]
        (found,) = (each for each in self.hosync("status")["targets"] if each["target"] == name)
        return found

    def airflow(self) -> AirflowApi:
        """Airflow's API, signed in as the administrator."""
        port = json.loads((self.home / "ports.json").read_text())["airflow"]
        password = read_env(self.home / "secrets.env")["HOSYNC_ADMIN_PASSWORD"]
        api = AirflowApi(f"http://127.0.0.1:{port}", user="admin", password=password)
        api.sign_in()
        return api

    def ask(self, server: str, path: str, body: Mapping[str, Any] | None = None) -> bytes:
        """One control call to a server of the sandbox."""
        port = json.loads((self.home / "sandbox" / "sandbox.json").read_text())[server]["port"]
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/_sandbox/{path}",
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            content: bytes = answer.read()
            return content

    def is_calling(self, process: psutil.Process, server: str) -> bool:
        """Whether a process speaks with a server of the sandbox at this moment."""
        port = json.loads((self.home / "sandbox" / "sandbox.json").read_text())[server]["port"]
        return any(each.raddr and each.raddr.port == port for each in process.net_connections("inet"))

    def calm(self, server: str) -> None:
        """Disarm all faults of a server."""
        port = json.loads((self.home / "sandbox" / "sandbox.json").read_text())[server]["port"]
        request = urllib.request.Request(f"http://127.0.0.1:{port}/_sandbox/faults", method="DELETE")
        urllib.request.urlopen(request, timeout=30).close()

    def lines(self, server: str, path: str) -> list[dict[str, Any]]:
        """A control answer of JSON lines."""
        return [json.loads(line) for line in self.ask(server, path).splitlines()]

    def truth(self) -> dict[str, int]:
        """Canonical code and state of every dossier, as all sector systems that know it would tell it together."""
        rows = [each for system in self.sources for each in self.lines(system, "truth")]
        return {each["code"]: each["merged_state"] for each in rows if not _is_unlisted(each)}

    def national_codes(self) -> dict[str, str]:
        """Our codes of dossiers that were filed on the portal, by its own: the portal calls them so."""
        rows = [each for system in self.sources for each in self.lines(system, "truth")]
        return {each["national_code"]: each["code"] for each in rows if each["national_code"]}

    @property
    def sources(self) -> list[str]:
        """The systems that tell of dossiers."""
        return [entry.system for entry in load_catalog(ROOT / "connectors" / "catalog").sources]


def _is_unlisted(row: Mapping[str, Any]) -> bool:
    """Whether the trade department had taken the dossier off its list before it was ever read."""
    ended = datetime.fromisoformat(row["state_at"])
    over = datetime.now(UTC) - ended >= timedelta(days=30)
    return row["systems"] == ["congthuong"] and State(row["state"]).is_terminal and over
