"""Access tokens for the clients of REST systems: OAuth2 client credentials, and the bearer on every later call.

Known of the standard (RFC 6749, RFC 6750): the form field ``grant_type``, the answer's fields, the names of errors, 401
with ``WWW-Authenticate`` for a token that is wrong or too old. Servers differ in where they want the client's name and
secret: as Basic, or in the form.
"""

import secrets
from datetime import UTC, datetime, timedelta
from enum import Enum

from starlette.requests import Request
from starlette.responses import Response

from sandbox.http import json_response
from sandbox.targets.passes import Passes
from sandbox.targets.province.tokens import basic, form_of, same


class Credentials(Enum):
    """Where a client's name and secret are looked for."""

    BASIC = "Authorization"
    FORM = "form"


class Issuer:
    """Gives out tokens to one client, and knows which are good."""

    def __init__(self, client: tuple[str, str], credentials: Credentials, *, lifetime_s: float) -> None:
        self._client = client
        self._credentials = credentials
        self.tokens = Passes(timedelta(seconds=lifetime_s))

    async def token(self, request: Request) -> Response:
        """The token endpoint."""
        form = form_of(await request.body())
        if form.get("grant_type") != "client_credentials":
            error = "unsupported_grant_type" if form.get("grant_type") else "invalid_request"
            return json_response({"error": error}, 400)
        if self._credentials is Credentials.BASIC:
            given = basic(request.headers.get("authorization"))
        else:
            given = form.get("client_id", ""), form.get("client_secret", "")
        if not same(given, self._client):
            return json_response({"error": "invalid_client"}, 401)
        token = secrets.token_urlsafe(32)
        self.tokens.admit(token, datetime.now(UTC))
        lifetime = int(self.tokens.lifetime.total_seconds())
        return json_response({"access_token": token, "token_type": "Bearer", "expires_in": lifetime})

    def refusal(self, request: Request) -> Response | None:
        """What a call without a good token is answered; None lets it through."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.tokens.is_good(token.strip(), datetime.now(UTC)):
            return None
        response = json_response({"error": "invalid_token"}, 401)
        response.headers["www-authenticate"] = 'Bearer error="invalid_token"'
        return response
