"""Sealing of personal data at rest, and keyed digests of it where equality is needed.

One 32-byte key (``HOSYNC_DATA_KEY``, base64). From it two keys are derived, one to seal and one to digest, so that a
digest tells nothing about the other. A sealed value is: one version byte, a random 12-byte nonce, AES-256-GCM.
"""

import binascii
import os
from base64 import b64decode
from hashlib import blake2b

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.errors import WrongDataKey

KEY_VARIABLE = "HOSYNC_DATA_KEY"
_KEY_BYTES = 32
_NONCE_BYTES = 12
_VERSION = b"\x01"
DIGEST_BYTES = 16


class Sealer:
    """Seals and opens bytes with one key; safe to share between threads."""

    __slots__ = ("_aead", "_hasher", "fingerprint")

    def __init__(self, key: bytes) -> None:
        """``key``: 32 random bytes. Raises ``WrongDataKey`` for any other length."""
        if len(key) != _KEY_BYTES:
            raise WrongDataKey(f"The data key has {len(key)} bytes and needs {_KEY_BYTES}: {_HOW_TO_MAKE_ONE}")
        self._aead = AESGCM(_derived(key, b"seal"))
        self._hasher = blake2b(key=_derived(key, b"digest"), digest_size=DIGEST_BYTES)
        self.fingerprint: bytes = _derived(key, b"fingerprint")[:DIGEST_BYTES]

    @classmethod
    def from_env(cls) -> "Sealer":
        """The sealer of ``HOSYNC_DATA_KEY``. Raises ``WrongDataKey`` when it is missing or not base64."""
        text = os.environ.get(KEY_VARIABLE)
        if not text:
            raise WrongDataKey(f"{KEY_VARIABLE} is not set: {_HOW_TO_MAKE_ONE}")
        try:
            key = b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise WrongDataKey(f"{KEY_VARIABLE} is not base64: {_HOW_TO_MAKE_ONE}") from None
        return cls(key)

    def seal(self, plain: bytes) -> bytes:
        """Encrypt and authenticate; the same bytes never give the same result twice."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._aead.encrypt(nonce, plain, _VERSION)

    def open(self, sealed: bytes) -> bytes:
        """The plain bytes. Raises ``WrongDataKey`` when they were sealed with another key or damaged."""
        nonce_end = 1 + _NONCE_BYTES
        try:
            if sealed[:1] != _VERSION:
                raise InvalidTag
            return self._aead.decrypt(sealed[1:nonce_end], sealed[nonce_end:], _VERSION)
        except (InvalidTag, ValueError):
            raise WrongDataKey(
                f"A sealed value cannot be opened: {KEY_VARIABLE} is not the key it was sealed with, or it was damaged."
            ) from None

    def digest(self, data: str | bytes) -> bytes:
        """A keyed 16-byte digest: equal for equal data, useless without the key."""
        hasher = self._hasher.copy()
        hasher.update(data.encode() if isinstance(data, str) else data)
        return hasher.digest()

    def __repr__(self) -> str:
        return "Sealer(…)"


_HOW_TO_MAKE_ONE = "make one with `openssl rand -base64 32` and keep it as safe as the data itself."


def _derived(key: bytes, purpose: bytes) -> bytes:
    return blake2b(key=key, digest_size=_KEY_BYTES, person=purpose).digest()
