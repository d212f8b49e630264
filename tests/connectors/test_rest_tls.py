"""Mutual TLS: a REST source before a server that demands a client certificate."""

import ssl
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from entries import NOW, records
from loopback import json_reply, serving
from rest_entries import rest_entry, source_of

from connectors.api import CheckStatus
from connectors.errors import CertificateProblem


class Authorities:
    """The server's authority, the one it takes clients from, and a stranger; certificates as files."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.own, self.clients, self.stranger = trustme.CA(), trustme.CA(), trustme.CA()
        self.own.cert_pem.write_to_path(folder / "ca.pem")

    def context(self, version: ssl.TLSVersion) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.own.issue_cert("127.0.0.1").configure_cert(context)
        self.clients.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
        context.maximum_version = version
        return context

    def client(self, authority: trustme.CA, **issued) -> dict[str, str]:
        certificate = authority.issue_cert("hosync.h12.example.invalid", **issued)
        certificate.cert_chain_pems[0].write_to_path(self.folder / "client.pem")
        certificate.private_key_pem.write_to_path(self.folder / "client.key")
        return {"client_cert": str(self.folder / "client.pem"), "client_key": str(self.folder / "client.key")}


@pytest.fixture(scope="module")
def authorities(tmp_path_factory):
    return Authorities(tmp_path_factory.mktemp("tls"))


# Version 1.2 refuses in the middle of the handshake, 1.3 after it, when the request is on its way already.
@pytest.fixture(scope="module", params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def server(authorities, request):
    def answer(asked):
        return json_reply({"access_token": "t"} if asked.path == "/token" else {"d": [{"so": 1}]})

    with serving(answer, authorities.context(request.param)) as running:
        yield running


@pytest.fixture
def source(authorities, server, tmp_path):
    def start(**extra):
        options = {
            "auth": {"kind": "oauth2", "token_path": "/token"},
            "request": {"path": "/ds"},
            "answer": {"records": "d"},
        }
        entry = rest_entry(tmp_path, {"style": "snapshot"}, options)
        ca = str(authorities.folder / "ca.pem")
        return source_of(entry, server, scheme="https", extra={"ca_bundle": ca, **extra})

    return start


def pull(source):
    return records(list(source.pull(window=None, cursor=None, open_codes=(), now=NOW)))


def test_the_client_certificate_of_the_connection_opens_token_call_and_data(authorities, source):
    assert pull(source(**authorities.client(authorities.clients))) == [{"so": 1}]


def test_without_a_client_certificate_the_error_says_where_to_put_one(source):
    with pytest.raises(CertificateProblem, match="client_cert"):
        pull(source())


def test_a_client_certificate_of_another_authority_is_named_as_the_problem(authorities, source):
    with pytest.raises(CertificateProblem, match="client_cert"):
        pull(source(**authorities.client(authorities.stranger)))


def test_an_expired_client_certificate_is_named_as_the_problem(authorities, source):
    expired = authorities.client(authorities.clients, not_after=datetime.now(UTC) - timedelta(days=1))
    with pytest.raises(CertificateProblem, match="client_cert"):
        pull(source(**expired))


def test_check_says_that_it_is_the_certificate(authorities, source):
    results = {result.name: result for result in source().check()}
    assert results["connection"].status is CheckStatus.FAILED
    assert "client_cert" in results["connection"].fix
    good = source(**authorities.client(authorities.clients)).check()
    assert {result.status for result in good} == {CheckStatus.OK}
