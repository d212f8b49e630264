"""Taking files out of a folder, each once, and putting them into the archive.

::

    <folder>/                     what the system drops
    <folder>/in-progress/<claim>/ one file each, taken by a run; a run that is killed leaves it, the next takes it over
    <folder>/archive/2026-01-05/  what has been stored, by the day of its reading

Every step is a rename within one file system: it happens or it does not, and of two runs one gets the file. Companions
(``.sha256``, ``.md5``, ``.done``) travel with their file.
"""

import hashlib
import posixpath
import re
from collections.abc import Container, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import BinaryIO

from connectors.errors import ConnectorError, NeedsPerson
from connectors.files.claims import Claimant, is_alive
from connectors.files.places import Found, Gone, Place
from connectors.files.problems import FileProblem, NotAsAgreed
from connectors.options.files import Feed, FilesOptions
from schemas.times import VN

_SUMS = {".sha256": "sha256", ".md5": "md5"}
_MARKER = ".done"
_COMPANIONS = (*_SUMS, _MARKER)
_UNFINISHED = (".part", ".tmp")
_LONGEST_SUM = 4096
_CHUNK = 1 << 20
_DAY = re.compile(r"^\d{4}-\d{2}-\d{2}$")


@dataclass(frozen=True, slots=True)
class File:
    """A file somewhere in the place. ``at`` is the moment it stands for, ``folder`` where it is now."""

    folder: str
    name: str
    size: int
    modified: float
    at: datetime
    feed: Feed

    @property
    def order(self) -> tuple[datetime, str]:
        """Files are read in this order: by what they stand for, and by name."""
        return self.at, self.name


class Pickup:
    """The files of one system. ``limit`` is the size in bytes that none may exceed."""

    def __init__(self, system: str, place: Place, options: FilesOptions, limit: int) -> None:
        self._system = system
        self._place = place
        self._options = options
        self._limit = limit
        self._claimant = Claimant()
        self._held: dict[str, File] = {}  # what has been taken and neither stored nor put back, by its folder

    def prepare(self) -> None:
        """Make the folders that are ours. Raises ``ConnectorError``."""
        self._place.make(self._options.working)
        self._place.make(self._options.archive)

    def left(self) -> tuple[list[File], list[tuple[str, FileProblem]]]:
        """The files that runs which are gone had taken, taken over, in order; and those with problems."""
        found: list[tuple[str, Found]] = []
        for claim in self._place.folders(self._options.working):
            if not is_alive(claim):
                mine = self._claim_folder()
                with suppress(Gone):
                    self._place.move(self._options.working, claim, self._options.working, posixpath.basename(mine))
                    found += self._taken_over(mine)
        files, problems = self._as_files(found)
        self._held |= {file.folder: file for file in files}
        return files, problems

    def waiting(self, now: datetime) -> tuple[list[File], list[tuple[str, FileProblem]]]:
        """The files that are whole as far as can be told without reading them, in order; and those with problems."""
        listing = {one.name: one for one in self._place.files("")}
        whole = (one for one in listing.values() if self._feed(one.name) and self._is_whole(one, listing.keys(), now))
        return self._as_files([("", one) for one in whole])

    def archived(self) -> list[File]:
        """The files in the archive, in order; what cannot be told its time is left out."""
        found: list[tuple[str, Found]] = []
        for day in self._place.folders(self._options.archive):
            folder = posixpath.join(self._options.archive, day)
            found += [(folder, one) for one in self._place.files(folder) if self._feed(one.name)]
        return self._as_files(found)[0]

    def take(self, file: File, now: datetime) -> tuple[File, BinaryIO] | None:
        """Take a waiting file: where it is now, and its content. ``None`` when somebody else has it, or is writing it.

        Raises ``FileProblem`` when it is too large, or not what its checksum says; then it stays.
        """
        self._within_limit(file)
        content: BinaryIO | None = None
        try:
            # Opened before it is moved: what was checked is what will be read, whatever happens to the name.
            content = self._place.open("", file.name, self._limit)
            if self._is_as_its_sum_says(file, content, now):
                taken = self._claim(file)
                content.seek(0)
                kept, content = content, None
                return taken, kept
        except Gone:
            pass
        finally:
            if content is not None:
                content.close()
        return None

    def open(self, file: File) -> BinaryIO:
        """The content of a file that was taken before. Raises ``FileProblem`` when it is too large, and ``Gone``."""
        self._within_limit(file)
        return self._place.open(file.folder, file.name, self._limit)

    def is_unchanged(self, file: File) -> bool:
        """Whether the file is still the one that was listed: who is still writing it may do so after it was moved."""
        now = self._place.find(file.folder, file.name)
        return now is not None and (now.size, now.modified) == (file.size, file.modified)

    def put_back(self, file: File) -> None:
        """Give a taken file back, unless there is a new one of its name: then it stays where it is."""
        self._held.pop(file.folder, None)
        names = [file.name, *self._companions(file.folder, file.name)]
        if self._place.find("", file.name) is None:
            for name in reversed(names):  # the file last: it must not seem whole before all is there
                with suppress(Gone):
                    self._place.move(file.folder, name, "", name)
        self._place.remove_folder(file.folder)

    def store(self, place: Place, file: File, day: date) -> None:
        """Move a file, whose records are durable, into the archive of ``day``, or remove it if none is kept.

        ``place`` is the folder, opened by the thread that calls. Raises ``NeedsPerson`` when the file is gone.
        """
        self._held.pop(file.folder, None)
        names = [file.name, *(file.name + suffix for suffix in _COMPANIONS)]
        if self._options.keep_days == 0:
            for name in names:
                place.remove(file.folder, name)
        else:
            folder = posixpath.join(self._options.archive, day.isoformat())
            place.make(folder)
            free = self._free_name(place, folder, file.name)
            for name in names:
                self._archive_one(place, file, name, folder, free + name[len(file.name) :])
        if file.folder:
            place.remove_folder(file.folder)

    def purge(self, today: date) -> None:
        """Remove what has been in the archive for longer than it is kept."""
        last = (today - timedelta(days=self._options.keep_days)).isoformat()
        for day in self._place.folders(self._options.archive):
            if _DAY.match(day) and day < last:
                folder = posixpath.join(self._options.archive, day)
                for one in self._place.files(folder):
                    self._place.remove(folder, one.name)
                self._place.remove_folder(folder)

    def end(self) -> None:
        """Put back what was taken and not stored, as far as that is possible; others may take over the rest."""
        with suppress(ConnectorError):
            for file in list(self._held.values()):
                self.put_back(file)
        self._claimant.end()

    def _is_as_its_sum_says(self, file: File, content: BinaryIO, now: datetime) -> bool:
        """Whether ``content`` has its checksum; ``False`` while it is still under way. Raises ``FileProblem``."""
        if self._options.ready.by != "checksum":
            return True
        suffix = next((suffix for suffix in _SUMS if self._place.find("", file.name + suffix)), None)
        if suffix is None:
            return False
        with self._place.open("", file.name + suffix, _LONGEST_SUM) as companion:
            words = companion.read(_LONGEST_SUM).decode("ascii", "replace").split()
        if words and words[0].lower() == _digest(_SUMS[suffix], content):
            return True
        if self._age(file, now) < self._options.ready.settle:
            return False
        raise FileProblem(
            f"its checksum is not the one in {suffix}",
            "It was cut or changed on its way: ask the owner to drop file and checksum again",
        )

    def _claim(self, file: File) -> File:
        """Move a waiting file to where only we look; raises ``Gone`` when it is not there or not the same any more."""
        mine = self._claim_folder()
        self._place.make(mine)
        try:
            self._place.move("", file.name, mine, file.name)
        except Gone:
            self._place.remove_folder(mine)
            raise
        self._take_companions(mine, file.name)
        taken = self._held[mine] = replace(file, folder=mine)
        if not self.is_unchanged(taken):
            self.put_back(taken)
            raise Gone(file.name)
        return taken

    def _taken_over(self, claim: str) -> list[tuple[str, Found]]:
        """The file in a claim that was left, or none: it was archived, or never taken."""
        found = self._place.files(claim)
        main = [(claim, one) for one in found if not one.name.endswith(_COMPANIONS)]
        if not main:
            for one in found:
                self._place.remove(claim, one.name)
            self._place.remove_folder(claim)
        for _, one in main:
            self._take_companions(claim, one.name)
        return main

    def _claim_folder(self) -> str:
        return posixpath.join(self._options.working, self._claimant.new_claim())

    def _archive_one(self, place: Place, file: File, name: str, folder: str, free: str) -> None:
        try:
            place.move(file.folder, name, folder, free)
        except Gone:
            if name == file.name and file.folder:
                raise NeedsPerson(
                    self._system,
                    "a file that has been stored is no longer where it was taken to, and is not in the archive",
                    f"Nobody but hosync may move files below '{self._options.working}': look for who does",
                ) from None

    @staticmethod
    def _free_name(place: Place, folder: str, name: str) -> str:
        """The name, or with a number before its ending when the archive has it already."""
        taken = {one.name for one in place.files(folder)}
        stem, ending = posixpath.splitext(name)
        number = 2
        free = name
        while free in taken:
            free, number = f"{stem}.{number}{ending}", number + 1
        return free

    def _companions(self, folder: str, name: str) -> list[str]:
        return [name + suffix for suffix in _COMPANIONS if self._place.find(folder, name + suffix)]

    def _take_companions(self, claim: str, name: str) -> None:
        """Companions follow their file, unless a new file of that name has come, whose they may be."""
        if self._place.find("", name) is None:
            for companion in self._companions("", name):
                with suppress(Gone):
                    self._place.move("", companion, claim, companion)

    def _feed(self, name: str) -> Feed | None:
        if name.startswith(".") or name.endswith((*_UNFINISHED, *_COMPANIONS)):
            return None
        return self._options.feed_of(name)

    def _is_whole(self, file: Found, names: Container[str], now: datetime) -> bool:
        ready = self._options.ready
        if ready.by == "marker":
            return file.name + _MARKER in names
        if ready.by == "checksum":
            return any(file.name + suffix in names for suffix in _SUMS)
        return self._age(file, now) >= ready.settle

    @staticmethod
    def _age(file: Found | File, now: datetime) -> timedelta:
        return now - datetime.fromtimestamp(file.modified, UTC)

    def _within_limit(self, file: File) -> None:
        if file.size > self._limit:
            raise FileProblem(
                f"it is larger than {self._limit >> 20} MB",
                "If such files are to be expected, raise limits.max_response_mb in the catalog entry",
            )

    def _as_files(self, found: Sequence[tuple[str, Found]]) -> tuple[list[File], list[tuple[str, FileProblem]]]:
        """What is in these folders as files, in order; and those of which no pattern or no time can be told."""
        files: list[File] = []
        problems: list[tuple[str, FileProblem]] = []
        for folder, one in found:
            try:
                files.append(self._as_file(folder, one))
            except FileProblem as problem:
                problems.append((one.name, problem))
        return sorted(files, key=lambda file: file.order), problems

    def _as_file(self, folder: str, one: Found) -> File:
        feed = self._feed(one.name)
        if feed is None:
            raise NotAsAgreed("no 'pattern' of the catalog entry fits its name any more", "Correct 'feeds' there")
        return File(folder, one.name, one.size, one.modified, _moment(feed, one), feed)


def _moment(feed: Feed, file: Found) -> datetime:
    """What the file stands for: the time in its name, or that of its last change."""
    if feed.time is None:
        return datetime.fromtimestamp(file.modified, UTC)
    match = re.search(feed.time.pattern, file.name)
    try:
        if match is not None:
            return datetime.strptime(match.group(1), feed.time.format).replace(tzinfo=VN)
    except ValueError:
        pass
    raise NotAsAgreed(
        "its name tells no time as 'time' of the catalog entry says",
        "Ask the owner how files are named now, and correct 'pattern' or 'time' there",
    )


def _digest(kind: str, content: BinaryIO) -> str:
    digest = hashlib.new(kind, usedforsecurity=False)
    while chunk := content.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()
