"""From the bytes of a text file to Unicode, composed (NFC), and never by guessing.

Python has codecs for UTF-8, UTF-16 and Windows-1258. The last writes a tone as a mark of its own after the letter, and
so does what its codec gives; here the two are joined. TCVN3 (TCVN 5712-3, the ABC fonts) and VNI have no codec; their
tables are below, the same in the standard, in the converters in use, and (TCVN3) in glibc. Punctuation between 0x80
and 0x9F is Windows-1252's, which is what these fonts are used with.

A file says nothing about its encoding, and most bytes mean something in each. So the declared one is held against a
sample: what decodes to no Vietnamese syllables and does so in another encoding is refused, and the other one is named.
"""

import codecs
import re
import unicodedata
from collections.abc import Callable
from functools import cache

from connectors.files.problems import NotAsAgreed
from connectors.options.files import Encoding

Decode = Callable[[bytes], str]
"""Raises ``UnicodeDecodeError`` for bytes that mean nothing."""

SAMPLE_BYTES = 1 << 16
_UNDEFINED = "\ufffe"  # how codecs.charmap_decode is told that a byte means nothing

_TCVN3 = {
    0xA0: "\u00a0ĂÂÊÔƠƯĐăâêôơưđ", 0xB5: "àảãáạ", 0xBB: "ằẳẵắ", 0xC6: "ặầẩẫấậè", 0xCE: "ẻẽéẹềểễếệìỉ", 0xDC: "ĩíịò",
    0xE1: "ỏõóọồổỗốộờởỡớợù", 0xF1: "ủũúụừửữứựỳỷỹýỵ",
}  # fmt: skip

_GRAVE, _ACUTE, _TILDE, _HOOK, _DOT = "\u0300", "\u0301", "\u0303", "\u0309", "\u0323"
_CIRCUMFLEX, _BREVE = "\u0302", "\u0306"
# Small letters and their marks; capitals stand 0x20 below.
_VNI_MARKS = {
    0xF8: _GRAVE, 0xF9: _ACUTE, 0xFB: _HOOK, 0xF5: _TILDE, 0xEF: _DOT,
    0xE2: _CIRCUMFLEX, 0xE0: _CIRCUMFLEX + _GRAVE, 0xE1: _CIRCUMFLEX + _ACUTE, 0xE5: _CIRCUMFLEX + _HOOK,
    0xE3: _CIRCUMFLEX + _TILDE, 0xE4: _CIRCUMFLEX + _DOT,
    0xEA: _BREVE, 0xE8: _BREVE + _GRAVE, 0xE9: _BREVE + _ACUTE, 0xFA: _BREVE + _HOOK, 0xFC: _BREVE + _TILDE,
    0xEB: _BREVE + _DOT,
}  # fmt: skip
_VNI_LETTERS = {0xEC: "ì", 0xED: "í", 0xE6: "ỉ", 0xF3: "ĩ", 0xF2: "ị", 0xF1: "đ", 0xF4: "ơ", 0xF6: "ư", 0xEE: "ỵ"}

_BOMS = (
    (codecs.BOM_UTF8, Encoding.UTF_8),
    (codecs.BOM_UTF16_LE, Encoding.UTF_16),
    (codecs.BOM_UTF16_BE, Encoding.UTF_16),
)
_LEGACY = (Encoding.WINDOWS_1258, Encoding.TCVN3, Encoding.VNI)

_VOWELS = "aàáảãạăằắẳẵặâầấẩẫậeèéẻẽẹêềếểễệiìíỉĩịoòóỏõọôồốổỗộơờớởỡợuùúủũụưừứửữựyỳýỷỹỵ"
_SYLLABLE = re.compile(
    rf"(?:ngh|ng|nh|gh|gi|kh|ph|qu|th|tr|ch|[bcdđghklmnpqrstvx])?[{_VOWELS}]{{1,3}}(?:ng|nh|ch|[cmnpt])?"
)
_WORD = re.compile(r"[^\x00-\x40\x5b-\x60\x7b-\x7f\u2010-\u2026]+")
_ENOUGH_WORDS = 5
_GOOD, _BAD = 0.8, 0.6


def decoder(encoding: Encoding, codec: str) -> Decode:
    """How lines of a file are decoded; ``codec`` is the one that ``codec_of`` chose."""
    if encoding is Encoding.TCVN3:
        return lambda line: codecs.charmap_decode(line, "strict", _tcvn3_table())[0]
    if encoding is Encoding.VNI:
        return lambda line: _composed(codecs.charmap_decode(line, "strict", _vni_table())[0])
    if encoding is Encoding.WINDOWS_1258:
        return lambda line: _composed(codecs.decode(line, "cp1258"))
    return lambda line: str(line, codec)


def codec_of(encoding: Encoding, sample: bytes) -> tuple[str, int]:
    """The codec for a file that begins with ``sample``, and how many bytes of it are a byte order mark."""
    if encoding is Encoding.UTF_8:
        return "utf-8", len(codecs.BOM_UTF8) if sample.startswith(codecs.BOM_UTF8) else 0
    if encoding is Encoding.UTF_16:
        big = sample.startswith(codecs.BOM_UTF16_BE)
        marked = big or sample.startswith(codecs.BOM_UTF16_LE)
        return "utf-16-be" if big else "utf-16-le", len(codecs.BOM_UTF16) if marked else 0
    return encoding.value, 0


def check(declared: Encoding, sample: bytes) -> None:
    """Raise ``NotAsAgreed`` when a file that begins with ``sample`` is plainly in another encoding than declared."""
    found = _marked(declared, sample)
    if found is None and declared in _LEGACY:
        found = _not_legacy(declared, sample)
    if found is not None:
        raise NotAsAgreed(
            f"its text is declared as {declared} and looks like {found}",
            f"Ask the owner to write {declared}, or declare encoding: {found} in the catalog entry",
        )


def hint(sample: bytes) -> str:
    """What bytes that are not UTF-8 look like, as part of a message; empty when nobody can tell."""
    likely = max(_LEGACY, key=lambda encoding: _vietnamese(encoding, sample)[0])
    share, words = _vietnamese(likely, sample)
    return f"; the file looks like {likely}" if share >= _GOOD and words else ""


def _marked(declared: Encoding, sample: bytes) -> Encoding | None:
    for mark, encoding in _BOMS:
        if sample.startswith(mark) and encoding is not declared:
            return encoding
    has_nul = b"\x00" in sample
    if declared is not Encoding.UTF_16 and has_nul:
        return Encoding.UTF_16
    if declared is Encoding.UTF_16 and sample and not has_nul and _is_utf8(sample):
        return Encoding.UTF_8
    return None


def _not_legacy(declared: Encoding, sample: bytes) -> Encoding | None:
    if not sample.isascii() and _is_utf8(sample):
        return Encoding.UTF_8
    if _vietnamese(declared, sample)[0] > _BAD:
        return None
    others = {other: _vietnamese(other, sample) for other in _LEGACY if other is not declared}
    best = max(others, key=lambda other: others[other][0])
    return best if others[best][0] >= _GOOD and others[best][1] >= _ENOUGH_WORDS else None


def _is_utf8(sample: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)  # the sample may end within a letter
    except UnicodeDecodeError:
        return False
    return True


def _vietnamese(encoding: Encoding, sample: bytes) -> tuple[float, int]:
    """The share of Vietnamese syllables among the words with other letters than ASCII, and how many such words."""
    try:
        text = decoder(encoding, encoding.value)(sample)
    except UnicodeDecodeError:
        return 0.0, 0
    words = [word for word in _WORD.findall(text.lower()) if not word.isascii()]
    plain = sum(1 for word in words if _SYLLABLE.fullmatch(word))
    return (plain / len(words) if words else 0.0), len(words)


def _composed(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _punctuation() -> list[str]:
    """All 256 bytes as Windows-1252 has them up to 0x9F, and nothing above."""
    below = [bytes([byte]).decode("cp1252", "replace").replace("\ufffd", _UNDEFINED) for byte in range(0xA0)]
    return below + [_UNDEFINED] * 0x60


@cache
def _tcvn3_table() -> str:
    table = _punctuation()
    for first, letters in _TCVN3.items():
        table[first : first + len(letters)] = letters
    return "".join(table)


@cache
def _vni_table() -> dict[int, str]:
    # The upper half that no letter needs is Windows-1252's, as in the fonts; what has no meaning is left out.
    table = {byte: bytes([byte]).decode("cp1252", "ignore") for byte in range(0xC0)}
    for byte, marks in _VNI_MARKS.items():
        table[byte] = table[byte - 0x20] = marks
    for byte, letter in _VNI_LETTERS.items():
        table[byte], table[byte - 0x20] = letter, letter.upper()
    return {byte: text for byte, text in table.items() if text}
