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
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from connectors import archived, windows
from connectors.api import CheckResult, Page, Window
from connectors.catalog_models import SourceEntry
from connectors.connections import ConnectionSettings
from connectors.errors import Refused
from connectors.http import HttpClient
from connectors.mapi import MapiClient, rows_of
from connectors.options.mapi import MapiOptions
from connectors.retry import RetryPolicy, repeat
from connectors.sources.checking import Checks
from schemas.times import VN

Record = Mapping[str, Any]
_log = logging.getLogger(__name__)
_DAY = re.compile(r"^(\d{2})/(\d{2})/(\d{4})\b")


@dataclass(frozen=True, slots=True)
class _Told:
    """What the system tells about one dossier, and its answer. ``problem``: why it tells nothing, where it says so."""

    detail: Record | None = None
    problem: str | None = None
    raw: bytes | None = field(default=None, repr=False)


_NOTHING_TOLD = _Told()


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
            items, answer = self._list(*windows.days_touched(part))
            reached = windows.to_text(windows.safe(part.end, pull=pull, now=now)) if window is None else None
            yield from self._pages(items, answer, numbers, reached)
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
        self, items: Sequence[Record], answer: bytes, numbers: Iterator[int], reached: str | None
    ) -> Iterator[Page]:
        """The dossiers of one list answer with their details, ``page_size`` to a page; at least one page."""
        size = self._entry.pull.page_size
        for begin in range(0, max(len(items), 1), size):
            chunk = items[begin : begin + size]
            details = self._details([code for item in chunk if (code := _code(item))])
            told = [details.get(_code(item), _NOTHING_TOLD) for item in chunk]
            is_last = begin + size >= len(items)
            yield _page(next(numbers), chunk, told, reached if is_last else None, answer if begin == 0 else None)

    def _refreshed(self, codes: Sequence[str], number: int) -> Page:
        """Details of dossiers that no window brought up, with their list items found by their own reception day."""
        details = self._details(codes)
        items: dict[str, Record] = {}
        for day in sorted({day for code in codes if (day := _reception_day(details[code].detail))}):
            found, _ = self._list(day, day)
            items.update((_code(item), item) for item in found)
        known = [code for code in codes if details[code].detail is not None or details[code].problem]
        if gone := sorted(set(codes) - set(known)):
            _log.warning("%s: no longer knows %d open dossiers, such as %s", self._entry.system, len(gone), gone[0])
        return _page(number, [items.get(code) for code in known], [details[code] for code in known], None)

    def _list(self, first: date, last: date) -> tuple[list[Record], bytes]:
        """The list items of the days ``first`` to ``last``, and the raw answer."""
        days = {"ngayNhan1": first.isoformat(), "ngayNhan2": last.isoformat()}
        return self._rows("DanhSachHoSo", days)

    def _details(self, codes: Sequence[str]) -> dict[str, _Told]:
        """What the system tells about each of the dossiers."""
        details: dict[str, _Told] = {}
        refusal: Refused | None = None
        for code in codes:
            try:
                details[code] = self._detail(code)
            except Refused as error:
                refusal = error
                details[code] = _Told(problem=f"refused with error_code {error.code}")
        # One dossier that the system will not show must not hold up the others; all of them is another matter.
        if refusal is not None and len(codes) > 1 and all(told.problem for told in details.values()):
            raise refusal
        return details

    def _detail(self, code: str) -> _Told:
        rows, raw = self._rows("TraCuuHoSo", {"mahoso": code})
        if rows and rows[0].get("MaHoSo", code) != code:
            return _Told(problem="the answer is about another dossier", raw=raw)
        return _Told(detail=_first(rows), raw=raw)

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


def _first(rows: Sequence[Record]) -> Record | None:
    """The detail in an answer: there is one, or the system does not know the dossier."""
    return rows[0] if rows else None


def _page(
    number: int,
    items: Sequence[Record | None],
    told: Sequence[_Told],
    cursor: str | None,
    answer: bytes | None = None,
) -> Page:
    """A page of list items and what was told about each. ``answer``: the list that begins with these items."""
    raw = archived.bundled(
        listed=None if answer is None else [answer],
        items=items if answer is None else None,
        told=[one.raw for one in told],
        problems=[one.problem for one in told],
    )
    records = [_record(item, one.detail, one.problem) for item, one in zip(items, told, strict=True)]
    return Page(number, raw, archived.BUNDLE, records, datetime.now(UTC), cursor)


def _record(item: Record | None, detail: Record | None, problem: str | None) -> Record:
    return {"list": item, "detail": detail, **({"problem": problem} if problem else {})}


def reread(entry: SourceEntry, raw: bytes, media_type: str) -> Sequence[Record]:
    """The records of a page as it was archived; see ``connectors.factory.reread``."""
    system = entry.system
    if media_type != archived.BUNDLE:
        raise archived.unreadable(system, "it is no bundle of answers")
    bundle = archived.bundle(system, raw)
    told = bundle.told or ()
    items = bundle.items
    if items is None:
        items = [item for answer in bundle.listed or () for item in rows_of(system, "the archived list", answer)]
    problems = bundle.problems or [None] * len(told)
    return [
        _record(
            item, None if problem or answer is None else _first(rows_of(system, "an archived detail", answer)), problem
        )
        for item, answer, problem in zip(
            items, told, problems, strict=False
        )  # a first page lists more than it tells of
    ]
