"""Text in the encodings of old Vietnamese programs comes back in Unicode; what is not in the declared one is found."""

import unicodedata
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.files import encodings
from connectors.files.problems import NotAsAgreed
from connectors.options.files import Encoding

# Tables of their own: bytes by letter, in the order of the alphabet's tones (huyền, hỏi, ngã, sắc, nặng).
TONES = {"\u0300": 0, "\u0309": 1, "\u0303": 2, "\u0301": 3, "\u0323": 4}
TCVN3_TONED = {
    "a": (181, 182, 183, 184, 185), "ă": (187, 188, 189, 190, 198), "â": (199, 200, 201, 202, 203),
    "e": (204, 206, 207, 208, 209), "ê": (210, 211, 212, 213, 214), "i": (215, 216, 220, 221, 222),
    "o": (223, 225, 226, 227, 228), "ô": (229, 230, 231, 232, 233), "ơ": (234, 235, 236, 237, 238),
    "u": (239, 241, 242, 243, 244), "ư": (245, 246, 247, 248, 249), "y": (250, 251, 252, 253, 254),
}  # fmt: skip
TCVN3_PLAIN = {
    "Ă": 161, "Â": 162, "Ê": 163, "Ô": 164, "Ơ": 165, "Ư": 166, "Đ": 167,
    "ă": 168, "â": 169, "ê": 170, "ô": 171, "ơ": 172, "ư": 173, "đ": 174,
}  # fmt: skip
CP1258_TONES = (0xCC, 0xD2, 0xDE, 0xEC, 0xF2)
CP1258_LETTERS = {"ă": 0xE3, "Ă": 0xC3, "ơ": 0xF5, "Ơ": 0xD5, "ư": 0xFD, "Ư": 0xDD, "đ": 0xF0, "Đ": 0xD0}
# VNI: what follows a letter (huyền … nặng), alone, over a circumflex and over a breve.
VNI_TONES = {"": "øûõùï", "ˆ": "àåãáä", "˘": "èúüéë"}
VNI_OWN = {"ì": "ì", "ỉ": "æ", "ĩ": "ó", "í": "í", "ị": "ò", "đ": "ñ", "ơ": "ô", "ư": "ö", "ỵ": "î"}

PLAIN_VOWELS = "aăâeêioôơuưy"
LETTERS = sorted(
    {unicodedata.normalize("NFC", vowel + tone) for vowel in PLAIN_VOWELS for tone in ("", *TONES)} | {"đ"}
)
lower = st.text(st.sampled_from([*LETTERS, *"bcdghklmnpqrstvx 0123456789,;.-/\"'"]))
both = st.text(st.sampled_from([*LETTERS, *(letter.upper() for letter in LETTERS), *"bcdBCD 0123456789,;.-/\"'"]))


def split(letter: str) -> tuple[str, int | None]:
    """The vowel without its tone, and which tone it has."""
    parts = unicodedata.normalize("NFD", letter)
    tone = next((TONES[part] for part in parts if part in TONES), None)
    return unicodedata.normalize("NFC", "".join(part for part in parts if part not in TONES)), tone


def write_tcvn3(text: str) -> bytes:
    def byte(letter: str) -> int:
        vowel, tone = split(letter)
        return (
            TCVN3_PLAIN.get(letter, ord(vowel) if ord(vowel) < 128 else 0) if tone is None else TCVN3_TONED[vowel][tone]
        )

    return bytes(map(byte, text))


def write_1258(text: str) -> bytes:
    written = bytearray()
    for letter in text:
        vowel, tone = split(letter)
        written.append(CP1258_LETTERS.get(vowel, ord(vowel)))
        if tone is not None:
            written.append(CP1258_TONES[tone])
    return bytes(written)


def write_vni(text: str) -> bytes:
    written = ""
    for letter in text:
        vowel, tone = split(letter.lower())
        if letter.lower() in VNI_OWN:
            pair = VNI_OWN[letter.lower()]
        else:
            roof = {"â": "ˆ", "ê": "ˆ", "ô": "ˆ", "ă": "˘"}.get(vowel, "")
            stem = VNI_OWN.get(vowel, unicodedata.normalize("NFD", vowel)[0])
            mark = VNI_TONES[roof][tone] if tone is not None else {"ˆ": "â", "˘": "ê", "": ""}[roof]
            pair = stem + mark
        written += pair.upper() if letter != letter.lower() else pair
    return written.encode("latin-1")


def read(encoding: Encoding, content: bytes) -> str:
    return encodings.decoder(encoding, encodings.codec_of(encoding, content)[0])(content)


@given(lower)
def test_text_written_in_tcvn3_comes_back(text: str) -> None:
    assert read(Encoding.TCVN3, write_tcvn3(text)) == text


@given(both)
def test_text_written_in_windows_1258_comes_back_composed(text: str) -> None:
    found = read(Encoding.WINDOWS_1258, write_1258(text))
    assert found == text
    assert unicodedata.is_normalized("NFC", found)


@given(both)
def test_text_written_in_vni_comes_back_composed(text: str) -> None:
    found = read(Encoding.VNI, write_vni(text))
    assert found == text
    assert unicodedata.is_normalized("NFC", found)


def test_what_windows_itself_writes_in_1258_comes_back_too() -> None:
    # It keeps the letters that it has whole (à, é, Ù …) and writes the others with a mark.
    assert (
        read(Encoding.WINDOWS_1258, b"H\xe0 N\xf4\xf2i, \xd0a\xccN\xe3\xcfng".replace(b"\xcf", b"\xde"))
        == "Hà Nội, ĐàNẵng"
    )


@pytest.mark.parametrize("byte", [0x8D, 0xAF, 0xB0, 0xC0, 0xE0, 0xFF])
def test_bytes_that_abc_fonts_do_not_have_are_no_text(byte: int) -> None:
    with pytest.raises(UnicodeDecodeError):
        read(Encoding.TCVN3, bytes([byte]))


def test_toned_capitals_of_h_fonts_come_back_small() -> None:
    assert read(Encoding.TCVN3, b"T\xd8NH \xa7\xe5NG N\xb5I") == "TỉNH ĐồNG NàI"


SENTENCE = (
    "Thông báo kết quả giải quyết hồ sơ của công dân: đã tiếp nhận, đang xử lý, được trả kết quả đúng hạn tại quầy"
)
WRITTEN = {
    Encoding.TCVN3: write_tcvn3(SENTENCE.lower()),
    Encoding.WINDOWS_1258: write_1258(SENTENCE),
    Encoding.VNI: write_vni(SENTENCE),
    Encoding.UTF_8: SENTENCE.encode(),
    Encoding.UTF_16: SENTENCE.encode("utf-16-le"),
}


@pytest.mark.parametrize("encoding", WRITTEN)
def test_text_in_the_declared_encoding_passes(encoding: Encoding) -> None:
    encodings.check(encoding, WRITTEN[encoding])


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("declared", [Encoding.TCVN3, Encoding.WINDOWS_1258, Encoding.VNI])
def test_text_in_another_encoding_is_named(declared: Encoding, written: Encoding) -> None:
    if declared is written:
        return
    with pytest.raises(NotAsAgreed, match=f"declared as {declared} and looks like {written}"):
        encodings.check(declared, WRITTEN[written])


@pytest.mark.parametrize("declared", Encoding)
def test_a_sample_without_vietnamese_letters_is_no_evidence(declared: Encoding) -> None:
    text = "MA_HS,TRANG_THAI\r\n000.00.16.H12-260102-0007,31\r\n"
    encodings.check(declared, text.encode("utf-16") if declared is Encoding.UTF_16 else text.encode())


@pytest.mark.parametrize(
    ("declared", "content", "found"),
    [
        (Encoding.TCVN3, b"\xef\xbb\xbfMa", "utf-8"),
        (Encoding.UTF_8, "Mã".encode("utf-16"), "utf-16"),
        (Encoding.WINDOWS_1258, "Mã".encode("utf-16-le"), "utf-16"),
        (Encoding.UTF_16, "Mã hồ sơ".encode(), "utf-8"),
    ],
)
def test_marks_and_nul_bytes_tell_the_encoding(declared: Encoding, content: bytes, found: str) -> None:
    with pytest.raises(NotAsAgreed, match=f"looks like {found}"):
        encodings.check(declared, content)


@given(st.binary(max_size=300))
def test_any_bytes_at_all_are_checked_without_an_accident(sample: bytes) -> None:
    for declared in Encoding:
        with suppress(NotAsAgreed):
            encodings.check(declared, sample)
        encodings.hint(sample)
