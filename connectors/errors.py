"""Everything that can go wrong between us and another system, by what to do next.

::

    ConnectorError                 system, message, next_step; ``intent`` says what to do
    │
    ├── NotSent            RETRY   nothing happened over there: DNS, refused, connect time-out
    │   ├── Throttled      RETRY   429, or 503 with Retry-After; ``retry_after_s`` says when
    │   │   └── NoTurn     RETRY   our own limits did not let the call go: it never left
    │   └── NotSignedIn    RETRY   401, or the session is over: sign in again, then the same call
    │
    ├── OutcomeUnknown     ASK     the request left, no trustworthy answer came: read time-out, reset, total deadline,
    │   │                          500/502/504, 503 without Retry-After
    │   └── BrokenAnswer   ASK     an answer came and cannot be believed: cut, too large, wrong type, not parseable
    │       ├── Redirected ASK     a redirect, which is never followed (a login page, or an address that moved)
    │       └── Repeated   ASK     a server that gives the same page again and again
    │
    ├── Refused            REJECT  they said no, and will say no again: 4xx, a permanent error code, a SOAP fault
    │
    └── NeedsPerson        FIX     no data is at fault; a person must change something, then everything goes on
        ├── SignInFailed   FIX     credentials are refused, or a fresh session does not help
        ├── GatewayRefused FIX     an X-Road security server does not let us through: names or access rights
        ├── CertificateProblem FIX TLS: their certificate, our client certificate, or the name does not match
        ├── ContractBroken FIX     the contract snapshot is missing, or the system no longer keeps it
        ├── ConnectionMissing  FIX no such Airflow connection, or it cannot be read
        └── CatalogError   FIX     a catalog file is wrong; names file, line and key
            └── UnknownSystem FIX  the catalog is right, and has no system of that name

How the intents are meant:

======  ===============================================================================================
RETRY   Surely not applied. The same call may be sent again at any time, as often as the budget allows.
ASK     May have been applied. A read may simply be repeated; a write asks the system first.
REJECT  Surely not applied, and the same data will be refused again. Quarantine or dead-letter it.
FIX     Surely not the data's fault. Everything waits, one alarm, no dossier is given up.
======  ===============================================================================================

No exception here ever carries a body, a header, a secret or a personal field: they end up in logs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class Intent(StrEnum):
    """What whoever catches the error should do."""

    RETRY = "retry"
    ASK = "ask"
    REJECT = "reject"
    FIX = "fix"


class ConnectorError(Exception):
    """Base of all errors of this floor.

    ``system`` is the catalog name, ``message`` says what was wrong, ``next_step`` what a person should do.
    ``str()`` gives the three in one line.
    """

    intent: ClassVar[Intent] = Intent.FIX

    def __init__(self, system: str, message: str, next_step: str = "") -> None:
        super().__init__(system, message, next_step)
        self.system = system
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        text = f"{self.system}: {self.message}"
        return f"{text}. {self.next_step}" if self.next_step else text


class NotSent(ConnectorError):
    """Nothing reached the system, or its gateway turned the call away before doing anything."""

    intent = Intent.RETRY


class Throttled(NotSent):
    """The system asks us to slow down. ``retry_after_s`` is its wish, already capped; ``None`` when it gave none."""

    def __init__(self, system: str, message: str, next_step: str = "", *, retry_after_s: float | None = None) -> None:
        super().__init__(system, message, next_step)
        self.retry_after_s = retry_after_s


class NoTurn(Throttled):
    """Our own limits did not let the call go now (quota, breaker, quiet hours); nothing left this machine."""


class NotSignedIn(NotSent):
    """The token or session is missing, wrong or over. The parts in ``auth`` renew it once and call again."""


class OutcomeUnknown(ConnectorError):
    """The request went out and we do not know what became of it. ``status`` when an HTTP status came back."""

    intent = Intent.ASK

    def __init__(self, system: str, message: str, next_step: str = "", *, status: int | None = None) -> None:
        super().__init__(system, message, next_step)
        self.status = status


class BrokenAnswer(OutcomeUnknown):
    """An answer that cannot be believed. For a read the page is broken; for a write the outcome is unknown."""


class Redirected(BrokenAnswer):
    """The system answered with a redirect; following it could send data to a stranger."""


class Repeated(BrokenAnswer):
    """The system repeats a page, or its page count never comes to an end."""


class Refused(ConnectorError):
    """The system understood and said no.

    ``status`` is the HTTP status, ``code`` the system's own error code, where there is one.
    """

    intent = Intent.REJECT

    def __init__(
        self, system: str, message: str, next_step: str = "", *, status: int | None = None, code: str | None = None
    ) -> None:
        super().__init__(system, message, next_step)
        self.status = status
        self.code = code


class NeedsPerson(ConnectorError):
    """Nothing will change until a person does something; no data is at fault."""

    intent = Intent.FIX


class SignInFailed(NeedsPerson):
    """The system does not accept the credentials of the connection."""


class GatewayRefused(NeedsPerson):
    """The gateway in front of the system knows us, the service or our rights otherwise than the catalog does."""


class CertificateProblem(NeedsPerson):
    """TLS failed on a certificate: theirs, ours, or the host name."""


class ContractBroken(NeedsPerson):
    """The contract snapshot is missing or unreadable, or the system no longer follows it."""


class ConnectionMissing(NeedsPerson):
    """The Airflow connection does not exist or cannot be read."""


@dataclass(frozen=True, slots=True)
class CatalogProblem:
    """One mistake in a catalog file: where it is, what is wrong, how to put it right. ``line`` 0: the whole file."""

    file: str
    line: int
    key: str
    problem: str
    fix: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.key}: {self.problem}. {self.fix}"


class CatalogError(NeedsPerson):
    """One or more catalog files are wrong. ``problems`` lists every mistake found, in file order."""

    def __init__(self, problems: tuple[CatalogProblem, ...]) -> None:
        noun = "mistake" if len(problems) == 1 else "mistakes"
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__("catalog", f"{len(problems)} {noun}:\n{lines}")
        self.problems = problems


class UnknownSystem(CatalogError):
    """Somebody asked for a system that the catalog does not have. ``what`` says so, ``fix`` names those it has."""

    def __init__(self, folder: str, name: str, what: str, known: Sequence[str], nearest: str) -> None:
        self.what = f"there is no {what} '{name}'"
        self.fix = f"{nearest}Known: {', '.join(known) or 'none'}"
        super().__init__((CatalogProblem(folder, 0, what, self.what, self.fix),))
