"""What the portal checks in a dossier record, a step record and a notice, as pure functions.

Seen in public implementations: the field names, which fields every implementer sends, dates as ``yyyyMMddHHmmss`` in
local time, the code lists, all values as JSON strings, "True"/"False" for IsDeleted, the length limits, and that a
dossier of 16 fields is accepted (so the fields added to the interface later are checked when present, never demanded).
Also seen: a refusal spelled error_code "0" with a message that is not a success.

Assumed, because no public source has the text of the guide: that a missing field is refused with "0" and a malformed
one with "-1", the wording, that extra fields are ignored, and that the first fault found is the one named.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_DATE = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)", re.ASCII)
_DOSSIER_CODE = re.compile(r"[0-9A-Za-z][0-9A-Za-z._/\-]{3,63}")
_PROCEDURE_CODE = re.compile(r"\d\.\d{6}(\.[0-9A-Za-z.]+)?", re.ASCII)

Fault = str | None
Check = Callable[[Any], Fault]
"""Says in Vietnamese what is wrong with a present value, or None."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a whole batch is not taken: the error_code to answer and the message beside it."""

    error_code: str
    message: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One field: its name, whether a record without it (absent, null or "") is refused, and what a value must be."""

    name: str
    required: bool
    check: Check


def is_date(value: str) -> bool:
    """Whether ``value`` is a real moment written ``yyyyMMddHHmmss``."""
    match = _DATE.fullmatch(value)
    if match is None:
        return False
    try:
        datetime(*map(int, match.groups()))  # type: ignore[arg-type]  # six groups: year to second
    except ValueError:
        return False
    return True


def text(limit: int = 4000) -> Check:
    """Any string of at most ``limit`` characters."""

    def check(value: Any) -> Fault:
        if not isinstance(value, str):
            return "phải là chuỗi"
        return None if len(value) <= limit else f"vượt quá {limit} ký tự"

    return check


def date(value: Any) -> Fault:
    """A moment, ``yyyyMMddHHmmss``."""
    return None if isinstance(value, str) and is_date(value) else "phải theo định dạng yyyyMMddHHmmss"


def one_of(*codes: str) -> Check:
    """One of a list of codes, as a string."""
    allowed = frozenset(codes)

    def check(value: Any) -> Fault:
        return None if isinstance(value, str) and value in allowed else "không có trong danh mục"

    return check


def shaped(pattern: re.Pattern[str]) -> Check:
    """A string that fits ``pattern`` as a whole."""

    def check(value: Any) -> Fault:
        return None if isinstance(value, str) and pattern.fullmatch(value) else "sai định dạng"

    return check


def number(value: Any) -> Fault:
    """A whole number, as JSON number (true and false are not numbers)."""
    return None if isinstance(value, int) and not isinstance(value, bool) else "phải là số nguyên"


def rows(rules: Sequence[Rule], and_then: Callable[[Mapping[str, Any]], Fault] = lambda _: None) -> Check:
    """An array of objects, each following ``rules`` and then ``and_then``."""

    def check(value: Any) -> Fault:
        if not isinstance(value, list):
            return "phải là danh sách"
        for row in value:
            if not isinstance(row, dict):
                return "phải là danh sách đối tượng"
            refusal = first_refusal(row, rules)
            if refusal is not None:
                return refusal.message
            fault = and_then(row)
            if fault is not None:
                return fault
        return None

    return check


def identity(row: Mapping[str, Any]) -> Fault:
    """A citizen id (kind 1) has 12 digits, an old identity card (kind 2) has 9."""
    digits = {"1": 12, "2": 9}.get(row["LoaiDinhDanh"])
    value = row["SoDinhDanh"]
    if digits is not None and not (len(value) == digits and value.isascii() and value.isdigit()):
        return f"SoDinhDanh phải có {digits} chữ số"
    return None


STATES = one_of(*(str(state) for state in range(1, 11)))
_YES_NO = one_of("0", "1")
_DIGITS = shaped(re.compile(r"\d{1,15}", re.ASCII))

_PAPER_RULES = (
    Rule("TenTepDinhKem", True, text(4000)),
    Rule("IsDeleted", True, one_of("True", "False")),
    Rule("DuongDanTaiTepTin", True, text(4000)),
    Rule("DuocSoHoa", False, _YES_NO),
    Rule("DuocTaiSuDung", False, one_of("0", "1", "2")),
    Rule("DuocLayTuKhoDMQG", False, _YES_NO),
)
_RESULT_RULES = (
    Rule("TenGiayTo", True, text(2000)),
    Rule("MaGiayToKetQua", False, text(255)),
    Rule("DuongDanTepTinKetQua", False, text(4000)),
)
_SUPPLEMENT_RULES = (
    Rule("HoSoBoSungId", False, number),
    Rule("NgayBoSung", False, date),
    Rule("NgayTiepNhanBoSung", False, date),
    Rule("NgayHenTraTruoc", False, date),
    Rule("NgayHenTraMoi", False, date),
    Rule("DanhSachGiayToBoSung", False, rows(())),
    Rule("DanhSachLePhiBoSung", False, rows(())),
)

DOSSIER_RULES = (
    Rule("MaHoSo", True, shaped(_DOSSIER_CODE)),
    Rule("MaTTHC", True, shaped(_PROCEDURE_CODE)),
    Rule("TenTTHC", True, text()),
    Rule("MaLinhVuc", True, text(255)),
    Rule("TenLinhVuc", True, text()),
    Rule("LoaiDoiTuong", True, one_of("1", "2", "3", "4")),
    Rule("NgayTiepNhan", True, date),
    Rule("TrangThaiHoSo", True, STATES),
    Rule("HinhThuc", True, _YES_NO),
    Rule("DonViXuLy", True, text()),
    Rule("SoBienNhan", False, text(255)),
    Rule("ChuHoSo", False, text()),
    Rule("MaDoiTuong", False, text(255)),
    Rule("ThongTinKhac", False, text()),
    Rule("Email", False, text(255)),
    Rule("Fax", False, text(255)),
    Rule("SoDienThoai", False, text(255)),
    Rule("TrichYeuHoSo", False, text(1000)),
    Rule("NgayHenTra", False, date),
    Rule("NgayTra", False, date),
    Rule("ThongTinTra", False, text()),
    Rule("NgayKetThucXuLy", False, date),
    Rule("GhiChu", False, text()),
    Rule("KenhThucHien", False, one_of("1", "2", "3")),
    Rule("NgayNopHoSo", False, date),
    Rule("NoiNopHoSo", False, one_of("1", "2")),
    Rule("HoSoCoThanhPhanSoHoa", False, _YES_NO),
    Rule("TaiKhoanDuocXacThucVoiVNeID", False, _YES_NO),
    Rule("DuocThanhToanTrucTuyen", False, one_of("0", "1", "2", "3")),
    Rule("NgayTuChoi", False, date),
    Rule("SoGiayToChuHoSo", False, text(255)),
    Rule(
        "DinhDanhCHS",
        False,
        rows((Rule("LoaiDinhDanh", True, _DIGITS), Rule("SoDinhDanh", True, text(50))), identity),
    ),
    Rule("DSKetNoiCSDL", False, rows((Rule("MaCSDL", True, text(50)),))),
    Rule("TaiLieuNop", False, rows(_PAPER_RULES)),
    Rule("DanhSachLePhi", False, rows((Rule("Gia", False, _DIGITS),))),
    Rule(
        "DanhSachTepDinhKemKhac",
        False,
        rows((Rule("TenGiayTo", False, text(4000)), Rule("SoLuong", False, number), Rule("LoaiGiayTo", False, number))),
    ),
    Rule("DanhSachHoSoBoSung", False, rows(_SUPPLEMENT_RULES)),
    Rule("DanhSachGiayToKetQua", False, rows(_RESULT_RULES)),
)

STEP_RULES = (
    Rule("MaHoSo", True, shaped(_DOSSIER_CODE)),
    Rule("NguoiXuLy", True, text(50)),
    Rule("ThoiDiemXuLy", True, date),
    Rule("NoiDungXuLy", True, text()),
    Rule("TrangThai", True, STATES),
    Rule("ChucDanh", False, text(255)),
    Rule("PhongBanXuLy", False, text()),
    Rule("NgayBatDau", False, date),
    Rule("NgayKetThucTheoQuyDinh", False, date),
)

NOTICE_CODES = tuple(str(code) for code in range(1, 12))
"""All codes that senders were seen to give a notice; a portal may know fewer."""


def notice_rules(codes: Sequence[str]) -> tuple[Rule, ...]:
    """The rules of a notice about a dossier that was filed on the portal, which knows these ``codes``."""
    return (
        Rule("MaHoSo", True, shaped(_DOSSIER_CODE)),
        Rule("MaHoSoDonVi", True, shaped(_DOSSIER_CODE)),
        Rule("NoiDung", True, text()),
        Rule("NgayXuLy", True, date),
        Rule("TrangThai", True, one_of(*codes)),
        Rule("MaDoiTuong", False, text(255)),
        Rule("TaiLieuXuLy", False, rows(_PAPER_RULES)),
    )


def first_refusal(record: Mapping[str, Any], rules: Iterable[Rule]) -> Refusal | None:
    """The first fault of one record, or None when it follows every rule."""
    for rule in rules:
        value = record.get(rule.name)
        if value is None or value == "":
            if rule.required:
                return Refusal("0", f"Dữ liệu không hợp lệ: thiếu {rule.name}")
            continue
        fault = rule.check(value)
        if fault is not None:
            return Refusal("-1", f"Dữ liệu không hợp lệ: {rule.name} {fault}")
    return None


def check_batch(data: object, rules: Sequence[Rule]) -> Refusal | None:
    """The first fault of a ``data`` array; the batch is judged as a whole, as the portal answers it as a whole."""
    if not isinstance(data, list) or not data:
        return Refusal("0", "Dữ liệu không hợp lệ: thiếu data")
    for record in data:
        if not isinstance(record, dict):
            return Refusal("-1", "Dữ liệu không hợp lệ: data phải là danh sách đối tượng")
        refusal = first_refusal(record, rules)
        if refusal is not None:
            return refusal
    return None
