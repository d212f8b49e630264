"""Streamed answers have the limits of whole ones, at every piece."""

import gzip
import threading
import time
from typing import BinaryIO

import pytest
from loopback import Reply, gzipped

from connectors.catalog_models import Limits, Timeouts
from connectors.errors import BrokenAnswer, ConnectorError, OutcomeUnknown, Redirected
from connectors.http import HttpClient


def client(settings, megabytes: int = 1, **timeouts: float) -> HttpClient:
    return HttpClient("loop", settings, timeouts=Timeouts(**timeouts), limits=Limits(max_response_mb=megabytes))


def read(settings, **timeouts: float) -> bytes:
    with client(settings, **timeouts).stream("POST", "/x", content=b"q") as answer:
        return b"".join(answer.chunks)


def test_an_answer_is_read_piece_by_piece_whatever_its_status(serve):
    for status in (200, 302, 404, 503):
        server = serve(Reply(status, b"a" * 200_000, "text/xml; charset=utf-8", {"Retry-After": "7"}))
        with client(server.settings()).stream("POST", "/x", content=b"q", headers={"SOAPAction": "s"}) as answer:
            assert (answer.status, answer.media_type, answer.headers["retry-after"]) == (status, "text/xml", "7")
            pieces = list(answer.chunks)
        assert len(pieces) > 1
        assert b"".join(pieces) == b"a" * 200_000
        assert (server.asked[0].body, server.asked[0].headers["soapaction"]) == (b"q", "s")


def test_a_compressed_answer_is_inflated_on_the_way(serve):
    assert read(serve(gzipped(b"x" * 500_000)).settings()) == b"x" * 500_000


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"Content-Length: 100\r\n\r\n<a>", "cut"),
        (b"Transfer-Encoding: chunked\r\n\r\n5\r\n<a>\r\n", "cut"),
        (b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"[1]" * 1000)[:-12], "cut before its end"),
        (b"Content-Encoding: gzip\r\n\r\nnot gzip", "damaged"),
        (b"Content-Encoding: br\r\n\r\nx", "Content-Encoding"),
    ],
    ids=["length", "chunked", "gzip", "damaged", "encoding"],
)
def test_an_answer_that_is_not_whole_is_an_error(serve, raw, problem):
    server = serve(Reply(raw=lambda out, _: out.write(b"HTTP/1.1 200 OK\r\n" + raw) and None))
    with pytest.raises(BrokenAnswer, match=problem):
        read(server.settings())


def test_more_than_the_cap_is_refused_before_it_is_kept(serve):
    for reply in (gzipped(b"\0" * (32 << 20)), Reply(body=b"x" * (2 << 20))):
        server = serve(reply)
        size = 0
        with (  # noqa: PT012
            pytest.raises(BrokenAnswer, match="larger than 1 MB"),
            client(server.settings()).stream("POST", "/x") as answer,
        ):
            for piece in answer.chunks:
                size += len(piece)
        assert size <= 1 << 20


def test_a_drip_is_cut_by_the_total_time(serve):
    def drip(out: BinaryIO, stop: threading.Event) -> None:
        out.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not stop.wait(0.01):
            out.write(b"1")
            out.flush()

    with pytest.raises(OutcomeUnknown, match=r"not finished within 0\.4 s"):
        read(serve(Reply(raw=drip)).settings(), read_s=60, total_s=0.4)


def test_only_waiting_for_the_system_counts(serve):
    server = serve(Reply(body=b"x" * 300_000))
    with client(server.settings(), total_s=0.5).stream("POST", "/x") as answer:
        for _ in answer.chunks:
            time.sleep(0.2)


def test_another_call_in_between_has_a_deadline_of_its_own(serve):
    server = serve(Reply(body=b"x" * 300_000))
    http = client(server.settings(), total_s=30)
    with http.stream("POST", "/x") as answer:
        next(answer.chunks)
        assert len(http.request("GET", "/y", accept_status=frozenset({200})).body) == 300_000
        assert sum(map(len, answer.chunks)) == 300_000 - 65536


def test_a_stream_that_is_left_is_closed(serve):
    def flood(out: BinaryIO, stop: threading.Event) -> None:
        out.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not stop.is_set():
            out.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")

    server = serve(Reply(raw=flood))
    http = client(server.settings(), megabytes=64)
    with http.stream("POST", "/x") as answer:
        next(answer.chunks)
    with http.stream("POST", "/x") as answer:
        next(answer.chunks)
    assert len(server.connections) == 2


def test_nothing_of_the_request_is_in_the_errors(serve):
    secret = "mật khẩu 000099000001"
    server = serve(Reply(raw=lambda _out, _stop: None))
    with (
        pytest.raises(ConnectorError) as caught,
        client(server.settings()).stream("POST", "/x", content=secret.encode()),
    ):
        pass
    error: BaseException | None = caught.value
    while error is not None:
        assert "000099000001" not in f"{error!r}{error}"
        error = error.__cause__ or error.__context__
    assert not isinstance(caught.value, Redirected)
