"""Moving the clocks of a running sandbox: its sources go to the same moment."""

import http.client
import json
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

from sandbox.home import HomeError, SandboxHome
from sandbox.http import CONTROL_PREFIX, HOST
from sandbox.servers import SOURCES

_TIMEOUT_S = 600.0


def advance(home: SandboxHome, days: int) -> datetime:
    """Move all sources to ``days`` calendar days after the one that is furthest; gives back that moment.

    Raises :class:`HomeError` when no sandbox runs, or a source does not do as told.
    """
    if days < 0:
        raise HomeError(f"clocks only move forward: --days must not be {days}")
    ports = {name: port for name, port in home.announced_ports().items() if name in SOURCES}
    if not ports:
        raise HomeError("no source is running, so there is no clock to move")
    clocks = [datetime.fromisoformat(_ask(name, port)["as_of"]) for name, port in ports.items()]
    as_of = max(clocks) + timedelta(days=days)
    for name, port in ports.items():
        _ask(name, port, {"as_of": as_of.isoformat()})
    return as_of


def _ask(name: str, port: int, body: dict[str, str] | None = None) -> dict[str, Any]:
    connection = http.client.HTTPConnection(HOST, port, timeout=_TIMEOUT_S)
    with closing(connection):
        try:
            connection.request("POST" if body else "GET", f"{CONTROL_PREFIX}/clock", json.dumps(body) if body else None)
            answer = connection.getresponse()
            document: dict[str, Any] = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise HomeError(f"server {name} does not answer about its clock: {type(error).__name__}") from None
    if answer.status != 200:
        raise HomeError(f"server {name} does not move its clock: {document.get('error', answer.status)}")
    return document
