"""Pages of files as they are archived, and how they are read again.

A page's bytes are the header and the page's rows, as they came or, where columns are cut, without these. Where they
stood says the media type: ``text/csv; charset=utf-8; name=VB_1.csv; rows=2-40,42``. A row that does not fit its header
cannot be cut, so nothing of it is archived but that it was there: read again, its problem names other numbers of cells.
"""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

from connectors import archived
from connectors.catalog_models import SourceEntry
from connectors.errors import BrokenAnswer
from connectors.files.csv_rows import CsvFile
from connectors.files.json_rows import JsonRows
from connectors.files.problems import FileProblem
from connectors.files.rows import RowFile
from connectors.files.table import Table, place_of
from connectors.options.files import Column, CsvFormat, Encoding, Feed, FilesOptions


def described(media_type: str, name: str, numbers: Sequence[int]) -> str:
    """The media type of a page of rows with these numbers, out of the file ``name``."""
    return f"{media_type}; name={quote(name, safe='')}; rows={_spans(numbers)}"


def records_again(
    entry: SourceEntry, options: FilesOptions, raw: bytes, media_type: str
) -> Sequence[Mapping[str, Any]]:
    """The records of an archived page. Raises ``BrokenAnswer`` when the catalog entry does not fit it any more."""
    said = dict(part.partition("=")[::2] for part in media_type.split("; ")[1:])
    try:
        name, numbers = unquote(said["name"]), list(_numbers(said["rows"]))
    except (KeyError, ValueError):
        raise archived.unreadable(entry.system, "it is no page of a file") from None
    feed = options.feed_of(name)
    if feed is None:
        raise archived.unreadable(entry.system, "no feed of the catalog entry fits the file's name")
    problem: BrokenAnswer
    try:
        table = Table(_opened(entry.system, feed, raw, said), name, _still_wanted(entry, feed), ())
        found = [record.values for record in table.records()]
        return [_record(entry, values, place_of(number, name)) for values, number in zip(found, numbers, strict=True)]
    except FileProblem as error:
        problem = archived.unreadable(entry.system, error.what)
    except ValueError:
        problem = archived.unreadable(entry.system, "it has another number of rows than it should")
    raise problem


def _record(entry: SourceEntry, values: Mapping[str, Any], at: str) -> Mapping[str, Any]:
    left_out = {*entry.cut, "cells"} if entry.cut else set()
    return {**{name: value for name, value in values.items() if name not in left_out}, "at": at}


def _still_wanted(entry: SourceEntry, feed: Feed) -> dict[str, Column]:
    """The columns to look for: what was cut need not be there, and is found where it was not cut yet."""
    return {
        name: one.model_copy(update={"optional": True}) if name in entry.cut else one
        for name, one in feed.wanted.items()
    }


def _opened(system: str, feed: Feed, raw: bytes, said: Mapping[str, str]) -> RowFile:
    if not isinstance(feed.format, CsvFormat):
        return JsonRows(archived.document(system, raw))
    codec = said.get("charset", "utf-8")
    encoding = Encoding.UTF_16 if codec.startswith("utf-16") else Encoding(codec)
    form = {"encoding": encoding, "delimiter": unquote(said.get("delimiter", feed.format.delimiter))}
    return CsvFile(io.BytesIO(raw), feed.format.model_copy(update=form), archived_as=codec)


def _spans(numbers: Iterable[int]) -> str:
    """``2-40,42`` for the numbers from 2 to 40, and 42."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)


def _numbers(spans: str) -> Iterator[int]:
    for span in filter(None, spans.split(",")):
        first, _, last = span.partition("-")
        yield from range(int(first), int(last or first) + 1)
