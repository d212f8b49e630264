"""The trade department's daily list, in an encoding of its own."""

import csv
import io
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.files.encodings import decoder
from connectors.options.files import Encoding
from sandbox.systems.congthuong import LISTED, STATUS_LETTERS
from sandbox.systems.papers import tcvn3
from schemas.states import State

OVER = {3, 7, 8, 10}


class Office:
    """The system and the lists it has dropped."""

    def __init__(self, start: Any, home: Path) -> None:
        self.server = start("congthuong", home=home)
        self.folder = home / "congthuong" / "ket-xuat"

    def lists(self) -> list[Path]:
        return sorted(self.folder.glob("KM_*.csv"))

    def newest(self) -> list[dict[str, str]]:
        text = decoder(Encoding.TCVN3, "")(self.lists()[-1].read_bytes())
        return list(csv.DictReader(io.StringIO(text), delimiter=";"))

    def move(self, days: int) -> None:
        later = self.server.clock() + timedelta(days=days)
        self.server.control("POST", "clock", {"as_of": later.isoformat()})

    def on_the_desks(self) -> dict[str, dict[str, Any]]:
        since = self.server.clock() - LISTED
        rows = self.server.truth()
        alive = [r for r in rows if r["state"] not in OVER or datetime.fromisoformat(r["state_at"]) > since]
        return {row["source_id"]: row for row in alive}


@pytest.fixture
def office(start: Any, tmp_path: Path) -> Office:
    return Office(start, tmp_path)


def test_the_list_is_everything_on_the_desks(office: Office) -> None:
    for days in (0, 1, 20):
        office.move(days)
        expected = office.on_the_desks()
        assert {row["Mã HS"]: row["Tình trạng"] for row in office.newest()} == {
            code: STATUS_LETTERS[State(row["state"])] for code, row in expected.items()
        }


def test_what_has_long_been_over_leaves_the_list_and_stays_in_the_truth(office: Office) -> None:
    before = {row["Mã HS"] for row in office.newest()}
    office.move(60)
    after = {row["Mã HS"] for row in office.newest()}
    assert before - after
    assert before <= {row["source_id"] for row in office.server.truth()}


def test_each_day_brings_a_whole_list_with_its_time_in_the_name(office: Office) -> None:
    office.move(1)
    first, second = office.lists()
    assert first.name.startswith("KM_20260630_100000_")
    assert second.name.startswith("KM_20260701_100000_")
    assert first.read_bytes().splitlines()[0] == second.read_bytes().splitlines()[0]


def test_it_is_written_in_tcvn3(office: Office) -> None:
    content = office.lists()[0].read_bytes()
    assert b"S\xeb C\xabng Th\xad\xacng t\xd8nh Th\xf6 Nghi\xd6m" in content
    with pytest.raises(UnicodeDecodeError):
        content.decode("utf-8")
    assert {row["Đơn vị"] for row in office.newest()} == {"Sở Công Thương tỉnh Thử Nghiệm"}


def test_toned_capitals_are_written_as_small_letters() -> None:
    assert tcvn3("TỈNH ĐỒNG Ở €") == b"T\xd8NH \xa7\xe5NG \xeb ?"


@pytest.mark.parametrize("how", ["renamed-field", "extra-field"])
def test_a_strange_heading_is_that_of_the_whole_list(office: Office, how: str) -> None:
    code = next(iter(office.on_the_desks().values()))["code"]
    office.server.control("POST", "break", {"codes": [code], "how": how})
    rows = office.newest()
    assert len(rows) == len(office.on_the_desks())
    if how == "renamed-field":
        assert all(row["Tình trạng mới"] for row in rows)
        assert "Tình trạng" not in rows[0]
    else:
        assert [row["Cột mới"] for row in rows].count("có") == 1
