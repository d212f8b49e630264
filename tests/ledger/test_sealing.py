"""Personal data at rest: only the right key opens it, and nothing shows the key."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import WrongDataKey
from ledger.sealing import KEY_VARIABLE, Sealer

KEY = bytes(range(32))


@given(st.binary(max_size=500))
def test_what_was_sealed_opens_again_and_never_looks_the_same_twice(plain: bytes) -> None:
    sealer = Sealer(KEY)
    first, second = sealer.seal(plain), sealer.seal(plain)
    assert first != second
    assert sealer.open(first) == sealer.open(second) == plain


@given(st.binary(min_size=1, max_size=50), st.data())
def test_a_damaged_value_is_refused(plain: bytes, data: st.DataObject) -> None:
    sealed = bytearray(Sealer(KEY).seal(plain))
    position = data.draw(st.integers(0, len(sealed) - 1))
    sealed[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(WrongDataKey, match="damaged"):
        Sealer(KEY).open(bytes(sealed))


def test_a_cut_value_is_refused() -> None:
    with pytest.raises(WrongDataKey):
        Sealer(KEY).open(Sealer(KEY).seal(b"x")[:7])


def test_another_key_opens_nothing_and_gives_other_digests() -> None:
    one, other = Sealer(KEY), Sealer(bytes(32))
    with pytest.raises(WrongDataKey):
        other.open(one.seal(b"x"))
    assert one.digest("001099000001") != other.digest("001099000001")
    assert one.digest("001099000001") == Sealer(KEY).digest(b"001099000001")
    assert one.fingerprint != other.fingerprint


def test_nothing_shows_the_key() -> None:
    assert repr(Sealer(KEY)) == "Sealer(…)"


def test_the_environment_gives_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, b64encode(KEY).decode())
    assert Sealer.from_env().fingerprint == Sealer(KEY).fingerprint


@pytest.mark.parametrize("text", ["", "not base64!", b64encode(b"short").decode()])
def test_a_missing_or_malformed_key_says_how_to_make_one(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(KEY_VARIABLE, text)
    with pytest.raises(WrongDataKey, match="openssl rand -base64 32"):
        Sealer.from_env()
