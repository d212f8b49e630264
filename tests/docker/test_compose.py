"""The container files against what the code needs: they cannot be built where no engine runs."""

import json
import re
import shutil
import subprocess
import sys
import threading
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors.catalog import load_catalog
from connectors.connections import resolve

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
ROOMS = ("schemas", "connectors", "mappings", "ledger", "sync", "plugins")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The compose file with its anchors resolved."""
    read: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    return read


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    """The services by name."""
    found: dict[str, Any] = compose["services"]
    return found


def variables(text: str) -> set[str]:
    """Names of the variables set in an env file, commented ones included."""
    return set(re.findall(r"(?m)^#?([A-Z][A-Z0-9_]+)=", text))


def test_airflows_four_processes_run_from_one_image(services: dict[str, Any]) -> None:
    assert {services[name]["image"] for name in (*COMPONENTS, "inbound", "init")} == {"hosync:${HOSYNC_VERSION:-0.1.0}"}
    for name in COMPONENTS:
        assert services[name]["command"][:2] == ["airflow", name]


def test_the_image_has_the_version_of_the_project(services: dict[str, Any]) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert services["init"]["image"].endswith(f":-{version}}}")


def test_every_process_waits_for_the_tables_and_is_watched(services: dict[str, Any]) -> None:
    asked = {
        "api-server": "metadatabase",
        "scheduler": "scheduler",
        "dag-processor": "dag_processor",
        "triggerer": "triggerer",
    }
    for name, component in asked.items():
        waits = services[name]["depends_on"]
        assert waits["init"]["condition"] == "service_completed_successfully"
        assert waits["postgres"]["condition"] == "service_healthy"
        assert services[name]["healthcheck"]["test"][1:] == ["python", "/opt/hosync/share/healthy.py", component]
        assert services[name]["healthcheck"]["retries"] == 5
    assert services["inbound"]["depends_on"]["init"]["condition"] == "service_completed_successfully"
    assert "/health" in services["inbound"]["healthcheck"]["test"][-1]
    assert "healthcheck" in services["postgres"]


def test_the_ledger_its_key_and_the_connections_go_only_where_they_are_used(services: dict[str, Any]) -> None:
    def holders(variable: str) -> set[str]:
        return {name for name, service in services.items() if variable in service.get("environment", {})}

    assert holders("HOSYNC_DATABASE_URL") == {"init", "api-server", "scheduler", "inbound"}
    assert holders("HOSYNC_DATA_KEY") == {"scheduler", "inbound"}
    assert holders("HOSYNC_ADMIN_PASSWORD") == {"init"}
    assert {name for name, service in services.items() if "env_file" in service} == {"scheduler", "inbound"}


def test_no_process_has_more_rights_than_it_needs(services: dict[str, Any]) -> None:
    for name in (*COMPONENTS, "inbound", "init"):
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["security_opt"] == ["no-new-privileges:true"]
    assert re.search(r"(?m)^USER 50000:0$", (DOCKER / "Dockerfile").read_text())


def test_every_database_url_names_its_driver(services: dict[str, Any]) -> None:
    for service in services.values():
        for value in service.get("environment", {}).values():
            assert "postgresql://" not in str(value)


def test_the_scheduler_gets_every_variable_that_the_code_reads(services: dict[str, Any]) -> None:
    read = {
        name
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        for name in re.findall(r"\bHOSYNC_[A-Z_]+\b", path.read_text(encoding="utf-8"))
    }
    assert read - set(services["scheduler"]["environment"]) == {
        "HOSYNC_CATALOG",  # the image's own when they are not set
        "HOSYNC_MAPPINGS",
        "HOSYNC_CONTRACTS",
    }


def test_the_example_names_every_variable_of_the_compose_file_and_no_other() -> None:
    text = "\n".join(line for line in (DOCKER / "compose.yaml").read_text().splitlines() if "#" not in line[:3])
    used = set(re.findall(r"\$\{([A-Z_]+)", text))
    assert variables((DOCKER / ".env.example").read_text()) == used - {"HOSYNC_VERSION"}


def test_nothing_secret_has_a_default() -> None:
    text = (DOCKER / "compose.yaml").read_text()
    for name, operator in re.findall(r"\$\{([A-Z_]+)(:.)?", text):
        if re.search(r"PASSWORD|KEY|SECRET", name):
            assert operator == ":?", name
    assert not re.search(r"(?m)^[A-Z_]+=.+", (DOCKER / ".env.example").read_text())


def test_the_example_has_a_readable_connection_for_every_system() -> None:
    given = dict(
        re.findall(r"(?m)^([A-Z_]+)='(.*)'$", (DOCKER / "connections.env.example").read_text(encoding="utf-8"))
    )
    wanted = {entry.connection for entry in load_catalog()}
    assert set(given) == {f"AIRFLOW_CONN_{name.upper()}" for name in wanted}
    for name in wanted:
        settings = resolve(name, given)
        assert settings.base_url.startswith("https://") or settings.extra["path"]


def test_the_image_copies_what_is_there_and_what_the_ignore_file_lets_through() -> None:
    copied = [
        source
        for line in re.findall(r"(?m)^COPY (?!--from)(.+)$", (DOCKER / "Dockerfile").read_text())
        for source in line.split()[:-1]
    ]
    allowed = set(re.findall(r"(?m)^!(\S+)$", (DOCKER / "Dockerfile.dockerignore").read_text()))
    assert set(copied) == allowed
    for source in copied:
        assert (ROOT / source).exists(), source
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    assert {package.rstrip("*") for package in packages} <= set(copied)


def test_the_image_holds_what_its_settings_need() -> None:
    locked = set(re.findall(r"(?m)^([a-z0-9-]+)==", (ROOT / "requirements" / "image.lock").read_text()))
    needed = {"apache-airflow", "apache-airflow-providers-fab", "apache-airflow-providers-celery", "psycopg-binary"}
    assert needed | {"setuptools", "redis"} <= locked


@pytest.mark.parametrize("script", ["init.sh", "postgres-init.sh"])
def test_the_scripts_are_sound_and_executable(script: str) -> None:
    subprocess.run(["sh", "-n", DOCKER / script], check=True)
    assert (DOCKER / script).stat().st_mode & 0o111


def test_compose_itself_accepts_the_file_where_it_is_installed(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if not docker or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        return
    shutil.copytree(DOCKER, tmp_path / "docker")
    filled = re.sub(r"(?m)^([A-Z_]+)=$", r"\1=x", (DOCKER / ".env.example").read_text())
    (tmp_path / "docker" / ".env").write_text(filled)
    shutil.copy(DOCKER / "connections.env.example", tmp_path / "docker" / "connections.env")
    subprocess.run([docker, "compose", "-f", tmp_path / "docker" / "compose.yaml", "config", "--quiet"], check=True)


def test_the_package_holds_its_data_files(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    rooms = (*ROOMS, "cli")
    for room in rooms:
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    build = "from setuptools.build_meta import build_wheel; build_wheel('dist')"
    subprocess.run([sys.executable, "-c", build], cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    there = {
        str(path.relative_to(ROOT))
        for room in rooms
        for path in (ROOT / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert there - held == set()


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ({"scheduler": {"status": "healthy"}}, 0),
        ({"scheduler": {"status": "unhealthy"}}, 1),
        ({"scheduler": {"status": None}}, 1),
        ({"triggerer": {"status": "healthy"}}, 1),
        (None, 1),
    ],
)
def test_the_health_check_believes_only_a_clear_yes(states: dict[str, Any] | None, code: int) -> None:
    with _health(states) as url:
        assert _check(url) == code


def test_the_health_check_fails_when_nobody_answers() -> None:
    with _health({}) as url:
        pass
    assert _check(url) == 1


def _check(url: str) -> int:
    script = DOCKER / "healthy.py"
    return subprocess.run(
        [sys.executable, script, "scheduler"], env={"HOSYNC_HEALTH_URL": url}, capture_output=True
    ).returncode


@contextmanager
def _health(states: dict[str, Any] | None) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == "/api/v2/monitor/health"
            self.send_response(200 if known else 404)
            self.end_headers()
            self.wfile.write(b"<html>" if states is None else json.dumps(states).encode())

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
