"""Files on a real SFTP server: who it is, who we are, and what breaks on the way."""

import asyncio
import io
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from dropped import AT_ONCE, NOW, TODAY, codes, die, drop, entry, pull, rows, tree, with_checksum

from connectors.api import CheckStatus
from connectors.connections import ConnectionSettings
from connectors.errors import (
    BrokenAnswer,
    CertificateProblem,
    ConnectionMissing,
    ConnectorError,
    NeedsPerson,
    NotSent,
    SignInFailed,
)
from connectors.files.places import Found
from connectors.files.sftp import SftpPlace
from connectors.sources.files import FilesSource
from sandbox.faults import Fault, Faults, Mode
from sandbox.systems import sftp

CHECKED = {"ready": {"by": "checksum", "settle": "60s"}}


@dataclass
class Server:
    """A running server, the folder it shows, and how to get in."""

    folder: Path
    port: int
    host_key: str
    faults: Faults = field(default_factory=Faults)

    def settings(self, *, login: str = "mau", password: str = "mat-khau-mau", **extra: Any) -> ConnectionSettings:
        known = {"host_key": self.host_key, "path": "/ra", **extra}
        return ConnectionSettings(
            conn_id="thuy", host="127.0.0.1", port=self.port, login=login, password=password,
            extra={key: value for key, value in known.items() if value is not None},
        )  # fmt: skip

    def source(self, *, settings: ConnectionSettings | None = None, **options: Any) -> FilesSource:
        return FilesSource(entry(**{**CHECKED, **options}), settings or self.settings(), retry=AT_ONCE)

    def break_next(self, operation: str, mode: Mode, times: int = 1) -> None:
        self.faults.armed.append(Fault(mode=mode, operation=operation, times=times))


@contextmanager
def running(opened: AbstractAsyncContextManager[int]) -> Iterator[int]:
    """Keep a server open in a thread of its own; gives its port."""
    started: queue.Queue[tuple[int, Callable[[], object]]] = queue.Queue()

    async def run() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        async with opened as port:
            started.put((port, lambda: loop.call_soon_threadsafe(stop.set)))
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    port, stop = started.get(timeout=10)
    try:
        yield port
    finally:
        stop()
        thread.join()


@pytest.fixture(scope="module")
def key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519")


@pytest.fixture
def server(tmp_path: Path, key: asyncssh.SSHKey) -> Iterator[Server]:
    root, faults = tmp_path / "sftp", Faults()
    (root / "ra").mkdir(parents=True)
    with running(sftp.serving(root, "mau", "mat-khau-mau", key, faults, 0)) as port:
        yield Server(root / "ra", port, sftp.public(key), faults)


def pulled(server: Server, **options: Any) -> list[Any]:
    """The codes of one whole run, which closes what it has opened."""
    with closing(server.source(**options)) as reading:
        return codes(pull(reading))


def test_files_are_taken_in_order_and_archived_on_the_server(server):
    for name, age in (("b", 300), ("a", 100)):
        with_checksum(drop(server.folder, f"{name}.csv", rows(f"{name}1", f"{name}2", f"{name}3"), age_s=age))
    drop(server.folder, "c.csv.part", rows("c1"))
    with_checksum(drop(server.folder, "d.csv", rows("d1")), right=False)
    with pytest.raises(BrokenAnswer, match=r"d\.csv: its checksum"):
        pulled(server)
    assert tree(server.folder) == [
        *(f"archive/{TODAY}/{name}.csv{end}" for name in "ab" for end in ("", ".sha256")),
        "c.csv.part",
        "d.csv",
        "d.csv.sha256",
    ]


def test_the_pages_are_those_of_a_local_folder(server):
    with_checksum(drop(server.folder, "a.csv", rows("A1", "A2", "A3")))
    with closing(server.source()) as reading:
        pages = pull(reading)
    assert codes(pages) == ["A1", "A2", "A3"]
    assert [len(page.records) for page in pages] == [2, 1]


def test_an_empty_folder_and_a_second_run_give_nothing(server):
    assert pulled(server) == []
    with_checksum(drop(server.folder, "a.csv", rows("A1")))
    assert pulled(server) == ["A1"]
    assert pulled(server) == []


def test_what_a_run_did_not_finish_the_next_one_takes_over(server):
    with_checksum(drop(server.folder, "a.csv", rows("A1", "A2", "A3")))
    first = server.source()
    next(first.pull(window=None, cursor=None, open_codes=(), now=NOW))
    assert pulled(server) == []
    die(first)
    assert pulled(server) == ["A1", "A2", "A3"]
    assert tree(server.folder) == [f"archive/{TODAY}/a.csv", f"archive/{TODAY}/a.csv.sha256"]
    assert not list((server.folder / "in-progress").iterdir())


def test_links_on_the_server_are_not_followed(server):
    (server.folder.parent / "secret.csv").write_text(rows("A1"))
    (server.folder / "a.csv").symlink_to("../secret.csv")
    (server.folder / "a.csv.done").touch()
    assert pulled(server, ready={"by": "marker"}) == []


def test_names_that_lead_elsewhere_are_no_files(server, monkeypatch):
    place = SftpPlace(entry(), server.settings())
    drop(server.folder, "a.csv", rows("A1"))
    listed = place._listed

    def hostile(folder):
        facts = listed(folder)
        for one, name in zip(facts * 4, ("../b.csv", "..", "x/y.csv", "a\\b.csv"), strict=False):
            one.filename = name
            yield one

    monkeypatch.setattr(place, "_listed", hostile)
    assert place.files("") == []
    place.close()


@pytest.mark.parametrize("operation", ["list", "read", "rename"])
@pytest.mark.parametrize("mode", [Mode.DROP_BEFORE, Mode.ERROR_503])
def test_a_connection_that_breaks_costs_nothing_but_another_run(server, operation, mode):
    with_checksum(drop(server.folder, "a.csv", rows("A1", "A2", "A3")))
    server.break_next(operation, mode, times=3)
    with pytest.raises(NotSent):
        pulled(server)
    server.faults.armed.clear()
    assert pulled(server) == ["A1", "A2", "A3"]
    assert tree(server.folder) == [f"archive/{TODAY}/a.csv", f"archive/{TODAY}/a.csv.sha256"]


def test_a_transfer_cut_in_the_middle_is_no_shorter_file(server):
    with_checksum(drop(server.folder, "a.csv", rows(*(f"A{number}" for number in range(5000)))))
    server.break_next("read", Mode.CUT, times=2)
    with pytest.raises(ConnectorError):
        pulled(server)
    server.faults.armed.clear()
    assert len(pulled(server, page_size=500)) == 5000


def test_a_file_that_ends_before_its_size_is_broken(server):
    place = SftpPlace(entry(), server.settings())
    with pytest.raises(BrokenAnswer, match="a file of 10 bytes ended 4 bytes early"):
        place._copy(io.BytesIO(b"123456"), io.BytesIO(), 10, time.monotonic() + 60)


def test_a_large_file_is_fetched_within_the_limit_only(server):
    with_checksum(drop(server.folder, "a.csv", b"x" * ((1 << 20) + 1)))
    with pytest.raises(BrokenAnswer, match="it is larger than 1 MB"):
        pulled(server, limit_mb=1)


def test_a_connection_without_the_servers_key_is_refused_and_says_how_to_get_it(server):
    with pytest.raises(ConnectionMissing) as caught:
        server.source(settings=server.settings(host_key=None))
    assert "no 'host_key' of the SFTP server" in str(caught.value)
    assert f"ssh-keyscan -p {server.port} 127.0.0.1" in str(caught.value)


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ecdsa-sha2-nistp256"])
def test_a_server_with_another_key_is_a_stranger_and_gets_no_password(server, kind):
    other = sftp.public(asyncssh.generate_private_key(kind))
    with pytest.raises(CertificateProblem, match="it may be somebody else"):
        pulled(server, settings=server.settings(host_key=other))


def test_the_key_may_be_one_of_several_in_a_file_as_ssh_keyscan_writes_it(server, tmp_path):
    other = sftp.public(asyncssh.generate_private_key("ecdsa-sha2-nistp256"))
    known = tmp_path / "known_hosts"
    known.write_text(f"# comment\n[127.0.0.1]:{server.port} {server.host_key}\n[127.0.0.1]:{server.port} {other} x\n")
    settings = server.settings(host_key=None, host_key_file=str(known))
    assert pulled(server, settings=settings) == []


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"host_key": "ssh-ed25519 not/base64!"}, "not 'type base64'"),
        ({"host_key": "ssh-ed25519 QUJD"}, "not 'type base64'"),
        ({"host_key": "AAAA"}, "not 'type base64'"),
        ({"host_key": None, "host_key_file": "/missing"}, "host_key_file cannot be read"),
    ],
)
def test_a_key_that_is_none_is_named(server, extra, said):
    with pytest.raises(ConnectionMissing, match=said):
        server.source(settings=server.settings(**extra))


def test_a_wrong_password_is_named_and_not_shown(server):
    with pytest.raises(SignInFailed) as caught:
        pulled(server, settings=server.settings(password="sai-bi-mat"))
    assert "Correct login, password or key_file of connection thuy" in str(caught.value)
    assert "sai-bi-mat" not in str(caught.value)


def test_a_private_key_that_cannot_be_read_is_named(server, tmp_path):
    broken = tmp_path / "key"
    broken.write_text("not a key")
    for path in (broken, tmp_path / "missing"):
        with pytest.raises(NeedsPerson, match="key"):
            pulled(server, settings=server.settings(password="", key_file=str(path)))


@pytest.mark.parametrize("passphrase", ["", "mật khẩu mẫu"])
def test_a_private_key_lets_us_in_without_a_password(tmp_path, key, passphrase):
    ours = asyncssh.generate_private_key("ssh-ed25519")
    secret = ours.export_private_key(passphrase=passphrase or None, rounds=1, ignore_few_rounds=True)
    (tmp_path / "ours").write_bytes(secret)
    (tmp_path / "ra").mkdir()

    @asynccontextmanager
    async def serving() -> AsyncIterator[int]:
        known = asyncssh.import_authorized_keys(sftp.public(ours))
        factory = partial(asyncssh.SFTPServer, chroot=str(tmp_path).encode())
        async with asyncssh.listen(
            "127.0.0.1", 0, server_host_keys=[key], authorized_client_keys=known, sftp_factory=factory
        ) as server:
            yield server.get_port()

    with_checksum(drop(tmp_path / "ra", "a.csv", rows("A1")))
    with running(serving()) as port:
        server = Server(tmp_path / "ra", port, sftp.public(key))
        extra = {"key_file": str(tmp_path / "ours"), "private_key_passphrase": passphrase}
        assert pulled(server, settings=server.settings(password="", **extra)) == ["A1"]


def test_a_folder_that_is_not_there_is_named(server):
    with pytest.raises(NeedsPerson, match=r"folder /khac.*Correct 'path'"):
        pulled(server, settings=server.settings(path="/khac"))


def test_check_looks_at_the_whole_way_and_takes_nothing(server):
    with_checksum(drop(server.folder, "a.csv", rows("A1")))
    results = server.source().check()
    assert {result.status for result in results} == {CheckStatus.OK}
    assert tree(server.folder) == ["a.csv", "a.csv.sha256"]


def test_check_tells_that_nobody_is_there(server):
    settings = server.settings()
    gone = ConnectionSettings(conn_id="thuy", host="127.0.0.1", port=1, extra=settings.extra)
    result = server.source(settings=gone).check()[-1]
    assert (result.name, result.status) == ("connection", CheckStatus.FAILED)


def test_a_place_finds_moves_and_removes(server):
    place = SftpPlace(entry(), server.settings())
    drop(server.folder, "a.csv", "x", age_s=0)
    place.make("work/deep")
    place.make("work/deep")
    place.move("", "a.csv", "work/deep", "b.csv")
    found = place.find("work/deep", "b.csv")
    assert isinstance(found, Found)
    assert found.size == 1
    assert place.folders("") == ["work"]
    place.remove("work/deep", "b.csv")
    place.remove("work/deep", "b.csv")
    place.remove_folder("work/deep")
    assert place.folders("work") == []
    place.close()
