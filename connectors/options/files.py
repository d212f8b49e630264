"""The ``options`` of protocol ``files``."""

from connectors.catalog_models import Part


class FilesOptions(Part):
    """Files that a system drops into a folder or onto an SFTP server."""
