"""The ``options`` of protocol ``mapi``."""

from pydantic import Field

from connectors.catalog_models import Part
from connectors.options.paths import UrlPath


class MapiOptions(Part):
    """Dispatch protocol of the driving-licence system: one URL to sign in, one for every service.

    The connection's extra may hold ``unit``, ``login_path`` and ``service_path``, and then comes before these.
    """

    login_path: UrlPath
    call_path: UrlPath
    unit: str = Field(min_length=1)
    """The value of ``donViXuLy``: whose dossiers are listed."""
