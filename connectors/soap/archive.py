"""Archived pages of SOAP systems, read again as they were read when they came; the system is not needed for it."""

from collections.abc import Mapping, Sequence
from typing import Any

from connectors import archived
from connectors.catalog import contract_path
from connectors.catalog_models import SourceEntry
from connectors.cutting import Cuts
from connectors.http import Streamed
from connectors.options.soap import SoapService
from connectors.soap.answers import MEDIA_TYPE, FaultAnswered, portions
from connectors.soap.operations import load_operation

_NO_LIMIT = 1 << 62


def records_again(
    entry: SourceEntry, service: SoapService, operation_name: str, path: str, raw: bytes
) -> Sequence[Mapping[str, Any]]:
    """The records at ``path`` of an archived answer to the operation.

    A signature is not checked again: nothing was archived before it was. Raises ``ContractBroken`` and
    ``BrokenAnswer`` when today's contract or catalog entry does not fit the page.
    """
    operation = load_operation(entry.system, contract_path(entry), operation_name, service.port)
    head = archived.head(entry.system, MEDIA_TYPE)
    answer = Streamed(
        system=head.system, where=head.where, status=head.status, headers=head.headers, chunks=iter((raw,))
    )
    try:
        (whole,) = portions(answer, operation, operation.records(path), size=_NO_LIMIT, cuts=Cuts(entry.cut))
    except FaultAnswered:
        raise archived.unreadable(entry.system, "it is a fault") from None
    return whole.records
