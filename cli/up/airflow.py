"""Airflow on one machine: its environment, its database, its four processes, its health."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import requests

from cli.up.children import Children, Command, run_to_end
from cli.up.errors import UpError
from cli.up.home import Home, write_private
from cli.up.programs import program, python_environment

_MIGRATE_LIMIT_S = 300.0
_HEALTH_TIMEOUT_S = 2.0
_PROCESSES = {
    "api-server": ("api-server", "--workers", "1"),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
# The tasks write their logs as loudly as the scheduler, which they descend from.
_LEVELS = {"scheduler": "INFO"}
# What the health page calls the processes that it knows.
_HEALTH_NAMES = {"scheduler": "scheduler", "dag-processor": "dag_processor", "triggerer": "triggerer"}
NAMES = tuple(_PROCESSES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Airflow:
    """One installation: everything is said by the environment, nothing by a file."""

    home: Home
    env: Mapping[str, str]
    port: int
    password: str = field(repr=False)  # of the user "admin"

    @property
    def url(self) -> str:
        """Where people find it."""
        return f"http://127.0.0.1:{self.port}"

    def migrate(self, children: Children, *, on_wait: Callable[[], None]) -> None:
        """Bring Airflow's own tables to this version, unless they are known to be there."""
        stamp = self.home.postgres_data.with_name("airflow-version")  # beside the data: goes when the data goes
        wanted = version("apache-airflow-core")
        if stamp.exists() and stamp.read_text() == wanted:
            return
        code, child = run_to_end(
            children,
            self._command("migrate", ("db", "migrate"), is_server=False),
            on_wait=on_wait,
            limit_s=_MIGRATE_LIMIT_S,
        )
        if code != 0:
            raise UpError(
                "Airflow could not create its tables." if code is not None else "Airflow took too long for its tables.",
                where=str(child.command.log),
                next_step="Read that log. If the data came from a newer version, start with a new --home.",
            )
        stamp.write_text(wanted)

    def start(self, children: Children, *, product_env: Mapping[str, str]) -> None:
        """Start the four processes; ``unhealthy`` tells when they are ready."""
        for name, arguments in _PROCESSES.items():
            children.start(self._command(name, arguments, product_env=product_env))

    def unhealthy(self) -> list[str]:
        """The processes that are not ready yet, in the order of their start.

        An Airflow that does not know our password is not ours: somebody else's answers at the port.
        """
        sign_in = {"username": "admin", "password": self.password}
        try:
            with requests.Session() as session:
                session.trust_env = False  # a proxy of the shell has no business here
                session.post(f"{self.url}/auth/token", json=sign_in, timeout=_HEALTH_TIMEOUT_S).raise_for_status()
                states = session.get(f"{self.url}/api/v2/monitor/health", timeout=_HEALTH_TIMEOUT_S).json()
        except (requests.RequestException, ValueError):
            return list(_PROCESSES)
        return [name for name, key in _HEALTH_NAMES.items() if (states.get(key) or {}).get("status") != "healthy"]

    def _command(
        self,
        name: str,
        arguments: tuple[str, ...],
        *,
        is_server: bool = True,
        product_env: Mapping[str, str] | None = None,
    ) -> Command:
        return Command(
            name=name,
            argv=[*program("airflow"), *arguments],
            env={**self.env, **(product_env or {}), "AIRFLOW__LOGGING__LOGGING_LEVEL": _LEVELS.get(name, "WARNING")},
            log=self.home.log(name),
            cwd=self.home.root,
            patience_s=4.0,
            is_server=is_server,
        )


def configure(
    home: Home,
    *,
    database_url: str,
    secrets: Mapping[str, str],
    dags: Path,
    port: int,
) -> Airflow:
    """The environment of all Airflow processes. Other Airflow settings of the shell are left out: they belong to
    another installation. Connections (``AIRFLOW_CONN_…``) are kept.
    """
    home.airflow.mkdir(parents=True, exist_ok=True)
    passwords = home.airflow / "passwords.json"
    write_private(
        passwords,
        json.dumps({"admin": secrets["HOSYNC_ADMIN_PASSWORD"], "viewer": secrets["HOSYNC_VIEWER_PASSWORD"]}),
    )
    url = f"http://127.0.0.1:{port}"
    settings = {
        "CORE__DAGS_FOLDER": str(dags),
        "CORE__PLUGINS_FOLDER": str(home.airflow / "plugins"),  # none there: ours come by entry point
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": "5",  # the follower has one of them for itself
        "CORE__DEFAULT_TIMEZONE": "Asia/Ho_Chi_Minh",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,viewer:viewer",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "CORE__DAGBAG_IMPORT_TIMEOUT": "60",
        "API__HOST": "127.0.0.1",
        "API__PORT": str(port),
        "API__BASE_URL": url,
        "API__EXPOSE_CONFIG": "False",
        "API__INSTANCE_NAME": "hosync",
        "DATABASE__SQL_ALCHEMY_CONN": database_url,
        "DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        "LOGGING__BASE_LOG_FOLDER": str(home.airflow / "logs"),
        "DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30",
        "DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "DAG_PROCESSOR__PRINT_STATS_INTERVAL": "0",
        "SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        # After a crash the next start should soon find out which tasks are no longer running.
        "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
        "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
        "USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__")},
        **python_environment(),
        **{name: value for name, value in secrets.items() if name.startswith("AIRFLOW__")},
        **{f"AIRFLOW__{name}": value for name, value in settings.items()},
        "AIRFLOW_HOME": str(home.airflow),
        "HOSYNC_HOME": str(home.root),
    }
    return Airflow(home=home, env=env, port=port, password=secrets["HOSYNC_ADMIN_PASSWORD"])
