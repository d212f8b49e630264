"""What a target says in its own words: compared without accents, and repeated to people without personal data."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence

_DASHED_D = str.maketrans({"đ": "d", "Đ": "d", "ð": "d", "Ð": "d", "ɖ": "d", "Ɖ": "d"})
_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u2060\ufeff]")
_NUMBERS = re.compile(r"(?<!\d)(?:\d[ .]?){8,}\d(?!\d)")
_EMAIL = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+")
_UNSPEAKABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # the ledger cannot keep them, nobody can read them
_LONGEST = 240


def fold(text: str) -> str:
    """``text`` for comparing: no accents, no case, single spaces. ``"Đã  TỒN tại"`` gives ``"da ton tai"``."""
    visible = _INVISIBLE.sub("", text).translate(_DASHED_D)
    bare = "".join(char for char in unicodedata.normalize("NFKD", visible) if not unicodedata.combining(char))
    return " ".join(bare.casefold().translate(_DASHED_D).split())


def says(folded: str, phrases: Iterable[str]) -> bool:
    """Whether one of the (already folded) phrases stands in the folded text."""
    return any(phrase in folded for phrase in phrases)


def quoted(message: str, payloads: Sequence[Mapping[str, object]] = ()) -> str:
    """The target's words, fit for logs and pages: cut short, on one line, personal data blanked.

    A target may repeat what it was sent. So every value of the payloads that could be a name, an address or a number
    of a person is taken out, and with it e-mail addresses and long numbers wherever they come from.
    """
    text = _UNSPEAKABLE.sub("", " ".join(unicodedata.normalize("NFC", message).split()))
    for value in sorted({one for payload in payloads for one in _telling(payload)}, key=len, reverse=True):
        text = re.sub(re.escape(value), "…", text, flags=re.IGNORECASE)
    text = _NUMBERS.sub("…", _EMAIL.sub("…", text))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _telling(value: object) -> Iterator[str]:
    """The texts in a payload that could tell of a person: of several words, or personal by their shape."""
    if isinstance(value, str):
        text = " ".join(unicodedata.normalize("NFC", value).split())
        if " " in text or "@" in text or sum(char.isdigit() for char in text) == len(text) >= 6:
            yield text
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _telling(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _telling(inner)
