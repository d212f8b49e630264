"""EMC, which counts what happens to dossiers: one event per processing step, no key, nothing to look up.

An event whose outcome is unknown can be neither asked for nor recognized when it comes twice; what then happens is the
catalog's decision (``operations.step.in_doubt``). What can be read back are the counts of the dashboard.
"""

from collections.abc import Iterator, Mapping, Sequence

import orjson

from connectors.api import CheckResult, Held, Item, Verdict
from connectors.catalog_models import TargetEntry
from connectors.connections import ConnectionSettings
from connectors.errors import ConnectionMissing, ConnectorError, Refused
from connectors.http import HttpClient
from connectors.retry import repeat
from connectors.targets.answers import Reply, of_bare_status, of_error
from connectors.targets.batches import Sequences
from connectors.targets.checks import checked
from connectors.targets.emc_answers import parse_export
from connectors.targets.options import EmcOptions

_NO_READ_BACK = "EMC holds no dossiers that could be asked for"


class EmcTarget:
    """Sends events one a call. Used by one thread."""

    def __init__(self, entry: TargetEntry, settings: ConnectionSettings) -> None:
        """``entry`` with ``EmcOptions``; connection extra ``site_id`` is our number and only credential."""
        options: EmcOptions = entry.options
        self._system = entry.system
        self._options = options
        self._http = HttpClient(entry.system, settings, timeouts=entry.timeouts, limits=entry.limits)
        site = settings.required("site_id", "for EMC to know whose events these are")
        if not (site.isascii() and site.isdigit()):
            raise ConnectionMissing(
                settings.conn_id, "'site_id' in the connection's extra is not a whole number", "Ask EMC for your number"
            )
        self._site = int(site)

    def send_dossiers(self, items: Sequence[Item]) -> list[Verdict]:
        """EMC takes events only: raises ``Refused``, whatever the items are."""
        del items
        raise Refused(self._system, "EMC takes steps (events), not dossiers", "Set messages to [step]")

    def send_steps(self, items: Sequence[Item]) -> list[Verdict]:
        """One event per item, each dossier's in order."""
        return Sequences(self._push).send(items, 1)

    def lookup(self, code: str, others: Sequence[str] = ()) -> Held | None:
        """EMC has no look-up: raises ``Refused``."""
        del code, others
        raise Refused(self._system, _NO_READ_BACK, "Set reconcile.method to counts")

    def listing(self) -> Iterator[Held]:
        """EMC has no listing: raises ``Refused``."""
        raise Refused(self._system, _NO_READ_BACK, "Set reconcile.method to counts")

    def counts(self) -> Mapping[str, int]:
        """``status:<n>``: events with EMC's status n; ``dossiers``: distinct dossiers. From the dashboard's export."""
        return repeat(self._read_counts)

    def check(self) -> list[CheckResult]:
        """Read the dashboard: there is no sign-in, and an event sent to try would be counted for ever."""
        return checked(("connection", self._answers), ("dashboard", self._dashboard))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _push(self, items: Sequence[Item]) -> Reply:
        event = {**items[0].payload, "siteId": self._site}
        path = self._options.tracking_path
        try:
            if self._options.encoding == "form":
                return of_bare_status(self._http.request("POST", path, form=_form(event)))
            return of_bare_status(self._http.request("POST", path, json=event))
        except ConnectorError as error:
            return of_error(error)

    def _read_counts(self) -> Mapping[str, int]:
        options = self._options
        query, headers = dict(options.export_query), {"Accept": "text/csv"}
        return parse_export(self._http.request("GET", options.export_path, params=query, headers=headers))

    def _answers(self) -> str:
        self._http.touch()
        return f"{self._http.settings.base_url} answers; EMC never says whether site_id is right, only its counts do"

    def _dashboard(self) -> str:
        return f"the dashboard counts {self._read_counts()['dossiers']} dossiers"


def _form(event: Mapping[str, object]) -> dict[str, str]:
    """Form fields: everything as text; ``None`` is left out, structures are written as JSON."""
    return {
        name: value if isinstance(value, str) else orjson.dumps(value).decode()
        for name, value in event.items()
        if value is not None
    }
