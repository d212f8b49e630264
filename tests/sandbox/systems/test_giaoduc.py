"""The education department's files: what is in them, when they appear, in what shape they may be left."""

import csv
import hashlib
import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from sandbox.connections import CONNECTIONS
from sandbox.systems.giaoduc import STATUS_WORDS
from schemas.states import State

HEADINGS = [
    "Mã hồ sơ", "Mã thủ tục", "Tên thủ tục", "Mã đơn vị", "Người nộp", "Số CCCD", "Ngày sinh", "Điện thoại",
    "Hình thức nộp", "Ngày nộp", "Ngày tiếp nhận", "Hạn trả", "Ngày có kết quả", "Ngày trả", "Trạng thái",
    "Cập nhật lúc",
]  # fmt: skip


class Office:
    """The system, the folder of its connection, and what is new in it."""

    def __init__(self, start: Any, home: Path) -> None:
        self.home = home
        self.server = start("giaoduc", home=home)
        self.connection = json.loads(CONNECTIONS["giaoduc"].airflow(1, home))
        self.folder = Path(self.connection["extra"]["path"])

    def files(self) -> list[Path]:
        return sorted(path for path in self.folder.iterdir() if path.suffix in (".csv", ".xlsx"))

    def new(self, act: Any) -> list[Path]:
        before = self.files()
        act()
        return [path for path in self.files() if path not in before]

    def move(self, day: str) -> list[Path]:
        return self.new(lambda: self.server.control("POST", "clock", {"as_of": f"{day}T17:00:00+07:00"}))

    def drop(self, **body: Any) -> list[str]:
        return list(self.server.control("POST", "drop", body).json()["files"])


@pytest.fixture
def office(start: Any, tmp_path: Path) -> Office:
    return Office(start, tmp_path)


def diplomas(path: Path) -> list[dict[str, str]]:
    text = path.read_bytes().decode("utf-8-sig")
    first, _, rest = text.partition("\r\n")
    assert first == "sep=;"
    return list(csv.DictReader(io.StringIO(rest), delimiter=";"))


def enrolments(path: Path) -> list[dict[str, Any]]:
    sheet = openpyxl.load_workbook(path)["Danh sách"]
    header, *rows = list(sheet.values)[3:]
    return [dict(zip(header, row, strict=True)) for row in rows]


def told(files: list[Path]) -> list[dict[str, Any]]:
    return [row for path in files for row in (diplomas(path) if path.suffix == ".csv" else enrolments(path))]


def test_the_connection_is_a_folder(office: Office) -> None:
    assert office.connection["host"] == ""
    assert office.connection["port"] is None
    assert office.folder.is_dir()


def test_it_starts_by_dropping_all_it_holds(office: Office) -> None:
    truth = office.server.truth()
    rows = told(office.files())
    assert sorted(row["Mã hồ sơ"] for row in rows) == sorted(row["code"] for row in truth)
    words = {row["Mã hồ sơ"]: row["Trạng thái"] for row in rows}
    assert words == {row["code"]: STATUS_WORDS[State(row["state"])] for row in truth}


def test_diplomas_are_csv_for_excel_and_enrolment_is_a_workbook_somebody_typed(office: Office) -> None:
    csvs, books = ([path for path in office.files() if path.suffix == end] for end in (".csv", ".xlsx"))
    assert csvs[0].read_bytes().startswith(b"\xef\xbb\xbfsep=;\r\n")
    (diploma, *_), (enrolment, *_) = diplomas(csvs[0]), enrolments(books[0])
    assert list(diploma) == HEADINGS
    assert list(enrolment) == ["STT", *HEADINGS]
    assert diploma["Số CCCD"].startswith("000099")
    assert enrolment["Số CCCD"] == int(f"{enrolment['Số CCCD']:012d}")
    assert isinstance(enrolment["Ngày nộp"], datetime)
    assert isinstance(enrolment["Hạn trả"], str | None)
    sheet = openpyxl.load_workbook(books[0])["Danh sách"]
    assert sheet["A1"].value == "SỞ GIÁO DỤC VÀ ĐÀO TẠO TỈNH THỬ NGHIỆM"
    assert "A1:Q1" in {str(area) for area in sheet.merged_cells.ranges}


def test_every_file_has_its_checksum_and_no_name_comes_twice(office: Office) -> None:
    office.move("2026-07-10")
    office.drop(all=True)
    names = [path.name for path in office.files()]
    assert len({name.rpartition("_")[2] for name in names}) == len(names)
    for path in office.files():
        words = path.with_name(f"{path.name}.sha256").read_text().split()
        assert words == [hashlib.sha256(path.read_bytes()).hexdigest(), path.name]


def test_when_the_clock_moves_files_tell_what_has_happened_since(office: Office) -> None:
    before = {row["code"]: row["changed_at"] for row in office.server.truth()}
    news = told(office.move("2026-08-20"))
    changed = {row["code"] for row in office.server.truth() if before.get(row["code"]) != row["changed_at"]}
    assert {row["Mã hồ sơ"] for row in news} == changed != set()
    assert office.move("2026-08-20") == []


def test_a_restart_drops_nothing_again(start: Any, office: Office) -> None:
    before = office.files()
    again = Office(start, office.home)
    assert again.files() == before


def test_a_restart_drops_what_a_killed_system_had_no_time_for(start: Any, office: Office) -> None:
    (office.home / "giaoduc" / "clock").write_text("2026-08-20T17:00:00+07:00")
    before = office.files()
    assert len(Office(start, office.home).files()) > len(before)


@pytest.mark.parametrize(
    ("leave", "endings"),
    [("partial", {".part"}), ("unchecked", {""}), ("bad-checksum", {"", ".sha256"}), ("whole", {"", ".sha256"})],
)
def test_the_last_file_of_a_drop_may_be_left_as_asked(office: Office, leave: str, endings: set[str]) -> None:
    last = office.drop(all=True, leave=leave)[-1]
    there = [path.name for path in office.folder.iterdir() if path.name.startswith(last)]
    assert {name.removeprefix(last) for name in there} == endings
    if leave == "bad-checksum":
        content = (office.folder / last).read_bytes()
        assert hashlib.sha256(content).hexdigest() not in (office.folder / f"{last}.sha256").read_text()


def test_what_was_left_unreadable_is_told_again(office: Office) -> None:
    office.server.control("POST", "clock", {"as_of": "2026-07-01T10:00:00+07:00"})
    office.drop(leave="partial")
    before = {row["code"]: row["changed_at"] for row in office.server.truth()}
    news = {row["Mã hồ sơ"] for row in told(office.move("2026-08-20"))}
    changed = {row["code"] for row in office.server.truth() if before.get(row["code"]) != row["changed_at"]}
    assert news == changed


@pytest.mark.parametrize("body", [{"leave": "sideways"}, [1]])
def test_what_a_drop_does_not_know_is_refused(office: Office, body: Any) -> None:
    answer = office.server.control("POST", "drop", body)
    assert answer.status_code == 422
    assert "whole, partial" in answer.json()["error"]


def broken(office: Office, how: str) -> list[Path]:
    code = office.server.truth()[0]["code"]
    body = {"codes": [code], "how": how}
    return office.new(lambda: office.server.control("POST", "break", body))


@pytest.mark.parametrize(
    ("how", "heading", "cell"),
    [
        ("unknown-status", "Trạng thái", "97"),
        ("bad-date", "Hạn trả", "31/02/2026 25:61:00"),
        ("missing-code", "Mã hồ sơ", ""),
        ("extra-field", "Cột mới", "có"),
    ],
)
def test_a_broken_record_is_told_wrongly_at_once_and_rightly_when_mended(
    office: Office, how: str, heading: str, cell: str
) -> None:
    (row,) = told(broken(office, how))
    assert (row[heading] or "") == cell
    (right,) = told(office.new(lambda: office.server.control("DELETE", "break")))
    assert list(right)[-16:] == HEADINGS
    assert right[heading if heading in HEADINGS else "Mã hồ sơ"] != cell


def test_a_renamed_heading_comes_in_a_file_of_its_own(office: Office) -> None:
    codes = [row["code"] for row in office.server.truth() if row["field_code"] == "G99-GD02"]
    office.server.control("POST", "break", {"codes": codes[:1], "how": "renamed-field"})
    names = office.drop(all=True)
    headings = [
        list(rows[0]) for name in names if name.endswith(".xlsx") and (rows := enrolments(office.folder / name))
    ]
    assert sorted("Trạng thái mới" in one for one in headings) == [False, True]
    assert sorted("Trạng thái" in one for one in headings) == [False, True]
