"""The ``options`` of protocol ``igate``."""

from typing import Literal

from connectors.catalog_models import Part
from connectors.options.paths import UrlPath


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
