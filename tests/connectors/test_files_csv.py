"""CSV files as offices send them: headers that move, rows that do not fit, cells that Excel has been at."""

import unicodedata
from pathlib import Path
from typing import Any

import pytest
from dropped import COLUMNS, CSV, HEADER, codes, drop, pull, source, tree

from connectors.api import Page
from connectors.errors import BrokenAnswer, ConnectorError, ContractBroken, NeedsPerson


def read(folder: Path, content: str | bytes, *, encoding: str = "utf-8", **options: Any) -> list[Page]:
    drop(folder, "a.csv", content, encoding=encoding)
    return pull(source(folder, **options))


def records(pages: list[Page]) -> list[dict[str, Any]]:
    return [dict(record) for page in pages for record in page.records]


def refused(folder: Path, content: str | bytes, *, kind: type[ConnectorError] = ContractBroken, **options: Any) -> str:
    """The error that ends the run; the file stays where it was dropped."""
    with pytest.raises(kind) as caught:
        read(folder, content, **options)
    assert tree(folder) == ["a.csv"]
    return str(caught.value)


def test_a_record_names_its_row_and_its_columns(tmp_path):
    pages = read(tmp_path, HEADER + "A1;Nguyễn Văn Mẫu;4\r\n\r\nA2;Lê Thị Thử;10")
    assert records(pages) == [
        {"at": "row 2 of a.csv", "ma": "A1", "ten": "Nguyễn Văn Mẫu", "trang_thai": "4"},
        {"at": "row 4 of a.csv", "ma": "A2", "ten": "Lê Thị Thử", "trang_thai": "10"},
    ]


def test_each_page_can_be_read_alone_from_the_bytes_that_came(tmp_path):
    pages = read(tmp_path, HEADER + "A1;x;1\nA2;y;2\nA3;z;3\n")
    assert [page.raw.decode() for page in pages] == [HEADER + "A1;x;1\nA2;y;2\n", HEADER + "A3;z;3\n"]
    assert [page.media_type for page in pages] == [
        "text/csv; charset=utf-8; name=a.csv; rows=2-3",
        "text/csv; charset=utf-8; name=a.csv; rows=4",
    ]


@pytest.mark.parametrize(
    ("written", "declared"),
    [
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16"),
        ("utf-16-be", "utf-16"),
    ],
)
def test_byte_order_marks_and_wide_letters_are_read(tmp_path, written, declared):
    # Between these letters, and within the second name, stand the bytes that end a line.
    content = (HEADER + "A1;\u0a05\u0100\u0a05;4\nA2;\u0a0a\u010a\u0a0d;5\n").encode(written)
    if written == "utf-16-be":
        content = b"\xfe\xff" + content
    pages = read(tmp_path, content, feed={"format": {**CSV, "encoding": declared}})
    assert [record["ten"] for record in records(pages)] == ["\u0a05\u0100\u0a05", "\u0a0a\u010a\u0a0d"]


def test_excels_first_line_names_the_delimiter(tmp_path):
    pages = read(tmp_path, "\ufeffsep=,\r\n" + HEADER.replace(";", ",") + 'A1,"Mẫu, Văn",4\n')
    assert records(pages) == [{"at": "row 3 of a.csv", "ma": "A1", "ten": "Mẫu, Văn", "trang_thai": "4"}]


def test_quoted_cells_hold_delimiters_quotation_marks_and_lines(tmp_path):
    pages = read(tmp_path, HEADER + 'A1;"Mẫu; ""Văn""\nhai dòng";4\nA2;x;5\n')
    first, second = records(pages)
    assert first["ten"] == 'Mẫu; "Văn"\nhai dòng'
    assert second["at"] == "row 4 of a.csv"


def test_formulas_and_apostrophes_stay_text(tmp_path):
    cells = ["=1+1", "'0012", "+84900", "-5", "@SUM(A1)", '="0012"', "001", "1e5", "01/02/2026"]
    written = "".join(f'A;"{cell.replace(chr(34), chr(34) * 2)}";1\n' for cell in cells)
    assert [record["ten"] for record in records(read(tmp_path, HEADER + written))] == cells


def test_lost_leading_zeros_come_back(tmp_path):
    columns = {**COLUMNS, "trang_thai": {"header": "Trạng thái", "width": 3}}
    pages = read(tmp_path, HEADER + "A;x;7\nA;x;007\nA;x;\nA;x;lạ\n", feed={"columns": columns})
    assert [record["trang_thai"] for record in records(pages)] == ["007", "007", "", "lạ"]


def test_a_row_that_does_not_fit_is_a_record_of_its_own_without_columns(tmp_path):
    pages = read(tmp_path, HEADER + "A1;x;1\nA2;x\nA3;x;3;y\nA4;x;4\n")
    assert codes(pages) == ["A1", None, None, "A4"]
    assert records(pages)[1:3] == [
        {"at": "row 3 of a.csv", "problem": "2 cells under 3 columns", "cells": ["A2", "x"]},
        {"at": "row 4 of a.csv", "problem": "4 cells under 3 columns", "cells": ["A3", "x", "3", "y"]},
    ]


def test_the_header_is_found_below_titles_whatever_its_spelling_and_order(tmp_path):
    code = unicodedata.normalize("NFD", "MÃ HỒ SƠ")
    content = f'DANH SÁCH HỒ SƠ;;\nNgày in: 01/07/2026;;\n"trạng  THÁI";Nguoi;{code};Ghi chú\n'
    columns = {**COLUMNS, "ten": ["Người nộp", "Nguoi"]}
    pages = read(tmp_path, content + "4;Mẫu;A1;thêm\n", feed={"columns": columns})
    assert records(pages) == [{"at": "row 4 of a.csv", "ma": "A1", "ten": "Mẫu", "trang_thai": "4", "Ghi chú": "thêm"}]


def test_columns_nobody_asked_for_go_along_under_their_own_heading(tmp_path):
    pages = read(tmp_path, "Mã hồ sơ;at;Người nộp;Trạng thái;Mới;Mới;\nA1;x;y;4;m;n;\nA2;x;y;4;m;n;o\n")
    first, second = records(pages)
    assert first == {
        "at": "row 2 of a.csv", "ma": "A1", "at (2)": "x", "ten": "y", "trang_thai": "4", "Mới": "m", "Mới (2)": "n",
    }  # fmt: skip
    assert second["problem"] == "a cell is filled in a column without a heading"


def test_an_optional_column_may_lack(tmp_path):
    columns = {**COLUMNS, "dien_thoai": {"header": "Điện thoại", "optional": True}}
    assert codes(read(tmp_path, HEADER + "A1;x;1\n", feed={"columns": columns})) == ["A1"]


def test_a_header_without_a_wanted_column_breaks_the_contract_and_says_what_it_may_be_called_now(tmp_path):
    said = refused(tmp_path, "Mã hồ sơ;Người nộp;Trạng thái mới\nA1;x;1\n")
    assert "a.csv: the header lacks 'Trạng thái'; 'Trạng thái' may be 'Trạng thái mới' now" in said
    assert "Ask the owner what has changed" in said


def test_a_column_named_twice_breaks_the_contract(tmp_path):
    said = refused(tmp_path, "Mã hồ sơ;Người nộp;Trạng thái;TRẠNG THÁI\nA1;x;1;2\n")
    assert "the header names a column twice: 'Trạng thái'" in said


def test_a_file_without_a_header_is_refused_without_telling_what_stands_in_it(tmp_path):
    said = refused(tmp_path, "H12-1;Nguyễn Thị Bí Mật;4\n" * 30)
    assert "no row among the first 20 is the header, which would begin with 'Mã hồ sơ'" in said
    assert "Bí Mật" not in said


def test_an_empty_file_is_refused(tmp_path):
    assert "it is empty: there is no header" in refused(tmp_path, "")


def test_a_file_with_a_header_alone_is_one_empty_page_and_is_archived(tmp_path):
    (page,) = read(tmp_path, HEADER)
    assert page.records == []
    assert tree(tmp_path) == ["archive/2026-07-01/a.csv"]


def test_a_byte_that_is_no_text_is_named_by_row_and_place(tmp_path):
    content = HEADER.encode() + b"A1;x;1\nA2;N\xe9;2\n"
    said = refused(tmp_path, content)
    at = content.index(0xE9)
    assert f"row 3 is not utf-8: the byte at offset {at} (0xe9) means nothing there" in said


def test_a_file_in_another_encoding_than_declared_is_named_before_anything_is_read(tmp_path):
    content = (HEADER + "A1;Nguyễn Văn Mẫu;Đang xử lý\n" * 3).encode()
    said = refused(tmp_path, content, feed={"format": {**CSV, "encoding": "tcvn3"}})
    assert "its text is declared as tcvn3 and looks like utf-8" in said


def test_text_that_is_not_utf8_is_said_to_look_like_what_it_is(tmp_path):
    from test_files_encodings import write_1258

    content = write_1258(HEADER + "A1;Nguyễn Văn Mẫu;đang xử lý\n" * 3)
    assert "the file looks like windows-1258" in refused(tmp_path, content)


def test_a_workbook_under_the_name_of_a_csv_is_refused(tmp_path):
    assert "it is an Excel workbook and no CSV" in refused(tmp_path, b"PK\x03\x04" + b"\x00" * 100)


@pytest.mark.parametrize(
    ("content", "row"),
    [
        (HEADER + 'A1;x;1\nA2;"x" y;2\nA3;z;3\n', 3),
        (HEADER + 'A1;x;1\nA2;"never closed;2\nA3;z;3\n', 3),
        (HEADER + 'A1;x;1\nA2;"' + "x" * 200_000 + '";2\n', 3),
        (HEADER + "A1;x;1\rA2;y;2\r", 2),
    ],
)
def test_broken_quoting_makes_all_behind_it_doubtful(tmp_path, content, row):
    assert f"row {row} is not CSV" in refused(tmp_path, content, kind=BrokenAnswer)


def test_a_line_without_end_is_refused_before_it_fills_the_memory(tmp_path):
    said = refused(tmp_path, HEADER + "x" * 3_000_000, kind=BrokenAnswer)
    assert "row 2 is longer than 1 MB" in said


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_what_is_cut_is_neither_in_records_nor_in_the_bytes_that_are_kept(tmp_path, encoding):
    columns = {**COLUMNS, "ngay_sinh": {"header": "Ngày sinh", "optional": True}}
    content = "Mã hồ sơ;Ngày sinh;Người nộp;Trạng thái\nA1;bí mật;Mẫu;1\nA2;bí mật;Mẫu\nA3;bí mật;Mẫu;3\n"
    feed = {"columns": columns, "format": {**CSV, "encoding": encoding}}
    pages = read(tmp_path, content, encoding=encoding, cut=("ngay_sinh",), feed=feed)
    assert "bí mật" not in str(records(pages))
    assert [page.raw.decode() for page in pages] == [
        "Mã hồ sơ;Người nộp;Trạng thái\nA1;Mẫu;1\n?;?;?;?\n",
        "Mã hồ sơ;Người nộp;Trạng thái\nA3;Mẫu;3\n",
    ]
    assert {page.media_type.partition("; name")[0] for page in pages} == {"text/csv; charset=utf-8"}


def test_a_column_to_be_cut_must_be_found(tmp_path):
    columns = {**COLUMNS, "ngay_sinh": {"header": "Ngày sinh", "optional": True}}
    content = "Mã hồ sơ;Sinh ngày;Người nộp;Trạng thái\nA1;bí mật;Mẫu;1\n"
    assert "the header lacks 'Ngày sinh'" in refused(tmp_path, content, cut=("ngay_sinh",), feed={"columns": columns})


def test_cutting_a_column_of_no_feed_is_a_mistake_of_the_entry(tmp_path):
    with pytest.raises(NeedsPerson, match="the column 'ngay_sinh' of 'cut' is in no feed"):
        source(tmp_path, cut=("ngay_sinh",))
