"""Free ports, the same ones as last time where possible, so that bookmarks keep working."""

from __future__ import annotations

import json
import socket

from cli.up.home import Home, read_ports

_PREFERRED = {"airflow": 8080}


def choose_ports(home: Home) -> dict[str, int]:
    """A free port for each server that we start ourselves: last time's, else the usual one, else any."""
    last = read_ports(home)
    chosen = {name: _first_free(last.get(name), usual) for name, usual in _PREFERRED.items()}
    home.ports_file.write_text(json.dumps(chosen))
    return chosen


def _first_free(*candidates: int | None) -> int:
    for port in candidates:
        if port is not None and is_free(port):
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do: TIME_WAIT does not count
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
