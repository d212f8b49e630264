"""Whether our own certificates are still good, and for how long: those that the extra of a connection names."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from connectors.api import CheckResult, CheckStatus
from connectors.connections import ConnectionSettings

_OURS = ("client_cert", "sign_cert")
_IN_TIME = timedelta(days=30)  # a new one takes an application and some weeks
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
