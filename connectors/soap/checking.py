"""The lines of ``hosync check`` for a SOAP system, drift of its WSDL among them."""

from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from connectors.api import CheckResult, CheckStatus
from connectors.catalog import contract_path
from connectors.catalog_models import SourceEntry
from connectors.errors import ConnectorError
from connectors.options.soap import SoapService
from connectors.soap.client import SoapClient
from connectors.soap.faults import Absent
from connectors.sources.checking import Checks
from connectors.wsdl import NotWsdl, differences

_SHOWN = 8


def check_service(
    entry: SourceEntry,
    client: SoapClient,
    service: SoapService,
    operations: Sequence[str],
    place: Callable[[], object],
    read: Callable[[], object],
) -> list[CheckResult]:
    """Contract, operations, connection, drift, sign-in, one small ``read``; ``place`` finds the records by contract."""
    checks = Checks(entry, client.http)
    if not checks.contract():
        return checks.results

    def in_contract() -> None:
        for name in operations:
            client.operation(name)
        place()

    def one() -> None:
        try:
            read()
        except Absent:
            return  # it answers, which is what was asked

    if checks.attempt("operation", in_contract, f"the contract has {', '.join(operations)}") and checks.reachable():
        drift = _drift(entry, client, service)
        checks.results += [drift] if drift is not None else []
        if checks.attempt("sign-in", client.sign_in):
            checks.attempt("read", one, "the service answers")
    return checks.results


def _drift(entry: SourceEntry, client: SoapClient, service: SoapService) -> CheckResult | None:
    """The live WSDL against the snapshot; ``None`` where there is none to be had."""
    path = service.live_wsdl
    if path is None:
        if service.xroad is not None:
            return None
        path = f"{service.path}?wsdl"
    base = client.http.settings.base_url
    fix = "Correct options.live_wsdl in the catalog entry, if it is to be had elsewhere"
    try:
        live = client.http.request("GET", path, headers={"Accept": "text/xml, application/wsdl+xml"}).body
        found = differences(contract_path(entry), live, address=base + path, fetch=lambda url: _fetched(client, url))
    except (ConnectorError, NotWsdl) as error:
        reason = error.message if isinstance(error, ConnectorError) else f"GET {path}: {error}"
        return CheckResult("drift", CheckStatus.WARNING, f"the live WSDL cannot be compared: {reason}", fix)
    if not found:
        return CheckResult("drift", CheckStatus.OK, "the live WSDL says what the contract says")
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return CheckResult(
        "drift",
        CheckStatus.FAILED,
        f"the live WSDL differs from the contract: {'; '.join(found[:_SHOWN])}{more}",
        f"Get the WSDL again as schemas/wire/{entry.contract}, compare, and adapt the mapping",
    )


def _fetched(client: SoapClient, url: str) -> bytes:
    """What a live WSDL imports, from the system itself and from nobody else."""
    base, target = urlsplit(client.http.settings.base_url), urlsplit(url)
    if target.scheme not in ("http", "https"):
        raise OSError("a live WSDL may only import by HTTP")
    # Systems behind gateways name themselves by addresses of their own: only path and query are taken.
    path = (target.path or "/").removeprefix(base.path.rstrip("/")) + (f"?{target.query}" if target.query else "")
    try:
        return client.http.request("GET", path, headers={"Accept": "text/xml"}).body
    except ConnectorError as error:
        raise OSError(error.message) from None
