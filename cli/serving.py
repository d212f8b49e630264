"""A socket to listen at, for the commands that serve."""

from __future__ import annotations

import socket

from cli.errors import ExitCode, UserError


def listening(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 picks a free one. Raises ``UserError`` when nobody can listen there."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=socket.AddressFamily(family), backlog=1024)
    except OSError as error:
        raise UserError(
            f"Nobody can listen at {host}, port {port}: {error.strerror or error}.",
            where="--host, --port",
            next_step="Choose another port, or an address of this machine.",
            code=ExitCode.USAGE,
        ) from None
