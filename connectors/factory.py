"""From a catalog entry to a connector. The protocol's module is imported only when it is used."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, cast

from connectors.api import Source, Target
from connectors.catalog_models import SourceEntry, SourceProtocol, TargetEntry, TargetProtocol
from connectors.connections import ConnectionSettings, resolve
from connectors.inbox import Inbox

_Reread = Callable[[SourceEntry, bytes, str], Sequence[Mapping[str, Any]]]
_SOURCES = {
    SourceProtocol.REST: "connectors.sources.rest:RestSource",
    SourceProtocol.SOAP: "connectors.sources.soap:SoapSource",
    SourceProtocol.SOAP_JOBS: "connectors.sources.soap_jobs:SoapJobsSource",
    SourceProtocol.FILES: "connectors.sources.files:FilesSource",
    SourceProtocol.INBOUND: "connectors.sources.inbound:InboundSource",
    SourceProtocol.MAPI: "connectors.sources.mapi:MapiSource",
    SourceProtocol.IGATE: "connectors.sources.igate:IgateSource",
}
_TARGETS = {
    TargetProtocol.NPSP: "connectors.targets.npsp:NpspTarget",
    TargetProtocol.LGSP_DOCUMENT: "connectors.targets.lgsp_document:LgspDocumentTarget",
    TargetProtocol.EMC: "connectors.targets.emc:EmcTarget",
    TargetProtocol.WEBHOOK: "connectors.targets.webhook:WebhookTarget",
    TargetProtocol.OPENCPS_PUBLISH: "connectors.targets.opencps_publish:OpencpsPublishTarget",
    TargetProtocol.IGATE_DOSSIER: "connectors.targets.igate_dossier:IgateDossierTarget",
}


def open_source(
    entry: SourceEntry, settings: ConnectionSettings | None = None, *, inbox: Inbox | None = None
) -> Source:
    """The source of ``entry``; ``settings`` default to its Airflow connection. Connects to nothing yet.

    ``inbox`` is where the calls of an inbound system wait; without one it can be checked and not pulled.
    """
    more = {"inbox": inbox} if entry.protocol is SourceProtocol.INBOUND else {}
    return cast(Source, _load(_SOURCES[entry.protocol])(entry, settings or resolve(entry.connection), **more))


def reread(entry: SourceEntry, raw: bytes, media_type: str) -> Sequence[Mapping[str, Any]]:
    """The records of a page of the source as it was archived: what its mapping saw, without what is cut by now.

    Needs no connection to the system, nor settings for one. Raises ``BrokenAnswer`` or ``ContractBroken`` when today's
    catalog entry and contract do not fit the page.
    """
    again: _Reread = _load(f"{_SOURCES[entry.protocol].partition(':')[0]}:reread")
    return again(entry, raw, media_type)


def open_target(entry: TargetEntry, settings: ConnectionSettings | None = None) -> Target:
    """The target of ``entry``, for one thread; ``settings`` default to its Airflow connection."""
    return cast(Target, _load(_TARGETS[entry.protocol])(entry, settings or resolve(entry.connection)))


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
