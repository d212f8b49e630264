"""Source for the dispatch protocol of the driving-licence system: a list by reception day, a detail per dossier.

The list can only be asked by the day of reception, so a dossier whose state changes later never comes up in it again:
what we hold and is not at its end is asked for one by one (``refresh_open``).

A record is ``{"list": item, "detail": object}``: the two answers name the same things differently and each holds what
the other lacks. A refreshed dossier gets its list item too, by listing its own day, so that a record always has the
same shape. ``detail`` is ``None`` when the system lists a dossier and then does not tell about it; ``problem`` says why
where that is known.
"""

import itertools
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from connectors import windows
from connectors.api import CheckResult, Page, Window
from connectors.catalog_models import SourceEntry
from connectors.connections import ConnectionSettings
from connectors.errors import Refused
from connectors.http import HttpClient
from connectors.mapi import MapiClient
from connectors.options.mapi import MapiOptions
from connectors.retry import RetryPolicy, repeat
from connectors.sources.checking import Checks
from schemas.times import VN

Record = Mapping[str, Any]
_log = logging.getLogger(__name__)
_NO_DETAIL: Record = {"detail": None}
_DAY = re.compile(r"^(\d{2})/(\d{2})/(\d{4})\b")


class MapiSource:
    """Pulls dossiers by ``DanhSachHoSo`` and ``TraCuuHoSo``."""

    def __init__(self, entry: SourceEntry, settings: ConnectionSettings, *, retry: RetryPolicy | None = None) -> None:
        """``retry`` replaces how reads are repeated."""
        options = entry.options
        if not isinstance(options, MapiOptions):
            raise TypeError("a mapi source needs MapiOptions")
        self._entry = entry
        self._retry = retry or RetryPolicy()
        self._unit = settings.text("unit", options.unit)
        self._http = HttpClient(entry.system, settings, timeouts=entry.timeouts, limits=entry.limits)
        self._mapi = MapiClient(
            self._http,
            login_path=settings.text("login_path", options.login_path),
            call_path=settings.text("service_path", options.call_path),
        )

    def pull(
        self, *, window: Window | None, cursor: str | None, open_codes: Sequence[str], now: datetime
    ) -> Iterator[Page]:
        """See ``connectors.api.Source``. The cursor is a moment: the end of the last window read, held back from now.

        Only the last page of a window moves it. With an explicit ``window`` it never moves, and no dossier outside
        the window is asked for.
        """
        pull = self._entry.pull
        span = window or Window(windows.since(pull, windows.from_text(self._entry.system, cursor)), now)
        numbers = itertools.count(1)
        seen: set[str] = set()
        for part in windows.day_slices(span, pull.window_days):
            items, listed = self._list(*windows.days_touched(part))
            reached = windows.to_text(windows.safe(part.end, pull=pull, now=now)) if window is None else None
            yield from self._pages(items, [listed], numbers, reached)
            seen.update(map(_code, items))
        if window is None and pull.refresh_open:
            waiting = (code for code in open_codes if code not in seen)
            while codes := list(itertools.islice(waiting, pull.page_size)):
                yield self._refreshed(codes, next(numbers))

    def check(self) -> list[CheckResult]:
        """Contract, connection, sign-in and the list of today."""
        checks = Checks(self._entry, self._http)
        checks.contract()
        if checks.reachable() and checks.attempt("sign-in", self._mapi.check_session, "signed in"):
            today = datetime.now(UTC).astimezone(VN).date()
            checks.attempt("read", lambda: self._list(today, today), "the list of today can be read")
        return checks.results

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _pages(
        self, items: Sequence[Record], answers: list[bytes], numbers: Iterator[int], reached: str | None
    ) -> Iterator[Page]:
        """The dossiers of one list answer with their details, ``page_size`` to a page; at least one page."""
        size = self._entry.pull.page_size
        for begin in range(0, max(len(items), 1), size):
            chunk = items[begin : begin + size]
            details, raw = self._details([code for item in chunk if (code := _code(item))])
            records = [{"list": item, **details.get(_code(item), _NO_DETAIL)} for item in chunk]
            is_last = begin + size >= len(items)
            yield _page(next(numbers), [*answers, *raw], records, reached if is_last else None)
            answers = []

    def _refreshed(self, codes: Sequence[str], number: int) -> Page:
        """Details of dossiers that no window brought up, with their list items found by their own reception day."""
        details, raw = self._details(codes)
        items: dict[str, Record] = {}
        for day in sorted({day for code in codes if (day := _reception_day(details[code]["detail"]))}):
            found, answer = self._list(day, day)
            items.update((_code(item), item) for item in found)
            raw.append(answer)
        known = [code for code in codes if details[code] != _NO_DETAIL]
        if gone := sorted(set(codes) - set(known)):
            _log.warning("%s: no longer knows %d open dossiers, such as %s", self._entry.system, len(gone), gone[0])
        return _page(number, raw, [{"list": items.get(code), **details[code]} for code in known], None)

    def _list(self, first: date, last: date) -> tuple[list[Record], bytes]:
        """The list items of the days ``first`` to ``last``, and the raw answer."""
        days = {"ngayNhan1": first.isoformat(), "ngayNhan2": last.isoformat()}
        return self._rows("DanhSachHoSo", days)

    def _details(self, codes: Sequence[str]) -> tuple[dict[str, Record], list[bytes]]:
        """``{"detail": object or None}`` per code, with ``"problem"`` where the system does not tell."""
        details: dict[str, Record] = {}
        answers: list[bytes] = []
        refusal: Refused | None = None
        for code in codes:
            try:
                details[code] = self._detail(code, answers)
            except Refused as error:
                refusal = error
                details[code] = {"detail": None, "problem": f"refused with error_code {error.code}"}
        # One dossier that the system will not show must not hold up the others; all of them is another matter.
        if refusal is not None and len(codes) > 1 and all("problem" in detail for detail in details.values()):
            raise refusal
        return details, answers

    def _detail(self, code: str, answers: list[bytes]) -> Record:
        rows, raw = self._rows("TraCuuHoSo", {"mahoso": code})
        answers.append(raw)
        if not rows:
            return _NO_DETAIL
        if rows[0].get("MaHoSo", code) != code:
            return {"detail": None, "problem": "the answer is about another dossier"}
        return {"detail": rows[0]}

    def _rows(self, service: str, parameters: Mapping[str, str]) -> tuple[list[Record], bytes]:
        """The rows of one answer, and its raw bytes."""
        asked = {"donViXuLy": self._unit, **parameters}
        return repeat(lambda: self._mapi.rows(service, asked), policy=self._retry)


def _code(item: Record) -> str:
    """The dossier code of a list item; empty when it has none, and then there is no detail to ask for."""
    code = item.get("maHoSo")
    return code if isinstance(code, str) and code.strip() else ""


def _reception_day(detail: Record | None) -> date | None:
    """The day of ``NgayTiepNhan`` (dd/MM/yyyy …), ``None`` when it is not there or not a day."""
    match = _DAY.match(str((detail or {}).get("NgayTiepNhan") or ""))
    try:
        return date(int(match.group(3)), int(match.group(2)), int(match.group(1))) if match else None
    except ValueError:
        return None


def _page(number: int, answers: Sequence[bytes], records: Sequence[Record], cursor: str | None) -> Page:
    raw = b"[" + b",".join(answers) + b"]"
    return Page(number, raw, "application/json", records, datetime.now(UTC), cursor)
