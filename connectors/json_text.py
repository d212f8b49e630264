"""JSON as answers bring it, read strictly: UTF-8, no NaN, nothing after the end.

Two things orjson lets pass: of a key that stands twice in one object it keeps the last, and a whole number of more than
64 bits becomes a float. ``strict`` refuses both, and then parsing takes three times as long.

One thing it refuses is no reason to refuse a page: half of a surrogate pair, as systems write it that cut a text at a
length in the middle of a letter. It is read as U+FFFD, which no mapping takes for text: the record is set aside, and
its neighbours are not.
"""

import codecs
import json
import re
from typing import TYPE_CHECKING, Any

import orjson

from connectors.errors import BrokenAnswer

if TYPE_CHECKING:
    from connectors.http import Answer

BOM = codecs.BOM_UTF8
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LONGEST = len(str(1 << 64))
# Escapes one after the other, so that a backslash that is escaped itself begins none.
_ESCAPE = re.compile(
    rb"\\(?:(u[dD][89abAB]%b\\u[dD][c-fC-F]%b)|(u[dD][89a-fA-F]%b)|.)" % ((b"[0-9a-fA-F]{2}",) * 3), re.DOTALL
)
_MARKUP = ("text/html", "application/xhtml+xml")


class NotJson(ValueError):
    """What is wrong with a text; nothing of its content."""


def of_answer(answer: "Answer", *, strict: bool = False) -> Any:
    """The body of an answer as a value; raises ``BrokenAnswer``."""
    if answer.media_type in _MARKUP or answer.body[:64].removeprefix(BOM).lstrip().startswith(b"<"):
        raise BrokenAnswer(
            answer.system,
            f"{answer.where}: a page of markup came where JSON was expected",
            "This is usually a sign-in page or a firewall: check the address and the account of the connection",
            status=answer.status,
        )
    try:
        return loads(answer.body, strict=strict)
    except NotJson as error:
        problem = f"{answer.where}: the answer is not valid JSON: {error}"
    raise BrokenAnswer(answer.system, problem, status=answer.status)


def loads(body: bytes, *, strict: bool = False) -> Any:
    """A JSON text as a value; raises ``NotJson``."""
    text = body.removeprefix(BOM)
    try:
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            value = orjson.loads(_ESCAPE.sub(_whole, text))
    except orjson.JSONDecodeError as error:
        reason = _reason(text, error.pos)
    else:
        if strict:
            _refuse_doubtful(text)
        return value
    # Outside the handler: the error holds the whole text and must not be chained to ours.
    raise NotJson(reason)


def _whole(escape: re.Match[bytes]) -> bytes:
    """The escape itself, or that of U+FFFD for half of a pair."""
    return rb"\ufffd" if escape[2] else escape[0]


def _reason(text: bytes, position: int) -> str:
    if not text.strip():
        return "it is empty"
    if text.startswith(_UTF16) or b"\x00" in text[:4]:
        return "it is written in UTF-16 or UTF-32, not UTF-8"
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return f"it is not UTF-8 (byte {error.start} of {len(text)}), perhaps an old encoding such as Windows-1258"
    return f"byte {position} of {len(text)}"


def _refuse_doubtful(text: bytes) -> None:
    """Raise for keys that stand twice in one object, and for whole numbers that would lose their last digits."""
    try:
        json.loads(text, object_pairs_hook=_unique, parse_int=_exact)
    except RecursionError:
        raise NotJson("it is nested too deep") from None


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len({key for key, _ in pairs}) != len(pairs):
        raise NotJson("a key stands twice in one object")


def _exact(digits: str) -> None:
    if len(digits) > _LONGEST or not -(1 << 63) <= int(digits) < 1 << 64:
        raise NotJson("a whole number has more than 64 bits")
