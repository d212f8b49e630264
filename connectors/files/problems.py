"""What is wrong with one file, while the others are in order."""

from collections.abc import Sequence

from connectors.errors import BrokenAnswer, ConnectorError, ContractBroken, NeedsPerson

_LONGEST_NAME = 120
_SHOWN = 5


class FileProblem(Exception):
    """This file cannot be taken as it is. ``what`` names rows, columns and bytes, never what is written there."""

    kind: type[ConnectorError] = BrokenAnswer

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what, fix)
        self.what = what
        self.fix = fix


class NotAsAgreed(FileProblem):
    """The file is whole, and not what its system agreed to send: another header, encoding or sheet."""

    kind = ContractBroken


def shown(name: str) -> str:
    """A file name fit for a message: one line, nothing that cannot be printed, not too long."""
    text = "".join(letter if letter.isprintable() else "?" for letter in name)
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"


def as_error(system: str, problems: Sequence[tuple[str, FileProblem]]) -> ConnectorError:
    """One error for all files (name, problem) that a run had to leave; at least one."""
    told = [f"{shown(name)}: {problem.what}" for name, problem in problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        told.append(f"and {len(problems) - _SHOWN} more")
    noun = "file was" if len(problems) == 1 else "files were"
    kinds = {problem.kind for _, problem in problems}
    kind = kinds.pop() if len(kinds) == 1 else NeedsPerson
    fixes = list(dict.fromkeys(problem.fix for _, problem in problems[:_SHOWN]))
    return kind(system, f"{len(problems)} {noun} not taken: {'; '.join(told)}", ". ".join(fixes))
