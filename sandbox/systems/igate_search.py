"""The search of the one-stop system: its parameters, and finding what they ask for.

Filters: ``code``, ``accepted-from``/``-to``, ``appointment-from``/``-to`` (both ends included; a bare date as ``-to``
means the end of that day), ``dossier-status`` (comma list), ``ancestor-agency-id``, ``procedure-id``,
``identity-number``. Sorting is by ``updatedDate``, ``desc`` (the default) or ``asc``; equal times by number.

Without a filter a page costs its own length only. With one, the whole list is found once and kept for the pages to
come, until the clock moves.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from functools import lru_cache
from typing import Any

from sandbox.province.catalogue import Procedure
from sandbox.province.reading import Reading
from sandbox.province.sectors import Agency
from sandbox.systems.register import Snapshot
from schemas.states import State
from schemas.times import VN, with_zone

PROVINCE_AGENCY_ID = f"{0xB << 88:024x}"
"""The id above all agencies of the province."""

_LARGEST_PAGE = 2000
_DAY = re.compile(r"^\d{4}-\d{2}-\d{2}$")
_KEPT_SEARCHES = 8


class BadParameterError(ValueError):
    """A parameter that the search does not accept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What the dossiers must be like; None asks for nothing. Times are epoch seconds, both ends included."""

    code: str | None = None
    accepted_from: float | None = None
    accepted_to: float | None = None
    appointment_from: float | None = None
    appointment_to: float | None = None
    statuses: frozenset[int] | None = None
    agency: str | None = None
    procedure: str | None = None
    identity: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One request."""

    page: int
    size: int
    is_slice: bool
    newest_first: bool
    filters: Filters


@dataclass(frozen=True, slots=True)
class Found:
    """One page of the answer, and how many dossiers there are in all."""

    readings: list[Reading] = field(default_factory=list)
    total: int = 0


def agency_id(agency: Agency) -> str:
    """The system's own id of an agency."""
    return f"{0xB << 88 | int(agency.code.partition('.')[2]):024x}"


def procedure_id(procedure: Procedure) -> str:
    """The system's own id of a procedure."""
    return f"{0xC << 88 | int(procedure.code.replace('.', '')):024x}"


def parse_search(query: Mapping[str, str]) -> Search:
    """Read the query parameters; raises :class:`BadParameterError`."""
    sort = query.get("sort", "updatedDate,desc").split(",")
    if sort[0] != "updatedDate" or sort[1:] not in ([], ["asc"], ["desc"]):
        raise BadParameterError("sort must be updatedDate,desc or updatedDate,asc")
    statuses = query.get("dossier-status")
    agency = query.get("ancestor-agency-id") or None
    return Search(
        page=_number(query, "page", 0, least=0),
        size=min(_number(query, "size", 20, least=1), _LARGEST_PAGE),
        is_slice=query.get("spec") == "slice",
        newest_first=sort[1:] != ["asc"],
        filters=Filters(
            code=query.get("code") or None,
            accepted_from=_time(query, "accepted-from", time.min),
            accepted_to=_time(query, "accepted-to", time.max),
            appointment_from=_time(query, "appointment-from", time.min),
            appointment_to=_time(query, "appointment-to", time.max),
            statuses=frozenset(_status(part) for part in statuses.split(",")) if statuses else None,
            agency=None if agency == PROVINCE_AGENCY_ID else agency,
            procedure=query.get("procedure-id") or None,
            identity=query.get("identity-number") or None,
        ),
    )


def search(now: Snapshot, asked: Search, status_ids: Mapping[State, int]) -> Found:
    """The page of dossiers that ``asked`` asks for."""
    begin, end = asked.page * asked.size, (asked.page + 1) * asked.size
    if asked.filters == Filters():
        total = len(now.changes)
        if asked.newest_first:
            numbers = now.changes.numbers(total - end, total - begin)[::-1]
        else:
            numbers = now.changes.numbers(begin, end)
    else:
        matching = _matching(now, asked.filters, tuple(status_ids.items()))
        total = len(matching)
        numbers = list((matching if asked.newest_first else matching[::-1])[begin:end])
    return Found([now.reading(number) for number in numbers], total)


@lru_cache(maxsize=_KEPT_SEARCHES)
def _matching(now: Snapshot, filters: Filters, status_ids: tuple[tuple[State, int], ...]) -> tuple[int, ...]:
    """The numbers of all dossiers that pass the filters, newest change first."""
    ids = dict(status_ids)
    found = []
    for number in _candidates(now, filters):
        one = now.reading(number)
        if _passes(one, filters, ids):
            found.append((one.changed, number))
    return tuple(number for _, number in sorted(found, reverse=True))


def _candidates(now: Snapshot, filters: Filters) -> Any:
    if filters.code is not None:
        number = now.find(filters.code)
        return [] if number is None else [number]
    if filters.accepted_from is not None or filters.accepted_to is not None:
        start = datetime.fromtimestamp(filters.accepted_from or 0, VN)
        end = now.as_of if filters.accepted_to is None else datetime.fromtimestamp(filters.accepted_to + 1, VN)
        return now.numbers(now.perhaps_received_between(start, max(start, end)))
    return now.numbers()


def _passes(one: Reading, filters: Filters, ids: Mapping[State, int]) -> bool:
    return (
        _within(one.received, filters.accepted_from, filters.accepted_to)
        and _within(one.due, filters.appointment_from, filters.appointment_to)
        and (filters.statuses is None or ids[one.state] in filters.statuses)
        and (filters.agency is None or agency_id(one.agency) == filters.agency)
        and (filters.procedure is None or procedure_id(one.procedure) == filters.procedure)
        and (
            filters.identity is None
            or filters.identity in (one.person.citizen_id, one.enterprise and one.enterprise.tax_code)
        )
    )


def _within(value: int | None, start: float | None, end: float | None) -> bool:
    if start is None and end is None:
        return True
    return value is not None and (start is None or value >= start) and (end is None or value <= end)


def _number(query: Mapping[str, str], name: str, default: int, *, least: int) -> int:
    try:
        return max(least, int(query.get(name, default)))
    except ValueError:
        raise BadParameterError(f"{name} must be a number") from None


def _status(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise BadParameterError("dossier-status must be a comma list of numbers") from None


def _time(query: Mapping[str, str], name: str, of_day: time) -> float | None:
    text = query.get(name)
    if not text:
        return None
    try:
        if _DAY.match(text):
            return datetime.combine(date.fromisoformat(text), of_day, VN).timestamp()
        return with_zone(datetime.fromisoformat(text)).timestamp()
    except ValueError:
        raise BadParameterError(f"{name} must be a date or a time with zone") from None
