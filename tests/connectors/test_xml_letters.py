"""Letters that XML forbids cost a text, never a document: however the bytes arrive, everything else stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from connectors.xml_letters import fit

REFERENCES = ("&#x1F;", "&#x1f;", "&#31;", "&#0;", "&#x0;", "&#x0000B;", "&#xD800;", "&#57343;", "&#xFFFE;", "&#65535;")
BEYOND = ("&#x110000;", "&#1114112;", "&#99999999;")
BARE = ("\x00", "\x01", "\x1f", "\x0b")
GOOD = (
    "&#x9;",
    "&#10;",
    "&#13;",
    "&#x20;",
    "&#7855;",
    "&#x1EAF;",
    "&#x1F600;",
    "&#128512;",
    "&#xFFFD;",
    "&amp;#x1F;",
    "Đ",
)


def in_pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def read(data: bytes, size: int = 1 << 16) -> str | None:
    return etree.fromstring(b"".join(fit(iter(in_pieces(data, size))))).text


@pytest.mark.parametrize("forbidden", [*REFERENCES, *BEYOND, *BARE])
def test_a_forbidden_letter_is_read_as_the_mark_of_unreadable_ones(forbidden: str) -> None:
    assert read(f"<a>Mẫu{forbidden} 1</a>".encode()) == "Mẫu\ufffd 1"


@given(
    st.lists(st.sampled_from((*REFERENCES, *BEYOND, *BARE, *GOOD, "&lt;", "x" * 70)), max_size=30), st.integers(1, 300)
)
def test_wherever_the_pieces_end_the_text_is_the_same(parts: list[str], size: int) -> None:
    data = f"<a>{''.join(parts)}</a>".encode()
    expected = "".join(
        "\ufffd" if part not in (*GOOD, "&lt;", "x" * 70) else (etree.fromstring(f"<a>{part}</a>").text or "")
        for part in parts
    )
    assert (read(data, size) or "") == expected


@given(st.lists(st.sampled_from(GOOD)), st.integers(1, 300))
def test_a_document_without_them_is_not_touched(parts: list[str], size: int) -> None:
    data = f"<a>{''.join(parts)}</a>".encode()
    assert b"".join(fit(iter(in_pieces(data, size)))) == data


def test_bytes_that_are_letters_in_another_encoding_stay() -> None:
    for data in (
        b'<?xml version="1.0" encoding="VISCII"?><a>' + b"\x02\x05\x1e</a>",
        "<a>Mẫu</a>".encode("utf-16"),
        "<a>Mẫu</a>".encode("utf-16-le"),
    ):
        assert b"".join(fit(iter((data,)))) == data
