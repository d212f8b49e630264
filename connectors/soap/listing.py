"""A listing from its first page to its last, portion by portion: when it is at its end, and whether it can be believed.

A listing that is paged by number moves while it is read: who moves up past a page boundary is missed, and then either
the total has shrunk or some record came twice. A listing that is sorted by its last changes is asked anew from the last
one seen instead, and then nobody is missed.
"""

import hashlib
import itertools
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from connectors.errors import BrokenAnswer, ContractBroken
from connectors.options.soap import NumberedPages, SoapAnswer, SoapPaging
from connectors.paging import LoopGuard, next_moment
from connectors.soap.answers import Frame, Portion
from connectors.soap.client import Call, SoapClient
from connectors.soap.operations import Records
from connectors.templates import value_template
from connectors.values import moment, value_at

_log = logging.getLogger(__name__)
_DRIFT_FROM = 10
"""From this many records on, a required element that all of them lack is drift of the contract, not bad data."""
_LOCAL_Z = re.compile(r"Z$")
_MIDNIGHT = re.compile(r"T24:00:00(?:\.0+)?")

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sheet:
    """Some records of a listing. ``last``: nothing follows. ``newest``: their latest change, if they tell any."""

    portion: Portion
    last: bool
    newest: datetime | None


class Listing:
    """One operation of an entry that lists records."""

    def __init__(self, client: SoapClient, call: Call, paging: SoapPaging, answer: SoapAnswer, size: int) -> None:
        self._client = client
        self._call = call
        self._paging = paging
        self._options = answer
        self._size = size
        self._zone = ZoneInfo(answer.changed_zone)
        self.whole = True
        """After the last sheet: whether surely nothing slipped between two pages, as far as the system tells."""

    @property
    def records(self) -> Records:
        """Where the records are; raises ``ContractBroken`` when the contract has no such place."""
        return self._client.operation(self._call.operation).records(self._options.records)

    def read(self, values: Mapping[str, Any]) -> Iterator[Sheet]:
        """Page after page by number. Raises ``BrokenAnswer`` for one that ends early, ``Repeated`` for circles."""
        self.whole = True
        guard = LoopGuard(self._client.system)
        arrived = 0
        distinct = set[int]()
        paged = self._paging.kind == "page"
        numbers = itertools.count(self._paging.first if isinstance(self._paging, NumberedPages) else 1)
        for page in numbers:
            counted = _Counted(self._options.key, paged=paged)
            for sheet in self._page({**values, "page": page}, self._size):
                counted.see(sheet.portion.records)
                frame = sheet.portion.frame
                if frame is None:
                    yield sheet
                    continue
                arrived += counted.number
                total = self._total(frame)
                guard.see(counted.identity, total)
                done = self._is_last(page, counted.number, arrived, total)
                if paged and total is not None:
                    distinct |= counted.keys
                    self.whole = not guard.shrank and (not done or arrived == counted.number or len(distinct) >= total)
                yield Sheet(sheet.portion, done, sheet.newest)
                if done:
                    return

    def read_on(self, since: datetime, values: Mapping[str, Any]) -> Iterator[Sheet]:
        """A listing sorted by last change, oldest first, from ``since`` on: each next page from the last change."""
        guard = LoopGuard(self._client.system)
        first = self._paging.first if isinstance(self._paging, NumberedPages) else 1
        question = Question(since, 0)
        while True:
            counted, changes = _Counted(self._options.key), list[datetime]()
            asked = {**values, "since": question.since, "page": question.page + first}
            for sheet in self._page(asked, self._size):
                counted.see(sheet.portion.records)
                changes += self._sorted_changes(sheet.portion.records, changes[-1:])
                frame = sheet.portion.frame
                if frame is None:
                    yield sheet
                    continue
                total = self._total(frame)
                guard.see(counted.identity if question.page else ())  # a page from another moment on is no circle
                before = question.page * self._size
                done = self._is_last(question.page + first, counted.number, before + counted.number, total)
                yield Sheet(sheet.portion, done and not question.page, sheet.newest)
                if done and not question.page:
                    return
            question = following(question, [] if done else changes, self._alike(values))

    def try_one(self, values: Mapping[str, Any]) -> None:
        """Ask for one record, to see whether the system answers; raises ``ConnectorError``."""
        first = self._paging.first if isinstance(self._paging, NumberedPages) else 1
        sheet = next(self._page({**values, "page": first}, 1))
        if sheet.portion.frame is not None:
            self._total(sheet.portion.frame)

    def moment(self, value: Any) -> datetime | None:
        """A time of the system's own writing as a moment, ``None`` when it is not one; the mapping will say so."""
        if not isinstance(value, str):
            return None
        text, form = value.strip(), self._options.changed_format
        late = timedelta()
        if form == "iso":
            if self._options.z_means == "local":
                text = _LOCAL_Z.sub("", text)
            midnight = _MIDNIGHT.sub("T00:00:00", text)
            late, text = (timedelta(days=1), midnight) if midnight != text else (late, text)
        found = moment(text, form, self._zone)
        return found + late if found is not None else None

    def _page(self, values: Mapping[str, Any], size: int) -> Iterator[Sheet]:
        records = self.records
        for portion in self._client.listing(self._call, {**values, "size": size}, records, size):
            self._verify(portion)
            yield Sheet(portion, False, max(self._changes(portion.records), default=None))

    def _is_last(self, page: int, count: int, arrived: int, total: int | None) -> bool:
        if self._paging.kind == "none":
            if total is not None and arrived < total:
                raise self._broken(f"{arrived} records came, yet {total} are announced")
            return True
        if total is None:
            return count < self._size
        if not count and arrived < total:
            raise self._broken(f"page {page} is empty, yet {total} records are announced")
        return arrived >= total

    def _total(self, frame: Frame) -> int | None:
        path = self._options.total
        if path is None:
            return None
        text = str(value_at(frame.body, path) or "").strip()
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise self._broken(f"the answer has no {path}, so an empty list cannot be believed")
        return int(text)

    def _changes(self, records: Sequence[Record]) -> list[datetime]:
        path = self._options.changed
        if path is None:
            return []
        return [change for record in records if (change := self.moment(value_at(record, path)))]

    def _sorted_changes(self, records: Sequence[Record], before: Sequence[datetime]) -> list[datetime]:
        changes = self._changes(records)
        if any(later < earlier for earlier, later in itertools.pairwise([*before, *changes])):
            raise ContractBroken(
                self._client.system,
                f"{self._call.operation}: a page is not sorted by {self._options.changed}, oldest first",
                "Reading on from the last change would lose records: take 'oldest_first' out, or ask the owner",
            )
        return changes

    def _alike(self, values: Mapping[str, Any]) -> Callable[[datetime, datetime], bool]:
        """Whether two moments make the same question, as the request's format may not tell them apart."""
        fill = value_template(self._call.request)

        def written(since: datetime) -> Any:
            known = {"page": 0, "size": 0, "message": "", **values, "since": since}
            return fill(lambda name: known.get(name, ""))

        return lambda one, other: bool(written(one) == written(other))

    def _verify(self, portion: Portion) -> None:
        """Compare the records with the contract: single ones are the mapping's business, all of them are drift."""
        broken = [notes for notes in portion.notes if notes]
        if not broken:
            return
        system, count = self._client.system, len(portion.records)
        always = frozenset.intersection(*portion.notes)
        lacking = sorted(note for note in always if note.endswith((" is missing", " is nil")))
        if lacking and count >= _DRIFT_FROM:
            raise ContractBroken(
                system,
                f"{self._call.operation}: in every record {', '.join(lacking)}, against the contract",
                "The service has changed: get its contract again, compare, and adapt the mapping",
            )
        examples = ", ".join(sorted(frozenset.union(*broken))[:5])
        _log.warning("%s: %d of %d records break the contract: %s", system, len(broken), count, examples)

    def _broken(self, problem: str) -> BrokenAnswer:
        return BrokenAnswer(
            self._client.system,
            f"{self._call.operation}: {problem}",
            "If this stays, compare the contract with the service, or tell its owner",
        )


@dataclass(frozen=True, slots=True)
class Question:
    """One request: page ``page`` (from 0) of what has changed at or after ``since``."""

    since: datetime
    page: int = 0


def following(
    question: Question, changes: Sequence[datetime], alike: Callable[[datetime, datetime], bool] = datetime.__eq__
) -> Question:
    """What to ask after a page with these times of change (in order): on from the last one.

    Where one moment fills the page, asking from that moment would give the same page again: then its next page. Behind
    such a moment it goes on from the next one: whoever left it meanwhile has pulled the others up, past the last page.
    ``alike`` says whether two moments are written alike in a question.
    """
    stays = bool(changes) and alike(changes[-1], question.since)
    if question.page:
        return Question(question.since, question.page + 1) if stays else Question(next_moment(question.since, alike))
    if stays or not changes:
        return Question(question.since, 1)
    last = changes[-1]
    return Question(last, 1 if alike(changes[0], last) else 0)


class _Counted:
    """How many records a page had, and what they were, in little room: a page may hold a million."""

    def __init__(self, key: str | None, *, paged: bool = True) -> None:
        """Only the pages of a ``paged`` listing have to be told apart."""
        self._key = key
        self._paged = paged
        self._digest = hashlib.blake2b(digest_size=16)
        self.keys: set[int] = set()
        """Hashes of what identifies the records."""
        self.number = 0

    def see(self, records: Sequence[Record]) -> None:
        """Count these in."""
        self.number += len(records)
        for record in records if self._paged else ():
            identity = orjson.dumps(value_at(record, self._key) if self._key else record)
            self._digest.update(identity)
            self.keys.add(hash(identity))

    @property
    def identity(self) -> tuple[bytes, ...]:
        """Equal for two pages with the same records; empty for an empty page."""
        return (self._digest.digest(),) if self.number else ()
