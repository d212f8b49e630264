"""The whole record of the portal's interface: each field is filled from what we know, or left out for a stated reason.

The lists are those of the interface, the fields that were added to it later included.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import mappings
from mappings.model import ListSpec, Section


def _names(text: str) -> list[str]:
    return text.split()


RECORD = _names("""
    MaHoSo MaTTHC TenTTHC MaLinhVuc TenLinhVuc SoBienNhan ChuHoSo LoaiDoiTuong MaDoiTuong ThongTinKhac Email Fax
    SoDienThoai TrichYeuHoSo NgayTiepNhan NgayHenTra TrangThaiHoSo NgayTra ThongTinTra HinhThuc NgayKetThucXuLy
    DonViXuLy GhiChu TaiLieuNop DanhSachLePhi DanhSachTepDinhKemKhac DanhSachHoSoBoSung DanhSachGiayToKetQua
    KenhThucHien NgayNopHoSo NoiNopHoSo HoSoCoThanhPhanSoHoa TaiKhoanDuocXacThucVoiVNeID DuocThanhToanTrucTuyen
    NgayTuChoi DinhDanhCHS DSKetNoiCSDL SoGiayToChuHoSo
""")
RESULT = _names("TenGiayTo MaThanhPhanHoSo GiayToId DuongDanTepTinKetQua MaGiayToKetQua")
STEP = _names("""
    MaHoSo NguoiXuLy ChucDanh ThoiDiemXuLy PhongBanXuLy NoiDungXuLy TrangThai NgayBatDau NgayKetThucTheoQuyDinh
""")
NOTICE = _names("MaHoSo MaHoSoDonVi MaDoiTuong NoiDung NgayXuLy TrangThai TaiLieuXuLy")
RATING = _names("""
    NgayTongHop TongSoNguoiDanhGia PhanTramDanhGiaRatHaiLong PhanTramDanhGiaHaiLong PhanTramDanhGiaChuaHaiLong
    DanhSachNoiDungYKien MaThuTuc NoiDung PhanTramDanhGiaDichVuRatHaiLong PhanTramDanhGiaDichVuHaiLong
    PhanTramDanhGiaDichVuChuaHaiLong Madonvi TenDonVi
""")
ALWAYS_DEMANDED = _names("""
    MaHoSo MaTTHC TenTTHC MaLinhVuc TenLinhVuc LoaiDoiTuong NgayTiepNhan TrangThaiHoSo HinhThuc DonViXuLy
""")
LOADED = mappings.load("npsp", mappings.Direction.TARGET)
CONTRACT = json.loads((Path(mappings.__file__).parent.parent / "schemas/wire/npsp/mapi.schema.json").read_text("utf-8"))


def spoken_of(section: Section) -> list[str]:
    """Every field that the section fills or leaves out."""
    filled: list[str] = []
    for name, spec in section.fields.items():
        filled.append(name)
        if isinstance(spec, ListSpec):
            filled += [f"{name}.{inner}" for inner in spec.fields]
    return sorted([*filled, *section.leaves_out])


def test_every_field_of_the_record_is_filled_or_left_out_for_a_reason() -> None:
    section = LOADED.sections["dossier"]
    assert spoken_of(section) == sorted([*RECORD, *(f"DanhSachGiayToKetQua.{name}" for name in RESULT)])
    assert all(len(reason) > 20 for reason in section.leaves_out.values())


def test_every_field_of_a_step_is_filled_or_left_out_for_a_reason() -> None:
    assert spoken_of(LOADED.sections["step"]) == sorted(STEP)


def test_every_field_of_a_notice_is_filled_or_left_out_for_a_reason() -> None:
    assert spoken_of(LOADED.sections["notice"]) == sorted(NOTICE)


def test_every_field_of_a_month_of_ratings_is_filled() -> None:
    assert spoken_of(LOADED.sections["satisfaction"]) == sorted(["data", *(f"data.{name}" for name in RATING)])


PARTS = [("dossier", RECORD), ("result", RESULT), ("step", STEP), ("notice", NOTICE), ("rating", RATING)]


@pytest.mark.parametrize(("part", "names"), PARTS)
def test_the_contract_knows_the_same_fields(part: str, names: list[str]) -> None:
    assert sorted(CONTRACT["$defs"][part]["properties"]) == sorted(names)


def test_what_no_sender_ever_leaves_out_is_always_there() -> None:
    assert sorted(CONTRACT["$defs"]["dossier"]["required"]) == sorted(ALWAYS_DEMANDED)
    (sent,) = converted({"state": 1})
    assert all(sent[name] for name in ALWAYS_DEMANDED)


def converted(*changes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Bare dossiers, which only say what every dossier must, with changes."""
    bare = {
        "code": "H12.07-260302-0001",
        "procedure_code": "1.990101",
        "agency_code": "H12.07",
        "agency_name": "Trung tâm mẫu",
        "channel": 1,
        "subject_kind": 1,
        "submitted_at": datetime(2026, 3, 2, 1, tzinfo=UTC),
        "applicant": {},
        "results": [],
        "state": 4,
        "version": 1,
    }
    done = LOADED.convert_dossiers([{**bare, **each} for each in changes])
    assert not done.bad
    return [payload for _, payload in done.good]


def test_no_state_is_altered_on_the_way() -> None:
    sent = converted(*({"state": state} for state in range(1, 11)))
    assert [one["TrangThaiHoSo"] for one in sent] == [str(state) for state in range(1, 11)]
    assert {one["NgayHenTra"] for one in sent} == {""}


def test_an_applicant_of_whom_nothing_is_known_has_no_identity() -> None:
    (sent,) = converted({"applicant": {}})
    assert not {"ChuHoSo", "SoGiayToChuHoSo", "DinhDanhCHS", "SoDienThoai", "Email", "Fax", "MaDoiTuong"} & sent.keys()


def texts(value: Any) -> Iterator[str]:
    """Every text in a payload."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def test_what_is_sent_of_a_bare_dossier_comes_from_it_or_from_the_catalogues() -> None:
    (sent,) = converted({})
    known = {
        "000.00.07.H12-260302-0001", "1.990101", "Đổi giấy phép lái xe", "G99-GT02", "Giấy phép lái xe",
        "Trung tâm mẫu", "20260302080000", "4", "",
    }  # fmt: skip
    # 0: at the counter, and nothing paid online; 1: at the counter, a citizen; 2: filed in the province.
    assert set(texts(sent)) <= known | {"0", "1", "2"}
