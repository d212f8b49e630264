"""Somebody whom the land systems call: notes every call, and answers as the test wants."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ACCEPTED: tuple[int, dict[str, Any]] = (200, {"Result": 1, "Message": "Thành công"})
REFUSED: tuple[int, dict[str, Any]] = (200, {"Result": 0, "Message": "Thiếu thông tin bắt buộc: SoBienNhan"})
Answer = tuple[int, dict[str, Any]] | None
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Heard:
    """One call."""

    kind: str
    rest: str
    body: dict[str, Any]


@dataclass
class Subscriber:
    """What was heard. ``answer`` decides about each call; ``None`` closes the connection without an answer."""

    url: str = ""
    heard: list[Heard] = field(default_factory=list)
    answer: Callable[[Heard], Answer] = lambda _: ACCEPTED

    def about(self, code: str) -> list[Heard]:
        """The calls about one dossier, by its long code, in the order in which they came."""
        return [one for one in self.heard if one.body.get("SoBienNhan") == code]


@contextmanager
def listening() -> Iterator[Subscriber]:
    """Listen for the length of the block."""
    subscriber = Subscriber()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 14

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            kind, _, rest = self.path.removeprefix("/base/").replace("?", "/").partition("/")
            one = Heard(kind, rest, body)
            answer = subscriber.answer(one)
            if answer is None:
                self.close_connection = True
                return
            subscriber.heard.append(one)
            content = json.dumps(answer[1]).encode()
            self.send_response(answer[0])
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    subscriber.url = f"http://127.0.0.1:{server.server_address[1]}/base"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield subscriber
    finally:
        server.shutdown()
        server.server_close()


def until_told(system: Any) -> list[dict[str, Any]]:
    """Wait until the system has nothing left to tell; gives back its notes."""
    end = time.monotonic() + PATIENCE_S
    while (notes := system.control("GET", "calls").json())["waiting"] != 0:
        assert time.monotonic() < end, f"still {notes['waiting']} calls to tell"
        time.sleep(0.05)
    return list(notes["calls"])
