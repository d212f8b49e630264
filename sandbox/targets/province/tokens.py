"""The gateway in front of the Document API: tokens for client credentials, and what it says without a good one.

Seen in public sources: ``POST /token`` with ``grant_type=client_credentials``, the answer's four fields, the bearer.
Known of the product (WSO2 API Manager): credentials as Basic or in the form, the same token with what is left of its
life while it is still good, 401 with code 900901 for a bad or expired token and 900902 for none.
"""

import base64
import binascii
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any
from urllib.parse import parse_qs

from sandbox.targets.passes import Passes

Answer = tuple[int, dict[str, Any]]
"""HTTP status and JSON body."""


def basic(header: str | None) -> tuple[str, str] | None:
    """Name and password of an ``Authorization: Basic`` header; None when it is not one."""
    scheme, _, encoded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, password) if colon else None


def form_of(body: bytes) -> dict[str, str]:
    """The first value of each field of an urlencoded form."""
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}


def same(given: tuple[str, str] | None, expected: tuple[str, str]) -> bool:
    """Whether the credentials are the expected ones, in constant time."""
    return given is not None and compare_digest("\n".join(given).encode(), "\n".join(expected).encode())


class Gateway:
    """Gives out tokens for one client and checks them."""

    def __init__(self, client: tuple[str, str], lifetime: timedelta) -> None:
        self._client = client
        self.passes = Passes(lifetime)

    def token(self, authorization: str | None, form: Mapping[str, str], now: datetime) -> Answer:
        """The answer to ``POST /token``."""
        if not form.get("grant_type"):
            return 400, {"error": "invalid_request", "error_description": "Missing grant_type parameter value"}
        if form["grant_type"] != "client_credentials":
            return 400, {"error": "unsupported_grant_type", "error_description": "Unsupported grant_type value"}
        in_form = (form["client_id"], form["client_secret"]) if {"client_id", "client_secret"} <= form.keys() else None
        if not same(basic(authorization) or in_form, self._client):
            return 401, {"error": "invalid_client", "error_description": "Client Authentication failed."}
        known = self.passes.newest(now)
        if known is None:
            known = secrets.token_urlsafe(24), self.passes.lifetime
            self.passes.admit(known[0], now)
        token, left = known
        return 200, {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": int(left.total_seconds()),
            "scope": "am_application_scope default",
        }

    def refusal(self, authorization: str | None, now: datetime) -> Answer | None:
        """What a call with this header is answered instead of being let through; None lets it through."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return 401, _fault(900902, "Missing Credentials")
        if not self.passes.is_good(token.strip(), now):
            return 401, _fault(900901, "Invalid Credentials")
        return None


def _fault(code: int, message: str) -> dict[str, Any]:
    description = f"{message}. Make sure you have provided the correct security credentials"
    return {"fault": {"code": code, "message": message, "description": description}}
