"""What goes with every call so that the system knows us: made from the ``auth`` of an entry (``options/auth.py``).

A ``Signer`` makes calls with a ``Signature``: headers, parameters and body keys. Kinds that sign in first keep their
token in an ``auth.Keeper``, which renews it; the others have nothing to renew.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import orjson

from connectors import auth
from connectors.connections import ConnectionSettings
from connectors.errors import BrokenAnswer, NotSignedIn, SignInFailed
from connectors.http import HttpClient
from connectors.options.auth import (
    ApiKeyAuth,
    Auth,
    BasicAuth,
    BearerAuth,
    LgspAuth,
    NoAuth,
    OAuth2Auth,
    SessionAuth,
)
from connectors.templates import EXTRA, Lookup, template, value_template
from connectors.values import value_at

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Signature:
    """What is added to a call; ``session`` fills ``{session}`` in its templates."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)
    session: str = field(default="", repr=False)


class Signer(Protocol):
    """Makes calls in our name."""

    def call(self, send: Callable[[Signature], T]) -> T:
        """``send`` with a signature that is good; raises ``SignInFailed`` when the system does not accept it."""
        ...

    def sign_in(self) -> str:
        """Try whether signing in works, and say what that showed; raises the errors of ``connectors.errors``."""
        ...


def signer(options: Auth, http: HttpClient) -> Signer:
    """The signer of an entry; ``http`` is used for signing in and for nothing else. Connects to nothing yet."""
    lookup = secrets(http.settings)
    if isinstance(options, OAuth2Auth):
        return _Kept(auth.Keeper(_oauth2(options, http)), lambda token: Signature(auth.bearer(token)))
    if isinstance(options, LgspAuth):
        return _lgsp(options, http)
    if isinstance(options, SessionAuth):
        keeper = auth.Keeper(_session_fetch(options, http), default_lifetime_s=options.default_lifetime_s)
        return _Kept(keeper, lambda session: _shown(options, lookup, session))
    return _Fixed(http, lambda: _fixed(options, http.settings, lookup))


def secrets(settings: ConnectionSettings, session: str = "") -> Lookup:
    """The values of ``{login}``, ``{password}``, ``{extra.NAME}`` and ``{session}``."""

    def lookup(name: str) -> str:
        if name.startswith(EXTRA):
            return settings.required(name.removeprefix(EXTRA), "by the catalog entry")
        return {"login": settings.login, "password": settings.password, "session": session}[name]

    return lookup


class _Fixed:
    """A signature that never changes. When it is refused, a person must see to it."""

    def __init__(self, http: HttpClient, sign: Callable[[], Signature]) -> None:
        self._http = http
        self._sign = sign

    def call(self, send: Callable[[Signature], T]) -> T:
        try:
            return send(self._sign())
        except NotSignedIn as error:
            raise SignInFailed(
                error.system, error.message, f"Check login and password of connection '{self._http.settings.conn_id}'"
            ) from error

    def sign_in(self) -> str:
        self._sign()
        return "there is nothing to sign in to: the first read tells whether we are let in"


class _Kept:
    """A signature made of a token that a keeper renews."""

    def __init__(self, keeper: auth.Keeper, sign: Callable[[str], Signature]) -> None:
        self._keeper = keeper
        self._sign = sign

    def call(self, send: Callable[[Signature], T]) -> T:
        return auth.signed_in(self._keeper, lambda token: send(self._sign(token)))

    def sign_in(self) -> str:
        self._keeper.value()
        return "signed in"


def _fixed(options: Auth, settings: ConnectionSettings, lookup: Lookup) -> Signature:
    if isinstance(options, BasicAuth):
        return Signature(auth.basic(settings.login, settings.password))
    if isinstance(options, BearerAuth):
        return Signature(auth.bearer(settings.password))
    if isinstance(options, ApiKeyAuth):
        return Signature(_texts(options.headers, lookup), _texts(options.params, lookup), _texts(options.body, lookup))
    if isinstance(options, NoAuth):
        return Signature()
    raise TypeError(f"no signature for {type(options).__name__}")


def _oauth2(options: OAuth2Auth, http: HttpClient) -> Callable[[], auth.Token]:
    if options.grant == "password":
        return auth.oauth2_password(http, options.token_path, scope=options.scope, client_auth=options.client_auth)
    return auth.oauth2_client_credentials(
        http, options.token_path, scope=options.scope, client_auth=options.client_auth
    )


def _lgsp(options: LgspAuth, http: HttpClient) -> Signer:
    def header() -> dict[str, str]:
        settings = http.settings
        access = {
            "AccessKey": settings.login,
            "SecretKey": settings.password,
            "AppName": settings.text("app_name"),
            "PartnerCode": settings.text("partner_code"),
            "PartnerCodeCus": settings.text("partner_code_cus"),
        }
        return {"lgspaccesstoken": base64.b64encode(orjson.dumps(access)).decode()}

    def fetch() -> auth.Token:
        return auth.oauth2_token(http, options.token_path, {"grant_type": "client_credentials"}, headers=header())

    return _Kept(auth.Keeper(fetch), lambda token: Signature({**auth.bearer(token), **header()}))


def _session_fetch(options: SessionAuth, http: HttpClient) -> Callable[[], auth.Token]:
    body = value_template(options.body)

    def fetch() -> auth.Token:
        path = options.login_path
        given = body(secrets(http.settings))
        answer = auth.refusals_as_sign_in(http, lambda: http.request("POST", path, json=given).json())
        session = value_at(answer, options.session)
        if session is None or session == "":
            # Systems of this kind refuse a wrong password with HTTP 200.
            raise auth.sign_in_failed(http.system, http.settings, f"the answer has no {options.session}")
        if isinstance(session, bool) or not isinstance(session, str | int):
            raise BrokenAnswer(http.system, f"POST {path}: {options.session} in the answer is no session")
        lifetime = value_at(answer, options.lifetime) if options.lifetime else None
        return auth.Token(str(session), auth.seconds(lifetime))

    return fetch


def _shown(options: SessionAuth, lookup: Lookup, session: str) -> Signature:
    def value(name: str) -> Any:
        return session if name == "session" else lookup(name)

    return Signature(
        _texts(options.headers, value), _texts(options.params, value), _texts(options.in_body, value), session
    )


def _texts(templates: Mapping[str, str], lookup: Lookup) -> dict[str, str]:
    return {name: template(text).text(lookup) for name, text in templates.items()}
