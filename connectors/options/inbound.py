"""The ``options`` of protocol ``inbound``."""

from connectors.catalog_models import Part


class InboundOptions(Part):
    """A system that calls us."""
