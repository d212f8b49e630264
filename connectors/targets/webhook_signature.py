"""Signatures of webhooks, as Standard Webhooks 1.0 has them. Pure: the moment is passed in.

A receiver computes the same from the raw body, compares in constant time, and turns away what is older or newer than
five minutes: so a call that somebody recorded cannot be played again later.
"""

import base64
import binascii
import hmac
from collections.abc import Sequence

_PREFIX = "whsec_"
_LEAST_BYTES, _MOST_BYTES = 24, 64


def key_of(secret: str) -> bytes:
    """The key inside a secret: ``whsec_`` and Base64 of 24 to 64 bytes. ``ValueError`` says what is wrong with it."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("a signing secret is 'whsec_' and Base64") from None
    if not _LEAST_BYTES <= len(key) <= _MOST_BYTES:
        raise ValueError(f"a signing secret holds {_LEAST_BYTES} to {_MOST_BYTES} bytes")
    return key


def headers(keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of a signed call; one signature for each key. ``timestamp`` in Unix seconds."""
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    signatures = (base64.b64encode(hmac.digest(key, signed, "sha256")) for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature.decode()}" for signature in signatures),
    }
