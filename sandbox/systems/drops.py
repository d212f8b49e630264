"""Systems that nobody can ask: they drop files, and when their clock moves they drop what has happened since.

A file is written under a name that ends in ``.part``, gets its own when it is whole, and then its checksum beside it
(``<name>.sha256``). A system that starts for the first time drops all it holds. Whoever breaks records, or mends them,
makes it drop these again: it has no other way to tell.

Besides what every source has, there is

``POST drop``   ``{"all": false, "leave": "whole" | "partial" | "unchecked" | "bad-checksum"}``: drop what is new, or
                all, at once; and leave the last file half-written, without a checksum, or with a wrong one. Answers
                ``{"files": [names]}``
"""

import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.http import ServerOptions, json_response, read_json, server_home, write_atomically
from sandbox.province.reading import Reading
from sandbox.province.sectors import System
from sandbox.systems.register import How, Register, Snapshot

Cell = str | int | datetime | None
Line = dict[str, Cell]
"""One row of a file, by heading."""

_ROWS_PER_FILE = 2_000
_STRANGE = "Cột mới"


class Leave(StrEnum):
    """In what shape the last file of a drop is left."""

    WHOLE = "whole"
    PARTIAL = "partial"
    UNCHECKED = "unchecked"
    BAD_CHECKSUM = "bad-checksum"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """One kind of file. ``code``, ``due`` and ``status`` are the headings that records are broken at.

    ``name`` makes a file's name of the system's time and a number that no other file of the system has; ``write`` its
    content of rows that have the same headings.
    """

    code: str
    due: str
    status: str
    name: Callable[[datetime, int], str]
    tells: Callable[[Reading], bool]
    line: Callable[[Reading], Line]
    write: Callable[[Sequence[Line]], bytes]


class Drops(Register):
    """A register that drops files into ``folder`` whenever something happens.

    With ``listed`` every file is everything that it says is listed by then; else files tell what has changed.
    """

    def __init__(
        self,
        system: System,
        home: Path,
        options: ServerOptions,
        *,
        folder: Path,
        papers: Sequence[Paper],
        listed: Callable[[Reading, datetime], bool] | None = None,
    ) -> None:
        super().__init__(system, home, options, ordered=True)
        self._folder = folder
        self._papers = papers
        self._listed = listed
        self._dropping = threading.Lock()
        self._memory = server_home(home, options) / "dropped.json"
        folder.mkdir(parents=True, exist_ok=True)
        if self._remembered().get("until", -1) < int(self.now.as_of.timestamp()):
            self.drop()

    def move_to(self, as_of: datetime) -> Snapshot:
        """Move the clock, and drop what has happened meanwhile."""
        moved = super().move_to(as_of)
        self.drop()
        return moved

    def break_records(self, numbers: Iterable[int], how: How) -> None:
        """Tell wrongly of these dossiers from now on, and at once."""
        found = list(numbers)
        super().break_records(found, how)
        self.drop(found)

    def mend_all(self) -> None:
        """Tell rightly of all dossiers again, and at once."""
        found = list(self.broken)
        super().mend_all()
        self.drop(found)

    def drop(
        self, numbers: Sequence[int] | None = None, *, everything: bool = False, leave: Leave = Leave.WHOLE
    ) -> list[str]:
        """Drop files about these dossiers (absent: about what has changed); gives back their names."""
        with self._dropping:
            memory, now = self._remembered(), self.now
            since = -1 if everything else memory.get("until", -1)
            files = list(self._files(now, self._news(now, since) if numbers is None else numbers))
            names: list[str] = []
            for paper, lines in files:
                memory["files"] = memory.get("files", 0) + 1
                names.append(paper.name(now.as_of, memory["files"]))
                is_last = len(names) == len(files)
                self._write(names[-1], paper.write(lines), leave if is_last else Leave.WHOLE)
            if numbers is None and leave is Leave.WHOLE:  # what cannot be read has not been told
                memory["until"] = int(now.as_of.timestamp())
            write_atomically(self._memory, json.dumps(memory))
            return names

    def _remembered(self) -> dict[str, int]:
        """Up to which second everything has been told (``until``), and how many files there have been (``files``)."""
        return dict(json.loads(self._memory.read_text("utf-8"))) if self._memory.exists() else {}

    @staticmethod
    def _news(now: Snapshot, since: int) -> list[int]:
        """The dossiers to which something has happened after the second ``since``."""
        return now.changes.numbers(now.changes.position_of(since + 1), len(now.changes))

    def _files(self, now: Snapshot, numbers: Sequence[int]) -> Iterator[tuple[Paper, Sequence[Line]]]:
        """The rows of each file."""
        if self._listed is not None:
            everything = [one for one in map(now.reading, now.numbers()) if self._listed(one, now.as_of)]
            for paper in self._papers if everything else ():
                yield paper, _under_one_header(paper, [self._line(paper, one) for one in everything])
            return
        readings = [now.reading(number) for number in numbers]
        for paper in self._papers:
            # Rows with other headings than usual come in a file of their own.
            alike: dict[tuple[str, ...], list[Line]] = {}
            for line in (self._line(paper, one) for one in readings if paper.tells(one)):
                alike.setdefault(tuple(line), []).append(line)
            for lines in alike.values():
                for start in range(0, len(lines), _ROWS_PER_FILE):
                    yield paper, lines[start : start + _ROWS_PER_FILE]

    def _line(self, paper: Paper, one: Reading) -> Line:
        """The dossier's row, broken as somebody wants it."""
        line, how = paper.line(one), self.broken.get(one.number)
        if how is How.UNKNOWN_STATUS:
            return {**line, paper.status: "97"}
        if how is How.BAD_DATE:
            return {**line, paper.due: "31/02/2026 25:61:00"}
        if how is How.MISSING_CODE:
            return {**line, paper.code: ""}
        if how is How.EXTRA_FIELD:
            return {**line, _STRANGE: "có"}
        if how is How.RENAMED_FIELD:
            return {(f"{heading} mới" if heading == paper.status else heading): cell for heading, cell in line.items()}
        return line

    def _write(self, name: str, content: bytes, leave: Leave) -> None:
        unfinished = self._folder / f"{name}.part"
        if leave is Leave.PARTIAL:
            unfinished.write_bytes(content[: len(content) // 2])
            return
        unfinished.write_bytes(content)
        unfinished.rename(self._folder / name)
        if leave is not Leave.UNCHECKED:
            right = leave is Leave.WHOLE
            digest = hashlib.sha256(content if right else content[:-1]).hexdigest()
            write_atomically(self._folder / f"{name}.sha256", f"{digest}  {name}\n")


def drop_routes(register: Drops) -> list[Route]:
    """The control endpoint ``drop``."""

    async def drop(request: Request) -> Response:
        try:
            body = await read_json(request) if await request.body() else {}
            leave = Leave(str(body.get("leave", Leave.WHOLE)))
        except ValueError:
            return json_response({"error": f"the body is a JSON object; leave is one of {', '.join(Leave)}"}, 422)
        names = await run_in_threadpool(register.drop, everything=bool(body.get("all")), leave=leave)
        return json_response({"files": names})

    return [Route("/drop", drop, methods=["POST"])]


def _under_one_header(paper: Paper, lines: Sequence[Line]) -> list[Line]:
    """The rows of one file, which has one header: a strange heading is that of all of them."""
    renamed = f"{paper.status} mới"
    if any(renamed in line for line in lines):
        lines = [{(renamed if name == paper.status else name): cell for name, cell in line.items()} for line in lines]
    headings = dict.fromkeys(heading for line in lines for heading in line)
    return [{heading: line.get(heading) for heading in headings} for line in lines]
