"""X-Road SOAP messages (message protocol 4.0): the header block, and what a security server's errors mean.

Errors come as SOAP faults **with HTTP 200**, the security server's own and the service's alike. A security server's
carry an id for its operators in ``detail/faultDetail``. Release 7.8 spells the codes anew (``server.serverproxy.
access_denied`` for ``Server.ServerProxy.AccessDenied``), so they are compared without case and underscores.

Whether the service did the work before the error is what counts:

===================================================================  =========================================
code, either spelling                                                 meaning
===================================================================  =========================================
``…ServiceDisabled``, ``…MaintenanceMode``                            not applied; wait, for hours if need be
``Client.*``, ``…UnknownMember``, ``…UnknownService``,                not applied; names or rights are wrong,
``…AccessDenied``                                                     a person must see to it
``Server.ClientProxy.{NetworkError, OutdatedGlobalConf,               not applied; try again
SslAuthenticationFailed, IOError}``
everything else (``Server.ServerProxy.*``, signatures, time stamps)   unknown: raised on the answer's way back too
===================================================================  =========================================
"""

import re

from lxml import etree

from connectors.errors import ConnectorError, GatewayRefused, NotSent, OutcomeUnknown

_XROAD = "http://x-road.eu/xsd/xroad.xsd"
_IDENTIFIERS = "http://x-road.eu/xsd/identifiers"
_CLIENT_PARTS = ("xRoadInstance", "memberClass", "memberCode", "subsystemCode")
_SERVICE_PARTS = (*_CLIENT_PARTS, "serviceCode", "serviceVersion")

_SWITCHED_OFF = ("servicedisabled", "maintenancemode")
_WRONG_NAMES_OR_RIGHTS = ("unknownmember", "unknownservice", "accessdenied")
_NOT_PASSED_ON = ("networkerror", "outdatedglobalconf", "sslauthenticationfailed", "ioerror")
_GATEWAY = re.compile(r"^server\.(client|server)proxy(\.|$)")


def header(*, client: str, service: str, message_id: str, user_id: str = "") -> list[etree._Element]:
    """The header elements. ``client`` is ``INSTANCE/CLASS/CODE/SUBSYSTEM``; ``service`` goes on ``/CODE[/VERSION]``."""
    elements = [
        _identifier("client", "SUBSYSTEM", _CLIENT_PARTS, client),
        _identifier("service", "SERVICE", _SERVICE_PARTS, service),
    ]
    if user_id:
        elements.append(_leaf("userId", user_id))
    return [*elements, _leaf("id", message_id), _leaf("protocolVersion", "4.0")]


def is_gateways(code: str, detail_id: str | None) -> bool:
    """Whether an error is a security server's own, not the service's."""
    return detail_id is not None or _GATEWAY.match(_plain(code)) is not None


def of_gateway(system: str, where: str, code: str, detail_id: str | None) -> ConnectorError:
    """The meaning of a security server's own error. ``code`` and ``detail_id`` are shown: without anything unsafe."""
    said = f"{where}: the security server answered {code or 'an error without code'}"
    quote = f"Quote {detail_id} to its operator" if detail_id else "Ask its operator"
    code = _plain(code)
    last = code.rpartition(".")[2]
    if last in _SWITCHED_OFF:
        return NotSent(system, f"{said}: the service is switched off", quote)
    if last in _WRONG_NAMES_OR_RIGHTS or code.partition(".")[0] == "client":
        fix = f"Check client and service of the catalog entry and the access right. {quote}"
        return GatewayRefused(system, f"{said}: names or access rights are wrong", fix)
    if code.startswith("server.clientproxy.") and last in _NOT_PASSED_ON:
        return NotSent(system, f"{said}: the message was not passed on", quote)
    return OutcomeUnknown(system, said, quote)


def _plain(code: str) -> str:
    return code.rpartition(":")[2].lower().replace("_", "")


def _identifier(name: str, object_type: str, parts: tuple[str, ...], identifier: str) -> etree._Element:
    element = etree.Element(f"{{{_XROAD}}}{name}", nsmap={"xrd": _XROAD, "id": _IDENTIFIERS})
    element.set(f"{{{_IDENTIFIERS}}}objectType", object_type)
    for part, value in zip(parts, identifier.split("/"), strict=False):
        etree.SubElement(element, f"{{{_IDENTIFIERS}}}{part}").text = value
    return element


def _leaf(name: str, text: str) -> etree._Element:
    element = etree.Element(f"{{{_XROAD}}}{name}", nsmap={"xrd": _XROAD})
    element.text = text
    return element
