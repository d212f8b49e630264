"""Letters that XML forbids, as systems write them that put whatever a person pasted into a text: `&#x1F;`, a bare byte.

One of them makes the whole document unreadable. They are read as U+FFFD, which no mapping takes for text: the record is
set aside with its field, and its neighbours are not (as in ``json_text``). Only the bytes on their way to the parser
are changed; what is archived is what came.
"""

import codecs
import re
from collections.abc import Iterator

_HEAD = 256
"""Enough for the declaration, which says in what letters the rest is written."""
_LONGEST = 64
_FORBIDDEN = b"&#xFFFD;"
_BARE = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_BARE_ONES = bytes({*range(32)} - {9, 10, 13})
# Few references are looked at closely: those to the first 32 letters, to halves of pairs and to what is beyond.
_SUSPECT = re.compile(
    rb"&#(?:x(0*(?:[0-9a-fA-F]|1[0-9a-fA-F]|[dD][89a-fA-F][0-9a-fA-F]{2}|[fF]{3}[eEfF]|[0-9a-fA-F]{6,60}))"
    rb"|(0*(?:\d|[12]\d|3[01]|5[5-7]\d{3}|6553[45]|\d{7,60})));"
)
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*\sencoding\s*=\s*["']([^"']+)""")
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def fit(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The bytes of a document, with what XML forbids replaced; as many pieces or fewer, and nothing held back long."""
    held = b""
    for chunk in chunks:
        held += chunk
        if len(held) >= _HEAD:
            break
    if held[:2] in _WIDE or b"\x00" in held[:4]:  # letters of several bytes each
        yield held
        yield from chunks
        return
    # In other encodings these bytes may be letters (VISCII).
    declared = _DECLARED.match(held.removeprefix(codecs.BOM_UTF8))
    bare = declared is None or declared[1].lower() in (b"utf-8", b"utf8", b"us-ascii")
    piece, held = _cut(held)
    yield _fit(piece, bare=bare)
    for chunk in chunks:
        piece, held = _cut(held + chunk)
        if piece:
            yield _fit(piece, bare=bare)
    if held:
        yield held


def _cut(data: bytes) -> tuple[bytes, bytes]:
    """``data``, and what may be the beginning of a reference at its end."""
    begins = data.rfind(b"&", max(0, len(data) - _LONGEST))
    return (data, b"") if begins < 0 or b";" in data[begins:] else (data[:begins], data[begins:])


def _fit(data: bytes, *, bare: bool) -> bytes:
    if b"&#" in data:
        data = _SUSPECT.sub(_allowed, data)
    return _BARE.sub(_FORBIDDEN, data) if bare and len(data.translate(None, _BARE_ONES)) < len(data) else data


def _allowed(reference: re.Match[bytes]) -> bytes:
    """The reference itself, or that of U+FFFD."""
    letter = int(reference[1], 16) if reference[1] else int(reference[2])
    is_letter = letter in (0x9, 0xA, 0xD) or 0x20 <= letter <= 0xD7FF or 0xE000 <= letter <= 0xFFFD
    return reference[0] if is_letter or 0x10000 <= letter <= 0x10FFFF else _FORBIDDEN
