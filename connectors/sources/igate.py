"""Source for the one-stop system iGate 2: a search sorted by last change, newest first.

An incremental run reads pages from the newest change down to the cursor (less the overlap). While it reads, dossiers
that change jump to the top and push the others down: those come twice, which does no harm, and the jumper is newer
than the new cursor, so the next run sees it. A dossier that leaves the listing pulls the others up, and one could slip
between two pages: the total shrinks then, and the pass is read again.

The cursor is the newest change seen, in the system's own writing, and it moves only with the last page of a whole pass.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors import archived, windows
from connectors.api import CheckResult, Page, Window
from connectors.auth import Keeper, bearer, oauth2_client_credentials, oauth2_password, signed_in
from connectors.catalog_models import SourceEntry
from connectors.connections import ConnectionSettings
from connectors.errors import ContractBroken
from connectors.http import Answer, HttpClient
from connectors.options.igate import IgateOptions
from connectors.paging import LoopGuard, SpringPage, spring_page
from connectors.passes import Newest, Pass, Reach, until_whole
from connectors.retry import RetryPolicy, repeat
from connectors.sources.checking import Checks
from schemas.times import VN

_STAMP = "%Y-%m-%dT%H:%M:%S.%f%z"


class IgateSource:
    """Pulls dossiers by the search of iGate 2."""

    def __init__(self, entry: SourceEntry, settings: ConnectionSettings, *, retry: RetryPolicy | None = None) -> None:
        """``retry`` replaces how reads are repeated."""
        options = entry.options
        if not isinstance(options, IgateOptions):
            raise TypeError("an igate source needs IgateOptions")
        self._entry = entry
        self._retry = retry or RetryPolicy()
        self._options = options
        self._http = HttpClient(entry.system, settings, timeouts=entry.timeouts, limits=entry.limits)
        sso = settings.text("sso_url")
        where = replace(settings, host=sso, port=None) if sso else settings
        self._sso = HttpClient(entry.system, where, timeouts=entry.timeouts, limits=entry.limits)
        grant = oauth2_password if options.grant == "password" else oauth2_client_credentials
        self._keeper = Keeper(grant(self._sso, options.token_path))

    def pull(
        self, *, window: Window | None, cursor: str | None, open_codes: Sequence[str], now: datetime
    ) -> Iterator[Page]:
        """See ``connectors.api.Source``; ``open_codes`` are not needed, every change comes up in the search.

        A ``window`` selects by the time of acceptance, for full loads and backfills. Dossiers not yet accepted are in
        no window; incremental runs bring them.
        """
        del open_codes
        numbers = itertools.count(1)
        if window is not None:
            yield from self._passes(_accepted_in(window), Reach(None, None, None), numbers)
            return
        pull = self._entry.pull
        held = windows.from_text(self._entry.system, cursor)
        yield from self._passes({}, Reach(windows.since(pull, held), held, now - pull.safety_lag), numbers)

    def check(self) -> list[CheckResult]:
        """Contract, connection, sign-in and the newest dossier."""
        checks = Checks(self._entry, self._http)
        checks.contract()
        if checks.reachable() and checks.attempt("sign-in", self._keeper.value, "signed in"):
            checks.attempt("read", lambda: self._read({}, 0, size=1), "the search can be read")
        return checks.results

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._sso.close()

    def _passes(self, filters: Mapping[str, str], reach: Reach, numbers: Iterator[int]) -> Pass:
        return until_whole(self._entry.system, lambda: self._pass(filters, reach, numbers))

    def _pass(self, filters: Mapping[str, str], reach: Reach, numbers: Iterator[int]) -> Pass:
        """All pages from the newest change down; gives back whether nothing can have slipped between them."""
        guard = LoopGuard(self._entry.system)
        newest = Newest(reach)
        for asked in itertools.count():
            answer, page = self._read(filters, asked)
            guard.see([str(item.get("id")) for item in page.content], page.total)
            stamps = self._stamps(page)
            newest.see(stamps)
            done = page.last or reach.reached([moment for moment, _ in stamps])
            cursor = newest.text if done and not guard.shrank else None
            yield Page(next(numbers), answer.body, answer.media_type, page.content, datetime.now(UTC), cursor)
            if done:
                break
        return not guard.shrank

    def _read(self, filters: Mapping[str, str], number: int, size: int | None = None) -> tuple[Answer, SpringPage]:
        parameters: dict[str, str | int] = {
            **filters,
            "page": number,
            "size": size or self._entry.pull.page_size,
            "spec": "page",
            "sort": "updatedDate,desc",
        }
        if self._options.agency_id:
            parameters["ancestor-agency-id"] = self._options.agency_id

        def call(token: str) -> Answer:
            return self._http.request("GET", self._options.search_path, params=parameters, headers=bearer(token))

        def attempt() -> tuple[Answer, SpringPage]:
            answer = signed_in(self._keeper, call)
            return answer, spring_page(answer, number)

        return repeat(attempt, policy=self._retry)

    def _stamps(self, page: SpringPage) -> list[tuple[datetime, str]]:
        """The times of last change on a page, as moments and as written; raises when the page is not sorted by them."""
        stamps = [stamp for item in page.content if (stamp := _stamp(item.get("updatedDate")))]
        if page.content and not stamps:
            raise self._not_sorted("no item of the page has a readable updatedDate")
        if any(later[0] > earlier[0] for earlier, later in itertools.pairwise(stamps)):
            raise self._not_sorted("a page is not sorted by updatedDate, newest first")
        return stamps

    def _not_sorted(self, problem: str) -> ContractBroken:
        return ContractBroken(
            self._entry.system,
            f"{self._options.search_path}: {problem}",
            "Stopping at the cursor would lose changes: ask the owner, or pull by windows meanwhile",
        )


def _stamp(value: Any) -> tuple[datetime, str] | None:
    try:
        return datetime.strptime(value, _STAMP), value
    except (TypeError, ValueError):
        return None


def _accepted_in(window: Window) -> dict[str, str]:
    last = window.end - timedelta(milliseconds=1)  # both ends belong to the filter
    return {"accepted-from": _written(window.start), "accepted-to": _written(last)}


def _written(moment: datetime) -> str:
    local = moment.astimezone(VN)
    return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond // 1000:03d}{local:%z}"


def reread(entry: SourceEntry, raw: bytes, media_type: str) -> Sequence[Mapping[str, Any]]:
    """The records of a page as it was archived; see ``connectors.factory.reread``."""
    head = archived.head(entry.system, media_type)
    answer = Answer(system=head.system, where=head.where, status=head.status, headers=head.headers, body=raw)
    return spring_page(answer, None).content
