"""Faults on demand: an ASGI layer that makes a healthy server misbehave in a chosen way, a chosen number of times.

A fault is armed by ``POST /_sandbox/faults`` and spent by the requests it hits. The modes:

==================  =====================================================================================
``apply-then-hang``   the server does the work, then never answers (until ``seconds`` are over or the client leaves)
``apply-then-500``    the server does the work, then answers 500
``apply-then-drop``   the server does the work, then closes the connection without an answer
``drop-before``       (or ``drop``) closes the connection; no work is done
``500`` ``503`` ``429``  answers so; no work is done. 503 and 429 carry ``Retry-After`` when ``seconds`` is given
``slow``              waits ``seconds``, then works and answers as usual
``html-200``          answers 200 with the HTML of a log-in page; no work is done
``cut``               does the work, announces the whole answer, sends half of it and closes
``expire-sessions``   at once, not per request: every session or token handed out so far stops being valid
==================  =====================================================================================
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_FOREVER_S = 3600.0
_LOGIN_PAGE = (
    "<!DOCTYPE html><html lang='vi'><head><meta charset='utf-8'><title>Đăng nhập</title></head>"
    "<body><form method='post'>Phiên làm việc đã hết hạn, vui lòng đăng nhập lại.</form></body></html>"
).encode()


class Mode(StrEnum):
    """What goes wrong."""

    APPLY_THEN_HANG = "apply-then-hang"
    APPLY_THEN_500 = "apply-then-500"
    APPLY_THEN_DROP = "apply-then-drop"
    DROP_BEFORE = "drop-before"
    ERROR_500 = "500"
    ERROR_503 = "503"
    ERROR_429 = "429"
    SLOW = "slow"
    HTML_200 = "html-200"
    CUT = "cut"
    EXPIRE_SESSIONS = "expire-sessions"

    @classmethod
    def _missing_(cls, value: object) -> "Mode | None":
        return cls.DROP_BEFORE if value == "drop" else None


@dataclass(slots=True, kw_only=True)
class Fault:
    """One armed fault. ``operation`` None hits every operation but logging in; ``*`` hits those too."""

    mode: Mode
    times: int = 1
    seconds: float = 0.0
    operation: str | None = None

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> "Fault":
        """Read the body of ``POST /_sandbox/faults``; ValueError says what is wrong with it."""
        unknown = body.keys() - {"mode", "times", "seconds", "operation"}
        if unknown:
            raise ValueError(f"unknown key {sorted(unknown)[0]!r}; known are mode, times, seconds, operation")
        try:
            mode = Mode(str(body["mode"]))
        except (KeyError, ValueError):
            raise ValueError(f"mode must be one of {', '.join(Mode)}") from None
        operation = body.get("operation")
        return cls(
            mode=mode,
            times=int(body.get("times", 1)),
            seconds=float(body.get("seconds") or 0),
            operation=None if operation is None else str(operation),
        )

    def hits(self, operation: str, *, is_login: bool) -> bool:
        """Whether a request for ``operation`` runs into this fault."""
        if self.times <= 0:
            return False
        if self.operation is None:
            return not is_login
        return self.operation in ("*", operation)


@dataclass(slots=True)
class Faults:
    """The faults armed in one server; the oldest that hits a request is spent on it."""

    armed: list[Fault] = field(default_factory=list)

    def take(self, operation: str, *, is_login: bool) -> Fault | None:
        """The fault this request runs into, one time fewer left on it; None for an undisturbed request."""
        for fault in self.armed:
            if fault.hits(operation, is_login=is_login):
                fault.times -= 1
                self.armed = [one for one in self.armed if one.times > 0]
                return fault
        return None


class FaultLayer:
    """Wraps the real application; costs nothing while no fault is armed.

    ``operation_of(path, body)`` names the operation of a request; ``login_operations`` are the names that a fault
    without an operation spares.
    """

    def __init__(
        self,
        app: ASGIApp,
        faults: Faults,
        *,
        operation_of: Callable[[str, bytes], str],
        login_operations: frozenset[str],
    ) -> None:
        self._app = app
        self._faults = faults
        self._operation_of = operation_of
        self._login_operations = login_operations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._faults.armed:
            await self._app(scope, receive, send)
            return
        body = await _read_all(receive)
        operation = self._operation_of(scope["path"], body)
        fault = self._faults.take(operation, is_login=operation in self._login_operations)
        again = _replay(body, receive)
        if fault is None:
            await self._app(scope, again, send)
        elif fault.mode is Mode.SLOW:
            await asyncio.sleep(fault.seconds)
            await self._app(scope, again, send)
        elif fault.mode in _WITHOUT_WORK:
            await _WITHOUT_WORK[fault.mode](fault, receive, send)
        else:
            answer: list[Message] = []
            await self._app(scope, again, _collector(answer))
            await _AFTER_WORK[fault.mode](fault, answer, receive, send)


async def _read_all(receive: Receive) -> bytes:
    chunks = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            break
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    return b"".join(chunks)


def _replay(body: bytes, receive: Receive) -> Receive:
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _collector(answer: list[Message]) -> Send:
    async def keep(message: Message) -> None:
        answer.append(message)

    return keep


async def _answer(send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    named = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": named})
    await send({"type": "http.response.body", "body": body})


async def _close(receive: Receive, send: Send) -> None:
    # ASGI has no word for "close now": uvicorn's send is a method of the object that holds the connection.
    getattr(send, "__self__").transport.close()  # noqa: B009
    await _gone(receive)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _drop(_fault: Fault, receive: Receive, send: Send) -> None:
    await _close(receive, send)


async def _status(fault: Fault, _receive: Receive, send: Send) -> None:
    retry_after = [(b"retry-after", f"{fault.seconds:.0f}".encode())] if fault.seconds else []
    await _answer(send, int(fault.mode), f"<html><body>{fault.mode.value}</body></html>".encode(), *retry_after)


async def _html(_fault: Fault, _receive: Receive, send: Send) -> None:
    await _answer(send, 200, _LOGIN_PAGE)


async def _hang(fault: Fault, _answer_kept: list[Message], receive: Receive, send: Send) -> None:
    try:
        await asyncio.wait_for(_gone(receive), fault.seconds or _FOREVER_S)
    except TimeoutError:
        await _close(receive, send)


async def _fail_after(_fault: Fault, _answer_kept: list[Message], _receive: Receive, send: Send) -> None:
    await _answer(send, 500, b"<html><body>500</body></html>")


async def _drop_after(_fault: Fault, _answer_kept: list[Message], receive: Receive, send: Send) -> None:
    await _close(receive, send)


async def _cut(_fault: Fault, answer: list[Message], receive: Receive, send: Send) -> None:
    start = next(message for message in answer if message["type"] == "http.response.start")
    body = b"".join(message.get("body", b"") for message in answer if message["type"] == "http.response.body")
    headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
    await send({**start, "headers": [*headers, (b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
    await _close(receive, send)


_WITHOUT_WORK: Mapping[Mode, Callable[[Fault, Receive, Send], Awaitable[None]]] = {
    Mode.DROP_BEFORE: _drop,
    Mode.ERROR_500: _status,
    Mode.ERROR_503: _status,
    Mode.ERROR_429: _status,
    Mode.HTML_200: _html,
}
_AFTER_WORK: Mapping[Mode, Callable[[Fault, list[Message], Receive, Send], Awaitable[None]]] = {
    Mode.APPLY_THEN_HANG: _hang,
    Mode.APPLY_THEN_500: _fail_after,
    Mode.APPLY_THEN_DROP: _drop_after,
    Mode.CUT: _cut,
}
