"""Asking about dossiers one by one or some at a time: details, refreshes, open lists, acknowledgements.

That a system does not know a dossier is no error: it tells nothing about it. Neither is a single refusal, since one
dossier that it will not show must not hold up the others; when it refuses all of them, that is raised.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, TypeVar

from connectors.errors import Refused
from connectors.http import Answer
from connectors.options.rest import Acknowledge, Detail, Refresh, Success
from connectors.options.rest import Answer as AnswerOptions
from connectors.rest.answers import Absent, Reader, Record, embed, judge, single
from connectors.rest.calls import Call, Caller
from connectors.rest.listing import Listing
from connectors.values import value_at

T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Told:
    """What some questions brought: one entry of each list per question; ``None`` and no answer where the system told
    nothing."""

    values: list[Any] = field(default_factory=list, repr=False)
    raws: list[list[bytes]] = field(default_factory=list, repr=False)


class Details:
    """Asks for the detail of each record of a listing."""

    def __init__(self, caller: Caller, reader: Reader, options: Detail) -> None:
        self._caller = caller
        self._reader = reader
        self._options = options
        self._call = Call(options.request)

    def add(self, records: Sequence[Record]) -> tuple[list[Record], list[bytes | None]]:
        """``{"list": …, "detail": …}`` for each record, and for each the answer as it may be kept."""
        keys = [self._reader.key(record) for record in records]
        told = _tell(self._caller.system, keys, self._one)
        return joined(records, told.values), [raws[0] if raws else None for raws in told.raws]

    def _one(self, key: Any) -> tuple[Record | None, list[bytes]]:
        options = self._options

        def read(answer: Answer) -> tuple[Record | None, list[bytes]]:
            document, raw = _document(self._reader, self._call, answer, options.success)
            detail = detail_in(document, options, key)
            if detail is None and single(document, options.record) is not None:
                _log.warning("%s: %s answered about another dossier", self._caller.system, self._call.where)
            return detail, [raw]

        return self._caller.ask(self._call, {"id": key}, read, accept_status=self._call.absent_status)


def detail_in(document: Any, options: Detail, key: Any) -> Record | None:
    """The detail in an answer; ``None`` when there is none, or it is about another dossier than ``key``."""
    detail = single(document, options.record)
    if detail is None or (options.key and str(value_at(detail, options.key)) != str(key)):
        return None
    embed(detail, options.embedded)
    return detail


def joined(listed: Sequence[Record], details: Sequence[Record | None]) -> list[Record]:
    """Records of both: ``{"list": …, "detail": …}``."""
    return [{"list": record, "detail": detail} for record, detail in zip(listed, details, strict=True)]


class Refreshed:
    """Where the record stands in the answer about a single dossier, and which shape it gets."""

    def __init__(self, options: Refresh, detail: Detail | None, answer: AnswerOptions) -> None:
        self.success = detail.success if detail else answer.success
        self._wrapped = detail is not None
        self._embedded = detail.embedded if detail else answer.embedded
        usual = detail.record if detail else answer.records
        self._record = usual if options.record is None else options.record

    def record_in(self, document: Any) -> Record | None:
        """The record, shaped as those of the listing; ``None`` when there is none."""
        record = single(document, self._record)
        if record is None:
            return None
        embed(record, self._embedded)
        return {"list": None, "detail": record} if self._wrapped else record


class Refreshes:
    """Asks for single dossiers that no listing brings up any more."""

    def __init__(
        self, caller: Caller, reader: Reader, options: Refresh, detail: Detail | None, answer: AnswerOptions
    ) -> None:
        self._caller = caller
        self._reader = reader
        self._call = Call(options)
        self._shape = Refreshed(options, detail, answer)

    def read(self, codes: Sequence[str]) -> tuple[list[Record], list[bytes]]:
        """The records of the dossiers that the system knows, shaped as those of the listing."""
        told = _tell(self._caller.system, codes, self._one)
        known = [record for record in told.values if record is not None]
        if gone := [code for code, record in zip(codes, told.values, strict=True) if record is None]:
            _log.warning("%s: tells nothing of %d open dossiers, such as %s", self._caller.system, len(gone), gone[0])
        return known, list(chain.from_iterable(told.raws))

    def _one(self, code: str) -> tuple[Record | None, list[bytes]]:
        def read(answer: Answer) -> tuple[Record | None, list[bytes]]:
            document, raw = _document(self._reader, self._call, answer, self._shape.success)
            return self._shape.record_in(document), [raw]

        return self._caller.ask(self._call, {"id": code}, read, accept_status=self._call.absent_status)


class OpenList:
    """Asks about dossiers that we hold, some per call."""

    def __init__(self, system: str, listings: Sequence[Listing], per_call: int, size: int) -> None:
        self._system = system
        self._listings = listings
        self._per_call = per_call
        self._size = size

    def read(self, codes: Sequence[str]) -> tuple[list[Record], list[bytes]]:
        """What the system tells of these dossiers; each is asked about once in every listing."""
        questions = [(some, listing) for some in chunks(codes, self._per_call) for listing in self._listings]
        told = _tell(self._system, questions, self._some)
        return [record for records in told.values for record in records or ()], list(chain.from_iterable(told.raws))

    def _some(self, question: tuple[list[str], Listing]) -> tuple[list[Record], list[bytes]]:
        codes, listing = question
        sheets = list(listing.read({"ids": codes, "id": codes[0]}, self._size))
        return [record for sheet in sheets for record in sheet.records], [sheet.raw for sheet in sheets]


class Acknowledgements:
    """Tells a queue that messages have arrived."""

    def __init__(self, caller: Caller, options: Acknowledge) -> None:
        self._caller = caller
        self._options = options
        self._call = Call(options)

    def send(self, keys: Iterable[Any]) -> None:
        """Acknowledge all of them. One that is refused does not keep the others from it, and is raised at the end."""
        refusal: Refused | None = None
        for key in keys:
            try:
                self._caller.ask(self._call, {"id": key}, self._read, accept_status=self._call.absent_status)
            except Refused as error:
                refusal = error
        if refusal is not None:
            raise refusal

    def _read(self, answer: Answer) -> None:
        # Without a word on success the status is all that is wanted: many systems answer with an empty body.
        success = self._options.success
        if success is not None and answer.status not in self._call.absent_status:
            with suppress(Absent):
                judge(answer, answer.json(), success)


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """``items`` in lists of at most ``size``."""
    chunk: list[T] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _tell(system: str, questions: Sequence[Any], ask: Callable[[Any], tuple[Any, list[bytes]]]) -> Told:
    """Ask every question; ``None`` is not one. Raises the last refusal when each of several was refused."""
    told = Told()
    refused = 0
    refusal: Refused | None = None
    for question in questions:
        value: Any = None
        raws: list[bytes] = []
        try:
            if question is not None:
                value, raws = ask(question)
        except Absent:
            pass
        except Refused as error:
            refused, refusal = refused + 1, error
        told.values.append(value)
        told.raws.append(raws)
    if refusal is not None:
        if refused == len(questions) > 1:
            raise refusal
        _log.warning("%s: refused %d of %d questions (%s)", system, refused, len(questions), refusal.message)
    return told


def _document(reader: Reader, call: Call, answer: Answer, success: Success | None) -> tuple[Any, bytes]:
    if answer.status in call.absent_status:
        raise Absent  # whatever the body says, which is often a page of markup
    return reader.document(answer, success)
