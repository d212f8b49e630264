"""The ``options`` of protocol ``xroad-soap``."""

from connectors.catalog_models import Part
from connectors.options.paths import UrlPath, XRoadClient, XRoadService


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
