"""The ``options`` of protocol ``files``: files that a system drops into a folder or onto an SFTP server.

Where that is, the connection says. Without a host its extra's ``path`` is a folder of this machine; with one it is an
SFTP server: host, port, login, password, and in the extra

==========================  ==============================================================================
``path``                    the folder that files are dropped into; the login's own when absent
``host_key``                the server's public keys, one a line, as ``ssh-keyscan`` prints them
``host_key_file``           or a file of them
``key_file``                path of our private key, instead of a password or with it
``private_key_passphrase``  what opens that key
==========================  ==============================================================================
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from connectors.catalog_models import Duration, Part, inconsistent

RESERVED = frozenset({"at", "problem", "cells"})
"""What a record holds besides its columns: where it stands, why it could not be read, and what stood there."""

_NAME = re.compile(r"^[^\W\d][\w-]*$")


class Encoding(StrEnum):
    """How the text of a CSV file is written in bytes.

    ``tcvn3`` is what the ABC fonts (.VnTime …) show. They have no toned capitals: those stand there as small letters,
    which a font ending in H shows as capitals. So "TỈNH" comes back as "TỉNH"; nothing in the file tells the two apart.
    ``vni`` is what the VNI fonts show: a letter, and a second byte for its marks.
    """

    UTF_8 = "utf-8"
    UTF_16 = "utf-16"
    WINDOWS_1258 = "windows-1258"
    TCVN3 = "tcvn3"
    VNI = "vni"


def _name(value: str) -> str:
    if not _NAME.match(value) or value in RESERVED:
        raise ValueError(
            f"a column's name in records is letters, digits and '_', and not {', '.join(sorted(RESERVED))}"
        )
    return value


def _file_pattern(value: str) -> str:
    if "/" in value or value.startswith("."):
        raise ValueError("a pattern is for file names in one folder, such as ho_so_*.csv")
    return value


def _folder_name(value: str) -> str:
    if "/" in value or "\\" in value or value in (".", ".."):
        raise ValueError("a plain name: the folder is made beside the files")
    return value


def _one_group(value: str) -> str:
    try:
        groups = re.compile(value).groups
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    if groups != 1:
        raise ValueError("the expression has exactly one group, around the time: _(\\d{8})\\.csv$")
    return value


FilePattern = Annotated[str, Field(min_length=1), AfterValidator(_file_pattern)]
FolderName = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_folder_name)]
ColumnName = Annotated[str, AfterValidator(_name)]
Header = Annotated[str, Field(min_length=1)]
"""A column's heading. Capitals, accents' spelling (NFC or NFD) and extra spaces make no difference."""


class Column(Part):
    """One column that is wanted. In short: its heading alone, or a list of headings that it has had over time."""

    header: Header | tuple[Header, ...]
    """Its heading, or all that it has had."""
    optional: bool = False
    """``false``: a file without the column breaks the contract and is not taken."""
    width: int | None = Field(default=None, ge=1, le=64)
    """A code of so many digits. Spreadsheets take such codes for numbers and lose their leading zeros: those come
    back, and a number becomes text."""

    @property
    def headers(self) -> tuple[str, ...]:
        """All headings it may have."""
        return (self.header,) if isinstance(self.header, str) else self.header


class CsvFormat(Part):
    """Lines of text. A first line ``sep=;`` (Excel) is heeded."""

    kind: Literal["csv"]
    """``csv``"""
    encoding: Encoding = Encoding.UTF_8
    """How its text is written. A byte order mark is heeded; text that is plainly in another encoding is refused."""
    delimiter: Literal[",", ";", "\t", "|"] = ","
    """What stands between two cells."""
    quote: Literal['"', "'"] = '"'
    """What stands around a cell that holds a delimiter; doubled inside it."""


class XlsxFormat(Part):
    """An Excel workbook (.xlsx). Dates come as ISO text, formulas as the value Excel has stored with them."""

    kind: Literal["xlsx"]
    """``xlsx``"""
    sheet: str | None = None
    """The sheet's name; the first one when absent."""


FileFormat = Annotated[CsvFormat | XlsxFormat, Field(discriminator="kind")]


class TimeInName(Part):
    """The moment a file stands for, out of its name. Without this it is the file's time of last change."""

    pattern: Annotated[str, AfterValidator(_one_group)]
    """A regular expression with one group around the time."""
    format: str
    """How the time is written, as of strptime: ``%Y%m%d_%H%M%S``. Vietnamese wall time."""


class Feed(Part):
    """One kind of file. The first row that holds the wanted headings is the header; what stands above is skipped."""

    pattern: FilePattern
    """Which names: ``*`` any letters, ``?`` one, ``[0-9]`` one of these; capitals count."""
    format: FileFormat
    """How it is written."""
    columns: Mapping[ColumnName, Header | tuple[Header, ...] | Column] = Field(min_length=1)
    """What the columns are called in records. Columns that are not listed go along under their own heading."""
    time: TimeInName | None = None
    """Where its name says what moment it stands for; files are read in that order."""

    @property
    def wanted(self) -> dict[str, Column]:
        """The columns, each in its long form."""
        return {name: one if isinstance(one, Column) else Column(header=one) for name, one in self.columns.items()}


class Ready(Part):
    """How a file is known to be whole. Names that begin with a dot or end in .part or .tmp are never taken."""

    by: Literal["age", "checksum", "marker"] = "age"
    """``age``: nobody has written to it for ``settle``; ``checksum``: ``<name>.sha256`` or ``<name>.md5`` is there, and
    is right; ``marker``: ``<name>.done`` is there."""
    settle: Duration = timedelta(seconds=60)
    """``age``: how long that must be. ``checksum``: a file younger than this whose sum is wrong is still under way."""


class FilesOptions(Part):
    """Files in one folder. Each is read once, in the order of their times, and then archived."""

    feeds: tuple[Feed, ...] = Field(min_length=1)
    """The first one whose pattern fits says how a file is read. ``snapshot`` takes exactly one."""
    ready: Ready = Ready()
    """When a file is taken."""
    working: FolderName = "in-progress"
    """The folder, beside the files, into which a file is moved while it is read ..."""
    archive: FolderName = "archive"
    """... and after it is stored: below it, one folder a day. Both must be on the files' own file system."""
    keep_days: int = Field(default=30, ge=0, le=3660)
    """How long files stay in the archive; 0: each is removed as soon as it is stored."""

    def feed_of(self, name: str) -> Feed | None:
        """How a file of that name is read; ``None`` when it is none of ours."""
        return next((feed for feed in self.feeds if fnmatchcase(name, feed.pattern)), None)

    @model_validator(mode="after")
    def _two_folders(self) -> "FilesOptions":
        if self.working == self.archive:
            raise inconsistent("archive", "it must be another folder than 'working'")
        return self
