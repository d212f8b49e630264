"""What a SOAP fault means. Pure decisions over its codes, the detail's own code, and the HTTP status.

Fault codes do not tell what may be tried again from what may not: many stacks blame the server for all, some leave the
code out, and each spells it with another prefix. So an entry's own rules come first, then an X-Road security server's
codes, and then

==========================================================  =========================================================
code                                                        error
==========================================================  =========================================================
WS-Security's (``FailedAuthentication``, ``InvalidSecurity``, NotSignedIn: once more with a fresh message, then for a
``MessageExpired`` …)                                       person
``VersionMismatch``, ``MustUnderstand``                     ContractBroken: they want another kind of message
``Client``, ``Sender`` and what begins so                   Refused
everything else, and none                                   Throttled with a Retry-After, else OutcomeUnknown
==========================================================  =========================================================

The fault's text is never repeated: it may hold anything.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from connectors import xroad
from connectors.errors import (
    ConnectorError,
    ContractBroken,
    NotSignedIn,
    OutcomeUnknown,
    Refused,
    Throttled,
)
from connectors.options.soap import FaultRule, Faults
from connectors.outcomes import retry_after
from connectors.soap.answers import Fault

_SECURITY = frozenset(
    {
        "failedauthentication",
        "failedcheck",
        "invalidsecurity",
        "invalidsecuritytoken",
        "messageexpired",
        "securitytokenunavailable",
        "unsupportedsecuritytoken",
        "unsupportedalgorithm",
    }
)
_UNSAFE = re.compile(r"[^\w.:\-]")
_OTHER_MESSAGE = frozenset({"versionmismatch", "mustunderstand", "dataencodingunknown"})
_THEIR_OWNER = "If it stays, tell the owner of the service"


class Absent(Exception):
    """The system says that it does not know what it was asked for. Goes no further than to whoever asked."""


def of_fault(
    system: str,
    where: str,
    fault: Fault,
    *,
    faults: Faults,
    status: int,
    headers: Mapping[str, str],
    behind_xroad: bool,
) -> ConnectorError | Absent:
    """The error that a fault stands for; ``headers`` (of HTTP) have lower-case names."""
    codes = [plain(code) for code in fault.codes]
    detail = next(iter(_texts(fault.detail, faults.detail_code)), None) if faults.detail_code else None
    shown = "/".join(fault.codes) or "no code"
    said = f"{where}: the service answered with a fault ({shown}, HTTP {status})"
    wait = retry_after(headers["retry-after"], datetime.now(UTC)) if "retry-after" in headers else None
    again = (
        OutcomeUnknown(system, said, _THEIR_OWNER, status=status)
        if wait is None
        else Throttled(system, said, "The system asks for fewer calls", retry_after_s=wait)
    )
    refused = Refused(
        system,
        said,
        "The request does not please the service: compare it with its contract",
        status=status,
        code=codes[-1] if codes else None,
    )
    rule = next((rule for rule in faults.rules if _fits(rule, codes, detail, status)), None)
    if rule is not None:
        return {"retry": again, "refused": refused, "session": NotSignedIn(system, said), "absent": Absent()}[
            rule.means
        ]
    first = fault.codes[0] if fault.codes else ""
    if behind_xroad and xroad.is_gateways(first, fault.xroad_id):
        return xroad.of_gateway(system, where, first, fault.xroad_id)
    if _SECURITY.intersection(codes):
        return NotSignedIn(system, said)
    if _OTHER_MESSAGE.intersection(codes):
        return ContractBroken(system, said, "It wants another kind of message: compare the contract with the live one")
    if codes and codes[0].partition(".")[0] in ("client", "sender"):
        return refused
    return again


def plain(code: str) -> str:
    """A code as it is compared: without prefix, case, and underscores."""
    return code.rpartition(":")[2].strip().lower().replace("_", "")


def shown(code: str | None) -> str:
    """A code as it may be shown: short, and without anything unsafe."""
    return _UNSAFE.sub("?", code or "nothing")[:100]


def _fits(rule: FaultRule, codes: list[str], detail: str | None, status: int) -> bool:
    return (
        (rule.code is None or plain(rule.code) in codes)
        and (rule.detail is None or (detail is not None and plain(rule.detail) == plain(detail)))
        and (rule.status is None or rule.status == status)
    )


def _texts(value: Any, path: str) -> Iterator[str]:
    """Texts at ``path`` that hold something; an ``item`` of ``key`` and ``value`` counts as an element of that name."""
    if isinstance(value, list):
        for item in value:
            yield from _texts(item, path)
    elif isinstance(value, Mapping):
        name, _, rest = path.partition(".")
        if name in value:
            yield from _texts(value[name], rest)
        for item in value.get("item", []) if isinstance(value.get("item"), list) else [value.get("item")]:
            if isinstance(item, Mapping) and item.get("key") == name:
                yield from _texts(item.get("value"), rest)
    elif isinstance(value, str) and not path and value.strip():
        yield value.strip()
