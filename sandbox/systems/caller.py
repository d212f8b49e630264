"""A system that calls others: everything that happens is told to whoever has subscribed, until it is acknowledged.

``POST   /_sandbox/subscribe``  ``{"url": base}``: from now on calls go to ``{base}/{call}``; kept over restarts
``DELETE /_sandbox/subscribe``  calls nobody any more
``GET    /_sandbox/calls``      ``{"url", "waiting", "calls": [{"kind", "code", "attempts", "outcome", "message"}]}``

What was told is remembered per dossier, so a restart goes on where it stopped and repeats a few calls, as the real
thing does. Of every dossier the calls go out in their order, but for a few that are late, and a few are told twice:
which ones, the seed decides. A call that is refused (``Result`` 0) is told no more, since the same would be refused
again; one that gets any other answer, or none, is told again and again.

A dossier whose record is broken or mended (``/_sandbox/break``) has its last call told again, wrongly or rightly.
"""

import http.client
import json
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.http import ServerOptions, json_response, read_json, server_home, write_atomically
from sandbox.province.draws import Draws, unit
from sandbox.systems.land import Call, Dialect, broken, calls, said_again
from sandbox.systems.register import How, Register, Snapshot
from schemas.identifiers import dossier_long

_log = logging.getLogger(__name__)

_LANES = 4
_BATCH = 200
_LOOK_EVERY_S = 0.2
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.3, 3.0
_TIMEOUT_S = 30.0
_LATE, _LATE_BY_S = 0.04, 3 * 24 * 3600
_TWICE, _TWICE_AFTER_S = 0.04, 24 * 3600
_REFUSALS = frozenset({200, 400, 413, 415, 422})


class Outcome(StrEnum):
    """What became of a call so far."""

    WAITING = "waiting"
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, order=True)
class Turn:
    """A call in the order in which calls go out. ``again`` counts how often it was told before, broken or mended."""

    due: int
    number: int
    position: int
    again: int = 0


@dataclass(slots=True)
class Told:
    """The notes about one call."""

    kind: str
    code: str
    attempts: int = 0
    outcome: Outcome = Outcome.WAITING
    message: str = ""


class Book:
    """How many calls of each dossier have been told; survives a restart."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("CREATE TABLE IF NOT EXISTS told (number INTEGER PRIMARY KEY, calls INTEGER NOT NULL)")
        self._guard = threading.Lock()
        self._calls: dict[int, int] = dict(self._connection.execute("SELECT number, calls FROM told"))

    def told(self, number: int) -> int:
        """How many calls of the dossier have been told, from the first one on."""
        return self._calls.get(number, 0)

    def numbers(self) -> list[int]:
        """The dossiers in the book, also those of which nothing has been told yet."""
        return sorted(self._calls)

    def __contains__(self, number: int) -> bool:
        return number in self._calls

    def write(self, told: Iterable[tuple[int, int]]) -> None:
        """Note (dossier, calls told) pairs, all or none."""
        rows = list(told)
        with self._guard:
            self._connection.execute("BEGIN")
            self._connection.executemany("INSERT OR REPLACE INTO told VALUES (?, ?)", rows)
            self._connection.execute("COMMIT")
            self._calls.update(rows)


class Caller:
    """Calls the subscriber, in a thread of its own while the server runs.

    ``address`` gives path and query of a call below the subscriber's base, the secret included. ``only_known``: only
    dossiers that are in the book are called about.
    """

    def __init__(
        self,
        register: Register,
        home: Path,
        options: ServerOptions,
        *,
        dialect: Dialect,
        address: Callable[[str], str],
        only_known: bool = False,
    ) -> None:
        folder = server_home(home, options)
        self.book = Book(folder / "told.sqlite")
        self._register = register
        self._dialect = dialect
        self._address = address
        self._only_known = only_known
        self._chance = Draws(options.seed, "calls")
        self._subscription = folder / "subscription.json"
        self._notes: dict[tuple[int, int, int], Told] = {}
        self._told_ahead: dict[int, set[int]] = {}
        self._waiting: list[Turn] = []
        self._seen: tuple[Snapshot, int] | None = None
        self._settled_tick = 0
        self._broken: dict[int, How] = {}
        self._again = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="caller", daemon=True)

    @property
    def url(self) -> str | None:
        """Who is called."""
        if not self._subscription.exists():
            return None
        return str(json.loads(self._subscription.read_text("utf-8"))["url"])

    def routes(self) -> list[Route]:
        """The control endpoints."""

        async def subscribe(request: Request) -> Response:
            try:
                url = str((await read_json(request)).get("url") or "").rstrip("/")
                if urlsplit(url).scheme != "http" or not urlsplit(url).hostname:
                    raise ValueError("url must be http://host:port/path")
            except ValueError as error:
                return json_response({"error": str(error)}, 422)
            write_atomically(self._subscription, json.dumps({"url": url}))
            return json_response({"url": url})

        async def unsubscribe(_request: Request) -> Response:
            self._subscription.unlink(missing_ok=True)
            return json_response({"url": None})

        def show(_request: Request) -> Response:
            notes = [
                {
                    "kind": note.kind,
                    "code": note.code,
                    "attempts": note.attempts,
                    "outcome": note.outcome,
                    "message": note.message,
                }
                for note in list(self._notes.values())
            ]
            return json_response({"url": self.url, "waiting": self.waiting(), "calls": notes})

        return [
            Route("/subscribe", subscribe, methods=["POST"]),
            Route("/subscribe", unsubscribe, methods=["DELETE"]),
            Route("/calls", show, methods=["GET"]),
        ]

    def waiting(self) -> int | None:
        """How many calls are still to be told; None while that is not known, because something has just moved."""
        seen = self._seen
        is_known = seen == (self._register.now, len(self.book.numbers())) and self._broken == self._register.broken
        return len(self._waiting) if is_known else None

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> Any:
        """Call while the server runs."""
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()

    # --- the thread ---

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._stop.wait(_LOOK_EVERY_S):
            url = self.url
            if url is None:
                continue
            self._look()
            if self._waiting and not self._tell(url, self._waiting[:_BATCH]):
                self._stop.wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            else:
                pause_s = _FIRST_PAUSE_S
                while self._waiting and not self._stop.is_set() and self._tell(url, self._waiting[:_BATCH]):
                    pass

    def _look(self) -> None:
        """Find out what is to be told: the clock has moved, a dossier was added to the book, a record was broken."""
        now, known, wrong = self._register.now, self.book.numbers(), self._register.broken
        if (now, len(known)) != self._seen:
            waiting = {(turn.number, turn.position) for turn in self._waiting}
            fresh = [turn for turn in self._due(now, known) if (turn.number, turn.position) not in waiting]
            self._waiting = sorted([*self._waiting, *fresh])
            self._seen = now, len(known)
        if wrong != self._broken:
            touched = sorted({number for number, _ in self._broken.items() ^ wrong.items()})
            self._again += 1
            last = [(number, self._length(now, number) - 1) for number in touched if self._is_told(number)]
            self._waiting += [Turn(0, number, position, self._again) for number, position in last if position >= 0]
            self._broken = dict(wrong)

    def _is_told(self, number: int) -> bool:
        return not self._only_known or number in self.book

    def _length(self, now: Snapshot, number: int) -> int:
        return len(calls(now.reading(number), self._dialect))

    def _due(self, now: Snapshot, known: Sequence[int]) -> Iterator[Turn]:
        """The calls that have not been told, with a few late and a few twice."""
        if self._only_known:
            numbers: Iterable[int] = (number for number in known if now.holds(number))
        else:
            first = now.province.oldest_alive(self._settled_tick) if self._settled_tick else 0
            numbers = now.numbers(range(first, now.count))
        for number in numbers:
            told, ahead = self.book.told(number), self._told_ahead.get(number, set())
            for position, call in enumerate(calls(now.reading(number), self._dialect)):
                if position < told or position in ahead:
                    continue
                draw = self._chance.of(number * 64 + position)
                late = _LATE_BY_S if unit(draw[0]) < _LATE else 0
                yield Turn(call.at + late, number, position)
                if unit(draw[1]) < _TWICE:
                    yield Turn(call.at + late + _TWICE_AFTER_S, number, position)

    def _tell(self, url: str, batch: Sequence[Turn]) -> bool:
        """Tell these calls; whether all were heard. Those of one dossier go out one after the other."""
        lanes = [[turn for turn in batch if turn.number % _LANES == lane] for lane in range(_LANES)]
        with ThreadPoolExecutor(_LANES) as pool:
            heard = [turn for lane in pool.map(lambda lane: self._tell_in_order(url, lane), lanes) for turn in lane]
        self._note(heard)
        left = set(batch) - set(heard)
        self._waiting = [*sorted(left), *self._waiting[len(batch) :]]
        if not self._waiting and self._seen:
            self._settled_tick = self._seen[0].tick
        return not left

    def _tell_in_order(self, url: str, turns: Sequence[Turn]) -> list[Turn]:
        heard: list[Turn] = []
        if not turns:
            return heard
        where = urlsplit(url)
        with closing(http.client.HTTPConnection(str(where.hostname), where.port, timeout=_TIMEOUT_S)) as connection:
            for turn in turns:
                try:
                    outcome, message = self._call(connection, where.path, turn)
                except (OSError, http.client.HTTPException, ValueError):
                    outcome, message = Outcome.WAITING, "no answer"
                note = self._notes[(turn.number, turn.position, turn.again)]
                note.outcome, note.message = outcome, message
                if outcome is Outcome.WAITING:
                    return heard
                heard.append(turn)
        return heard

    def _call(self, connection: http.client.HTTPConnection, base: str, turn: Turn) -> tuple[Outcome, str]:
        one = self._register.now.reading(turn.number)
        call = self._as_told(calls(one, self._dialect)[turn.position], turn)
        key = (turn.number, turn.position, turn.again)
        note = self._notes.setdefault(key, Told(kind=call.kind, code=dossier_long(one.code)))
        note.attempts += 1
        headers = {"Content-Type": "application/json; charset=utf-8"}
        connection.request("POST", base + self._address(call.kind), orjson.dumps(call.body), headers)
        answer = connection.getresponse()
        said = orjson.loads(answer.read())
        if answer.status == 200 and said.get("Result") == 1:
            return Outcome.ACKNOWLEDGED, str(said.get("Message"))
        if answer.status in _REFUSALS and said.get("Result") == 0:
            return Outcome.REFUSED, str(said.get("Message"))
        return Outcome.WAITING, f"HTTP {answer.status}"

    def _as_told(self, call: Call, turn: Turn) -> Call:
        if turn.again:
            call = said_again(call, turn.again)
        return broken(call, self._register.broken.get(turn.number), self._dialect)

    def _note(self, heard: Sequence[Turn]) -> None:
        """Write down how far each dossier has been told without a gap."""
        for turn in heard:
            if not turn.again and turn.position >= self.book.told(turn.number):
                self._told_ahead.setdefault(turn.number, set()).add(turn.position)
        rows = []
        for number in {turn.number for turn in heard}:
            ahead, told = self._told_ahead.get(number, set()), self.book.told(number)
            while told in ahead:
                ahead.discard(told)
                told += 1
            if not ahead:
                self._told_ahead.pop(number, None)
            rows.append((number, told))
        self.book.write(rows)
