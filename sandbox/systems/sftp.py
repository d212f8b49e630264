"""An SFTP server for one login and one folder, in the event loop of the server that it belongs to.

Its host key is made once and stays in the sandbox. Faults are looked up for each operation as the HTTP side does it for
requests.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from hmac import compare_digest
from pathlib import Path

import asyncssh

from sandbox.faults import Faults, Mode
from sandbox.http import listen

_LOGIN = "login"


def host_key(path: Path) -> asyncssh.SSHKey:
    """The key kept at ``path``, made if there is none yet."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(asyncssh.generate_private_key("ssh-ed25519").export_private_key())
    return asyncssh.read_private_key(path)


def public(key: asyncssh.SSHKey) -> str:
    """The public half, as it stands in a list of known hosts, without the host."""
    return key.export_public_key().decode("ascii").strip()


@asynccontextmanager
async def serving(
    root: Path, login: str, password: str, key: asyncssh.SSHKey, faults: Faults, preferred_port: int
) -> AsyncIterator[int]:
    """Serve what is below ``root`` while the block runs; gives the port."""
    try:
        listener = listen(preferred_port)
    except OSError:
        listener = listen()
    guests: set[asyncssh.SSHServerConnection] = set()
    server = await asyncssh.listen(
        sock=listener,
        server_factory=partial(_Door, login, password, faults, guests),
        server_host_keys=[key],
        sftp_factory=partial(_Folder, root, faults),
        allow_scp=False,
    )
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.close()
        for guest in list(guests):
            guest.abort()
            await guest.wait_closed()
        await server.wait_closed()


class _Door(asyncssh.SSHServer):
    """Lets the one login in."""

    def __init__(self, login: str, password: str, faults: Faults, guests: set[asyncssh.SSHServerConnection]) -> None:
        self._expected = f"{login}\n{password}".encode()
        self._faults = faults
        self._guests = guests
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._guests.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._connection is not None:
            self._guests.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        del username
        return True

    def password_auth_supported(self) -> bool:
        return True

    async def validate_password(self, username: str, password: str) -> bool:
        fault = self._faults.take(_LOGIN, is_login=True)
        if fault is not None and fault.mode is Mode.SLOW:
            await asyncio.sleep(fault.seconds)
        elif fault is not None:
            if self._connection is not None:
                self._connection.abort()
            return False
        return compare_digest(f"{username}\n{password}".encode(), self._expected)


class _Folder(asyncssh.SFTPServer):
    """The files below ``root``, with faults."""

    def __init__(self, root: Path, faults: Faults, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        super().__init__(chan, chroot=str(root).encode())
        self._faults = faults
        self._is_cut = False

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        await self._disturbed("list")
        async for name in super().scandir(path):
            yield name

    async def read(self, file_obj: object, offset: int, size: int) -> bytes:
        cut = await self._disturbed("read")
        content = super().read(file_obj, offset, size)
        found = content if isinstance(content, bytes) else await content
        return found[: len(found) // 2] if cut else found

    async def rename(self, oldpath: bytes, newpath: bytes) -> None:
        await self._disturbed("rename")
        done = super().rename(oldpath, newpath)
        if done is not None:
            await done

    async def _disturbed(self, operation: str) -> bool:
        """Act out the fault that hits ``operation``; true when half of the answer is to be given."""
        fault = self._faults.take(operation, is_login=False)
        if self._is_cut or (fault is not None and fault.mode is Mode.DROP_BEFORE):
            self.channel.get_connection().abort()
            raise asyncssh.SFTPConnectionLost("")
        if fault is None:
            return False
        if fault.mode is Mode.CUT:
            self._is_cut = True
        elif fault.mode is Mode.SLOW:
            await asyncio.sleep(fault.seconds)
        else:
            raise asyncssh.SFTPFailure(fault.mode.value)
        return self._is_cut
