"""Signing in: tokens and sessions that are renewed before they end, once for all threads.

Small parts that combine. A *fetch* function gets a fresh ``Token`` from the system; a ``Keeper`` holds it, renews it
early and hands the same one to every thread; ``signed_in`` makes a call with it and renews it once when the system
says that it is no longer good.
"""

import base64
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from connectors.connections import ConnectionSettings
from connectors.errors import BrokenAnswer, ConnectorError, NotSignedIn, Refused, SignInFailed
from connectors.http import HttpClient

T = TypeVar("T")

_EARLY_SHARE = 0.1
_EARLY_MOST_S = 60.0


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token or a session. ``lifetime_s`` as the system says, ``None`` when it does not."""

    value: str = field(repr=False)
    lifetime_s: float | None = None


class Keeper:
    """Keeps one token. Thread-safe: whoever finds it old renews it, the others wait and take the new one."""

    def __init__(
        self,
        fetch: Callable[[], Token],
        *,
        default_lifetime_s: float = 600.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``fetch`` signs in; ``default_lifetime_s`` is for systems that do not say how long a session lasts."""
        self._fetch = fetch
        self._default_lifetime_s = default_lifetime_s
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._value = ""
        self._good_until = 0.0

    def value(self) -> str:
        """A token that is good for now; signs in when there is none or it is about to end."""
        with self._lock:
            if not self._value or self._monotonic() >= self._good_until:
                self._renew()
            return self._value

    def renew(self, stale: str) -> str:
        """A token other than ``stale``: signs in, unless another thread has done so meanwhile."""
        with self._lock:
            if self._value == stale:
                self._renew()
            return self._value

    def _renew(self) -> None:
        self._value = ""
        token = self._fetch()
        lifetime = self._default_lifetime_s if token.lifetime_s is None else token.lifetime_s
        # Renewed a little early, so that a token does not end while the call is on its way.
        early = min(lifetime * _EARLY_SHARE, _EARLY_MOST_S)
        self._value = token.value
        self._good_until = self._monotonic() + lifetime - early


def signed_in(keeper: Keeper, call: Callable[[str], T]) -> T:
    """``call(token)``; after ``NotSignedIn`` once more with a fresh token.

    Raises ``SignInFailed`` when the fresh token is not good either: then it is the account, not the token.
    """
    token = keeper.value()
    try:
        return call(token)
    except NotSignedIn:
        fresh = keeper.renew(token)
    try:
        return call(fresh)
    except NotSignedIn as error:
        raise SignInFailed(
            error.system, f"{error.message}, right after signing in", "Check the account's rights with the owner"
        ) from error


def bearer(token: str) -> dict[str, str]:
    """The header of a bearer token."""
    return {"Authorization": f"Bearer {token}"}


def basic(login: str, password: str) -> dict[str, str]:
    """The header of HTTP Basic; UTF-8, so that any password works."""
    return {"Authorization": "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()}


ClientAuth = Literal["form", "basic", "basic-encoded"]
"""Where client id and secret go in a token call: see ``options/auth.py``."""


def oauth2_client_credentials(
    http: HttpClient, token_path: str, *, client_auth: ClientAuth = "form", scope: str | None = None
) -> Callable[[], Token]:
    """A fetch function: OAuth2 client credentials; the connection's login and password are id and secret."""

    def fetch() -> Token:
        settings = http.settings
        form, headers = _client(settings.login, settings.password, client_auth)
        return oauth2_token(http, token_path, {"grant_type": "client_credentials", **form, **_scope(scope)}, headers)

    return fetch


def oauth2_password(
    http: HttpClient, token_path: str, *, client_auth: ClientAuth = "form", scope: str | None = None
) -> Callable[[], Token]:
    """A fetch function: OAuth2 password grant (OIDC), client id and secret from the connection's extra."""

    def fetch() -> Token:
        settings = http.settings
        client_id = settings.required("client_id", "to sign in with the password grant")
        form, headers = _client(client_id, settings.text("client_secret"), client_auth)
        user = {"grant_type": "password", "username": settings.login, "password": settings.password}
        return oauth2_token(http, token_path, {**user, **form, **_scope(scope)}, headers)

    return fetch


def oauth2_token(
    http: HttpClient, path: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None
) -> Token:
    """One token call; raises ``SignInFailed`` when it is refused."""
    answer = refusals_as_sign_in(http, lambda: http.request("POST", path, form=form, headers=headers).json_object())
    value, lifetime = answer.get("access_token"), answer.get("expires_in")
    if not isinstance(value, str) or not value.isascii() or not value.strip():
        raise BrokenAnswer(http.system, f"POST {path}: the answer names no access_token")
    return Token(value, seconds(lifetime))


def _client(client_id: str, secret: str, client_auth: ClientAuth) -> tuple[dict[str, str], dict[str, str]]:
    """How the client shows itself: what goes into the form, and the headers."""
    if client_auth == "form":
        return {"client_id": client_id, **({"client_secret": secret} if secret else {})}, {}
    if client_auth == "basic-encoded":
        client_id, secret = quote(client_id, safe=""), quote(secret, safe="")
    return {}, basic(client_id, secret)


def _scope(scope: str | None) -> dict[str, str]:
    return {"scope": scope} if scope else {}


def seconds(lifetime: Any) -> float | None:
    """``expires_in`` as a number; some servers write it as text."""
    try:
        number = float(lifetime)
    except (TypeError, ValueError):
        return None
    return number if 0 < number < float("inf") else None


def refusals_as_sign_in(http: HttpClient, call: Callable[[], T]) -> T:
    """Run a sign-in call: a refusal there is about the account (``SignInFailed``), not about any data."""
    try:
        return call()
    except (Refused, NotSignedIn) as error:
        raise sign_in_failed(http.system, http.settings, error.message) from error


def sign_in_failed(system: str, settings: ConnectionSettings, reason: str) -> ConnectorError:
    """The error for refused credentials; names the connection, never the login."""
    return SignInFailed(
        system, f"signing in failed: {reason}", f"Check login and password of connection '{settings.conn_id}'"
    )
