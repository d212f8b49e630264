"""The ``options`` of source entries, one model per protocol. Paths are added to the connection's base URL."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from connectors.catalog_models import Part

_XROAD_PART = re.compile(r"^[A-Za-z0-9'()+,\-.=?]+$")


def _url_path(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError("a path begins with '/'; host and port belong in the connection")
    return value


def _xroad_identifier(*parts: int) -> AfterValidator:
    def check(value: str) -> str:
        if len(value.split("/")) not in parts or not all(map(_XROAD_PART.match, value.split("/"))):
            raise ValueError("an X-Road identifier has its parts between slashes: INSTANCE/CLASS/CODE/SUBSYSTEM[/...]")
        return value

    return AfterValidator(check)


UrlPath = Annotated[str, AfterValidator(_url_path)]


XRoadClient = Annotated[str, _xroad_identifier(4)]
XRoadService = Annotated[str, _xroad_identifier(5, 6)]


class MapiOptions(Part):
    """Dispatch protocol of the driving-licence system: one URL to sign in, one for every service.

    The connection's extra may hold ``unit``, ``login_path`` and ``service_path``, and then comes before these.
    """

    login_path: UrlPath
    call_path: UrlPath
    unit: str = Field(min_length=1)
    """The value of ``donViXuLy``: whose dossiers are listed."""


class IgateOptions(Part):
    """One-stop system iGate 2: Keycloak for the token, Spring pages for the search.

    The connection's extra holds ``client_id`` and ``client_secret``, and ``sso_url`` (``https://host``) when tokens are
    given by another host than the search.
    """

    token_path: UrlPath
    search_path: UrlPath
    grant: Literal["password", "client_credentials"] = "password"
    agency_id: str | None = None
    """Only dossiers of this agency and those below it (``ancestor-agency-id``); all when absent."""


class ChangedSinceRequest(Part):
    """The names of the request's elements in the contract."""

    since: str
    page: str
    size: str


class ChangedSinceAnswer(Part):
    """The names of the answer's elements in the contract."""

    records: str
    """Path below the answer's element down to the repeated record, with slashes: ``danhSachHoSo/hoSo``."""
    total: str
    """How many records there are since that moment. Always there: an answer without it is an error."""
    key: str
    """The record's element that identifies it."""
    changed: str
    """The record's element with the time of its last change, by which the answer is sorted, oldest first."""


class XRoadSoapOptions(Part):
    """A "changed since" operation behind an X-Road security server (SOAP message protocol 4.0).

    The connection leads to the security server. Its extra may hold ``client``, ``service`` and ``user_id``, and
    then comes first.
    """

    path: UrlPath = "/"
    """Where the security server takes messages."""
    client: XRoadClient
    """Who we are: ``INSTANCE/CLASS/CODE/SUBSYSTEM``."""
    service: XRoadService
    """Whom we ask: ``INSTANCE/CLASS/CODE/SUBSYSTEM/SERVICE`` and perhaps ``/VERSION``."""
    user_id: str | None = None
    """On whose behalf, for the logs of both sides; two letters of the country come first."""
    operation: str
    """The operation of the contract."""
    request: ChangedSinceRequest
    answer: ChangedSinceAnswer
