"""The door of provincial platforms of the family with the header ``lgspaccesstoken``.

The header is Base64 of a JSON object with ``AccessKey``, ``SecretKey``, ``AppName``, ``PartnerCode`` and
``PartnerCodeCus``. It goes with the token call (a form with ``grant_type=client_credentials``) and with every later
call, beside the bearer token.

Seen in public implementations: the header, its keys, the form, and that both go with every call.
Assumed: errors as the usual gateway writes them (HTTP 401 with ``{"fault": {code, message, description}}``), and tokens
of one hour.
"""

import secrets
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from starlette.datastructures import Headers
from starlette.responses import Response

from sandbox.http import ServerOptions, json_response
from sandbox.targets.passes import Passes

HEADER = "lgspaccesstoken"
_TOKEN_S = 3600
_INVALID = 900901
_MISSING = 900902


class LgspDoor:
    """Who may come in. The connection's login and password are the two keys, the rest stands in its extra."""

    def __init__(self, options: ServerOptions) -> None:
        self._known = {
            "AccessKey": options.login,
            "SecretKey": options.password,
            "AppName": options.extra["app_name"],
            "PartnerCode": options.extra["partner_code"],
            "PartnerCodeCus": options.extra["partner_code_cus"],
        }
        self.tokens = Passes(timedelta(seconds=_TOKEN_S))

    def grant(self, headers: Headers, form: dict[str, str]) -> Response:
        """The answer of the token call."""
        if _opened(headers.get(HEADER, "")) != self._known or form.get("grant_type") != "client_credentials":
            return json_response(
                {"error": "invalid_client", "error_description": "Client Authentication failed."}, status=401
            )
        token = secrets.token_hex(16)
        self.tokens.admit(token, datetime.now(UTC))
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": _TOKEN_S, "scope": "default"}
        return json_response(answer)

    def refusal(self, headers: Headers) -> Response | None:
        """What is answered to somebody who may not come in; None for those who may."""
        kind, _, token = headers.get("authorization", "").partition(" ")
        if not token or HEADER not in headers:
            return _fault(_MISSING, "Missing Credentials")
        is_good = kind.lower() == "bearer" and self.tokens.is_good(token, datetime.now(UTC))
        if not is_good or _opened(headers[HEADER]) != self._known:
            return _fault(_INVALID, "Invalid Credentials")
        return None


def _opened(header: str) -> Any:
    """The object in the header; None when there is none."""
    try:
        return orjson.loads(b64decode(header, validate=True))
    except ValueError:
        return None


def _fault(code: int, message: str) -> Response:
    fault = {"code": code, "message": message, "description": "Make sure you have given the correct access token"}
    return json_response({"fault": fault}, status=401)
