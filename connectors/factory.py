"""From a catalog entry to a connector. The protocol's module is imported only when it is used."""

from importlib import import_module
from typing import cast

from connectors.api import Source, Target
from connectors.catalog_models import SourceEntry, SourceProtocol, TargetEntry, TargetProtocol
from connectors.connections import ConnectionSettings, resolve

_SOURCES = {
    SourceProtocol.REST: "connectors.sources.rest:RestSource",
    SourceProtocol.SOAP: "connectors.sources.soap:SoapSource",
    SourceProtocol.SOAP_JOBS: "connectors.sources.soap_jobs:SoapJobsSource",
    SourceProtocol.FILES: "connectors.sources.files:FilesSource",
    SourceProtocol.MAPI: "connectors.sources.mapi:MapiSource",
    SourceProtocol.IGATE: "connectors.sources.igate:IgateSource",
    SourceProtocol.XROAD_SOAP: "connectors.sources.xroad_soap:XRoadSoapSource",
}
_TARGETS = {
    TargetProtocol.NPSP: "connectors.targets.npsp:NpspTarget",
    TargetProtocol.LGSP_DOCUMENT: "connectors.targets.lgsp_document:LgspDocumentTarget",
    TargetProtocol.EMC: "connectors.targets.emc:EmcTarget",
}


def open_source(entry: SourceEntry, settings: ConnectionSettings | None = None) -> Source:
    """The source of ``entry``; ``settings`` default to its Airflow connection. Connects to nothing yet."""
    return cast(Source, _load(_SOURCES[entry.protocol])(entry, settings or resolve(entry.connection)))


def open_target(entry: TargetEntry, settings: ConnectionSettings | None = None) -> Target:
    """The target of ``entry``, for one thread; ``settings`` default to its Airflow connection."""
    return cast(Target, _load(_TARGETS[entry.protocol])(entry, settings or resolve(entry.connection)))


def _load(place: str) -> type:
    module, _, name = place.partition(":")
    return cast(type, getattr(import_module(module), name))
