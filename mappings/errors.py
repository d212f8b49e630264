"""What can go wrong in this room.

::

    MappingError
    ├── MappingNotFoundError   no file of that name
    ├── MappingFileError       the file is wrong: every mistake with its line, key and fix
    └── ConversionError        one value cannot be converted; becomes a MappingProblem, never leaves the room

No message ever repeats a value of a record.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mappings.places import shown


@dataclass(frozen=True, slots=True)
class FileIssue:
    """One mistake in a YAML file: where it is, what is wrong, and what to do about it."""

    file: Path
    line: int
    key: str
    what: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{shown(self.file)}:{self.line}: {self.key or 'file'}: {self.what}" + (
            f". {self.fix}" if self.fix else ""
        )


class MappingError(Exception):
    """Base of all errors of this room."""


class MappingNotFoundError(MappingError):
    """There is no mapping of that name; the message lists those that exist."""


class MappingFileError(MappingError):
    """A mapping or catalogue file cannot be used. Nothing was converted; correct the file and load it again."""

    def __init__(self, issues: Sequence[FileIssue]) -> None:
        self.issues = tuple(issues)
        super().__init__("\n".join(str(issue) for issue in self.issues))


class ConversionError(MappingError, ValueError):
    """A value breaks a rule. The record is set aside; the rest of the page goes on."""

    def __init__(self, rule: str, message: str) -> None:
        self.rule = rule
        self.message = message
        super().__init__(f"{rule}: {message}")
