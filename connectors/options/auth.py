"""How to sign in: the ``auth`` of an entry's options. Logins, passwords and secrets are in the connection, never here.

In the templates below ``{login}`` and ``{password}`` are those of the connection and ``{extra.NAME}`` a key of its
extra. Client certificates (mutual TLS) are the connection's ``client_cert`` and go with every kind.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from connectors.catalog_models import Part
from connectors.options.paths import Text, UrlPath, ValuePath


class NoAuth(Part):
    """Nobody asks who we are."""

    kind: Literal["none"] = "none"


class BasicAuth(Part):
    """HTTP Basic with the connection's login and password."""

    kind: Literal["basic"]


class ApiKeyAuth(Part):
    """A key that goes with every call, as often as the system wants it: ``headers: {ApiKey: "{password}"}``."""

    kind: Literal["api-key"]
    headers: Mapping[str, Text] = Field(default_factory=dict)
    params: Mapping[str, Text] = Field(default_factory=dict)
    body: Mapping[str, Text] = Field(default_factory=dict)
    """Keys added to the JSON body, or to the form."""


class BearerAuth(Part):
    """A token that does not end: the connection's password, as ``Authorization: Bearer``."""

    kind: Literal["bearer"]


class OAuth2Auth(Part):
    """OAuth2: the token is fetched, kept, renewed early, and renewed once when it is refused.

    ``client-credentials`` takes the connection's login and password as client id and secret. ``password`` takes them as
    user and password, and ``client_id`` and ``client_secret`` from the extra. The extra's ``sso_url`` names another
    host for tokens.
    """

    kind: Literal["oauth2"]
    grant: Literal["client-credentials", "password"] = "client-credentials"
    token_path: UrlPath
    client_auth: Literal["form", "basic", "basic-encoded"] = "form"
    """Whether client id and secret go into the form or into the Authorization header of the token call; there as they
    are, or percent-encoded first, as the standard has it (they differ only for signs like ``%``, ``+`` and ``:``)."""
    scope: str | None = None


class LgspAuth(Part):
    """The LGSP family with the header ``lgspaccesstoken`` on the token call and on all others: Base64 of JSON.

    The object holds ``AccessKey`` (login), ``SecretKey`` (password), ``AppName``, ``PartnerCode`` and
    ``PartnerCodeCus`` (extra: ``app_name``, ``partner_code``, ``partner_code_cus``).
    """

    kind: Literal["lgsp"]
    token_path: UrlPath


class SessionAuth(Part):
    """Sign in with login and password, and show the session with every call."""

    kind: Literal["session"]
    login_path: UrlPath
    body: Mapping[str, Text]
    """The JSON body of the sign-in: ``{username: "{login}", password: "{password}"}``."""
    session: ValuePath
    """Path of the session in the answer."""
    lifetime: ValuePath | None = None
    """Path of its lifetime in seconds, where the answer tells."""
    default_lifetime_s: float = Field(default=600, gt=0)
    headers: Mapping[str, Text] = Field(default_factory=dict)
    """How it is shown: ``headers: {X-Session: "{session}"}``, and likewise the next two."""
    params: Mapping[str, Text] = Field(default_factory=dict)
    in_body: Mapping[str, Text] = Field(default_factory=dict)


Auth = Annotated[
    NoAuth | BasicAuth | ApiKeyAuth | BearerAuth | OAuth2Auth | LgspAuth | SessionAuth, Field(discriminator="kind")
]
