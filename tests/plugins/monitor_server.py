"""A real Airflow API server. It runs in a process of its own, with a home of its own."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Served:
    """Where Airflow answers, and how to get in."""

    url: str

    def anonymous(self, path: str, method: str = "GET", **headers: str) -> requests.Response:
        """A request without sign-in; redirects are not followed."""
        return requests.request(
            method, self.url + path, headers={"Accept": "text/html", **headers}, allow_redirects=False, timeout=60
        )

    def signed_in(self, user: str = "viewer") -> requests.Session:
        """A session as a browser has it after sign-in: the token is in a cookie."""
        answer = requests.post(f"{self.url}/auth/token", json={"username": user, "password": user}, timeout=60)
        session = requests.Session()
        session.headers["Accept"] = "text/html"
        session.cookies.set("_token", answer.json()["access_token"])
        return session


def prepare(home: Path) -> None:
    """Make a migrated Airflow in ``home``: SQLite is enough for a server that only shows pages."""
    (home / "plugins").mkdir()
    (home / "dags").mkdir()
    (home / "passwords.json").write_text(json.dumps({"viewer": "viewer"}))
    subprocess.run(
        [BIN / "airflow", "db", "migrate"], env=_environment(home), check=True, capture_output=True, timeout=240
    )


@contextmanager
def serve(home: Path, product: Mapping[str, str]) -> Iterator[Served]:
    """Run the API server while the block lasts; ``product`` is hosync's own environment."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = home / f"api-server-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [BIN / "airflow", "api-server", "--apps", "core", "--workers", "1", "--host", "127.0.0.1", "-p", str(port)],
            env={**_environment(home), "AIRFLOW__API__BASE_URL": url, **product},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait_for(url, process, log)
            yield Served(url)
        finally:
            process.terminate()
            process.wait(30)


def _wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + 180
    while time.monotonic() < end and process.poll() is None:
        try:
            requests.get(f"{url}/api/v2/version", timeout=5)
        except requests.ConnectionError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"The API server did not start:\n{log.read_text()[-3000:]}")


def _environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "HOSYNC"))}
    return kept | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "viewer:viewer",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
    }


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
