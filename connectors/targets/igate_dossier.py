"""The provincial processing system on iGate 2, told by dossiers as JSON and asked over its search.

Known of iGate: tokens of its Keycloak, the search with its Spring pages and the items in them. Assumed, since nothing
is published of it: that an outside system hands a dossier over by one POST that inserts or replaces it by its code, in
the shape in which the search shows it, and that a success is answered with a JSON object.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from connectors.api import CheckResult, Held, Item, Verdict
from connectors.auth import Keeper, bearer, oauth2_client_credentials, oauth2_password, signed_in
from connectors.catalog_models import TargetEntry
from connectors.connections import ConnectionSettings
from connectors.errors import BrokenAnswer, ConnectorError, NotSignedIn, Refused, Repeated
from connectors.http import Answer, HttpClient
from connectors.paging import LoopGuard, SpringPage, spring_page
from connectors.retry import repeat
from connectors.targets.answers import OWN_WORDS_STATUS, Kind, Reply, of_error
from connectors.targets.batches import Sequences
from connectors.targets.checks import checked, sign_in_as_precondition
from connectors.targets.held import canonical_code, written_forms
from connectors.targets.provincial_answers import classify_answer
from connectors.targets.provincial_options import IgateDossierOptions

_STAMP = "%Y-%m-%dT%H:%M:%S.%f%z"
_MOMENTS = {"acceptedDate": "received_at", "appointmentDate": "due_at", "completedDate": "finished_at"}


class IgateDossierTarget:
    """Writes one dossier a call; reads by search. Used by one thread."""

    def __init__(self, entry: TargetEntry, settings: ConnectionSettings) -> None:
        """``entry`` with ``IgateDossierOptions``; connection as ``IgateDossierOptions`` says."""
        options: IgateDossierOptions = entry.options
        self._system = entry.system
        self._options = options
        self._http = HttpClient(entry.system, settings, timeouts=entry.timeouts, limits=entry.limits)
        sso = settings.text("sso_url")
        where = replace(settings, host=sso, port=None) if sso else settings
        self._sso = HttpClient(entry.system, where, timeouts=entry.timeouts, limits=entry.limits)
        grant = oauth2_password if options.grant == "password" else oauth2_client_credentials
        self._keeper = Keeper(sign_in_as_precondition(grant(self._sso, options.token_path)))

    def send_dossiers(self, items: Sequence[Item]) -> list[Verdict]:
        """One call per item: the system inserts or replaces by code."""
        return Sequences(self._push).send(items, 1)

    def send_steps(self, items: Sequence[Item]) -> list[Verdict]:
        """The system is told dossiers only: raises ``Refused``, whatever the items are."""
        del items
        raise Refused(self._system, "this door takes dossiers, not steps", "Set messages to [dossier]")

    def lookup(self, code: str, others: Sequence[str] = ()) -> Held | None:
        """The dossier as the search shows it, under either written form of its code; ``None`` when it does not."""
        del others
        forms = written_forms(code, self._options.code_form)
        return next((found for form in forms if (found := self._find(form))), None)

    def listing(self) -> Iterator[Held]:
        """Every dossier the system holds, streamed; raises ``ConnectorError`` rather than be incomplete.

        Pages are numbered, so a dossier that changes while we read moves the others: one could slip through between two
        pages. Then fewer different dossiers come than the system says it holds, and it is read again.
        """
        given: set[str] = set()
        for _ in range(self._options.attempts):
            seen: set[str] = set()
            guard = LoopGuard(self._system)
            fewest: int | None = None
            for page in self._pages():
                guard.see([str(row.get("id")) for row in page.content], page.total)
                if page.total is not None:
                    fewest = page.total if fewest is None else min(fewest, page.total)
                for row in page.content:
                    held = self._held(row)
                    key = str(row.get("id") or held.code)
                    seen.add(key)
                    if key not in given:
                        given.add(key)
                        yield held
            if not guard.shrank and len(seen) >= (fewest or 0):
                return
        raise Repeated(
            self._system,
            f"the listing was read {self._options.attempts} times and was never complete",
            "Read it when the system is quiet; if it stays so, ask the owner whether totalElements can be trusted",
        )

    def counts(self) -> Mapping[str, int]:
        """The system has a listing instead: raises ``Refused``."""
        raise Refused(self._system, "counts are not read from this target", "Set reconcile.method to listing")

    def check(self) -> list[CheckResult]:
        """Get a token, then ask the search for one row."""
        return checked(("sign-in", self._first_token), ("search", self._first_row))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._sso.close()

    def _push(self, items: Sequence[Item]) -> Reply:
        try:
            return signed_in(self._keeper, lambda token: self._post(token, items[0].payload))
        except ConnectorError as error:
            return of_error(error)

    def _post(self, token: str, payload: Mapping[str, object]) -> Reply:
        answer = self._http.request(
            "POST", self._options.save_path, json=payload, headers=bearer(token), accept_status=OWN_WORDS_STATUS
        )
        reply = classify_answer(answer)
        if reply.kind is Kind.SIGN_IN:
            raise NotSignedIn(self._system, reply.reason)
        return reply

    def _find(self, form: str) -> Held | None:
        wanted = canonical_code(form)
        found = [row for row in self._page({"code": form}, 0).content if canonical_code(_code(row)) == wanted]
        return self._held(max(found, key=lambda row: _moment(row.get("updatedDate")) or "")) if found else None

    def _pages(self) -> Iterator[SpringPage]:
        for number in itertools.count():
            page = self._page({}, number)
            yield page
            if page.last:
                return

    def _page(self, filters: Mapping[str, str], number: int, size: int | None = None) -> SpringPage:
        params: dict[str, str | int] = {
            **filters,
            "page": number,
            "size": size or self._options.page_size,
            "spec": "page",
            "sort": "updatedDate,desc",
        }

        def call(token: str) -> Answer:
            return self._http.request("GET", self._options.search_path, params=params, headers=bearer(token))

        return repeat(lambda: spring_page(signed_in(self._keeper, call), number))

    def _held(self, row: Mapping[str, Any]) -> Held:
        if not _code(row):
            raise BrokenAnswer(self._system, f"GET {self._options.search_path}: a dossier without a code")
        status = row.get("dossierStatus")
        number = status.get("id") if isinstance(status, Mapping) else None
        fields = {ours: moment for theirs, ours in _MOMENTS.items() if (moment := _moment(row.get(theirs)))}
        procedure = row.get("procedure")
        if isinstance(procedure, Mapping) and isinstance(procedure.get("code"), str):
            fields["procedure_code"] = procedure["code"]
        state = self._options.states.get(number) if isinstance(number, int) else None
        return Held(code=canonical_code(_code(row)), state=state, fields=fields)

    def _first_token(self) -> str:
        self._keeper.value()
        return "connected, and a token was given"

    def _first_row(self) -> str:
        return f"the search holds {self._page({}, 0, size=1).total} dossiers"


def _code(row: Mapping[str, Any]) -> str:
    value = row.get("code")
    return value.strip() if isinstance(value, str) else ""


def _moment(value: object) -> str | None:
    try:
        return datetime.strptime(str(value), _STAMP).isoformat() if value else None
    except ValueError:
        return None
