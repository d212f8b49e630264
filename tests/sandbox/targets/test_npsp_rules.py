"""What the portal accepts in records, and how it says no."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.targets.npsp.rules import DOSSIER_RULES, STEP_RULES, Refusal, check_batch, is_date

MINIMAL = {
    "MaHoSo": "H12.12-250812-0002",
    "MaTTHC": "1.990101.000.00.00.H12",
    "TenTTHC": "Thủ tục mẫu",
    "MaLinhVuc": "G99-XX01",
    "TenLinhVuc": "Lĩnh vực mẫu",
    "SoBienNhan": "",
    "ChuHoSo": "Nguyễn Văn Mẫu",
    "LoaiDoiTuong": "1",
    "MaDoiTuong": "000099000001",
    "NgayTiepNhan": "20250812081500",
    "NgayHenTra": "",
    "TrangThaiHoSo": "4",
    "HinhThuc": "0",
    "DonViXuLy": "Sở Mẫu",
    "TaiLieuNop": [],
    "DanhSachGiayToKetQua": [],
}
FULL = MINIMAL | {
    "KenhThucHien": "2",
    "TrichYeuHoSo": "Đề nghị",
    "NgayNopHoSo": "20250812074500",
    "NoiNopHoSo": "2",
    "NgayHenTra": "20250819170000",
    "HoSoCoThanhPhanSoHoa": "1",
    "TaiKhoanDuocXacThucVoiVNeID": "1",
    "DuocThanhToanTrucTuyen": "1",
    "DinhDanhCHS": [{"LoaiDinhDanh": "1", "SoDinhDanh": "000099000001"}],
    "DSKetNoiCSDL": [{"MaCSDL": "7"}],
    "TaiLieuNop": [
        {
            "TenTepDinhKem": "Đơn.pdf",
            "IsDeleted": "False",
            "DuongDanTaiTepTin": "https://example.invalid/1",
            "DuocSoHoa": "1",
            "DuocTaiSuDung": "0",
            "DuocLayTuKhoDMQG": "0",
        }
    ],
    "DanhSachLePhi": [{"TenPhiLePhi": "Lệ phí", "MaPhiLePhi": "1", "Gia": "50000"}],
    "DanhSachTepDinhKemKhac": [{"TenGiayTo": "Bản sao", "SoLuong": 1, "LoaiGiayTo": 1}],
    "DanhSachHoSoBoSung": [
        {"HoSoBoSungId": 1, "NgayBoSung": "20250813093000", "TrangThaiBoSung": True, "DanhSachGiayToBoSung": []}
    ],
    "DanhSachGiayToKetQua": [{"TenGiayTo": "Giấy xác nhận", "MaGiayToKetQua": "KQ.G99.000001"}],
}
STEP = {
    "MaHoSo": "H12.12-250812-0002",
    "NguoiXuLy": "Trần Thị Thử",
    "ChucDanh": "",
    "ThoiDiemXuLy": "20250812081500",
    "PhongBanXuLy": "Bộ phận Một cửa",
    "NoiDungXuLy": "Tiếp nhận hồ sơ",
    "TrangThai": "2",
    "NgayBatDau": "",
    "NgayKetThucTheoQuyDinh": "20250819170000",
}


def dossier(**changes: Any) -> list[dict[str, Any]]:
    return [FULL | changes]


@pytest.mark.parametrize("record", [MINIMAL, FULL], ids=["sixteen fields", "all fields"])
def test_a_dossier_as_public_senders_write_it_is_taken(record: dict[str, Any]) -> None:
    assert check_batch([record], DOSSIER_RULES) is None


@pytest.mark.parametrize(
    "name",
    ["MaHoSo", "MaTTHC", "TenTTHC", "MaLinhVuc", "TenLinhVuc", "LoaiDoiTuong", "NgayTiepNhan", "TrangThaiHoSo"],
)
@pytest.mark.parametrize("absent", ["", None])
def test_a_missing_required_field_is_named_with_error_code_zero(name: str, absent: str | None) -> None:
    refusal = check_batch(dossier(**{name: absent}), DOSSIER_RULES)
    assert refusal == Refusal("0", f"Dữ liệu không hợp lệ: thiếu {name}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MaHoSo", "có dấu cách"),
        ("MaTTHC", "TS_lop1"),
        ("NgayTiepNhan", "2025-08-12T08:15:00"),
        ("NgayHenTra", "20250231170000"),
        ("TrangThaiHoSo", "11"),
        ("TrangThaiHoSo", 4),
        ("LoaiDoiTuong", "5"),
        ("KenhThucHien", "0"),
        ("HinhThuc", "True"),
        ("TrichYeuHoSo", "x" * 1001),
        ("TaiLieuNop", {}),
        ("TaiLieuNop", ["tệp"]),
        ("TaiLieuNop", [{"TenTepDinhKem": "a", "IsDeleted": False, "DuongDanTaiTepTin": "https://example.invalid"}]),
        ("DanhSachGiayToKetQua", [{"TenGiayTo": "x" * 2001}]),
        ("DanhSachTepDinhKemKhac", [{"SoLuong": "1"}]),
        ("DinhDanhCHS", [{"LoaiDinhDanh": "1", "SoDinhDanh": "9900000009"}]),
        ("DanhSachLePhi", [{"Gia": "50.000"}]),
        ("DanhSachHoSoBoSung", [{"NgayBoSung": "13/08/2025"}]),
    ],
)
def test_a_malformed_field_is_named_with_error_code_minus_one(name: str, value: Any) -> None:
    refusal = check_batch(dossier(**{name: value}), DOSSIER_RULES)
    assert refusal is not None
    assert refusal.error_code == "-1"
    assert name in refusal.message or "thiếu" in refusal.message
    assert "thành công" not in refusal.message.lower()


def test_a_batch_is_judged_by_its_first_bad_record() -> None:
    refusal = check_batch([FULL, FULL | {"HinhThuc": ""}, FULL | {"MaHoSo": ""}], DOSSIER_RULES)
    assert refusal is not None
    assert "HinhThuc" in refusal.message


@pytest.mark.parametrize("data", [None, {}, [], "[]"])
def test_a_call_without_records_is_refused(data: object) -> None:
    assert check_batch(data, DOSSIER_RULES) is not None


def test_a_step_as_public_senders_write_it_is_taken() -> None:
    assert check_batch([STEP], STEP_RULES) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("NguoiXuLy", "x" * 51), ("NguoiXuLy", ""), ("NoiDungXuLy", None), ("TrangThai", "0"), ("ThoiDiemXuLy", "2025")],
)
def test_a_bad_step_is_refused(name: str, value: Any) -> None:
    refusal = check_batch([STEP | {name: value}], STEP_RULES)
    assert refusal is not None
    assert name in refusal.message


@given(st.datetimes())
def test_every_real_moment_is_a_date(moment: Any) -> None:
    assert is_date(f"{moment:%Y%m%d%H%M%S}".rjust(14, "0"))


@given(st.text())
def test_no_other_text_is_a_date(text: str) -> None:
    assert not is_date(text) or (len(text) == 14 and text.isascii() and text.isdigit())
