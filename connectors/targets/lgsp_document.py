"""The provincial processing system: told over the LGSP Document API, asked over its own dossier search.

Reports go over the same gateway to the APIs beside it (Statistic, Vote), which answer alike.

What the answers mean stands in ``lgsp_answers.py``; the reading side is ``dossier_search.py``.
"""

from collections.abc import Iterator, Mapping, Sequence

from connectors.api import CheckResult, Held, Item, Verdict
from connectors.auth import Keeper, bearer, oauth2_client_credentials, signed_in
from connectors.catalog_models import TargetEntry
from connectors.connections import ConnectionSettings
from connectors.errors import ConnectorError, NotSignedIn, Refused
from connectors.http import HttpClient
from connectors.targets.answers import OWN_WORDS_STATUS, Kind, Reply, of_error
from connectors.targets.batches import Sequences
from connectors.targets.checks import checked, sign_in_as_precondition
from connectors.targets.dossier_search import DossierSearchClient
from connectors.targets.lgsp_answers import GATEWAY_STATUS, classify_answer
from connectors.targets.options import LgspDocumentOptions
from connectors.targets.reports import report_verdict
from schemas.report import ReportKind


class LgspDocumentTarget:
    """Writes one document or trace a call; reads by search. Used by one thread."""

    def __init__(self, entry: TargetEntry, settings: ConnectionSettings) -> None:
        """``entry`` with ``LgspDocumentOptions``; login and password are the gateway's client id and secret."""
        options: LgspDocumentOptions = entry.options
        self._system = entry.system
        self._options = options
        self._http = HttpClient(entry.system, settings, timeouts=entry.timeouts, limits=entry.limits)
        fetch = oauth2_client_credentials(self._http, options.token_path)
        self._keeper = Keeper(sign_in_as_precondition(fetch))
        self._search = DossierSearchClient(entry, settings, options.search)

    def send_dossiers(self, items: Sequence[Item]) -> list[Verdict]:
        """One SyncDocument per item: the system inserts or replaces by code."""
        return Sequences(lambda one: self._push(self._options.document_path, one)).send(items, 1)

    def send_steps(self, items: Sequence[Item]) -> list[Verdict]:
        """One UpdateDocumentTraces per item, each dossier's in order."""
        return Sequences(lambda one: self._push(self._options.traces_path, one)).send(items, 1)

    def send_report(self, kind: ReportKind, report: Item) -> Verdict:
        """One UpdateStatistic or UpdateVote."""
        path = self._options.statistics_path if kind is ReportKind.STATISTICS else self._options.votes_path
        return report_verdict(report, self._push(path, [report]))

    def lookup(self, code: str, others: Sequence[str] = ()) -> Held | None:
        """The dossier as the search shows it, under either written form of its code; ``None`` when it does not."""
        del others
        return self._search.lookup(code, self._options.code_form)

    def listing(self) -> Iterator[Held]:
        """Every dossier the system holds, streamed; raises ``ConnectorError`` rather than be incomplete."""
        return self._search.listing()

    def counts(self) -> Mapping[str, int]:
        """The system has a listing instead: raises ``Refused``."""
        raise Refused(self._system, "counts are not read from this target", "Set reconcile.method to listing")

    def check(self) -> list[CheckResult]:
        """Get a token, then ask the search for one row."""
        return checked(
            ("sign-in", self._first_token), ("search", lambda: f"the search holds {self._search.one_row()} dossiers")
        )

    def close(self) -> None:
        """Close the connections of both sides."""
        self._http.close()
        self._search.close()

    def _push(self, path: str, items: Sequence[Item]) -> Reply:
        try:
            return signed_in(self._keeper, lambda token: self._post(path, token, items[0].payload))
        except ConnectorError as error:
            return of_error(error)

    def _post(self, path: str, token: str, payload: Mapping[str, object]) -> Reply:
        answer = self._http.request(
            "POST", path, json=payload, headers=bearer(token), accept_status=OWN_WORDS_STATUS | GATEWAY_STATUS
        )
        reply = classify_answer(answer, self._options)
        if reply.kind is Kind.SIGN_IN:
            raise NotSignedIn(self._system, reply.reason)
        return reply

    def _first_token(self) -> str:
        self._keeper.value()
        return "connected, and a token was given"
