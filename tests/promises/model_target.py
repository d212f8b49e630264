"""The target's side of the model: a server of the sandbox that misbehaves on demand, and a witness of what it applied.

The witness reads the target's own ledger of really applied writes and nothing else. Which revision a write is about it
knows from the bytes that came over the wire.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from model_source import Source, code, number_of, revision_in
from serving import LOGIN, PASSWORD
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.http import ServerOptions, json_response
from sandbox.targets.emc.server import build as build_emc
from sandbox.targets.feed.server import build as build_feed
from sandbox.targets.npsp.server import build as build_npsp
from sandbox.targets.province.server import build as build_province
from sandbox.targets.store import encode, fingerprint
from schemas.identifiers import dossier_long
from schemas.times import VN

SECRET = "whsec_bW90IGtob2EgY2hpIGR1bmcgY2hvIGNhYyBiYWkgdGh1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What the model must know of one target.

    ``name``: the field that shows the procedure's name. ``steps``, ``records``: the operations in its ledger of writes.
    """

    target: str
    build: Callable[[Path, ServerOptions], ASGIApp]
    code: str
    name: str
    records: str | None
    steps: str | None
    refusal: Callable[[], Response]
    has_key: bool = True
    has_sessions: bool = False
    takes_batches: bool = False

    def told(self, scope: Scope, body: bytes) -> list[dict[str, Any]]:
        """The records that a call writes; none when it writes nothing."""
        if scope["method"] != "POST" or not body.startswith((b"{", b"[")):
            return []
        told = orjson.loads(body)
        inner = told.get("data") if isinstance(told, dict) else told
        return [each for each in (inner if isinstance(inner, list) else [told]) if self.code in each]

    def holding(self, body: bytes, records: Sequence[Mapping[str, Any]]) -> bytes:
        """The same call with these records only."""
        told = orjson.loads(body)
        return orjson.dumps({**told, "data": records} if isinstance(told, dict) else records)


NPSP = Dialect(
    target="npsp",
    build=build_npsp,
    code="MaHoSo",
    name="TenTTHC",
    records="DongBoHoSoMC",
    steps="CapNhatTienDoHoSoMC",
    refusal=lambda: json_response({"error_code": "-1", "message": "Dữ liệu không hợp lệ: MaTTHC"}),
    has_sessions=True,
    takes_batches=True,
)
PROVINCE = Dialect(
    target="province",
    build=build_province,
    code="DocCode",
    name="DocTypeName",
    records="SyncDocument",
    steps="UpdateDocumentTraces",
    refusal=lambda: json_response({"Status": 0, "Message": "DocTypeCode không hợp lệ"}),
    has_sessions=True,
)
EMC = Dialect(
    target="emc",
    build=build_emc,
    code="codeProfile",
    name="nameTTHC",
    records=None,
    steps="TrackingMCDT",
    refusal=lambda: json_response({"error": "codeTTHC"}, 422),
    has_key=False,
)
FEED = Dialect(
    target="feed",
    build=build_feed,
    code="code",
    name="procedure_name",
    records="status",
    steps=None,
    refusal=lambda: json_response({"error": "state"}, 422),
    takes_batches=True,
)


@dataclass(slots=True)
class Mischief:
    """What no server can do by itself: an ASGI layer before a sandbox target, armed by the model.

    ``twice``: so many calls arrive twice, as through a gateway that repeats them. ``half``: of so many calls only half
    of the records are taken, and the answer is 500. ``refused``: dossiers that the target will not have.
    ``victim``: the worker to be killed when its ``dies_in`` calls have arrived, after or before the work.
    """

    dialect: Dialect
    app: ASGIApp | None = None
    twice: int = 0
    half: int = 0
    refused: set[int] = field(default_factory=set)
    victim: int | None = None
    dies_in: int = 0
    dies_after: bool = False
    seen: dict[str, int] = field(default_factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        if scope["type"] != "http" or scope["path"].startswith("/_sandbox/"):
            await self.app(scope, receive, send)
            return
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        records = self.dialect.told(scope, body)
        for record in records:
            if self.dialect.name in record:
                self.seen[fingerprint(encode(record)).hex()] = revision_in(record[self.dialect.name])
        await self._answer(scope, body, records, receive, send)

    async def _answer(
        self, scope: Scope, body: bytes, records: Sequence[Mapping[str, Any]], receive: Receive, send: Send
    ) -> None:
        assert self.app is not None
        if self.refused & {number_of(record[self.dialect.code]) for record in records}:
            await self.dialect.refusal()(scope, receive, send)
            return
        dies = self._dies() if records else False
        if dies and not self.dies_after:
            await self._kill(receive)
            return
        if records and self.half and len(records) > 1:
            self.half -= 1
            taken = self.dialect.holding(body, records[: len(records) // 2])
            await self.app(_sized(scope, taken), _given(taken, receive), _Nowhere().send)
            await json_response({"error": "half"}, 500)(scope, receive, send)
            return
        if records and self.twice:
            self.twice -= 1
            await self.app(scope, _given(body, receive), _Nowhere().send)
        await self.app(scope, _given(body, receive), _Nowhere().send if dies else send)
        if dies:
            await self._kill(receive)

    def _dies(self) -> bool:
        if self.dies_in:
            self.dies_in -= 1
            return self.dies_in == 0
        return False

    async def _kill(self, receive: Receive) -> None:
        while self.victim is None:
            await asyncio.sleep(0.001)  # the one who started it does not know its number yet
        os.kill(self.victim, signal.SIGKILL)
        while (await receive())["type"] != "http.disconnect":
            pass

    def relents(self) -> None:
        """Nothing goes wrong any more."""
        self.twice = self.half = self.dies_in = 0
        self.refused.clear()


def _sized(scope: Scope, body: bytes) -> Scope:
    headers = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
    return {**scope, "headers": [*headers, (b"content-length", str(len(body)).encode())]}


def _given(body: bytes, receive: Receive) -> Receive:
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


class _Nowhere:
    """Takes an answer that nobody waits for; as a connection it can be closed, which faults do."""

    def __init__(self) -> None:
        self.transport = self

    def close(self) -> None: ...

    async def send(self, _message: Message) -> None: ...


def fresh(dialect: Dialect, home: Path, extra: Mapping[str, Any]) -> ASGIApp:
    """A fresh target that holds nothing."""
    password = SECRET if dialect is FEED else PASSWORD
    options = ServerOptions(
        name="target", seed=1, size=0, as_of=datetime(2026, 7, 1, tzinfo=VN), login=LOGIN, password=password,
        extra=extra, peers={},
    )  # fmt: skip
    return dialect.build(home, options)


@dataclass(slots=True)
class Witness:
    """Judges the target's ledger of applied writes, as it grows, against what really happened.

    ``last``: the revision of each dossier that was applied last; ``lost``: dossiers that damage took away or changed,
    until they are told again; ``floor``: nothing older may come then. ``steps``: moments and states in their order; of
    a target that tells no moments only their number, ``events``, and how many of those due are ``passed`` by.
    """

    dialect: Dialect
    file: Path
    seen: Mapping[str, int]
    source: Source
    last: dict[int, int] = field(default_factory=dict)
    floor: dict[int, int] = field(default_factory=dict)
    steps: dict[int, list[tuple[str, int]]] = field(default_factory=dict)
    events: dict[int, int] = field(default_factory=dict)
    passed: dict[int, int] = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)
    damaged: set[int] = field(default_factory=set)
    position: int = 0
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def looks(self) -> int:
        """Judge what was written since the last look; gives how many writes that were."""
        with self._guard:
            rows = list(self._rows("SELECT * FROM writes WHERE seq > ? ORDER BY seq", self.position))
            for row in rows:
                self.position = row["seq"]
                if row["operation"] == self.dialect.records:
                    self._record(row)
                elif row["operation"] == self.dialect.steps:
                    (self._step if self.dialect.has_key else self._event)(row)
            return len(rows)

    def damage(self, number: int, *, gone: bool) -> None:
        """The target lost a dossier, or changed it by itself."""
        self.lost.add(number)
        self.damaged.add(number)
        self.floor[number] = max(self.last.pop(number, 0), self.floor.get(number, 0))
        if gone:
            self.steps.pop(number, None)

    def told(self, number: int) -> int:
        """How many steps of a dossier it was told."""
        return self.events.get(number, 0) if not self.dialect.has_key else len(self.steps.get(number, ()))

    # -- judging -----------------------------------------------------------------------------------------------

    def _record(self, row: Mapping[str, Any]) -> None:
        if row["effect"] == "noop":
            return
        number, revision = number_of(row["code"]), self.seen[row["body_hash"].hex()]
        last = self.last.get(number, -1)
        assert revision >= last, f"P2: {row['code']} went back from revision {last} to {revision}"
        assert revision != last, f"P3: {row['code']}, revision {revision}, was applied twice"
        assert revision >= self.floor.get(number, 0), f"P2: {row['code']} was healed with an old revision {revision}"
        self.last[number] = revision
        self.lost.discard(number)

    def _step(self, row: Mapping[str, Any]) -> None:
        if row["effect"] == "noop":
            return
        number = number_of(row["code"])
        at, state, *_ = row["key"].split("|")
        step = ("".join(filter(str.isdigit, at)), int(state))
        assert step in self._due(number), f"{row['code']} was told a step that never happened: {step}"
        assert number in self.last or number in self.lost, f"P2: a step of {row['code']} came before its record"
        mine = self.steps.setdefault(number, [])
        if row["effect"] == "updated":
            assert step == mine[-1], f"P2: an older step of {row['code']} moved it back to {step}"
            return
        assert not mine or step > mine[-1], f"P2: {row['code']} was told step {step} after {mine[-1]}"
        mine.append(step)

    def _event(self, row: Mapping[str, Any]) -> None:
        number = number_of(row["code"])
        due = [status_of(state) for _, state in self.source.steps.get(number, ())]
        place = next((at for at in range(self.passed.get(number, 0), len(due)) if due[at] == row["state"]), None)
        assert place is not None, f"P3: {row['code']} was counted once too often with status {row['state']} of {due}"
        self.passed[number] = place + 1
        self.events[number] = self.events.get(number, 0) + 1

    def _due(self, number: int) -> list[tuple[str, int]]:
        return [(f"{at.astimezone(VN):%Y%m%d%H%M%S}", state) for at, state in self.source.steps.get(number, ())]

    def _rows(self, statement: str, *parameters: Any) -> Iterator[dict[str, Any]]:
        with closing(sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)) as reader:
            cursor = reader.execute(statement, parameters)
            names = [column[0] for column in cursor.description]
            yield from (dict(zip(names, row, strict=True)) for row in cursor)


def status_of(state: int) -> int:
    """EMC's number for a national state."""
    return {1: 1, 2: 1, 4: 2, 9: 3, 10: 3}.get(state, 0)


def target_code(dialect: Dialect, number: int) -> str:
    """How the target writes a dossier's code."""
    return dossier_long(code(number)) if dialect in (NPSP, EMC) else code(number)
