"""What the portal checks in a month's satisfaction (DongBoDanhGia), and what it knows it by.

Seen in a public implementation: the field names, the month as ``M-yyyy``, percentages as text with a sign, a number of
raters, several records in one call. Assumed: which fields are required, that a record is about a month, an agency, a
procedure and a question, and that the portal counts a second record of these too (extra ``ratings``: ``replaces``, or
``is-refused``, instead).
"""

import re
from collections.abc import Mapping
from typing import Any

from sandbox.targets.npsp.rules import Rule, number, shaped, text
from sandbox.targets.reports import Told

SERVICE = "DongBoDanhGia"
_MONTH = shaped(re.compile(r"(?:[1-9]|1[0-2])-\d{4}", re.ASCII))
_PERCENTAGE = shaped(re.compile(r"(?:100|\d{1,2}(?:\.\d{1,2})?)%", re.ASCII))

RATING_RULES = (
    Rule("NgayTongHop", True, _MONTH),
    Rule("TongSoNguoiDanhGia", True, number),
    Rule("PhanTramDanhGiaRatHaiLong", True, _PERCENTAGE),
    Rule("PhanTramDanhGiaHaiLong", True, _PERCENTAGE),
    Rule("PhanTramDanhGiaChuaHaiLong", True, _PERCENTAGE),
    Rule("DanhSachNoiDungYKien", False, text()),
    Rule("MaThuTuc", False, text(255)),
    Rule("NoiDung", True, text()),
    Rule("PhanTramDanhGiaDichVuRatHaiLong", False, _PERCENTAGE),
    Rule("PhanTramDanhGiaDichVuHaiLong", False, _PERCENTAGE),
    Rule("PhanTramDanhGiaDichVuChuaHaiLong", False, _PERCENTAGE),
    Rule("Madonvi", True, text(255)),
    Rule("TenDonVi", True, text()),
)


def told(record: Mapping[str, Any]) -> Told:
    """A checked record as it is stored."""
    unit = record["Madonvi"]
    key = "|".join([record["NgayTongHop"], unit, record.get("MaThuTuc") or "", record["NoiDung"]])
    return Told(service=SERVICE, unit=unit, key=key, body=record)
