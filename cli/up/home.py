"""The folder of one running hosync: who holds it, where things lie in it, and its secrets."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import re
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.up.errors import HomeInUse, UpError

_SOCKET_PATH_MAX = 100  # the kernel takes 107 bytes; PostgreSQL adds "/.s.PGSQL.5432" to the folder
_PLAIN_PATH = re.compile(r"[A-Za-z0-9._/-]+")


@dataclass(frozen=True, slots=True)
class Home:
    """Paths of a home. Nothing is created by asking."""

    root: Path

    @classmethod
    def at(cls, root: Path) -> Home:
        """The home in this folder, which need not exist yet."""
        return cls(root.expanduser().absolute())

    @property
    def postgres_data(self) -> Path:
        return self.root / "pg" / "data"

    @property
    def airflow(self) -> Path:
        return self.root / "airflow"

    @property
    def sandbox(self) -> Path:
        return self.root / "sandbox"

    @property
    def secrets_file(self) -> Path:
        return self.root / "secrets.env"

    @property
    def connections_file(self) -> Path:
        """What the other commands need to work beside a running `hosync up`."""
        return self.root / "connections.env"

    @property
    def book(self) -> Path:
        return self.root / "processes.json"

    @property
    def ports_file(self) -> Path:
        return self.root / "ports.json"

    def log(self, name: str) -> Path:
        """The log file of a component."""
        return self.root / "logs" / f"{name}.log"

    def socket_folder(self) -> Path:
        """Where PostgreSQL listens: inside the home, or in a short path when the home's is too long or unusual."""
        inside = self.root / "pg" / "socket"
        if len(os.fsencode(inside)) <= _SOCKET_PATH_MAX - len("/.s.PGSQL.5432") and _PLAIN_PATH.fullmatch(str(inside)):
            return inside
        name = hashlib.blake2b(os.fsencode(self.root), digest_size=6).hexdigest()
        return Path(tempfile.gettempdir()) / f"hosync-{os.getuid()}-{name}"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the home alone. Raises ``HomeInUse`` with the holder's process number.

        The lock belongs to the open file: it goes with the process, however that ends.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            file = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UpError(
                f"The home folder can't be used: {error.strerror}.",
                where=str(self.root),
                next_step="Choose another one with --home.",
            ) from error
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                holder = os.pread(file, 64, 0).decode() or "unknown"
                raise HomeInUse(
                    f"Another `hosync up` (process {holder}) works in this home.",
                    where=str(self.root),
                    next_step="Use its address, stop it with `hosync down` or Ctrl-C there, or choose another --home.",
                ) from error
            os.ftruncate(file, 0)
            os.pwrite(file, str(os.getpid()).encode(), 0)
            yield
        finally:
            os.close(file)

    def holder(self) -> int | None:
        """The process that holds the home now, if any."""
        try:
            with (self.root / "lock").open() as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(file.read() or 0) or None
        except FileNotFoundError:
            pass
        return None


def ensure_secrets(home: Home) -> dict[str, str]:
    """The secrets of this home, made at its first start and kept in a file that only its owner reads.

    Raises ``UpError`` when the file is there but a secret is missing in it: a new key would make the stored personal
    data unreadable, so none is invented.
    """
    if home.secrets_file.exists():
        kept = read_env(home.secrets_file)
        if missing := sorted(set(_new_secrets()) - set(kept)):
            raise UpError(
                f"The secrets file lacks {', '.join(missing)}.",
                where=str(home.secrets_file),
                next_step="Put the line back from a copy. Without a copy remove the whole home: its data is then lost.",
            )
        home.secrets_file.chmod(0o600)
        return kept
    made = _new_secrets()
    write_private_env(home.secrets_file, made)
    return made


def _new_secrets() -> dict[str, str]:
    return {
        "HOSYNC_DATA_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "HOSYNC_ADMIN_PASSWORD": secrets.token_urlsafe(12),
        "HOSYNC_VIEWER_PASSWORD": secrets.token_urlsafe(12),
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
        "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(48),
    }


def write_private_env(path: Path, values: Mapping[str, str]) -> None:
    """Write NAME=value lines for the owner's eyes only, whole or not at all."""
    write_private(path, "".join(f"{name}={value}\n" for name, value in values.items()))


def write_private(path: Path, text: str) -> None:
    """Write a file for the owner's eyes only, whole or not at all."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def read_env(path: Path) -> dict[str, str]:
    """Read NAME=value lines; empty when there is no file."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return {}
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def read_ports(home: Home) -> dict[str, int]:
    """The ports of the last start; empty when unknown."""
    try:
        return {name: int(port) for name, port in json.loads(home.ports_file.read_text()).items()}
    except (FileNotFoundError, ValueError, AttributeError):
        return {}
