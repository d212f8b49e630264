"""The folder of a running hosync: one holder, private secrets, a socket path that the kernel takes."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cli.up.errors import HomeInUse, UpError
from cli.up.home import Home, ensure_secrets, read_env, write_private
from cli.up.logs import last_words, masked
from cli.up.ports import choose_ports

_HOLD = """
import sys
from pathlib import Path
from cli.up.home import Home
with Home.at(Path(sys.argv[1])).held():
    print("held", flush=True)
    sys.stdin.read()
"""


def _holder(home: Home) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(home.root)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_holder_is_told_who_holds_the_home(home: Home) -> None:
    first = _holder(home)
    assert home.holder() == first.pid
    with pytest.raises(HomeInUse, match=str(first.pid)), home.held():
        pass
    first.communicate()
    with home.held():
        assert home.holder() == os.getpid()
    assert home.holder() is None


def test_the_lock_of_a_killed_holder_is_free_at_once(home: Home) -> None:
    first = _holder(home)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    with home.held():
        pass


def test_a_home_that_cannot_be_made_is_explained(home: Home) -> None:
    home.root.write_text("a file stands in the way")
    with pytest.raises(UpError) as caught, home.held():
        pass
    assert caught.value.where == str(home.root)
    assert "--home" in caught.value.next_step


def test_secrets_are_made_once_are_private_and_long_enough(home: Home) -> None:
    home.root.mkdir()
    made = ensure_secrets(home)
    assert ensure_secrets(home) == made
    assert stat.S_IMODE(home.secrets_file.stat().st_mode) == 0o600
    assert len(made["AIRFLOW__API_AUTH__JWT_SECRET"]) >= 64


def test_a_lost_secret_is_not_replaced_by_a_new_one(home: Home) -> None:
    home.root.mkdir()
    ensure_secrets(home)
    kept = [line for line in home.secrets_file.read_text().splitlines() if "DATA_KEY" not in line]
    home.secrets_file.write_text("\n".join(kept))
    with pytest.raises(UpError, match="HOSYNC_DATA_KEY"):
        ensure_secrets(home)


def test_values_with_equal_signs_survive_the_file(home: Home) -> None:
    home.root.mkdir()
    write_private(home.secrets_file, "KEY=abc==\n# remark\n\n")
    assert read_env(home.secrets_file) == {"KEY": "abc=="}


@pytest.mark.parametrize("name", ["x" * 120, "with space", "hồ sơ", "a,b"])
def test_the_socket_moves_to_a_short_plain_path_where_the_homes_own_is_not(name: str) -> None:
    folder = Home.at(Path("/srv") / name).socket_folder()
    assert len(os.fsencode(folder / ".s.PGSQL.5432")) < 108
    assert folder.is_absolute()
    assert str(folder).isascii()
    assert " " not in str(folder)
    assert folder != Home.at(Path("/srv") / (name + "2")).socket_folder()


def test_a_plain_short_home_keeps_the_socket_inside() -> None:
    assert Home.at(Path("/srv/hosync")).socket_folder().is_relative_to("/srv/hosync")


def test_ports_stay_the_same_while_free_and_move_when_taken(home: Home) -> None:
    home.root.mkdir()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        home.ports_file.write_text(f'{{"airflow": {taken}}}')
        moved = choose_ports(home)["airflow"]
        assert moved != taken
    home.ports_file.write_text(f'{{"airflow": {taken}}}')
    assert choose_ports(home)["airflow"] == taken


@pytest.mark.parametrize("text", ["", "[1]", '{"airflow": "x"}'])
def test_a_damaged_ports_file_counts_as_empty(home: Home, text: str) -> None:
    home.root.mkdir()
    home.ports_file.write_text(text)
    assert choose_ports(home)["airflow"] > 0


def test_the_last_words_of_a_log_hold_no_secret(home: Home) -> None:
    home.root.mkdir()
    log = home.root / "x.log"
    log.write_text("first\n" * 50 + "postgresql://u:pa55word@h/db\ntoken: abcdef12345\nkey hunter22 used\nlast\n")
    said = last_words(log, ["hunter22"])
    assert said.endswith("last")
    assert "pa55word" not in said
    assert "abcdef12345" not in said
    assert "hunter22" not in said
    assert len(said.splitlines()) <= 12


def test_masking_keeps_what_is_no_secret() -> None:
    assert masked("scheduler failed: port 8080 is taken", ["", "x"]) == "scheduler failed: port 8080 is taken"
