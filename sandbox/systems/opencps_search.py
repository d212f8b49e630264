"""The dossier search of the OpenCPS one-stop system: its parameters, and finding what they ask for.

Filters: ``fromXDate``/``toXDate`` for the five dates of :class:`Dates` (a day ``dd/MM/yyyy``, with or without a time;
both ends included), ``status`` and ``substatus`` (comma lists), ``dossierNo``, ``applicantIdNo``, ``service``,
``agency``. Nothing can be asked by the time of the last change, and parameters it does not know are ignored.

Without ``sort`` the order is that of creation, a number. A ``sort`` of the caller's is compared as text, dates too, so
02/01/2026 comes before 31/12/2025; ``order=true`` turns either order round.

A window costs what is in it: the dates are kept in order until the clock moves, and then only the dossiers that were
alive are looked at again.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sandbox.province.reading import Reading
from sandbox.systems.register import Changes, Snapshot
from schemas.times import VN

DEFAULT_PAGE = 15

_DAY, _MOMENT = "%d/%m/%Y", "%d/%m/%Y %H:%M:%S"
_END_OF_TIME = 1 << 32
_WORDS = ("status", "substatus")
_TEXTS = ("dossierNo", "applicantIdNo", "service", "agency")


class Dates(StrEnum):
    """The dates that can be asked for; the value is what stands between ``from`` and ``Date``."""

    SUBMIT = "Submit"
    RECEIVE = "Receive"
    RELEASE = "Release"
    FINISH = "Finish"
    DUE = "Due"

    def of(self, one: Reading) -> int | None:
        """This date of a dossier, in epoch seconds."""
        match self:
            case Dates.SUBMIT:
                return one.submitted
            case Dates.RECEIVE:
                return one.received
            case Dates.RELEASE:
                return one.finished
            case Dates.FINISH:
                return one.returned
            case Dates.DUE:
                return one.due


@dataclass(frozen=True, slots=True)
class Span:
    """From one epoch second to another, the end excluded."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One request. ``words`` and ``texts`` are the other filters by name; empty ones are left out."""

    start: int = 0
    end: int = DEFAULT_PAGE
    sort: str | None = None
    reverse: bool = False
    spans: Mapping[Dates, Span] = field(default_factory=dict)
    words: Mapping[str, frozenset[str]] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def needs_items(self) -> bool:
        """Whether dossiers must be looked at to answer it, beyond their dates."""
        return bool(self.sort or self.words or self.texts)


def parse_search(query: Mapping[str, str]) -> Search:
    """Read the query string; ValueError names the parameter that cannot be read."""
    start = _offset(query, "start")
    end = _offset(query, "end") or start + DEFAULT_PAGE
    words = {name: frozenset(filter(None, map(str.strip, query.get(name, "").split(",")))) for name in _WORDS}
    return Search(
        start=start,
        end=max(start, end),
        sort=query.get("sort") or None,
        reverse=query.get("order") == "true",
        spans={kind: span for kind in Dates if (span := _span(query, kind)) is not None},
        words={name: found for name, found in words.items() if found},
        texts={name: text for name in _TEXTS if (text := query.get(name))},
    )


def _offset(query: Mapping[str, str], name: str) -> int:
    text = query.get(name, "0")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError(f"{name} must be a whole number from 0")
    return int(text)


def _span(query: Mapping[str, str], kind: Dates) -> Span | None:
    first, last = query.get(f"from{kind}Date"), query.get(f"to{kind}Date")
    if not first and not last:
        return None
    start = _covered(f"from{kind}Date", first).start if first else 0
    end = _covered(f"to{kind}Date", last).end if last else _END_OF_TIME
    return Span(start, max(start, end))


def _covered(name: str, text: str) -> Span:
    """What a day, or a second, covers."""
    for form, length in ((_DAY, timedelta(days=1)), (_MOMENT, timedelta(seconds=1))):
        try:
            begin = datetime.strptime(text, form).replace(tzinfo=VN)
        except ValueError:
            continue
        return Span(int(begin.timestamp()), int((begin + length).timestamp()))
    raise ValueError(f"{name} must be a date dd/MM/yyyy, with or without HH:mm:ss")


class DateIndex:
    """The system's dossiers in the order of each of their dates. May be used from several threads."""

    def __init__(self) -> None:
        self._building = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._orders: Mapping[Dates, Changes] = {}

    def at(self, now: Snapshot) -> Mapping[Dates, Changes]:
        """The orders at one moment; what is past and over is taken from the moment before."""
        with self._building:
            before = self._snapshot
            if before is not now:
                first = 0 if before is None else now.province.oldest_alive(before.tick)
                moved = [now.reading(number) for number in now.numbers(range(first, now.count))]
                self._orders = {
                    kind: Changes(
                        ((date, one.number) for one in moved if (date := kind.of(one)) is not None),
                        self._orders[kind].settled(first) if before is not None else (),
                    )
                    for kind in Dates
                }
                self._snapshot = now
            return self._orders

    def within(self, now: Snapshot, spans: Mapping[Dates, Span]) -> list[int]:
        """The numbers of the dossiers whose dates lie in all of these spans, by time of creation."""
        orders = self.at(now)
        asked = spans or {Dates.SUBMIT: Span(0, _END_OF_TIME)}
        return sorted(set.intersection(*(_within(orders[kind], span) for kind, span in asked.items())))


def _within(order: Changes, span: Span) -> set[int]:
    return set(order.numbers(order.position_of(span.start), order.position_of(span.end)))
