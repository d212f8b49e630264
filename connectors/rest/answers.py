"""What an answer of a REST system holds. HTTP 200 says nothing yet: the entry says what success looks like."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from connectors import archived, json_text, xml_text
from connectors.cutting import CannotCut, Cuts, dumped
from connectors.errors import BrokenAnswer, NotSignedIn, Refused
from connectors.http import Answer, Head
from connectors.options.rest import Answer as AnswerOptions
from connectors.options.rest import Embedded, Success
from connectors.values import moment, value_at

Record = dict[str, Any]
_NAME = re.compile(r"^[A-Za-z_]\w{0,39}$", re.ASCII)
_MOST_NAMES = 12


class Absent(Exception):
    """The system does not know what it was asked about. Never leaves this package."""


@dataclass(frozen=True, slots=True)
class Found:
    """An answer, read: what may be kept of its bytes, and what is in it."""

    raw: bytes = field(repr=False)
    document: Any = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    records: list[Record] = field(repr=False)
    total: int | None = None


class Reader:
    """Reads the answers of one entry."""

    def __init__(self, system: str, options: AnswerOptions, cuts: Cuts) -> None:
        self._system = system
        self._options = options
        self._cuts = cuts
        self._zone = ZoneInfo(options.changed_zone)

    def listing(self, answer: Answer) -> Found:
        """The records of a listing, and the total it announces; none when the system knows nothing of the kind."""
        document, raw = self._kept(answer)
        records, total = self._listed(answer, document)
        return Found(raw, document, answer.headers, records, total)

    def listing_again(self, document: Any) -> list[Record]:
        """The records of a listing that was archived: ``null`` stands for a system that knew nothing of the kind."""
        records, _ = self._listed(archived.head(self._system), self.cut(document)) if document is not None else ([], 0)
        return records

    def document(self, answer: Answer, success: Success | None) -> tuple[Any, bytes]:
        """The answer as a value, and what may be kept of its bytes; raises ``Absent`` and unless it says success."""
        document, raw = self._kept(answer)
        judge(answer, document, success)
        return document, raw

    def cut(self, document: Any) -> Any:
        """A document from the archive without what may not be kept by now."""
        self._cuts.from_value(document)
        return document

    def _listed(self, answer: Head, document: Any) -> tuple[list[Record], int | None]:
        options = self._options
        try:
            judge(answer, document, options.success)
        except Absent:
            return [], None
        total = self._total(answer, document)
        records = self._records(answer, document, total)
        for record in records:
            embed(record, options.embedded)
        return records, total

    def _kept(self, answer: Answer) -> tuple[Any, bytes]:
        """The answer without what may not be kept, as a value and as bytes."""
        document = json_text.of_answer(answer, strict=self._options.strict)
        if not self._cuts:
            return document, answer.body.removeprefix(json_text.BOM)
        self._cuts.from_value(document)
        try:
            return document, dumped(document)
        except CannotCut as error:
            problem = f"{answer.where}: what may not be kept cannot be cut out: {error}"
        raise BrokenAnswer(answer.system, problem)

    def key(self, record: Mapping[str, Any]) -> Any:
        """What identifies a record: a text or a number, ``None`` when it has none."""
        value = value_at(record, self._options.key) if self._options.key else None
        return value if isinstance(value, str | int) and not isinstance(value, bool) and value != "" else None

    def identities(self, records: Sequence[Record]) -> list[Any]:
        """What tells the records of a page from those of another: their keys, else their content."""
        return [key if (key := self.key(record)) is not None else self._digest(record) for record in records]

    def _digest(self, record: Record) -> int:
        try:
            return hash(dumped(record))
        except CannotCut as error:
            problem = f"a record without a key cannot be told from others: {error}"
        raise BrokenAnswer(self._system, problem)

    def changes(self, records: Sequence[Record]) -> list[Any]:
        """The times of last change, ``None`` for records that have none that can be read; the mapping will say so."""
        options = self._options
        if options.changed is None:
            return [None] * len(records)
        return [moment(value_at(record, options.changed), options.changed_format, self._zone) for record in records]

    def _total(self, answer: Head, document: Any) -> int | None:
        path = self._options.total
        if path is None:
            return None
        total = value_at(document, path)
        if isinstance(total, str) and total.strip().isascii() and total.strip().isdigit():
            return int(total)
        if isinstance(total, bool) or not isinstance(total, int) or total < 0:
            raise BrokenAnswer(
                self._system,
                f"{answer.where}: '{path}' does not count the records, so an empty list could not be believed",
                "If it stays so, correct answer.total in the catalog entry",
            )
        return total

    def _records(self, answer: Head, document: Any, total: int | None) -> list[Record]:
        path = self._options.records
        records = value_at(document, path)
        if records is None:
            # Nothing at all is an empty list only where something else vouches for it.
            if total == 0 or (self._options.success is not None and _has(document, path)):
                return []
            raise self._lacking(answer, document, path)
        listed = [records] if isinstance(records, dict) else records
        if not isinstance(listed, list) or not all(isinstance(record, dict) for record in listed):
            raise self._unexpected(answer, f"'{path}' is not a list of objects" if path else "not a list of objects")
        return listed

    def _lacking(self, answer: Head, document: Any, path: str) -> BrokenAnswer:
        if not path:
            return self._unexpected(answer, "the answer is null")
        fix = "Correct options.answer.records in the catalog entry; if it was right until now, compare the contract"
        return BrokenAnswer(self._system, f"{answer.where}: the answer has no '{path}'{_there(document, path)}", fix)

    def _unexpected(self, answer: Head, problem: str) -> BrokenAnswer:
        return BrokenAnswer(
            self._system, f"{answer.where}: {problem}", "If it stays so, the system has changed: compare the contract"
        )


def judge(answer: Head, document: Any, success: Success | None) -> None:
    """Raise unless the answer says success: ``NotSignedIn``, ``Absent``, or ``Refused`` with the system's code."""
    if success is None:
        return
    code = value_at(document, success.at)
    if _among(code, success.values):
        return
    if _among(code, success.expired):
        raise NotSignedIn(answer.system, f"{answer.where}: the session is over")
    message = value_at(document, success.message) if success.message else None
    if _among(code, success.absent) or (isinstance(message, str) and message.strip() in success.absent):
        raise Absent
    said = str(code)[:40] if isinstance(code, int | float | bool) or _is_code(code) else "no code that can be repeated"
    raise Refused(
        answer.system,
        f"{answer.where}: the system refuses ({success.at}: {said})",
        "Ask its owner what the code means",
        code=said,
    )


def single(document: Any, path: str) -> Record | None:
    """The one object at ``path``, the first of a list; ``None`` when there is none."""
    value = value_at(document, path)
    first = value[0] if isinstance(value, list) and value else value
    return first if isinstance(first, dict) and first else None


def embed(record: Record, parts: Sequence[Embedded]) -> None:
    """Replace texts that are documents by what they say."""
    for part in parts:
        *way, last = part.at.split(".")
        for holder in _holders(record, way):
            text = holder.get(last)
            if isinstance(text, str) and text.strip():
                holder[last] = _opened(text, part)


def _holders(value: Any, way: Sequence[str]) -> list[Record]:
    """The objects at the end of a way, through lists where they come."""
    reached = [value]
    for name in (*way, None):
        reached = [item for one in reached for item in (one if isinstance(one, list) else [one])]
        reached = [one for one in reached if isinstance(one, dict)]
        if name is not None:
            reached = [one[name] for one in reached if name in one]
    return reached


def _opened(text: str, part: Embedded) -> Any:
    try:
        if part.format == "xml":
            return xml_text.value_of(xml_text.parse(text))
        value = json_text.loads(text.encode())
    except (xml_text.NotXml, json_text.NotJson):
        value = None
    # A number or a word is valid JSON too, but no document.
    return value if isinstance(value, dict | list) else (text if part.optional else None)


def _among(value: Any, known: Sequence[Any]) -> bool:
    """Whether the value is one of those known, with its type: ``1`` is neither ``"1"`` nor ``true``."""
    return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in known)


def _is_code(value: Any) -> bool:
    """Whether a text can only be a code: a message might be about a person."""
    return isinstance(value, str) and len(value) <= 40 and value.isascii() and " " not in value.strip()


def _there(document: Any, path: str) -> str:
    """Which keys stand where the path breaks off; only what looks like a name, never a value."""
    holder, name = document, ""
    for part in path.split("."):
        if not isinstance(holder, dict) or part not in holder:
            break
        holder, name = holder[part], part
    names = [key for key in holder if _NAME.match(key)] if isinstance(holder, dict) else []
    inside = f" in '{name}'" if name else ""
    return f"; there is{inside}: {', '.join(names[:_MOST_NAMES])}" if names else ""


def _has(document: Any, path: str) -> bool:
    holder, _, name = path.rpartition(".")
    above = value_at(document, holder)
    return isinstance(above, dict) and name in above if path else True
