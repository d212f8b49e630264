"""A folder of this machine, or one that is mounted here."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from connectors.errors import ConnectorError, NeedsPerson, NotSent
from connectors.files.places import Found, Gone, is_plain


class LocalPlace:
    """See ``Place``."""

    def __init__(self, system: str, root: Path) -> None:
        self._system = system
        self._root = root

    def files(self, folder: str) -> list[Found]:
        """See ``Place``."""
        with self._explained(folder), self._scanned(folder) as entries:
            return [
                Found(entry.name, facts.st_size, facts.st_mtime)
                for entry in entries
                if is_plain(entry.name) and (facts := _facts(entry)) and stat.S_ISREG(facts.st_mode)
            ]
        raise AssertionError("not reached")

    def folders(self, folder: str) -> list[str]:
        """See ``Place``."""
        with self._explained(folder), self._scanned(folder) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False) and is_plain(entry.name)]
        raise AssertionError("not reached")

    def find(self, folder: str, name: str) -> Found | None:
        """See ``Place``."""
        with self._explained(folder), suppress(FileNotFoundError, NotADirectoryError):
            facts = (self._root / folder / name).lstat()
            return Found(name, facts.st_size, facts.st_mtime) if stat.S_ISREG(facts.st_mode) else None
        return None

    def open(self, folder: str, name: str, limit: int) -> BinaryIO:
        """See ``Place``. What is opened is the file itself: nobody can put another one in its place meanwhile."""
        del limit  # of a file of this machine only what is needed is read
        with self._explained(folder):
            try:
                # O_NONBLOCK: a pipe with the name of a file must not hold us up.
                opened = os.open(self._root / folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.ELOOP):
                    raise Gone(name) from None
                raise
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                os.close(opened)
                raise Gone(name)
            return os.fdopen(opened, "rb")
        raise AssertionError("not reached")

    def move(self, folder: str, name: str, to_folder: str, to_name: str) -> None:
        """See ``Place``."""
        with self._explained(to_folder):
            try:
                (self._root / folder / name).rename(self._root / to_folder / to_name)
            except FileNotFoundError:
                raise Gone(name) from None

    def make(self, folder: str) -> None:
        """See ``Place``; the folder itself must be there, or whatever was to be mounted there is not."""
        with self._explained(""):
            self._root.lstat()
        with self._explained(folder):
            place = self._root
            for part in Path(folder).parts:
                place /= part
                with suppress(FileExistsError):
                    place.mkdir(mode=0o770)
                if not stat.S_ISDIR(place.lstat().st_mode):
                    raise NotADirectoryError(errno.ENOTDIR, "a link or a file has the folder's name")

    def remove(self, folder: str, name: str) -> None:
        """See ``Place``."""
        with self._explained(folder):
            (self._root / folder / name).unlink(missing_ok=True)

    def remove_folder(self, folder: str) -> None:
        """See ``Place``."""
        with suppress(OSError):
            (self._root / folder).rmdir()

    def write(self, folder: str, name: str) -> None:
        """See ``Place``."""
        with self._explained(folder):
            os.close(os.open(self._root / folder / name, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o660))

    def close(self) -> None:
        """See ``Place``; there is nothing to release."""

    @contextmanager
    def _scanned(self, folder: str) -> Iterator[Iterator[os.DirEntry[str]]]:
        try:
            found = os.scandir(self._root / folder)
        except FileNotFoundError:
            if not folder:  # the folder itself must be there; those inside it need not
                raise
            yield iter(())
            return
        with found as entries:
            yield entries

    @contextmanager
    def _explained(self, folder: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise _of_os(self._system, self._root / folder, error) from None


def _facts(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError:  # taken between the listing and now
        return None


def _of_os(system: str, folder: Path, error: OSError) -> ConnectorError:
    reason = os.strerror(error.errno) if error.errno else type(error).__name__
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return NeedsPerson(system, f"folder {folder}: {reason}", "Let the user that runs hosync read and write there")
    if error.errno == errno.EXDEV:
        fix = "Files are moved at once, or not at all: put all folders on one file system"
        return NeedsPerson(system, f"folder {folder} is on another file system", fix)
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        fix = "Correct 'path' in the connection's extra, or mount the folder"
        return NeedsPerson(system, f"folder {folder}: {reason or 'it is not there'}", fix)
    return NotSent(system, f"folder {folder}: {reason}", "If it stays so, look after the disk or the mount")
