"""Where files are: the few things that a folder must do, and the two kinds of folder.

Names of files come from outside. A place gives out only plain names of regular files, never follows a link, and takes
folders only from this package: nothing that a file is called can lead out of the folder.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from connectors.catalog_models import SourceEntry
from connectors.connections import ConnectionSettings


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file in a listing. ``size`` in bytes, ``modified`` in epoch seconds by the clock of the place."""

    name: str
    size: int
    modified: float


class Gone(Exception):
    """What was to be moved or read is not there any more: somebody else has taken it."""


class Place(Protocol):
    """A folder with folders in it, named by paths relative to it (``""`` is the folder itself). For one thread.

    Raises ``ConnectorError`` when the place cannot be reached or does not let us.
    """

    def files(self, folder: str) -> list[Found]:
        """The regular files in ``folder``; none when there is no such folder."""
        ...

    def folders(self, folder: str) -> list[str]:
        """The names of the folders in ``folder``; none when there is no such folder."""
        ...

    def find(self, folder: str, name: str) -> Found | None:
        """One file, ``None`` when it is not there or no regular file."""
        ...

    def open(self, folder: str, name: str, limit: int) -> BinaryIO:
        """The file's content, at most ``limit`` bytes, to be read from any place; raises ``Gone``."""
        ...

    def move(self, folder: str, name: str, to_folder: str, to_name: str) -> None:
        """Move a file or folder, at once or not at all; raises ``Gone``. The new name must be free."""
        ...

    def make(self, folder: str) -> None:
        """Make a folder, unless it is there."""
        ...

    def remove(self, folder: str, name: str) -> None:
        """Remove a file, unless it is gone."""
        ...

    def remove_folder(self, folder: str) -> None:
        """Remove a folder if it is empty."""
        ...

    def write(self, folder: str, name: str) -> None:
        """Write an empty file: to see whether we may."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...


def is_plain(name: str) -> bool:
    """Whether this is the name of one thing in a folder and no way to anywhere else."""
    return bool(name) and name not in (".", "..") and not any(mark in name for mark in "/\\\x00")


def open_place(entry: SourceEntry, settings: ConnectionSettings) -> Place:
    """The folder that the connection leads to. Raises ``ConnectorError``."""
    # paramiko takes a quarter of a second to import, which nobody pays who reads a folder of this machine.
    if settings.host:
        from connectors.files.sftp import SftpPlace

        return SftpPlace(entry, settings)
    from connectors.files.local import LocalPlace

    return LocalPlace(entry.system, Path(settings.required("path", "for files in a folder of this machine")))
