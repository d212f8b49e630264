"""An end that is near is told before anything fails."""

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from connectors.api import CheckStatus
from connectors.catalog import load_catalog
from connectors.certificates import certificate_checks, server_certificate_checks
from connectors.connections import ConnectionSettings
from sync.check import check

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def certificate(folder: Path, ends: datetime) -> Path:
    """A file with a key and a certificate that ends then."""
    issued = trustme.CA().issue_cert("hosync.h12.example.invalid", not_after=ends)
    file = folder / "own.pem"
    issued.private_key_and_cert_chain_pem.write_to_path(file)
    return file


@pytest.mark.parametrize(
    ("left", "status"),
    [
        (timedelta(days=365), CheckStatus.OK),
        (timedelta(days=31), CheckStatus.OK),
        (timedelta(days=29), CheckStatus.WARNING),
        (timedelta(seconds=1), CheckStatus.WARNING),
        (timedelta(), CheckStatus.FAILED),
        (timedelta(days=-400), CheckStatus.FAILED),
    ],
    ids=str,
)
@pytest.mark.parametrize("key", ["client_cert", "sign_cert"])
def test_the_end_of_our_certificate_is_told_in_time(tmp_path, key, left, status):
    file = certificate(tmp_path, NOW + left)
    settings = ConnectionSettings(conn_id="loop", host="127.0.0.1", extra={key: str(file)})
    (line,) = certificate_checks(settings, NOW)
    assert line.status is status
    assert str(file) in line.detail
    assert f"{NOW + left:%Y-%m-%d}" in line.detail
    assert bool(line.fix) is (status is not CheckStatus.OK)


@pytest.mark.parametrize("content", [None, b"", b"no certificate", b"-----BEGIN CERTIFICATE-----"])
def test_a_file_that_cannot_be_read_is_left_to_whoever_uses_it(tmp_path, content):
    if content is not None:
        (tmp_path / "own.pem").write_bytes(content)
    extra = {"client_cert": str(tmp_path / "own.pem")}
    assert list(certificate_checks(ConnectionSettings(conn_id="loop", host="127.0.0.1", extra=extra), NOW)) == []


def test_the_check_of_a_system_tells_it_even_where_nobody_answers(tmp_path, monkeypatch):
    file = certificate(tmp_path, NOW + timedelta(days=3))
    connection = {"conn_type": "https", "host": "127.0.0.1", "port": 1, "extra": {"client_cert": str(file)}}
    monkeypatch.setenv("AIRFLOW_CONN_XAYDUNG", json.dumps(connection))
    (told,) = check(load_catalog(), "xaydung", now=NOW)
    (line,) = [result for result in told.results if result.name == "certificate"]
    assert (line.status, "2026-03-05" in line.detail) == (CheckStatus.WARNING, True)


@pytest.mark.parametrize(
    ("left", "told"),
    [(timedelta(days=365), 0), (timedelta(days=31), 0), (timedelta(days=29), 1), (timedelta(days=-1), 0)],
    ids=str,
)
def test_the_end_of_the_certificate_that_a_system_shows_is_told_in_time(left, told):
    with showing(NOW + left) as port:
        settings = ConnectionSettings(conn_id="loop", host="127.0.0.1", port=port, scheme="https")
        lines = list(server_certificate_checks(settings, NOW))
    assert [(line.status, f"{NOW + left:%Y-%m-%d}" in line.detail, bool(line.fix)) for line in lines] == [
        (CheckStatus.WARNING, True, True)
    ] * told


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_where_nobody_answers_there_is_no_certificate_to_look_at(scheme):
    settings = ConnectionSettings(conn_id="loop", host="127.0.0.1", port=1, scheme=scheme)
    assert list(server_certificate_checks(settings, NOW)) == []


@contextmanager
def showing(ends: datetime) -> Iterator[int]:
    """A port where a certificate is shown once that ends then."""
    issued = trustme.CA().issue_cert("127.0.0.1", not_after=ends)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def show() -> None:
            taken, _ = listener.accept()
            with suppress(OSError), context.wrap_socket(taken, server_side=True) as shown:
                shown.recv(1)

        thread = threading.Thread(target=show)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()
