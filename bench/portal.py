"""A portal for measuring: signs in, takes batches after a fixed latency, and counts how many calls it has at once.

A process of its own on one event loop, so that it costs little beside what is measured. ``GET /counts`` tells and
resets its counters.
"""

import asyncio
import functools
import json
import multiprocessing
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_SESSION = json.dumps({"error_code": "0", "message": "Thành công", "session": "bench"}).encode()
_TAKEN = json.dumps({"error_code": "0", "message": "Thành công"}).encode()


class _Counts:
    now = most = calls = 0


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, latency_s: float, counts: _Counts
) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            path = head.split(b" ", 2)[1]
            length = next(
                (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
            )
            await reader.readexactly(length)
            if path == b"/counts":
                body = json.dumps({"calls": counts.calls, "most_at_once": counts.most}).encode()
                counts.calls = counts.most = 0
            else:
                counts.now += 1
                counts.calls += 1
                counts.most = max(counts.most, counts.now)
                await asyncio.sleep(latency_s)
                counts.now -= 1
                body = _SESSION if path.endswith(b"/login") else _TAKEN
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
            )
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def _serve(latency_s: float, ready: Any) -> None:
    async def run() -> None:
        counts = _Counts()
        take = functools.partial(_answer, latency_s=latency_s, counts=counts)
        server = await asyncio.start_server(take, "127.0.0.1", 0, limit=1 << 24)
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


@contextmanager
def portal(latency_s: float) -> Iterator[int]:
    """The port of a running portal."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(latency_s, theirs), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def counts(port: int) -> dict[str, int]:
    """Calls taken, and the most at once, since it was asked last."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/counts", timeout=30) as answer:
        told: dict[str, int] = json.loads(answer.read())
    return told
