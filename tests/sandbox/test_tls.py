"""Servers that demand a certificate of their clients, and the connections that lead to them."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from sandbox.certificates import AUTHORITY, CLIENT_CERT, CLIENT_KEY, SIGNER_CERT, SIGNER_KEY, ensure, server_context
from sandbox.connections import Connection
from sandbox.http import HOST, SecureListener, listen, with_controls


@dataclass(frozen=True)
class Running:
    """One server with both kinds of listener, and the home of its certificates."""

    home: Path
    plain: str
    secure: str

    def call(self, **how: Any) -> requests.Response:
        return requests.get(f"{self.secure}/dossiers", verify=str(self.home / AUTHORITY), timeout=10, **how)

    @property
    def certificate(self) -> tuple[str, str]:
        return str(self.home / CLIENT_CERT), str(self.home / CLIENT_KEY)


@pytest.fixture(scope="module")
def running(serve_app: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Running:
    async def dossiers(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"asked over {request.url.scheme}")

    home = tmp_path_factory.mktemp("home")
    listener = listen()
    app = with_controls(Starlette(routes=[Route("/dossiers", dossiers)]), name="mau")
    plain = serve_app(app, [SecureListener(listener, server_context(home))])
    return Running(home, plain, f"https://{HOST}:{listener.getsockname()[1]}")


def test_a_client_with_its_certificate_is_served(running: Running) -> None:
    assert running.call(cert=running.certificate).text == "asked over https"


def test_a_client_without_a_certificate_is_turned_away(running: Running) -> None:
    with pytest.raises((requests.exceptions.SSLError, requests.ConnectionError)):
        running.call()


def test_a_certificate_of_somebody_else_is_worth_nothing(running: Running, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.pem"
    trustme.CA().issue_cert("hosync-mau.invalid").private_key_and_cert_chain_pem.write_to_path(foreign)
    with pytest.raises((requests.exceptions.SSLError, requests.ConnectionError)):
        running.call(cert=str(foreign))


def test_a_server_can_be_told_from_an_impostor(running: Running) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{running.secure}/dossiers", cert=running.certificate, timeout=10)


def test_in_the_clear_only_the_controls_answer(running: Running) -> None:
    assert requests.get(f"{running.plain}/dossiers", timeout=10).status_code == 400
    assert requests.get(f"{running.plain}/_sandbox/health", timeout=10).json()["name"] == "mau"
    armed = requests.post(f"{running.plain}/_sandbox/faults", json={"mode": "drop"}, timeout=10)
    assert armed.status_code == 200
    with pytest.raises(requests.ConnectionError):
        running.call(cert=running.certificate)
    assert running.call(cert=running.certificate).status_code == 200


def test_certificates_are_made_once_however_many_ask(tmp_path: Path) -> None:
    home = tmp_path / "home"
    started = threading.Barrier(4)

    def ask() -> bytes:
        started.wait()
        ensure(home)
        return (home / AUTHORITY).read_bytes()

    with ThreadPoolExecutor(4) as pool:
        made = {done.result() for done in [pool.submit(ask) for _ in range(4)]}
    assert len(made) == 1
    assert [path.name for path in home.iterdir()] == ["certificates"]
    keys = [home / CLIENT_KEY, home / SIGNER_KEY]
    assert [path.stat().st_mode & 0o077 for path in keys] == [0, 0], "a key is for its owner alone"


def test_a_connection_hands_out_paths_and_leads_to_tls(tmp_path: Path) -> None:
    connection = Connection(server="mau", extra={"unit": "96"}, extra_files={"client_cert": SIGNER_CERT}, tls=True)
    told = json.loads(connection.airflow(4443, tmp_path))
    assert connection.listener == "mau-tls"
    assert (told["schema"], told["port"]) == ("https", 4443)
    assert told["extra"] == {"unit": "96", "client_cert": str(tmp_path / SIGNER_CERT)}
    assert json.loads(Connection(server="mau").airflow(80, tmp_path))["schema"] == "http"
