"""The ``options`` of protocols ``soap`` and ``soap-jobs``."""

from connectors.catalog_models import Part


class SoapOptions(Part):
    """A SOAP system described by its WSDL."""


class SoapJobsOptions(Part):
    """A SOAP system that makes lists as jobs: order, poll, fetch."""
