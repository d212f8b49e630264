"""The endpoint for systems that call us, on a real socket over a real ledger, and a caller with its retries."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
import uvicorn
from sqlalchemy import Engine

from connectors.catalog import Catalog, load_catalog
from connectors.connections import ConnectionSettings
from ledger.sealing import Sealer
from sync.inbound import Reception
from sync.inbound_app import PREFIX, create_server_app

SECRET = "bi-mat-mau-0123456789"
CODE_GET = "ma-goi-vao-mau-98765"
BODY: Mapping[str, Any] = {
    "SoBienNhan": "000.00.11.H12-250812-0001",
    "MaTrangThai": "4",
    "NoiDungXuLy": "Nguyễn Văn Mẫu bổ sung",
    "NgayChuyen": "2025-08-12T02:00:00Z",
}


def body(number: int) -> dict[str, Any]:
    """A call about the dossier of that number."""
    return {**BODY, "SoBienNhan": f"000.00.11.H12-250812-{number:04d}"}


def settings(connection: str) -> ConnectionSettings:
    """The connections of the two systems."""
    extra = {"inbound_secret": CODE_GET} if connection == "ilis" else {}
    return ConnectionSettings(conn_id=connection, host=f"{connection}.invalid", password=SECRET, extra=extra)


@dataclass(frozen=True)
class Endpoint:
    """Where it answers."""

    url: str

    def call(self, kind: str = "ChuyenHoSo", content: Any = None, *, secret: str = SECRET, **more: Any) -> Any:
        """A call of VBDLIS."""
        asked = {"json": BODY if content is None else content, "timeout": 30, **more}
        return requests.post(f"{self.url}{PREFIX}/vbdlis/{kind}/{secret}", **asked)

    def request(self, method: str, path: str, **more: Any) -> requests.Response:
        """Any request below the prefix."""
        return requests.request(method, f"{self.url}{PREFIX}{path}", **{"timeout": 30, **more})


def reception(engine: Engine, sealer: Sealer, catalog: Catalog | None = None, **parts: Any) -> Reception:
    """A reception over the ledger of the test."""
    given = {"open_ledger": lambda: (engine, sealer), "resolve": settings, **parts}
    return Reception(catalog or load_catalog(), **given)


@contextmanager
def serving(desk: Reception) -> Iterator[Endpoint]:
    """Serve while the block lasts."""
    # With an access log, so that it can be seen what reaches it.
    config = uvicorn.Config(create_server_app(lambda: desk), port=0, log_config=None, log_level="info", access_log=True)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield Endpoint(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}")
    finally:
        server.should_exit = True
        thread.join(20)
