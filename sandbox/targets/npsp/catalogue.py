"""The shared catalogues of the portal: procedures, agencies and fields of the invented province.

Keys and nesting are those seen in public implementations (uppercase in answers, unlike requests). Every value is
invented; ids of papers and results follow no published pattern, and the levels of agencies are a guess.

The catalogues have a few gaps, as real ones have: a procedure that was never published, a utility that is no agency,
and its field.
"""

from collections.abc import Iterable
from typing import Any

from sandbox.province.catalogue import PROCEDURES, Procedure
from schemas.identifiers import agency_long, procedure_stem

UNPUBLISHED = frozenset({"2.990203", "H12.31", "G99-DL01"})
"""Codes of the province that its dossiers carry and these catalogues lack."""

_PUBLISHED = tuple(one for one in PROCEDURES if one.code not in UNPUBLISHED)
_GOVERNMENT = ("000.00.00.H12", "Ủy ban nhân dân tỉnh Thử Nghiệm")


def procedures() -> list[dict[str, str]]:
    """The answer to LayDanhSachTTHC."""
    return [{"MATTHC": one.code, "TENTTHC": one.name} for one in _PUBLISHED]


def agencies() -> list[dict[str, str]]:
    """The answer to LayDanhMucCoQuan: the province, then what is under it."""
    known = (agency for one in PROCEDURES for agency in one.sector.agencies if agency.code not in UNPUBLISHED)
    below = {agency_long(agency.code): agency.name for agency in known}
    levels = [(*_GOVERNMENT, "1"), *((code, name, "2") for code, name in sorted(below.items()))]
    return [{"MADONVI": code, "TENDONVI": name, "CAPDONVI": level} for code, name, level in levels]


def fields() -> list[dict[str, str]]:
    """The answer to LayDanhMucLinhVuc; MANGANH is the ministry that owns the field."""
    known = {one.sector.field_code: one.sector.field_name for one in PROCEDURES}
    return [
        {"MALINHVUC": code, "TENLINHVUC": name, "MANGANH": code.partition("-")[0]}
        for code, name in known.items()
        if code not in UNPUBLISHED
    ]


def procedure(code: str) -> list[dict[str, Any]]:
    """The answer to LayThuTuc: one element, or none; a code with an agency suffix is found by its stem."""
    try:
        stem = procedure_stem(code)
    except ValueError:
        return []
    return [_detail(one) for one in _PUBLISHED if one.code == stem]


def _detail(one: Procedure) -> dict[str, Any]:
    sector = one.sector
    ministry = sector.field_code.partition("-")[0]
    paper = {
        "MAGIAYTO": "GT.000001",
        "TENGIAYTO": "Đơn đề nghị",
        "TENMAUDON": "Mau01.docx",
        "URL": "https://example.invalid/mau01.docx",
    }
    return {
        "MATTHC": one.code,
        "TENTTHC": one.name,
        "MACOQUANCONGBO": _GOVERNMENT[0],
        "TRANGTHAI": 1,
        "YEUCAU": "",
        "LINHVUCTHUCHIEN": [{"MALINHVUC": sector.field_code, "TENLINHVUC": sector.field_name}],
        "TRINHTUTHUCHIEN": [{"TRUONGHOP": "Chung", "TRINHTU": _named("TENTRINHTU", ("Nộp hồ sơ", "Xử lý"))}],
        "CACHTHUCTHUCHIEN": [_way(channel, one.term_days) for channel in ("1", "2", "3")],
        "THANHPHANHOSO": [{"GIAYTO": [paper]}],
        "DOITUONGTHUCHIEN": _named("TENDOITUONG", ("Công dân Việt Nam", "Doanh nghiệp")),
        "KETQUATHUCHIEN": [{"MAKETQUA": f"KQ.{ministry}.{one.code[2:]}", "TENKETQUA": f"Kết quả: {one.name}"}],
        "CANCUPHAPLY": [{"SOVANBAN": "00/0000/NĐ-CP", "TENVANBAN": "Văn bản mẫu"}],
        "COQUANTHUCHIEN": [{"MADONVI": agency_long(at.code), "TENDONVI": at.name} for at in sector.agencies],
    }


def _way(channel: str, working_days: int) -> dict[str, Any]:
    fee = {"MAPHILEPHI": "1", "SOTIEN": "50000", "DONVI": "Đồng", "MOTA": ""}
    term = {"THOIGIANGIAIQUYET": str(working_days), "DONVITINH": "Ngày làm việc", "MOTA": "", "PHILEPHI": [fee]}
    return {"KENH": channel, "THOIGIAN": [term]}


def _named(key: str, names: Iterable[str]) -> list[dict[str, str]]:
    return [{key: name} for name in names]
