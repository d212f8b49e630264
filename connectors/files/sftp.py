"""A folder on an SFTP server.

The server must show the key that the connection names: a key is never accepted because it is the first one seen. Files
are fetched as a whole into a temporary file before they are read, so that a connection that breaks costs no half file.
"""

import errno
import posixpath
import socket
import stat
import tempfile
import time
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import paramiko
from paramiko.pkey import UnknownKeyType

from connectors.catalog_models import SourceEntry
from connectors.connections import ConnectionSettings
from connectors.errors import BrokenAnswer, CertificateProblem, ConnectionMissing, NeedsPerson, NotSent, SignInFailed
from connectors.files.places import Found, Gone, is_plain

_PORT = 22
_REQUESTS_AHEAD = 64
_CHUNK = 1 << 15


class SftpPlace:
    """See ``Place``. Connects when it is first needed."""

    def __init__(self, entry: SourceEntry, settings: ConnectionSettings) -> None:
        """Raises ``ConnectionMissing`` when the connection does not name the server's key."""
        self._system = entry.system
        self._settings = settings
        self._timeouts = entry.timeouts
        self._root = settings.text("path", ".")
        self._keys = _host_keys(settings)
        self._client: paramiko.SSHClient | None = None
        self._opened: paramiko.SFTPClient | None = None

    def files(self, folder: str) -> list[Found]:
        """See ``Place``."""
        return [
            Found(facts.filename, facts.st_size or 0, facts.st_mtime or 0.0)
            for facts in self._listed(folder)
            if is_plain(facts.filename) and stat.S_ISREG(facts.st_mode or 0)
        ]

    def folders(self, folder: str) -> list[str]:
        """See ``Place``."""
        return [
            facts.filename
            for facts in self._listed(folder)
            if is_plain(facts.filename) and stat.S_ISDIR(facts.st_mode or 0)
        ]

    def find(self, folder: str, name: str) -> Found | None:
        """See ``Place``."""
        with self._explained(folder) as sftp, suppress(FileNotFoundError):
            facts = sftp.lstat(self._path(folder, name))
            if stat.S_ISREG(facts.st_mode or 0):
                return Found(name, facts.st_size or 0, facts.st_mtime or 0.0)
        return None

    def open(self, folder: str, name: str, limit: int) -> BinaryIO:
        """See ``Place``."""
        if self.find(folder, name) is None:
            raise Gone(name)
        until = time.monotonic() + self._timeouts.total_s
        copy = tempfile.TemporaryFile(prefix="hosync-")  # noqa: SIM115 - the caller closes it
        try:
            with self._explained(folder) as sftp:
                try:
                    remote = sftp.open(self._path(folder, name), "rb")
                except FileNotFoundError:
                    raise Gone(name) from None
                with remote:
                    size = remote.stat().st_size or 0
                    remote.prefetch(min(size, limit), _REQUESTS_AHEAD)
                    self._copy(remote, copy, min(size, limit), until)
        except BaseException:
            copy.close()
            raise
        copy.seek(0)
        return copy

    def move(self, folder: str, name: str, to_folder: str, to_name: str) -> None:
        """See ``Place``."""
        with self._explained(to_folder) as sftp:
            try:
                # Not posix_rename: this one refuses a name that is taken.
                sftp.rename(self._path(folder, name), self._path(to_folder, to_name))
            except OSError as error:
                if error.errno == errno.ENOENT or not self._is_there(sftp, self._path(folder, name)):
                    raise Gone(name) from None
                raise

    def make(self, folder: str) -> None:
        """See ``Place``."""
        with self._explained(folder) as sftp:
            path = self._root
            for part in folder.split("/"):
                path = posixpath.join(path, part)
                try:
                    is_folder = stat.S_ISDIR(sftp.lstat(path).st_mode or 0)
                except FileNotFoundError:
                    with suppress(OSError):  # somebody else may have been quicker; what is there now is looked at
                        sftp.mkdir(path, 0o770)
                    is_folder = stat.S_ISDIR(sftp.lstat(path).st_mode or 0)
                if not is_folder:
                    raise NotADirectoryError(errno.ENOTDIR, "a link or a file has the folder's name")

    def remove(self, folder: str, name: str) -> None:
        """See ``Place``."""
        with self._explained(folder) as sftp, suppress(FileNotFoundError):
            sftp.remove(self._path(folder, name))

    def remove_folder(self, folder: str) -> None:
        """See ``Place``."""
        with self._explained(folder) as sftp, suppress(OSError):
            sftp.rmdir(self._path(folder, ""))

    def write(self, folder: str, name: str) -> None:
        """See ``Place``."""
        with self._explained(folder) as sftp, sftp.open(self._path(folder, name), "w"):
            pass

    def close(self) -> None:
        """See ``Place``."""
        if self._client is not None:
            self._client.close()
        self._client = self._opened = None

    def _path(self, folder: str, name: str) -> str:
        return posixpath.join(self._root, folder, name).rstrip("/")

    def _listed(self, folder: str) -> list[paramiko.SFTPAttributes]:
        with self._explained(folder) as sftp:
            try:
                return sftp.listdir_attr(self._path(folder, "") or "/")
            except FileNotFoundError:
                if not folder:
                    raise
                return []
        raise AssertionError("not reached")

    def _copy(self, remote: paramiko.SFTPFile, copy: BinaryIO, size: int, until: float) -> None:
        left = size
        while left and (chunk := remote.read(min(_CHUNK, left))):
            copy.write(chunk)
            left -= len(chunk)
            if time.monotonic() > until:
                raise NotSent(
                    self._system,
                    f"a file was not fetched within {self._timeouts.total_s:g} s",
                    "If the system is only slow, raise timeouts.total_s in its catalog entry",
                )
        if left:
            raise BrokenAnswer(self._system, f"a file of {size} bytes ended {left} bytes early while it was fetched")

    @staticmethod
    def _is_there(sftp: paramiko.SFTPClient, path: str) -> bool:
        try:
            sftp.lstat(path)
        except OSError:
            return False
        return True

    @contextmanager
    def _explained(self, folder: str) -> Iterator[paramiko.SFTPClient]:
        """The open client; what goes wrong inside comes out as a ``ConnectorError``."""
        where = f"SFTP server {self._settings.host}, folder {self._path(folder, '') or '/'}"
        try:
            yield self._sftp()
        except FileNotFoundError:
            fix = "Correct 'path' in the connection's extra, or ask the owner for the folder"
            raise NeedsPerson(self._system, f"{where}: it is not there", fix) from None
        except PermissionError:
            fix = "Ask the owner to let our login read, rename and write there"
            raise NeedsPerson(self._system, f"{where}: not allowed", fix) from None
        except (paramiko.SSHException, EOFError, TimeoutError, ConnectionError, socket.gaierror) as error:
            self.close()
            raise NotSent(self._system, f"{where}: the connection broke ({type(error).__name__})") from None
        except (OSError, UnicodeError) as error:
            # The server's own words may hold anything; its kind must do.
            raise NotSent(self._system, f"{where}: the server refuses ({type(error).__name__})") from None

    def _sftp(self) -> paramiko.SFTPClient:
        if self._opened is None:
            self._opened = self._connected()
        return self._opened

    def _connected(self) -> paramiko.SFTPClient:
        settings, limits = self._settings, self._timeouts
        port = settings.port or _PORT
        client = self._client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        name = settings.host if port == _PORT else f"[{settings.host}]:{port}"
        for key in self._keys:
            client.get_host_keys().add(name, key.get_name(), key)
        try:
            client.connect(
                settings.host,
                port,
                username=settings.login,
                password=settings.password or None,
                pkey=self._our_key(),
                timeout=limits.connect_s,
                banner_timeout=limits.read_s,
                auth_timeout=limits.read_s,
                channel_timeout=limits.read_s,
                # Only what the connection names: no agent, no keys that happen to lie in a home.
                allow_agent=False,
                look_for_keys=False,
            )
            opened = client.open_sftp()
        except paramiko.BadHostKeyException:
            raise self._stranger("shows another key than the connection's 'host_key'") from None
        except paramiko.AuthenticationException:
            fix = f"Correct login, password or key_file of connection {settings.conn_id}"
            raise SignInFailed(self._system, f"SFTP server {settings.host} does not let us in", fix) from None
        channel = opened.get_channel()
        if channel is not None:
            channel.settimeout(limits.read_s)
        return opened

    def _our_key(self) -> paramiko.PKey | None:
        path = self._settings.text("key_file")
        passphrase = self._settings.text("private_key_passphrase")
        try:
            # Its stub says text; what it hands the passphrase to wants bytes.
            secret: Any = passphrase.encode() or None
            return paramiko.PKey.from_path(path, secret) if path else None
        except (OSError, paramiko.SSHException, UnknownKeyType, ValueError, TypeError) as error:
            raise ConnectionMissing(
                self._system,
                f"our private key cannot be read ({type(error).__name__})",
                f"Correct key_file (an OpenSSH key, ssh-keygen -t ed25519) and private_key_passphrase of connection "
                f"{self._settings.conn_id}",
            ) from None

    def _stranger(self, what: str) -> CertificateProblem:
        return CertificateProblem(
            self._system,
            f"SFTP server {self._settings.host} {what}: it may be somebody else",
            "Ask the owner whether the key has changed, over another channel, before you change 'host_key'",
        )


def _host_keys(settings: ConnectionSettings) -> list[paramiko.PKey]:
    """The keys the server may show. Raises ``ConnectionMissing`` that says how to get them."""
    port = settings.port or _PORT
    fix = (
        f"Get it with: ssh-keyscan -p {port} {settings.host}; compare its fingerprint (ssh-keygen -lf) with the one "
        "the owner tells you, and put it into the connection's extra"
    )
    text = settings.text("host_key")
    file = settings.text("host_key_file")
    if not text and file:
        try:
            text = Path(file).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConnectionMissing(
                settings.conn_id, f"the host_key_file cannot be read ({type(error).__name__})", fix
            ) from None
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise ConnectionMissing(settings.conn_id, "the connection's extra has no 'host_key' of the SFTP server", fix)
    return [_host_key(settings, line, fix) for line in lines]


def _host_key(settings: ConnectionSettings, line: str, fix: str) -> paramiko.PKey:
    """The key of a line ``[host] type base64 [comment]``."""
    words = line.split()
    for place, word in enumerate(words[:-1]):
        if word.startswith(("ssh-", "ecdsa-")):
            try:
                return paramiko.PKey.from_type_string(word, b64decode(words[place + 1], validate=True))
            except (paramiko.SSHException, UnknownKeyType, NotBase64, ValueError):
                break
    raise ConnectionMissing(settings.conn_id, "a 'host_key' is not 'type base64', as ssh-keyscan prints it", fix)
