"""The provincial system's own dossier search (OpenCPS form): what it holds, one by one or all of it.

A public search interface with HTTP Basic and a site id; it knows nothing of the gateway that dossiers are written
through. Only code, status, times and procedure are read; what it shows of applicants is thrown away at once.
"""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from connectors.api import Held
from connectors.auth import basic, sign_in_failed
from connectors.catalog_models import TargetEntry
from connectors.connections import ConnectionSettings
from connectors.errors import BrokenAnswer, NotSignedIn
from connectors.http import HttpClient
from connectors.retry import repeat
from connectors.targets.held import canonical_code, instant, readable_fields, written_forms
from connectors.targets.options import CodeForm, DossierSearch
from connectors.targets.paging import OffsetPage, Row, complete_listing

_FIELDS = {"receiveDate": "received_at", "dueDate": "due_at", "serviceCode": "procedure_code"}


class DossierSearchClient:
    """Reads the dossier search. Used by one thread."""

    def __init__(self, entry: TargetEntry, settings: ConnectionSettings, options: DossierSearch) -> None:
        """Connection extra: ``group_id``; where they differ ``search_login``, ``search_password``, ``search_url``."""
        own = replace(
            settings,
            login=settings.text("search_login", settings.login),
            password=settings.text("search_password", settings.password),
        )
        if elsewhere := settings.text("search_url"):
            own = replace(own, host=elsewhere, port=None)
        self._system = entry.system
        self._options = options
        self._where = f"GET {options.path}"
        self._http = HttpClient(entry.system, own, timeouts=entry.timeouts, limits=entry.limits)
        group = settings.required("group_id", "to search dossiers (the site id of the provincial system)")
        self._headers = {"groupId": group, **basic(own.login, own.password)}

    def lookup(self, code: str, first: CodeForm) -> Held | None:
        """The dossier under either written form of its code, ``first`` tried first; ``None`` when it is not held."""
        return next((found for form in written_forms(code, first) if (found := self.find(form))), None)

    def find(self, code: str) -> Held | None:
        """The dossier filed under ``code``, written as it is there; the one changed last when there are several."""
        page = self._page(0, self._options.page_size, {"dossierNo": code})
        if page.total > len(page.rows):
            raise BrokenAnswer(
                self._system,
                f"{self._where}: {page.total} dossiers found for one dossier code",
                "The search seems to ignore dossierNo; ask its owner",
            )
        wanted = canonical_code(code)
        found = [row for row in page.rows if canonical_code(_text(row, "dossierNo")) == wanted]
        if not found:
            return None
        return self._held(max(found, key=lambda row: _order(instant(_text(row, "modifiedDate")))))

    def listing(self) -> Iterator[Held]:
        """Every dossier that has a code, streamed; see ``paging.complete_listing`` for what complete means."""
        options = self._options
        rows = complete_listing(
            self._system,
            lambda start, end: self._page(start, end, {}),
            self._identity,
            size=options.page_size,
            attempts=options.attempts,
        )
        return (self._held(row) for row in rows if _text(row, "dossierNo").strip())

    def one_row(self) -> int:
        """The smallest read there is: how many dossiers there are."""
        return self._page(0, 1, {}).total

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _page(self, start: int, end: int, filters: Mapping[str, str]) -> OffsetPage:
        # No sort is asked for: by any field it would compare dates as text. The default order is that of creation.
        params: Mapping[str, str | int] = {"start": start, "end": end, **filters}
        body = repeat(lambda: self._read(params))
        total, rows = body.get("total"), body.get("data")
        if rows is None and total == 0:
            rows = []
        if not isinstance(total, int) or isinstance(total, bool) or total < 0:
            raise BrokenAnswer(self._system, f"{self._where}: 'total' is not a count")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise BrokenAnswer(self._system, f"{self._where}: 'data' is not a list of dossiers")
        return OffsetPage(total, rows)

    def _read(self, params: Mapping[str, str | int]) -> Mapping[str, Any]:
        try:
            answer = self._http.request("GET", self._options.path, params=params, headers=self._headers)
        except NotSignedIn as error:
            raise sign_in_failed(self._system, self._http.settings, f"{error.message} (search_login)") from error
        return answer.json_object()

    def _identity(self, row: Row) -> Hashable:
        for name in ("dossierId", "referenceUid", "dossierNo"):
            if isinstance(row.get(name), int | str) and row[name]:
                return name, row[name]
        raise BrokenAnswer(self._system, f"{self._where}: a dossier with neither dossierId nor dossierNo")

    def _held(self, row: Row) -> Held:
        state = self._options.sub_states.get(_text(row, "dossierSubStatus"))
        return Held(
            code=canonical_code(_text(row, "dossierNo")),
            state=state or self._options.states.get(_text(row, "dossierStatus")),
            fields=readable_fields(row, _FIELDS),
        )


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return value if isinstance(value, str) else ""


def _order(moment: str | None) -> datetime:
    return datetime.fromisoformat(moment or "0001-01-01T00:00:00+00:00")
