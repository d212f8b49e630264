"""What a failed exchange means: was the request surely not applied, surely refused, or is nobody sure?

Pure decisions over exceptions, statuses and headers. The table, as agreed for all systems:

=============  =====================================================================  ==================
class          seen as                                                                error
=============  =====================================================================  ==================
not sent       name not found, refused, connect time-out, proxy or TLS before sending  NotSent, Certificate…
turned away    401; 429; 503 with Retry-After                                         NotSignedIn, Throttled
refused        other 4xx                                                              Refused
unknown        read time-out, reset, cut answer, 3xx, 5xx, 503 without Retry-After     OutcomeUnknown, BrokenAnswer
=============  =====================================================================  ==================
"""

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import requests
from urllib3 import exceptions as urllib3_errors

from connectors.errors import (
    BrokenAnswer,
    CertificateProblem,
    ConnectionMissing,
    ConnectorError,
    NotSent,
    NotSignedIn,
    OutcomeUnknown,
    Redirected,
    Refused,
    Throttled,
)

RETRY_AFTER_CAP_S = 900.0
"""The longest wait a server may ask for; a longer one is cut to this."""


def of_transport(system: str, where: str, error: Exception) -> ConnectorError:
    """The meaning of an exception raised by requests or urllib3 while ``where`` (method and path) was called."""
    chain = list(_causes(error))
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return NotSent(system, f"{where}: no connection within the connect time-out", _REACH)
    if isinstance(error, requests.exceptions.ProxyError):
        return NotSent(system, f"{where}: the proxy of the connection cannot be used", "Check 'proxy' in its extra")
    if isinstance(error, requests.exceptions.SSLError | urllib3_errors.SSLError):
        return _of_tls(system, where, chain)
    if any(isinstance(cause, urllib3_errors.NameResolutionError) for cause in chain):
        return NotSent(system, f"{where}: the host name cannot be resolved", _REACH)
    if any(isinstance(cause, urllib3_errors.NewConnectionError) for cause in chain):
        return NotSent(system, f"{where}: the connection is refused", _REACH)
    if isinstance(error, requests.exceptions.ReadTimeout | urllib3_errors.ReadTimeoutError):
        return OutcomeUnknown(system, f"{where}: no answer within the read time-out", _SLOW)
    if isinstance(error, urllib3_errors.ProtocolError):  # requests wraps it unless the body was being read
        return BrokenAnswer(system, f"{where}: the answer was cut before its end")
    if isinstance(error, ValueError):  # requests' InvalidURL, InvalidHeader, MissingSchema … are ValueErrors
        return ConnectionMissing(system, f"{where}: the address or a header is not valid", "Check the connection")
    return OutcomeUnknown(system, f"{where}: the connection broke before the answer was complete")


_REACH = "Check host and port of the connection and that the system is up"
_SLOW = "If the system is only slow, raise timeouts.read_s in its catalog entry"


def _of_tls(system: str, where: str, chain: list[BaseException]) -> ConnectorError:
    for cause in chain:
        if isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return OutcomeUnknown(system, f"{where}: the TLS connection was cut")
        if isinstance(cause, ssl.SSLCertVerificationError):
            return CertificateProblem(
                system,
                f"{where}: the server's certificate is not accepted ({cause.verify_message})",
                "Set 'ca_bundle' in the connection's extra to the authority that signed it, or correct the host name",
            )
    return CertificateProblem(
        system,
        f"{where}: TLS failed",
        "Check that the port speaks TLS, and 'client_cert' and 'client_key' in the connection's extra",
    )


def _causes(error: BaseException) -> list[BaseException]:
    """The exception and everything it was made from, outermost first (requests wraps urllib3 wraps the socket)."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        current = waiting.pop(0)
        if not isinstance(current, BaseException) or current in seen:
            continue
        seen.append(current)
        waiting += [*current.args, getattr(current, "reason", None), current.__cause__, current.__context__]
    return seen


def of_status(system: str, where: str, status: int, headers: Mapping[str, str], body: bytes) -> ConnectorError | None:
    """The meaning of an HTTP status; ``None`` for 2xx. ``headers`` has lower-case names; ``body`` is never quoted."""
    if 200 <= status < 300:
        return None
    said = f"{where}: HTTP {status}{_phrase(status)}"
    if 300 <= status < 400:
        return Redirected(system, f"{said}, a redirect", "Redirects are never followed: correct the address")
    if status == HTTPStatus.UNAUTHORIZED:
        return NotSignedIn(system, said)
    asked = headers.get("retry-after")
    if status == HTTPStatus.TOO_MANY_REQUESTS or (status == HTTPStatus.SERVICE_UNAVAILABLE and asked):
        wait = retry_after(asked, datetime.now(UTC))
        return Throttled(system, said, "The system asks for fewer calls", retry_after_s=wait)
    if status == HTTPStatus.REQUEST_TIMEOUT or status >= 500 or status < 200:
        return OutcomeUnknown(system, said, status=status)
    if status == HTTPStatus.BAD_REQUEST and b"SSL certificate" in body[:2000]:
        # A gateway that wants a client certificate says so in an HTML page with status 400, not in the handshake.
        return CertificateProblem(
            system, f"{said}: the gateway wants another client certificate", "Check 'client_cert' in the connection"
        )
    return Refused(system, said, status=status)


def _phrase(status: int) -> str:
    try:
        return f" ({HTTPStatus(status).phrase})"
    except ValueError:
        return ""


def retry_after(value: str | None, now: datetime, cap_s: float = RETRY_AFTER_CAP_S) -> float | None:
    """Seconds to wait by a Retry-After header (seconds or a date), between 0 and ``cap_s``; ``None`` if unreadable."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), cap_s)
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return min(max((when - now).total_seconds(), 0.0), cap_s)
