"""Answers with attachments: the message is read, the rest passes by, and what is not whole is an error."""

import itertools
from pathlib import Path

import pytest
from loopback import Reply, gzipped
from services import envelope, ho_so, in_pieces, keys, listing, pull, rows, source_of, wsdl
from test_soap_large_answers import NO_PAGES, grown

from connectors.errors import BrokenAnswer, Refused
from connectors.http import Streamed
from connectors.soap.multipart import root_part

XOP = 'xmlns:xop="http://www.w3.org/2004/08/xop/include"'
SCANNED = f'<tep><xop:Include {XOP} href="cid:quet@x"/></tep>'
MESSAGE = envelope(listing([ho_so("A", extra=SCANNED)]))
TYPE = 'multipart/related; type="application/xop+xml"; start="<goc@x>"; boundary="=_moi=1"'
ROOT = ("Content-Type: application/xop+xml; charset=utf-8; type=text/xml", "Content-Transfer-Encoding: 8bit")


@pytest.fixture
def contract(tmp_path) -> Path:
    path = tmp_path / "c.wsdl"
    path.write_text(wsdl())
    return path


def part(content: bytes, *headers: str, content_id: str = "goc@x") -> bytes:
    head = "\r\n".join([*headers, f"Content-ID: <{content_id}>"])
    return b"\r\n--=_moi=1\r\n" + head.encode() + b"\r\n\r\n" + content


def multipart(*parts: bytes, end: bytes = b"\r\n--=_moi=1--\r\n") -> Reply:
    return Reply(200, b"".join(parts) + end, TYPE)


SCAN = part(b"\x00\r\n--=_moi\r\n\xff" * 1000, "Content-Type: application/pdf", content_id="quet@x")


@pytest.mark.parametrize(
    "parts",
    [
        [part(MESSAGE, *ROOT), SCAN],
        [SCAN, part(MESSAGE, *ROOT), SCAN],
        [part(MESSAGE, *ROOT)],
        [b"This is a message in several parts.", part(MESSAGE, *ROOT), SCAN],
        [part(MESSAGE, *ROOT)[2:], SCAN],
    ],
    ids=["first", "in the middle", "alone", "behind a preamble", "at the very beginning"],
)
def test_the_root_part_is_read_and_attachments_are_not(serve, contract, parts):
    (page,) = pull(source_of(serve(multipart(*parts)), contract, NO_PAGES))
    assert page.raw == MESSAGE
    assert page.records[0]["tep"] == "cid:quet@x"


def test_without_a_start_the_first_part_is_the_root(serve, contract):
    reply = multipart(part(MESSAGE, *ROOT), SCAN)
    reply = Reply(200, reply.body, "multipart/related; boundary==_moi=1")
    assert keys(pull(source_of(serve(reply), contract, NO_PAGES))) == ["A"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 24, 1000])
def test_parts_may_come_in_any_pieces(size):
    body = multipart(SCAN[:200], part(MESSAGE, *ROOT), SCAN[:200]).body
    pieces = (body[begin : begin + size] for begin in range(0, len(body), size))
    answer = Streamed(system="x", where="y", status=200, headers={"content-type": TYPE}, chunks=pieces)
    media_type, chunks = root_part(answer)
    assert (media_type, b"".join(chunks)) == ("application/xop+xml", MESSAGE)


def test_a_compressed_multipart_answer_is_inflated(serve, contract):
    reply = gzipped(multipart(part(MESSAGE, *ROOT), SCAN).body)
    reply = Reply(200, reply.body, TYPE, reply.headers)
    assert keys(pull(source_of(serve(reply), contract, NO_PAGES))) == ["A"]


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (multipart(part(MESSAGE, *ROOT), SCAN, end=b""), "cut before the closing boundary"),
        (multipart(part(MESSAGE, *ROOT), end=b""), "cut before the closing boundary"),
        (multipart(part(MESSAGE, *ROOT)[:-40], SCAN), "cut or not well-formed"),
        (multipart(b"--=_moi=1--"), "no part"),
        (multipart(SCAN), "no root part"),
        (multipart(part(MESSAGE, "Content-Type: text/xml", "Content-Transfer-Encoding: base64")), "transfer encoding"),
        (multipart(part(b"<html/>", "Content-Type: text/html")), "text/html came"),
        (Reply(200, b"x", "multipart/related"), "no boundary"),
        (multipart(b"\r\n--=_moi=1\r\n" + b"X: y\r\n" * 5000), "no end"),
        (Reply(200, b"", TYPE), "cut before the closing boundary"),
    ],
    ids=[
        "cut",
        "cut behind the root",
        "root cut",
        "empty",
        "no root",
        "base64",
        "html",
        "no boundary",
        "headers",
        "none",
    ],
)
def test_a_broken_multipart_answer_is_an_error(serve, contract, reply, problem):
    with pytest.raises(BrokenAnswer, match=problem):
        pull(source_of(serve(reply), contract, NO_PAGES))


def test_a_fault_may_come_with_attachments_too(serve, contract):
    fault = envelope("<s:Fault><faultcode>s:Client</faultcode><faultstring>x</faultstring></s:Fault>")
    for status in (200, 500):
        reply = Reply(status, multipart(part(fault, *ROOT), SCAN).body, TYPE)
        with pytest.raises(Refused, match=r"s:Client, HTTP"):
            pull(source_of(serve(reply), contract, NO_PAGES))


def test_the_limit_counts_attachments_too(serve, contract):
    scans = [part(b"", content_id="quet@x"), *[b"x" * 65536] * 32]
    pieces = [part(MESSAGE, *ROOT), *scans, b"\r\n--=_moi=1--"]
    with pytest.raises(BrokenAnswer, match="larger than 1 MB"):
        pull(source_of(serve(in_pieces(pieces, TYPE)), contract, NO_PAGES, max_response_mb=1))


def test_two_hundred_megabytes_of_attachment_pass_without_being_kept(serve, contract):
    body = envelope(listing((ho_so(f"A{number}", extra=SCANNED) for number in range(25)), total=25))
    scan = itertools.repeat(b"%PDF\r\n--=_moi\r\n" * 4096, 200 * 16)
    pieces = itertools.chain([part(body, *ROOT), part(b"", content_id="quet@x")], scan, [b"\r\n--=_moi=1--\r\n"])
    count, megabytes = grown(serve(in_pieces(pieces, TYPE)), contract)
    assert count == 25
    assert megabytes < 10


def test_what_is_not_multipart_is_read_as_before(serve, contract):
    assert rows(pull(source_of(serve(Reply(200, MESSAGE, "text/xml")), contract, NO_PAGES)))[0]["tep"] == "cid:quet@x"
