"""Workbooks as offices send them: titles, dates, codes that became numbers, formulas, bombs."""

import io
import re
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from dropped import COLUMNS, drop, pull, source, tree
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from openpyxl.worksheet.worksheet import Worksheet

from connectors.api import Page
from connectors.errors import BrokenAnswer, ConnectorError, ContractBroken

XLSX = {"kind": "xlsx"}
HEADER = ["Mã hồ sơ", "Người nộp", "Trạng thái"]


def book(*rows: list[Any], sheet: str = "Sheet", make: Callable[[Worksheet], object] = lambda _: None) -> bytes:
    workbook = openpyxl.Workbook()
    page = workbook.active
    page.title = sheet
    for row in rows:
        page.append(row)
    make(page)
    return saved(workbook)


def saved(workbook: openpyxl.Workbook) -> bytes:
    content = io.BytesIO()
    workbook.save(content)
    return content.getvalue()


def edited(content: bytes, part: str, change: Callable[[bytes], bytes]) -> bytes:
    """The workbook with the bytes of one part changed."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            body = old.read(info)
            new.writestr(info.filename, change(body) if info.filename == part else body)
    return written.getvalue()


def as_excel_writes(content: bytes) -> bytes:
    """The same workbook with its texts in a list of their own, to which the cells point."""
    texts: list[bytes] = []

    def pointed(match: re.Match[bytes]) -> bytes:
        texts.append(match[1])
        return b't="s"><v>%d</v>' % (len(texts) - 1)

    sheet = "xl/worksheets/sheet1.xml"
    content = edited(content, sheet, lambda xml: re.sub(rb't="inlineStr"><is><t>(.*?)</t></is>', pointed, xml))
    kind = (
        b'<Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-officedocument'
        b'.spreadsheetml.sharedStrings+xml"/></Types>'
    )
    content = edited(content, "[Content_Types].xml", lambda xml: xml.replace(b"</Types>", kind))
    shared = b"".join(b"<si><t>%b</t></si>" % text for text in texts)
    namespace = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    written = io.BytesIO(content)
    with zipfile.ZipFile(written, "a") as parts:
        parts.writestr("xl/sharedStrings.xml", b'<sst xmlns="%b">%b</sst>' % (namespace, shared))
    return written.getvalue()


def read(folder: Path, content: bytes, **options: Any) -> list[Page]:
    drop(folder, "a.xlsx", content)
    feed = {"pattern": "*.xlsx", "format": XLSX, **options.pop("feed", {})}
    return pull(source(folder, feed=feed, **options))


def records(pages: list[Page]) -> list[dict[str, Any]]:
    return [dict(record) for page in pages for record in page.records]


def refused(folder: Path, content: bytes, kind: type[ConnectorError], **options: Any) -> str:
    with pytest.raises(kind) as caught:
        read(folder, content, **options)
    assert tree(folder) == ["a.xlsx"]
    return str(caught.value)


def test_a_table_below_merged_titles_is_found_and_blank_rows_are_no_records(tmp_path):
    rows = [["DANH SÁCH"], [], HEADER, ["A1", "Mẫu", "4"], [None, " ", None], [], ["A2", "Thử", "5"]]
    pages = read(tmp_path, book(*rows, make=lambda page: page.merge_cells("A1:C1")))
    found = records(pages)
    assert found[0] == {"at": "row 4 of a.xlsx", "ma": "A1", "ten": "Mẫu", "trang_thai": "4"}
    assert [(record["at"], record["ma"]) for record in found] == [
        ("row 4 of a.xlsx", "A1"), ("row 5 of a.xlsx", None), ("row 7 of a.xlsx", "A2"),
    ]  # fmt: skip


def test_cells_merged_over_rows_have_their_value_in_the_first(tmp_path):
    content = book(HEADER, ["A1", "Mẫu", "4"], ["A2", None, "5"], make=lambda page: page.merge_cells("B2:B3"))
    assert [record["ten"] for record in records(read(tmp_path, content))] == ["Mẫu", None]


@pytest.mark.parametrize("epoch", ["1900", "1904"])
def test_real_dates_become_iso_text_in_both_of_excels_calendars(tmp_path, epoch):
    workbook = openpyxl.Workbook()
    if epoch == "1904":
        workbook.epoch = CALENDAR_MAC_1904
    page = workbook.active
    moments = [datetime(2026, 2, 28, 23, 59, 59), date(2026, 3, 1), time(8, 30), "01/03/2026 08:00:00"]
    for row in [HEADER, *(["A", moment, "1"] for moment in moments)]:
        page.append(row)
    assert [record["ten"] for record in records(read(tmp_path, saved(workbook)))] == [
        "2026-02-28T23:59:59",
        "2026-03-01T00:00:00",
        "08:30:00",
        "01/03/2026 08:00:00",
    ]


def test_codes_that_became_numbers_are_text_of_their_width_again(tmp_path):
    columns = {**COLUMNS, "ten": {"header": "Người nộp", "width": 12}}
    cells = [99000001, 99000001.0, "000099000002", None, 1234567890123, 1.5, True]
    content = book(HEADER, *(["A", cell, "1"] for cell in cells))
    found = records(read(tmp_path, content, feed={"columns": columns}))
    assert [record.get("ten") for record in found] == [
        "000099000001",
        "000099000001",
        "000099000002",
        "",
        None,
        None,
        True,
    ]
    assert found[4]["problem"] == "column ten holds a number that is no code of 12 digits"
    assert found[5]["problem"] == "column ten holds a number that is no code of 12 digits"


def test_numbers_that_excel_has_rounded_are_set_aside(tmp_path):
    found = records(read(tmp_path, book(HEADER, ["A", 12345678901234567, "1"], ["B", 123456789012345, "1"])))
    assert found[0]["problem"] == "cell B2 holds a number of more than 15 digits, the last of which Excel has lost"
    assert found[1]["ten"] == 123456789012345


def test_a_formula_counts_by_its_stored_value_and_without_one_its_row_is_set_aside(tmp_path):
    content = book(HEADER, ["A1", "=1+1", "4"], ["A2", '=CONCATENATE("a","b")', "5"], ["A3", "x", "6"])
    content = edited(
        content, "xl/worksheets/sheet1.xml", lambda xml: xml.replace(b"<f>1+1</f><v></v>", b"<f>1+1</f><v>2</v>")
    )
    found = records(read(tmp_path, content))
    assert found[0]["ten"] == 2
    assert found[1]["problem"] == "cell B3 holds a formula without its value: open the file in Excel and save it"
    assert found[2]["ten"] == "x"


def test_errors_set_their_row_aside_unless_nobody_asked_for_their_column(tmp_path):
    content = book([*HEADER, "Ghi chú"], ["A1", "#N/A", "4", "x"], ["A2", "x", "5", "#REF!"])
    found = records(read(tmp_path, content))
    assert found[0]["problem"] == "cell B2 holds an error instead of a value"
    assert found[1] == {"at": "row 3 of a.xlsx", "ma": "A2", "ten": "x", "trang_thai": "5", "Ghi chú": None}


def test_rows_may_be_shorter_than_the_header_and_not_longer(tmp_path):
    found = records(read(tmp_path, book(HEADER, ["A1"], ["A2", "x", "5", "y"])))
    assert found[0] == {"at": "row 2 of a.xlsx", "ma": "A1", "ten": None, "trang_thai": None}
    assert found[1]["problem"] == "4 cells under 3 columns"


def test_the_sheet_is_found_by_name(tmp_path):
    content = book(HEADER, ["A1", "x", "4"], sheet="Danh sách")
    assert records(read(tmp_path, content, feed={"format": {**XLSX, "sheet": "Danh sách"}}))[0]["ma"] == "A1"


def test_a_sheet_that_is_not_there_breaks_the_contract(tmp_path):
    said = refused(tmp_path, book(HEADER), ContractBroken, feed={"format": {**XLSX, "sheet": "Danh sách"}})
    assert "it has no sheet 'Danh sách'" in said


def test_pages_are_kept_as_rows_of_cells_without_what_is_cut(tmp_path):
    content = book([*HEADER, "Ngày sinh"], ["A1", "x", 4, "bí mật"], ["A2", "y", 5, "bí mật"], ["A3", "z", 6, "bí mật"])
    columns = {**COLUMNS, "ngay_sinh": "Ngày sinh"}
    pages = read(tmp_path, content, cut=("ngay_sinh",), feed={"columns": columns})
    assert [page.raw.decode() for page in pages] == [
        '[["Mã hồ sơ","Người nộp","Trạng thái"],["A1","x",4],["A2","y",5]]',
        '[["Mã hồ sơ","Người nộp","Trạng thái"],["A3","z",6]]',
    ]
    assert [page.media_type for page in pages] == [
        "application/json; name=a.xlsx; rows=2-3",
        "application/json; name=a.xlsx; rows=4",
    ]
    assert "bí mật" not in str(records(pages))


def test_a_bomb_is_refused_before_it_unpacks(tmp_path):
    content = edited(book(HEADER), "xl/theme/theme1.xml", lambda _: b" " * 20_000_000)
    assert len(content) < 100_000
    said = refused(tmp_path, content, BrokenAnswer)
    assert "it unpacks to more than 8 MB" in said
    assert "limits.max_response_mb" in said


def test_a_document_type_is_refused(tmp_path):
    bomb = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]>'
    content = edited(book(HEADER), "xl/worksheets/sheet1.xml", lambda xml: bomb + xml)
    assert "document type" in refused(tmp_path, content, BrokenAnswer)


@pytest.mark.parametrize(
    "content",
    [b"", b"Ma;Ten\n", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 500],
    ids=["empty", "csv", "old or protected"],
)
def test_what_is_no_workbook_is_named(tmp_path, content):
    assert "it is not an Excel workbook" in refused(tmp_path, content, ContractBroken)


def test_a_workbook_cut_at_any_place_is_an_error_and_never_a_shorter_list(tmp_path):
    content = book(HEADER, *([f"A{number}", "x", "4"] for number in range(50)))
    for cut in range(10, len(content) - 1, len(content) // 40):
        with pytest.raises(ConnectorError):
            read(tmp_path, content[:cut])
    broken = edited(content, "xl/worksheets/sheet1.xml", lambda xml: xml[: len(xml) // 2])
    with pytest.raises(BrokenAnswer, match="cannot be read behind row"):
        read(tmp_path, broken)


def test_texts_in_a_list_of_their_own_are_read(tmp_path):
    content = as_excel_writes(book(HEADER, ["A1", "Nguyễn Văn Mẫu", "4"], ["A2", "Nguyễn Văn Mẫu", "5"]))
    assert [record["ten"] for record in records(read(tmp_path, content))] == ["Nguyễn Văn Mẫu"] * 2


@pytest.mark.parametrize("part", ["xl/workbook.xml", "xl/sharedStrings.xml", "[Content_Types].xml"])
def test_a_workbook_with_a_part_of_nonsense_is_named_and_no_accident(tmp_path, part):
    content = edited(as_excel_writes(book(HEADER, ["A1", "x", "4"])), part, lambda _: b"<nonsense/>")
    drop(tmp_path, "b.xlsx", book(HEADER, ["B1", "x", "4"]))
    with pytest.raises(ConnectorError, match=r"a\.xlsx"):
        read(tmp_path, content)
    assert tree(tmp_path) == ["a.xlsx", "archive/2026-07-01/b.xlsx"]
