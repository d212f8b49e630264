"""Source for systems that drop files: each is taken once, read page by page, and archived once it is stored.

``queue``: every file tells of some dossiers, and all are read, in the order of their times. ``snapshot``: every file is
everything the system holds, so only the newest counts; older ones are archived unread, and the cursor is the moment
that the newest one stands for.

A file is taken by moving it into a folder of our own and goes to the archive after its last page is stored. What a
killed run has taken, the next one reads again from the start, first of all. A file that cannot be read as agreed is put
back and named in the error that ends the run; the others are taken all the same.

With an explicit ``window`` nothing is taken: files of the archive that stand for a moment in the window are read again.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, BinaryIO

from connectors import windows
from connectors.api import CheckResult, CheckStatus, Page, Window
from connectors.catalog_models import PullStyle, SourceEntry
from connectors.connections import ConnectionSettings
from connectors.errors import NeedsPerson
from connectors.files.archive import described, records_again
from connectors.files.csv_rows import CsvFile
from connectors.files.pickup import File, Pickup
from connectors.files.places import Gone, Place, open_place
from connectors.files.problems import FileProblem, NotAsAgreed, as_error, shown
from connectors.files.rows import RowFile
from connectors.files.table import Record, Table
from connectors.options.files import CsvFormat, FilesOptions
from connectors.retry import RetryPolicy, repeat
from connectors.sources.checking import Checks
from schemas.times import VN

_PROBE = ".hosync-check"


@dataclass(frozen=True, slots=True)
class _Ending:
    """What goes with the last page of a file."""

    after_store: Callable[[], None] | None = None
    cursor: str | None = None
    completes: bool = False


class FilesSource:
    """Pulls dossiers out of dropped files."""

    def __init__(self, entry: SourceEntry, settings: ConnectionSettings, *, retry: RetryPolicy | None = None) -> None:
        """``retry`` replaces how the way to the files is tried again. Raises ``NeedsPerson``."""
        options = entry.options
        if not isinstance(options, FilesOptions):
            raise TypeError("a files source needs FilesOptions")
        if entry.pull.style is PullStyle.SNAPSHOT and len(options.feeds) != 1:
            fix = f"Leave one feed in {entry.file or 'the catalog entry'}, or make it a queue"
            raise NeedsPerson(entry.system, "a snapshot is one file, so there is one feed and not several", fix)
        if unknown := set(entry.cut) - {name for feed in options.feeds for name in feed.columns}:
            fix = "Name it under 'columns' of its feed, so that it is found whatever its heading"
            raise NeedsPerson(entry.system, f"the column {min(unknown)!r} of 'cut' is in no feed", fix)
        self._entry = entry
        self._settings = settings
        self._options = options
        self._retry = retry or RetryPolicy()
        self._place = open_place(entry, settings)
        # Files are archived by the thread that stores, which shares no connection with the one that reads.
        self._archive: Place | None = None
        self._limit = entry.limits.max_response_bytes
        self._pickup = Pickup(entry.system, self._place, options, self._limit)

    def pull(
        self, *, window: Window | None, cursor: str | None, open_codes: Sequence[str], now: datetime
    ) -> Iterator[Page]:
        """See ``connectors.api.Source``; ``open_codes`` are not needed, files tell what they tell."""
        del open_codes
        repeat(self._pickup.prepare, policy=self._retry)
        numbers = itertools.count(1)
        if window is not None:
            yield from self._read_again(window, numbers)
            return
        today = now.astimezone(VN).date()
        left, problems = self._pickup.left()
        waiting, unclear = self._pickup.waiting(now)
        problems += unclear
        if self._entry.pull.style is PullStyle.SNAPSHOT:
            held = windows.from_text(self._entry.system, cursor)
            yield from self._snapshot([*left, *waiting], held, now, numbers, problems)
        else:
            for file in [*left, *waiting]:
                ending = partial(self._archived, today=today)
                yield from self._taken(file, now, numbers, problems, ending)
        self._pickup.purge(today)
        if problems:
            raise as_error(self._entry.system, problems)

    def check(self) -> list[CheckResult]:
        """Contract, place, our own folders in it, and the header of the newest file. Takes nothing."""
        checks = Checks(self._entry)
        checks.contract()
        if checks.attempt("connection", lambda: self._place.files(""), "the folder can be listed") and checks.attempt(
            "folders", self._try_folders, f"'{self._options.working}' and '{self._options.archive}' can be written"
        ):
            checks.results.append(self._newest_fits())
        if self._entry.cut and self._options.keep_days:
            what = f"files are archived as they came, with the columns of 'cut', for {self._options.keep_days} days"
            checks.results.append(
                CheckResult("cut", CheckStatus.WARNING, what, "Set options.keep_days to 0 if they must not be kept")
            )
        return checks.results

    def close(self) -> None:
        """Put back what was taken and not stored (by a preview, or before an error), and close the connections."""
        self._pickup.end()
        self._place.close()
        if self._archive is not None:
            self._archive.close()

    def _snapshot(
        self,
        files: list[File],
        held: datetime | None,
        now: datetime,
        numbers: Iterator[int],
        problems: list[tuple[str, FileProblem]],
    ) -> Iterator[Page]:
        files.sort(key=lambda file: file.order)
        today = now.astimezone(VN).date()
        newest = files[-1] if files and (held is None or files[-1].at >= held) else None
        if newest is None:  # all are older than what was read before
            for file in files:
                self._pickup.store(self._place, file, today)
            return

        def ending(taken: File) -> _Ending:
            archive = self._archived(taken, *files[:-1], today=today)
            return _Ending(archive.after_store, windows.to_text(taken.at), completes=True)

        yield from self._taken(newest, now, numbers, problems, ending)

    def _taken(
        self,
        file: File,
        now: datetime,
        numbers: Iterator[int],
        problems: list[tuple[str, FileProblem]],
        ending: Callable[[File], _Ending],
    ) -> Iterator[Page]:
        """Take a file (unless a run that is gone had) and read it; what is wrong with it is added to ``problems``."""
        taken = file
        try:
            if file.folder:
                content = self._pickup.open(file)
            else:
                found = self._pickup.take(file, now)
                if found is None:
                    return
                taken, content = found
            yield from self._pages(taken, content, numbers, ending(taken))
        except Gone:
            return
        except FileProblem as problem:
            problems.append((file.name, problem))
            if taken.folder:
                self._pickup.put_back(taken)

    def _read_again(self, window: Window, numbers: Iterator[int]) -> Iterator[Page]:
        problems: list[tuple[str, FileProblem]] = []
        for file in self._pickup.archived():
            if window.start <= file.at < window.end:
                try:
                    yield from self._pages(file, self._pickup.open(file), numbers, _Ending())
                except FileProblem as problem:
                    problems.append((file.name, problem))
                except Gone:  # it has been kept long enough meanwhile
                    continue
        if problems:
            raise as_error(self._entry.system, problems)

    def _pages(self, file: File, content: BinaryIO, numbers: Iterator[int], ending: _Ending) -> Iterator[Page]:
        """One file, ``page_size`` records to a page; at least one page, so that every file is archived."""
        with content:
            rows = self._opened(file, content)
            table = Table(rows, file.name, file.feed.wanted, self._entry.cut)
            records = table.records()
            size = self._entry.pull.page_size
            batch = list(itertools.islice(records, size))
            if ending.completes and not batch:
                fix = "Ask the owner; if it is true, remove the file and settle the dossiers by hand"
                raise NotAsAgreed("it holds no record, and would make every dossier disappear", fix)
            is_last = False
            while not is_last:
                following = list(itertools.islice(records, size))
                is_last = not following
                if is_last and not self._pickup.is_unchanged(file):
                    raise FileProblem("it was still written to while it was read", "Raise options.ready.settle")
                yield self._page(next(numbers), file.name, batch, table, rows, ending if is_last else _Ending())
                batch = following

    @staticmethod
    def _page(number: int, name: str, batch: Sequence[Record], table: Table, rows: RowFile, ending: _Ending) -> Page:
        return Page(
            number=number,
            raw=rows.join([table.header_raw, *(record.raw for record in batch)]),
            media_type=described(table.media_type, name, [record.number for record in batch]),
            records=[record.values for record in batch],
            fetched_at=datetime.now(UTC),
            cursor=ending.cursor,
            after_store=ending.after_store,
            completes=ending.completes,
        )

    def _opened(self, file: File, content: BinaryIO) -> RowFile:
        form = file.feed.format
        if isinstance(form, CsvFormat):
            return CsvFile(content, form)
        # openpyxl takes half a second to import, which nobody pays who reads CSV.
        from connectors.files.xlsx_rows import XlsxFile

        return XlsxFile(content, form, self._limit)

    def _archived(self, *files: File, today: date) -> _Ending:
        def after_store() -> None:
            if self._archive is None:
                self._archive = open_place(self._entry, self._settings)
            for file in files:
                self._pickup.store(self._archive, file, today)

        return _Ending(after_store)

    def _try_folders(self) -> None:
        """Raises ``ConnectorError`` unless files can be moved the whole way: taken, archived, removed."""
        working, archive = self._options.working, self._options.archive
        self._pickup.prepare()
        for folder in (working, archive, ""):
            self._place.remove(folder, _PROBE)
        self._place.write("", _PROBE)
        with suppress(Gone):
            self._place.move("", _PROBE, working, _PROBE)
            self._place.move(working, _PROBE, archive, _PROBE)
        self._place.remove(archive, _PROBE)

    def _newest_fits(self) -> CheckResult:
        files = sorted(
            [*self._pickup.archived(), *self._pickup.waiting(datetime.now(UTC))[0]], key=lambda one: one.order
        )
        if not files:
            patterns = ", ".join(feed.pattern for feed in self._options.feeds)
            fix = "If there should be some, compare names and 'ready' with the catalog entry"
            return CheckResult("read", CheckStatus.WARNING, f"there is no whole file that fits {patterns} yet", fix)
        newest = files[-1]
        try:
            with self._pickup.open(newest) as content:
                Table(self._opened(newest, content), newest.name, newest.feed.wanted, self._entry.cut)
        except FileProblem as problem:
            return CheckResult("read", CheckStatus.FAILED, f"{shown(newest.name)}: {problem.what}", problem.fix)
        except Gone:
            pass  # it is being taken at this moment, which is as good an answer
        return CheckResult("read", CheckStatus.OK, f"the header of {shown(newest.name)} is as agreed")


def reread(entry: SourceEntry, raw: bytes, media_type: str) -> Sequence[Mapping[str, Any]]:
    """The records of a page as it was archived; see ``connectors.factory.reread``."""
    options = entry.options
    if not isinstance(options, FilesOptions):
        raise TypeError("a files source needs FilesOptions")
    return records_again(entry, options, raw, media_type)
