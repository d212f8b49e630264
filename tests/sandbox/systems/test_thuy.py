"""The veterinary office's SFTP server and the files on it."""

import csv
import io
import json
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paramiko
import pytest

from sandbox.connections import CONNECTIONS
from sandbox.systems.papers import windows_1258
from sandbox.systems.thuy import STATUS_NUMBERS
from schemas.states import State


class Office:
    """The system, and how to reach its SFTP server."""

    def __init__(self, start: Any, home: Path) -> None:
        self.server = start("thuy", home=home)
        self.connection = json.loads(CONNECTIONS["thuy"].airflow(1, home))

    @contextmanager
    def guest(self, password: str | None = None) -> Iterator[paramiko.SFTPClient]:
        """Somebody who has signed in, in the folder of the files."""
        one = self.connection
        with paramiko.Transport((one["host"], one["port"])) as transport:
            transport.connect(username=one["login"], password=password or one["password"])
            shown = f"{transport.get_remote_server_key().get_name()} {transport.get_remote_server_key().get_base64()}"
            assert shown == one["extra"]["host_key"]
            client = paramiko.SFTPClient.from_transport(transport)
            assert client is not None
            client.chdir(one["extra"]["path"])
            yield client


@pytest.fixture
def office(start: Any, tmp_path: Path) -> Office:
    return Office(start, tmp_path)


def rows(client: paramiko.SFTPClient) -> list[dict[str, str]]:
    """All rows of all files, in their order."""
    found: list[dict[str, str]] = []
    for name in sorted(name for name in client.listdir() if name.endswith(".csv")):
        with client.open(name) as file:
            text = unicodedata.normalize("NFC", file.read().decode("cp1258"))
        found += csv.DictReader(io.StringIO(text))
    return found


def test_the_files_say_what_is_true(office: Office) -> None:
    office.server.control("POST", "clock", {"as_of": "2026-07-20T17:00:00+07:00"})
    with office.guest() as client:
        latest = {row["MA_HS"]: row for row in rows(client)}
    truth = {row["source_id"]: row for row in office.server.truth()}
    assert latest.keys() == truth.keys()
    for code, row in latest.items():
        assert row["TRANG_THAI"].rjust(2, "0") == STATUS_NUMBERS[State(truth[code]["state"])]
        assert row["TEN_DV"] == "Chi cục Chăn nuôi và Thú y tỉnh Thử Nghiệm"


def test_files_are_numbered_quoted_and_in_windows_1258(office: Office) -> None:
    with office.guest() as client:
        assert sorted(client.listdir()) == ["KDDV-000001.csv", "KDDV-000001.csv.sha256"]
        with client.open("KDDV-000001.csv") as file:
            content = file.read()
    assert content.startswith(b'"MA_HS","MA_TTHC","MA_DV",')
    assert b"Chi cu\xf2c Ch\xe3n nu\xf4i va\xcc Thu\xec y ti\xd2nh Th\xfd\xd2 Nghi\xea\xf2m" in content


def test_windows_1258_writes_a_vowel_and_then_its_tone() -> None:
    assert windows_1258("Ệ ợ Đ đ ă €") == b"\xca\xf2 \xf5\xf2 \xd0 \xf0 \xe3 \x80"


def test_files_can_be_read_moved_and_removed_but_not_from_outside(office: Office) -> None:
    with office.guest() as client:
        client.mkdir("x")
        client.rename("KDDV-000001.csv", "x/a.csv")
        client.remove("x/a.csv")
        assert client.listdir("x") == []
        assert client.listdir("/") == ["ket-qua"]
        assert client.normalize("/../..") == "/"


def test_a_wrong_password_is_refused(office: Office) -> None:
    with pytest.raises(paramiko.AuthenticationException), office.guest("sai"):
        pass


def test_the_host_key_stays_when_it_is_started_again(start: Any, office: Office, tmp_path: Path) -> None:
    again = Office(start, tmp_path)
    assert again.connection["extra"] == office.connection["extra"]


@pytest.mark.parametrize("mode", ["503", "drop"])
@pytest.mark.parametrize("operation", ["list", "read", "rename"])
def test_faults_hit_operations_of_the_sftp_server(office: Office, operation: str, mode: str) -> None:
    office.server.control("POST", "faults", {"mode": mode, "operation": operation})
    acts: dict[str, Callable[[paramiko.SFTPClient], object]] = {
        "list": lambda client: client.listdir(),
        "read": lambda client: client.open("KDDV-000001.csv").read(100),
        "rename": lambda client: client.rename("KDDV-000001.csv", "a.csv"),
    }
    with office.guest() as client, pytest.raises((OSError, EOFError, paramiko.SSHException)):
        acts[operation](client)
    assert office.server.control("GET", "faults").json() == {"armed": []}
    with office.guest() as client:
        assert sorted(client.listdir()) == ["KDDV-000001.csv", "KDDV-000001.csv.sha256"]


def test_a_reading_may_be_cut(office: Office) -> None:
    office.server.control("POST", "faults", {"mode": "cut", "operation": "read"})
    broken = (OSError, EOFError, paramiko.SSHException)
    with office.guest() as client, client.open("KDDV-000001.csv") as file, pytest.raises(broken):
        file.read()


def test_a_fault_at_the_door_hits_who_signs_in(office: Office) -> None:
    office.server.control("POST", "faults", {"mode": "drop", "operation": "login"})
    with pytest.raises((OSError, EOFError, paramiko.SSHException)), office.guest():
        pass
    with office.guest() as client:
        assert client.listdir()
