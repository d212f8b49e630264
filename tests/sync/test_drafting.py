"""A draft of a connector passes the checks as it is, invents no meaning, and holds nobody's data."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from connectors.catalog import load_entry
from mappings import validate_page
from mappings.mapping import load_file
from schemas.codes import Channel, SubjectKind
from sync.drafting.draft import Folders, draft, prove
from sync.drafting.guesses import Guess, fields, formats, state
from sync.drafting.owner import agency_code, agency_name
from sync.drafting.reading import read
from sync.drafting.writing import (
    Answers,
    Assumed,
    assumed,
    channels_without_meaning,
    codes_without_meaning,
    strangers,
)
from sync.errors import SyncError

ANSWERS = Answers(
    title_vi="Cấp phép tài nguyên nước",
    title_en="Water permits",
    owner_agency="H12.10",
    owner_vi="Sở Nông nghiệp và Môi trường",
    owner_en="Department of environment",
    agency="H12.10",
)
RECORD = {
    "id": 7,
    "maHoSo": "000.00.10.H12-260105-0001",
    "maThuTuc": "1.990501",
    "tenNguoiNop": "Trần Thị Thật",
    "cccd": "079199000123",
    "ngayTiepNhan": "05/01/2026 08:30:00",
    "ngayHenTra": "12/01/2026",
    "trangThai": "Đang xử lý",
    "capNhatLuc": "2026-01-06T09:00:00+07:00",
    "vanBan": {"soHieu": "12/GP"},
}
OPENAPI = {
    "openapi": "3.0.3",
    "servers": [{"url": "https://nuoc.example.vn/api/v2"}],
    "paths": {
        "/ho-so": {
            "get": {
                "parameters": [
                    {"name": "updatedSince", "in": "query", "schema": {"type": "string", "format": "date-time"}},
                    {"name": "page", "in": "query", "schema": {"type": "integer", "default": 0}},
                    {"name": "limit", "in": "query", "schema": {"type": "integer"}},
                    {"name": "tinh", "in": "query", "required": True, "schema": {"type": "string", "example": "H12"}},
                ],
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Trang"}}}}
                },
            }
        },
        "/ho-so/{id}": {"get": {"responses": {"200": {"description": "one"}}}},
    },
    "components": {
        "securitySchemes": {
            "o": {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "https://sso.example.vn/oauth/token"}}}
        },
        "schemas": {
            "Trang": {
                "type": "object",
                "properties": {
                    "total": {"type": "integer"},
                    "data": {"type": "array", "items": {"$ref": "#/components/schemas/HoSo"}},
                },
            },
            "HoSo": {
                "type": "object",
                "required": ["maHoSo", "trangThai"],
                "properties": {
                    "maHoSo": {"type": "string"},
                    "maThuTuc": {"type": "string"},
                    "maDonVi": {"type": "string"},
                    "trangThai": {"type": "string", "enum": ["DANG_XU_LY", "DA_TRA_KET_QUA", "X17"]},
                    "updatedAt": {"type": "string", "format": "date-time"},
                    "ghiChu": {"type": "string", "nullable": True},
                },
            },
        },
    },
}


def _folders(root: Path) -> Folders:
    return Folders(root / "connectors/catalog", root / "mappings/sources", root / "schemas/wire")


def _drafted(tmp_path: Path, content: str, name: str = "mau.json", answers: Answers = ANSWERS, **how):
    source = tmp_path / name
    source.write_text(content)
    sketch = read(source, operation=how.get("operation"), url_path=how.get("url_path"))
    made = draft("nuoc", sketch, answers, _folders(tmp_path))
    made.write()
    entry = load_entry(tmp_path / "connectors/catalog/nuoc.yaml")
    return sketch, made, entry, load_file(tmp_path / "mappings/sources/nuoc.yaml")


def test_a_sample_answer_becomes_a_connector_that_understands_it(tmp_path):
    answer = json.dumps({"error": 0, "ketQua": {"tong": 1, "hoSo": [RECORD]}}, ensure_ascii=False)
    sketch, made, entry, mapping = _drafted(tmp_path, answer, url_path="/api/ho-so")
    assert prove(made) == []
    assert entry.protocol == "rest"
    assert entry.options.answer.records == "ketQua.hoSo"
    assert entry.options.request.path == "/api/ho-so"
    ((_, dossier),) = validate_page(mapping, sketch.records).good
    assert (dossier.code, dossier.state, dossier.agency_code) == ("H12.10-260105-0001", 4, "H12.10")
    assert dossier.due_at is not None
    assert dossier.applicant.identity_number == "079199000123"


def test_a_draft_holds_nobodys_data(tmp_path):
    _, made, _, _ = _drafted(tmp_path, json.dumps([RECORD], ensure_ascii=False))
    written = b"".join(made.files.values()).decode()
    assert "Thật" not in written
    assert "079199000123" not in written
    assert "12/GP" not in written


def test_an_openapi_document_tells_the_whole_connector(tmp_path):
    sketch, made, entry, mapping = _drafted(tmp_path, yaml.safe_dump(OPENAPI, allow_unicode=True), "api.yaml")
    assert prove(made) == []
    options = entry.options
    assert options.request.path == "/api/v2/ho-so"
    assert dict(options.request.params) == {
        "updatedSince": "{since}",
        "page": "{page}",
        "limit": "{size}",
        "tinh": "H12",
    }
    assert (options.auth.kind, options.auth.token_path) == ("oauth2", "/oauth/token")
    assert (options.paging.kind, options.paging.first) == ("page", 0)
    assert (options.answer.records, options.answer.total, options.answer.changed) == ("data", "total", "updatedAt")
    assert entry.pull.style == "changed-since"
    assert mapping.tables["state"] == {"DANG_XU_LY": 4, "DA_TRA_KET_QUA": 10}
    assert codes_without_meaning(sketch, {}) == ["X17"]
    contract = json.loads((tmp_path / "schemas/wire" / entry.contract).read_bytes())["$defs"]["record"]
    assert contract["additionalProperties"] is False
    assert contract["properties"]["ghiChu"]["type"] == ["string", "null"]


def test_what_a_person_said_of_a_state_is_taken(tmp_path):
    answers = replace(ANSWERS, states={"X17": 5})
    sketch, made, _, mapping = _drafted(tmp_path, json.dumps(OPENAPI), "api.json", answers)
    assert prove(made) == []
    assert mapping.tables["state"]["X17"] == 5
    assert codes_without_meaning(sketch, answers.states) == []


def test_a_table_becomes_a_file_drop(tmp_path):
    rows = "Mã hồ sơ;Mã thủ tục;Chủ hồ sơ;Ngày nhận;Trạng thái\n"
    rows += "H12.05-260105-0001;1.990601;Trần Thị Thật;05/01/2026;Hoàn thành\n"
    sketch, made, entry, mapping = _drafted(tmp_path, rows, "mau.csv")
    assert prove(made) == []
    assert entry.protocol == "files"
    assert entry.options.feeds[0].format.delimiter == ";"
    ((_, dossier),) = validate_page(mapping, sketch.records).good
    assert (dossier.code, dossier.state) == ("H12.05-260105-0001", 9)


def test_a_wsdl_is_the_contract_and_tells_the_request(tmp_path):
    wsdl = Path(__file__).parents[2] / "schemas/wire/dkkd/dkkd.wsdl"
    _, made, entry, _ = _drafted(tmp_path, wsdl.read_text("utf-8"), "dkkd.wsdl", operation="danhSachHoSoThayDoi")
    assert prove(made) == []
    assert entry.protocol == "soap"
    assert entry.options.answer.records == "danhSachHoSo.hoSo"
    assert "{since}" in entry.options.request.values()
    assert (tmp_path / "schemas/wire" / entry.contract).read_bytes() == wsdl.read_bytes()


def test_what_nothing_tells_is_assumed_aloud_and_marked_in_the_mapping(tmp_path):
    sketch, made, _, mapping = _drafted(tmp_path, json.dumps([RECORD]))
    assert assumed(sketch) == [Assumed("channel", Channel.DIRECT), Assumed("subject_kind", SubjectKind.CITIZEN)]
    assert prove(made) == []
    for field in ("channel", "subject_kind"):
        (line,) = (line for line in mapping.file.read_text().splitlines() if line.startswith(f"  {field}:"))
        assert "# assumed" in line


@pytest.mark.parametrize(
    ("applicant", "kind"),
    [
        ({"toChuc": {"tenDoanhNghiep": "Công ty Mẫu", "maSoThue": "0100109106"}}, SubjectKind.ENTERPRISE),
        ({"tenCongTy": "Công ty Mẫu"}, SubjectKind.ENTERPRISE),
        ({"hoTen": "Nguyễn Văn Mẫu", "maSoThue": "0100109106"}, SubjectKind.CITIZEN),
        ({}, SubjectKind.CITIZEN),
    ],
)
def test_who_only_has_the_name_and_number_of_an_enterprise_is_one(tmp_path, applicant, kind):
    record = {name: value for name, value in RECORD.items() if name not in ("tenNguoiNop", "cccd")} | applicant
    _, made, _, mapping = _drafted(tmp_path, json.dumps([record]))
    assert prove(made) == []
    ((_, dossier),) = validate_page(mapping, [record]).good
    assert dossier.subject_kind == kind


def test_words_for_the_way_of_filing_are_understood_and_others_left_to_a_person(tmp_path):
    records = [{**RECORD, "id": number, "kenh": word} for number, word in enumerate(["X9", "Trực tuyến", "BCCI"])]
    sketch, made, _, mapping = _drafted(tmp_path, json.dumps(records, ensure_ascii=False))
    assert prove(made) == []
    assert mapping.tables["channel"] == {"Trực tuyến": 2, "BCCI": 3}
    assert channels_without_meaning(sketch) == ["X9"]
    assert [each.field for each in assumed(sketch)] == ["subject_kind"]
    assert [problem.field for problem in validate_page(mapping, records).bad] == ["channel"]


def test_a_draft_none_of_whose_codes_is_known_still_proves(tmp_path):
    _, made, _, _ = _drafted(tmp_path, json.dumps([{**RECORD, "kenh": "X9", "trangThai": "Y9"}]))
    assert prove(made) == []


def test_the_agency_has_a_name_by_its_code_or_by_its_owner(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for folder, record in (("a", {**RECORD, "maDonVi": "000.00.10.H12"}), ("b", RECORD)):
        _, _, _, mapping = _drafted(tmp_path / folder, json.dumps([record]))
        ((_, dossier),) = validate_page(mapping, [record]).good
        assert dossier.agency_name.startswith("Sở Nông nghiệp và Môi trường")


def test_a_misspelt_state_is_found_where_the_document_lists_all_codes(tmp_path):
    sketch, *_ = _drafted(tmp_path, json.dumps(OPENAPI), "api.json")
    assert strangers(sketch, ["X17", "X71"]) == ["X71"]
    (tmp_path / "sample").mkdir()
    sample, *_ = _drafted(tmp_path / "sample", json.dumps([RECORD]))
    assert strangers(sample, ["Chờ ký"]) == []  # a sample shows some codes only


@pytest.mark.parametrize(("text", "code"), [("H12.10", "H12.10"), ("000.00.10.H12", "H12.10")])
def test_an_agency_is_found_by_either_form_of_its_code(text, code):
    assert agency_code(text) == code
    assert agency_name(code) == "Sở Nông nghiệp và Môi trường tỉnh Thử Nghiệm"


def test_what_is_no_agency_code_is_refused_and_one_that_is_not_listed_has_no_name():
    with pytest.raises(SyncError, match="no agency code"):
        agency_code("Nuoc")
    assert agency_name("H12.77") is None


def test_nothing_is_overwritten(tmp_path):
    _, made, _, _ = _drafted(tmp_path, json.dumps([RECORD]))
    before = {path: path.read_bytes() for path in made.files}
    with pytest.raises(SyncError, match="there already"):
        made.write()
    assert before == {path: path.read_bytes() for path in made.files}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"a": 1}', "no list of records"),
        ("\x01\x02", "neither JSON nor YAML"),
        (json.dumps({**OPENAPI, "paths": {}}), "no operation"),
        (json.dumps([{"ten": "x", "trangThai": 1}]), "does not tell"),
        ("<!-- x -->\n<!DOCTYPE html><html><body>Đăng nhập</body></html>", "is HTML"),
    ],
)
def test_what_cannot_be_drafted_says_what_to_give_instead(tmp_path, content, said):
    with pytest.raises(SyncError, match=said) as caught:
        _drafted(tmp_path, content)
    assert caught.value.next_step


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (json.dumps(OPENAPI), "api.json"),
        ((Path(__file__).parents[2] / "schemas/wire/dkkd/dkkd.wsdl").read_text("utf-8"), "dkkd.wsdl"),
    ],
)
def test_an_operation_that_is_not_there_is_named_with_those_that_are(tmp_path, content, name):
    with pytest.raises(SyncError, match=r"no operation 'foo'.*(GET /ho-so|danhSachHoSoThayDoi)"):
        _drafted(tmp_path, content, name, operation="foo")
    near = {"api.json": "GET /hoso", "dkkd.wsdl": "danhSachHoSoThaiDoi"}[name]
    with pytest.raises(SyncError, match="Did you mean"):
        _drafted(tmp_path, content, name, operation=near)


@pytest.mark.parametrize(
    ("values", "written"),
    [
        (["05/01/2026 08:30:00"], ("%d/%m/%Y %H:%M:%S",)),
        (["2026-01-05", "05/01/2026"], ("%Y-%m-%d", "%d/%m/%Y")),
        (["2026-01-05T08:30:00.123+0700"], ("iso",)),
        (["hôm qua"], ()),
        ([20260105], ()),
    ],
)
def test_moments_are_recognised_by_how_they_are_written(values, written):
    assert formats(values) == written


def test_a_name_alone_does_not_make_a_field_a_moment_or_a_code():
    assert fields({"ngayTiepNhan": ["hôm qua"], "maHoSo": ["không phải mã"]}) == []
    assert fields({"Ngay_Hen_Tra": ["2026-01-05"]}) == [Guess("due_at", "Ngay_Hen_Tra", ("%Y-%m-%d",))]


def test_a_number_is_not_taken_for_a_national_state():
    assert state("4") is None
    assert state("Đang xử lý") == 4
