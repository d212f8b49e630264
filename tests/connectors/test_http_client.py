"""The HTTP client against servers that behave, and servers that do everything they should not."""

import logging
import socket
import threading
import time
from typing import BinaryIO

import pytest
import trustme
from loopback import Reply, gzipped, json_reply

from connectors.catalog_models import Limits, Timeouts
from connectors.connections import ConnectionSettings
from connectors.errors import (
    BrokenAnswer,
    CertificateProblem,
    ConnectorError,
    Intent,
    NotSent,
    NotSignedIn,
    OutcomeUnknown,
    Redirected,
    Refused,
    Throttled,
)
from connectors.http import HttpClient

SECRET = "Nguyễn Văn Mẫu 000099000001"


def client(settings: ConnectionSettings, **timeouts: float) -> HttpClient:
    return HttpClient("loop", settings, timeouts=Timeouts(**timeouts), limits=Limits(max_response_mb=1))


def failure(settings: ConnectionSettings, **timeouts: float) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        client(settings, **timeouts).request("POST", "/x", json={"name": SECRET}).json()
    return caught.value


def test_an_answer_comes_back_whole_and_the_connection_is_used_again(serve):
    server = serve(lambda asked: json_reply({"echo": asked.json}))
    http = client(server.settings())
    for _ in range(3):
        answer = http.request("POST", "/echo", json={"tên": "Đỗ"})
        assert answer.json() == {"echo": {"tên": "Đỗ"}}
    assert len(server.connections) == 1
    assert server.asked[0].headers["content-type"].startswith("application/json")


def test_calls_of_several_addresses_each_go_to_their_own(serve):
    server = serve(lambda asked: json_reply([asked.path, asked.query]))
    http = client(server.settings())
    for _ in range(2):
        assert http.request("GET", "/a").json() == ["/a", {}]
        assert http.request("GET", "/a", params={"p": "1"}).json() == ["/a", {"p": "1"}]
        assert http.request("POST", "/b?q=2", json=[]).json() == ["/b", {"q": "2"}]
    assert len(server.connections) == 1


def test_a_cookie_comes_back_with_the_calls_that_follow(serve):
    server = serve(json_reply({}, **{"Set-Cookie": "seat=7"}))
    http = client(server.settings())
    for _ in range(3):
        http.request("GET", "/x")
    assert [asked.headers.get("cookie") for asked in server.asked] == [None, "seat=7", "seat=7"]


def test_a_client_that_was_closed_connects_anew(serve):
    server = serve(json_reply({}))
    http = client(server.settings())
    for _ in range(2):
        http.request("GET", "/x")
        http.close()
    assert len(server.connections) == 2


def test_a_compressed_answer_is_inflated(serve):
    server = serve(gzipped(b"[1, 2]"))
    assert client(server.settings()).request("GET", "/z").json() == [1, 2]


@pytest.mark.parametrize("drip_at", ["headers", "body", "chunk size"])
def test_a_dripping_answer_is_cut_by_the_total_deadline(serve, drip_at):
    prefix = {
        "headers": b"HTTP/1.1 200 OK\r\nX-Slow: ",
        "body": b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
        "chunk size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    }[drip_at]

    def drip(out: BinaryIO, stop: threading.Event) -> None:
        out.write(prefix)
        while not stop.wait(0.01):
            out.write(b"1" if drip_at != "chunk size" else b"0")
            out.flush()

    server = serve(Reply(raw=drip))
    error = failure(server.settings(), read_s=60, total_s=0.5)
    assert type(error) is OutcomeUnknown
    assert "0.5 s" in str(error)


def test_the_total_deadline_also_ends_a_silence_shorter_than_the_read_timeout(serve):
    def late(out: BinaryIO, stop: threading.Event) -> None:
        stop.wait(5)
        out.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    error = failure(serve(Reply(raw=late)).settings(), read_s=60, total_s=0.3)
    assert "0.3 s" in str(error)


def test_no_answer_within_the_read_timeout_is_an_unknown_outcome(serve):
    server = serve(Reply(raw=lambda _out, stop: stop.wait() and None))
    error = failure(server.settings(), read_s=0.2)
    assert type(error) is OutcomeUnknown
    assert error.intent is Intent.ASK


def test_a_small_compressed_answer_that_stands_for_a_huge_one_is_refused(serve):
    bomb = gzipped(b"\0" * (64 << 20))
    server = serve(bomb)
    error = failure(server.settings())
    assert isinstance(error, BrokenAnswer)
    assert "max_response_mb" in str(error)


def test_an_endless_answer_is_cut_at_the_cap(serve):
    def flood(out: BinaryIO, stop: threading.Event) -> None:
        out.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not stop.is_set():
            out.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")

    server = serve(Reply(raw=flood))
    assert "larger than 1 MB" in str(failure(server.settings()))


@pytest.mark.parametrize(
    "answer",
    [
        b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"data": [1',
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"dat\r\n',
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzipped(b"[1]" * 1000).body[:-12],
        b'HTTP/1.1 200 OK\r\n\r\n{"data": [1',
    ],
    ids=["content-length", "chunked", "gzip", "close-delimited"],
)
def test_a_cut_answer_is_broken_never_shorter(serve, answer):
    server = serve(Reply(raw=lambda out, _stop: out.write(answer) and None))
    assert isinstance(failure(server.settings()), BrokenAnswer)


def test_a_compressed_answer_without_its_check_sum_was_cut(serve):
    whole = gzipped(b"[1]")
    server = serve(Reply(body=whole.body[:-4], headers=whole.headers))
    assert "cut before its end" in str(failure(server.settings()))


def test_a_connection_closed_without_an_answer_is_an_unknown_outcome(serve):
    server = serve(Reply(raw=lambda _out, _stop: None))
    assert type(failure(server.settings())) is OutcomeUnknown


def test_a_closed_port_means_that_nothing_was_sent():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        error = failure(ConnectionSettings(conn_id="loop", host="127.0.0.1", port=unused.getsockname()[1]))
    assert type(error) is NotSent
    assert "refused" in str(error)


def test_a_host_that_does_not_exist_means_that_nothing_was_sent():
    assert type(failure(ConnectionSettings(conn_id="loop", host="nowhere.invalid"))) is NotSent


def test_a_host_that_is_no_host_is_a_matter_for_a_person():
    error = failure(ConnectionSettings(conn_id="loop", host="http://[::1"))
    assert error.intent is Intent.FIX


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_refused_and_not_followed(serve, status):
    server = serve(Reply(status, headers={"Location": "/elsewhere"}))
    assert isinstance(failure(server.settings()), Redirected)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (400, {}, Refused),
        (401, {}, NotSignedIn),
        (403, {}, Refused),
        (404, {}, Refused),
        (408, {}, OutcomeUnknown),
        (422, {}, Refused),
        (429, {}, Throttled),
        (500, {}, OutcomeUnknown),
        (502, {}, OutcomeUnknown),
        (503, {}, OutcomeUnknown),
        (503, {"Retry-After": "7"}, Throttled),
        (504, {}, OutcomeUnknown),
    ],
)
def test_a_status_says_what_became_of_the_request(serve, status, headers, expected):
    server = serve(Reply(status, SECRET.encode(), headers=headers))
    error = failure(server.settings())
    assert type(error) is expected
    assert f"HTTP {status}" in str(error)
    if headers:
        assert isinstance(error, Throttled)
        assert error.retry_after_s == 7


def test_a_status_the_caller_expects_is_returned(serve):
    server = serve(json_reply({"no": 1}, 404))
    assert client(server.settings()).request("GET", "/x", accept_status=frozenset({404})).status == 404


def test_a_gateway_that_wants_a_client_certificate_is_not_a_data_error(serve):
    page = b"<html><head><title>400 No required SSL certificate was sent</title></head></html>"
    server = serve(Reply(400, page, "text/html"))
    assert isinstance(failure(server.settings()), CertificateProblem)


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"<html>sign in</html>", "text/html; charset=utf-8"),
        (b"  <!DOCTYPE html><p>firewall", "application/json"),
        (b"", "application/json"),
        (b'{"a": NaN}', "application/json"),
        (b'{"a": 1} {"b": 2}', "application/json"),
        ('{"a": "Nguyễn"}'.encode("cp1258", "replace") + b"\xe3", "application/json"),
        (b'{"a": "' + SECRET.encode() + b'", ', "application/json"),
    ],
)
def test_what_is_not_json_is_a_broken_answer(serve, body, media_type):
    server = serve(Reply(body=body, media_type=media_type))
    assert isinstance(failure(server.settings()), BrokenAnswer)


def test_a_byte_order_mark_does_no_harm(serve):
    server = serve(Reply(body=b"\xef\xbb\xbf[1]"))
    assert client(server.settings()).request("GET", "/bom").json() == [1]


def test_the_environment_changes_nothing(serve, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login thief password thief\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    server = serve(json_reply({}))
    client(server.settings()).request("GET", "/x", headers={"Authorization": "Bearer ours"})
    assert server.asked[0].headers["authorization"] == "Bearer ours"


def test_the_proxy_of_the_connection_is_used(serve):
    server = serve(json_reply({"by": "proxy"}))
    settings = server.settings(host="somewhere.invalid", port=80, extra={"proxy": f"http://127.0.0.1:{server.port}"})
    assert client(settings).request("GET", "/x").json() == {"by": "proxy"}
    assert type(failure(server.settings(extra={"proxy": "http://127.0.0.1:9"}))) is NotSent


def test_nothing_personal_gets_into_errors_or_logs(serve, caplog):
    caplog.set_level(logging.DEBUG)
    for reply in (
        Reply(500, SECRET.encode()),
        Reply(422, SECRET.encode()),
        Reply(body=b'{"name": "' + SECRET.encode()),
        Reply(raw=lambda _out, _stop: None),
    ):
        server = serve(reply)
        error = failure(server.settings(login="loginname", password="a-password"))
        shown = repr(error) + str(error) + repr(error.__cause__) + repr(error.__context__)
        for word in (*SECRET.split(), "a-password", "loginname"):
            assert word not in shown
            assert word not in caplog.text


class Authority:
    """A certificate authority of this test and a TLS port signed by it."""

    def __init__(self, folder, name: str) -> None:
        self.ca = trustme.CA()
        self.bundle = folder / "ca.pem"
        self.ca.cert_pem.write_to_path(self.bundle)
        self.server = self.ca.issue_cert(name)


def tls_port(authority: Authority, monkeypatch_stack) -> int:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.server.configure_cert(context)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    monkeypatch_stack.callback(listener.close)

    def serve_forever() -> None:
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(raw, server_side=True) as conn:
                    conn.recv(65536)
                    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            except OSError:
                continue

    threading.Thread(target=serve_forever, daemon=True).start()
    return int(listener.getsockname()[1])


@pytest.fixture
def stack():
    from contextlib import ExitStack

    with ExitStack() as held:
        yield held


def test_the_authority_of_the_connection_is_trusted_and_no_other(tmp_path, stack):
    authority = Authority(tmp_path, "127.0.0.1")
    settings = ConnectionSettings(
        conn_id="loop",
        host="127.0.0.1",
        port=tls_port(authority, stack),
        scheme="https",
        extra={"ca_bundle": str(authority.bundle)},
    )
    assert client(settings).request("GET", "/x").json() == {}
    stranger = ConnectionSettings(conn_id="loop", host="127.0.0.1", port=settings.port, scheme="https")
    assert isinstance(failure(stranger), CertificateProblem)


def test_a_certificate_for_another_name_is_refused(tmp_path, stack):
    authority = Authority(tmp_path, "other.example")
    settings = ConnectionSettings(
        conn_id="loop",
        host="127.0.0.1",
        port=tls_port(authority, stack),
        scheme="https",
        extra={"ca_bundle": str(authority.bundle)},
    )
    assert isinstance(failure(settings), CertificateProblem)


def test_a_certificate_file_that_is_not_there_is_named():
    settings = ConnectionSettings(conn_id="loop", host="h", extra={"client_cert": "/nowhere/cert.pem"})
    with pytest.raises(CertificateProblem, match=r"/nowhere/cert\.pem"):
        HttpClient("loop", settings)


def test_the_deadline_is_given_back_after_each_call(serve):
    server = serve(json_reply({}))
    http = client(server.settings(), total_s=0.3)
    http.request("GET", "/x")
    time.sleep(0.4)  # longer than the whole first call might have taken
    assert http.request("GET", "/x").json() == {}
