"""Systems that call us: who is let in, what becomes of a call, and what it is answered.

A call is answered with success only when it is durable in the inbox. When that fails for reasons of ours, the system
hears its own kind of failure with status 503, and calls again; a call that comes twice is stored once. Whoever does not
know the secret learns nothing, not even whether there is such a system.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors import connections
from connectors.catalog import load_catalog
from connectors.catalog_models import SourceProtocol
from connectors.errors import ConnectorError
from connectors.inbound import Refused, Request, failure, knows_secret, operation, read_call
from ledger.engine import open_engine
from ledger.errors import LedgerError
from ledger.inbox import Inbox, Received
from ledger.sealing import Sealer

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from connectors.catalog import Catalog
    from connectors.catalog_models import SourceEntry
    from connectors.connections import ConnectionSettings
    from connectors.options.inbound import InboundOptions

_log = logging.getLogger("hosync.inbound")

_SETTINGS_FRESH_S = 60.0
_STRANGERS_EVERY_S = 60.0
_LATER = "Hệ thống tạm thời chưa nhận được, vui lòng gửi lại sau"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes back: an HTTP status and a JSON value."""

    status: int
    value: Any


NOT_FOUND = Answer(status=404, value={"detail": "Not Found"})
UNAVAILABLE = Answer(status=503, value={"detail": "Service Unavailable"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A caller that was let in, and what it wants to tell. Its body has not been read yet."""

    entry: SourceEntry
    kind: str
    remote: str | None
    inbox: Callable[[], Inbox]

    @property
    def max_bytes(self) -> int:
        """How large the body may be."""
        return self._options.max_body_kb << 10

    def take(self, body: bytes) -> Answer:
        """Store the call, and answer it."""
        try:
            call = read_call(self.entry, self.kind, body)
        except Refused as refused:
            return self.refuse(str(refused))

        def store() -> None:
            self.inbox().put(call.kind, call.body, content=call.content, remote=self.remote)

        if not _done(self.entry.system, store):
            return self.unavailable()
        return Answer(status=200, value=self._options.answers.success)

    def refuse(self, message: str, status: int | None = None) -> Answer:
        """Tell the caller what is wrong with its call, and count it."""
        _done(self.entry.system, lambda: self.inbox().count(Received.REFUSED))
        _log.info("%s: a call %s was refused: %s", self.entry.system, self.kind, message)
        answers = self._options.answers
        return Answer(status=status or answers.refused_status, value=failure(answers, message))

    def unavailable(self) -> Answer:
        """Ask the caller to call again."""
        return Answer(status=UNAVAILABLE.status, value=failure(self._options.answers, _LATER))

    @property
    def _options(self) -> InboundOptions:
        options: InboundOptions = self.entry.options
        return options


class Reception:
    """Lets callers in. Safe to share between threads; opens no database before the first call."""

    def __init__(
        self,
        catalog: Catalog,
        *,
        open_ledger: Callable[[], tuple[Engine, Sealer]],
        resolve: Callable[[str], ConnectionSettings] = connections.resolve,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``open_ledger`` is called again after it failed; ``resolve`` gives the settings of a connection."""
        self._entries = {entry.system: entry for entry in catalog.sources if entry.protocol is SourceProtocol.INBOUND}
        self._open_ledger = open_ledger
        self._resolve = resolve
        self._monotonic = monotonic
        self._guard = threading.Lock()
        self._ledger: tuple[Engine, Sealer] | None = None
        self._inboxes: dict[str, Inbox] = {}
        self._settings: dict[str, tuple[float, ConnectionSettings]] = {}
        self._strangers = {system: _Strangers() for system in self._entries}

    @classmethod
    def from_env(cls) -> Reception:
        """For the catalog, the connections and the ledger that the environment names. Raises ``CatalogError``."""
        return cls(load_catalog(), open_ledger=lambda: (open_engine(), Sealer.from_env()))

    def admit(self, system: str, request: Request) -> Visit | Answer:
        """Let the caller in, or answer at once."""
        entry = self._entries.get(system)
        if entry is None:
            return NOT_FOUND
        options: InboundOptions = entry.options
        try:
            knows = knows_secret(options, self._settings_of(entry), request)
        except ConnectorError as error:
            _log.error("%s", error)
            return UNAVAILABLE
        if not knows:
            self._stranger(entry, request.remote)
            return NOT_FOUND
        name = operation(options, request)
        if name in options.catalogues:
            if request.method == "GET":
                return Answer(status=200, value=options.catalogues[name])
            return Answer(status=405, value=failure(options.answers, "Chỉ nhận phương thức GET"))
        call = options.calls.get(name)
        if call is None:
            return Answer(status=404, value=failure(options.answers, "Không có chức năng này"))
        if request.method != call.method:
            return Answer(status=405, value=failure(options.answers, f"Chỉ nhận phương thức {call.method}"))
        return Visit(entry=entry, kind=name, inbox=lambda: self._inbox(system), remote=request.remote)

    def is_ready(self) -> bool:
        """Whether calls could be stored at this moment."""
        return _done("inbound", lambda: [self._inbox(system).tally() for system in self._entries])

    def close(self) -> None:
        """Write down what was only counted, and close the ledger."""
        for system, strangers in self._strangers.items():
            self._write_down(system, strangers.take_all())
        with self._guard:
            if self._ledger is not None:
                self._ledger[0].dispose()
            self._ledger = None
            self._inboxes.clear()

    def _settings_of(self, entry: SourceEntry) -> ConnectionSettings:
        """The connection's settings; asked for again from time to time, so that a secret can be changed."""
        found = self._settings.get(entry.connection)
        if found is None or self._monotonic() - found[0] > _SETTINGS_FRESH_S:
            found = self._monotonic(), self._resolve(entry.connection)
            self._settings[entry.connection] = found
        return found[1]

    def _inbox(self, system: str) -> Inbox:
        with self._guard:
            if self._ledger is None:
                self._ledger = self._open_ledger()
            if system not in self._inboxes:
                self._inboxes[system] = Inbox(*self._ledger, system)
            return self._inboxes[system]

    def _stranger(self, entry: SourceEntry, remote: str | None) -> None:
        """Count and tell, but seldom: a stranger must not be able to keep the database or the log busy."""
        if number := self._strangers[entry.system].knocked(self._monotonic()):
            _log.warning("%s: %d calls without the right secret, the last from %s", entry.system, number, remote)
            self._write_down(entry.system, number)

    def _write_down(self, system: str, strangers: int) -> None:
        if strangers:
            _done(system, lambda: self._inbox(system).count(Received.NO_SECRET, strangers))


class _Strangers:
    """How many callers of one system did not know its secret since that was last written down."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._number = 0
        self._next_at = float("-inf")

    def knocked(self, now: float) -> int:
        """Count one more; the number to write down now, or 0 when it is too early."""
        with self._guard:
            self._number += 1
            if now < self._next_at:
                return 0
            self._next_at = now + _STRANGERS_EVERY_S
            number, self._number = self._number, 0
            return number

    def take_all(self) -> int:
        """What is left to write down."""
        with self._guard:
            number, self._number = self._number, 0
            return number


def _done(system: str, work: Callable[[], object]) -> bool:
    """Whether the ledger did its part. Whatever kept it: it is no success, and no message may repeat a call."""
    try:
        work()
    except LedgerError as error:
        _log.error("%s: the inbox could not be used: %s", system, error)
        return False
    except Exception as error:
        _log.error("%s: the inbox could not be used (%s)", system, type(error).__name__)
        return False
    return True
