"""Whether certificates are still good, and for how long: our own, which the extra of a connection names, and theirs."""

import socket
import ssl
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from connectors.api import CheckResult, CheckStatus
from connectors.connections import ConnectionSettings

_OURS = ("client_cert", "sign_cert")
_IN_TIME = timedelta(days=30)  # a new one takes an application and some weeks
_PATIENCE_S = 5.0
_FIX = "Apply for a new one in time, then put its file into the extra of the connection"


def certificate_checks(settings: ConnectionSettings, now: datetime) -> Iterator[CheckResult]:
    """A line for each certificate of ours that can be read; whoever uses one that can't says so itself."""
    for file in filter(None, map(settings.text, _OURS)):
        try:
            own, *_ = x509.load_pem_x509_certificates(Path(file).read_bytes())
        except (OSError, ValueError):
            continue
        ends = own.not_valid_after_utc
        day = f"{ends:%Y-%m-%d}"
        if ends <= now:
            yield CheckResult("certificate", CheckStatus.FAILED, f"our certificate {file} ended on {day}", _FIX)
        elif ends <= now + _IN_TIME:
            detail = f"our certificate {file} is good until {day} only"
            yield CheckResult("certificate", CheckStatus.WARNING, detail, _FIX)
        else:
            yield CheckResult("certificate", CheckStatus.OK, f"our certificate {file} is good until {day}")


def server_certificate_checks(settings: ConnectionSettings, now: datetime) -> Iterator[CheckResult]:
    """A warning when the certificate that the system shows ends soon. One that is over, or is none of the system's, the
    first call refuses; where nobody answers, or behind a proxy, there is nothing to look at.
    """
    address = urlsplit(settings.base_url)
    if address.scheme != "https" or not address.hostname or settings.text("proxy"):
        return
    ends = _shown_by(address.hostname, address.port or 443)
    if ends is not None and now < ends <= now + _IN_TIME:
        detail = f"the certificate of {address.hostname} is good until {ends:%Y-%m-%d} only"
        fix = "Tell the owner of the system: once it is over, no call gets through"
        yield CheckResult("certificate", CheckStatus.WARNING, detail, fix)


def _shown_by(host: str, port: int) -> datetime | None:
    """When the certificate shown there ends; it is only looked at, and nothing is said to whoever shows it."""
    looking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    looking.check_hostname, looking.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), timeout=_PATIENCE_S) as plain,
            looking.wrap_socket(plain, server_hostname=host) as shown,
        ):
            der = shown.getpeercert(binary_form=True)
        return x509.load_der_x509_certificate(der).not_valid_after_utc if der else None
    except (OSError, ValueError):
        return None
