"""How fast a mapping is, beside the same work written by hand.

Both sides decode the same JSON pages of driving-licence records with orjson and validate with one pydantic call per
page; between them stands either ``mappings.validate_page`` or a hand-written loop that builds the same dicts and
checks nothing. Usage: ``python -m bench.mapping [--records N] [--rounds N]``.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson

import mappings
from mappings import catalogues
from mappings.model import Direction
from schemas.dossier import DOSSIERS, Dossier
from schemas.times import VN

_PAGE = 1_000
_STATES = {"1": 1, "2": 2, "3": 3, "4": 4, "5": 5, "6": 6, "7": 7, "8": 8, "9": 9, "10": 10}
_NAMES = ("Nguyễn Văn Mẫu", "Trần Thị Thử", "Lê Hoàng Kiểm", "Phạm Thị Ngọc Nghiệm")


def pages(records: int) -> list[bytes]:
    """JSON pages of synthetic native records."""
    made = [_native(number) for number in range(records)]
    return [orjson.dumps(made[start : start + _PAGE]) for start in range(0, records, _PAGE)]


def _native(number: int) -> dict[str, Any]:
    code = f"000.00.07.H12-2502{1 + number % 28:02d}-{number:05d}"
    hour, minute = 7 + number % 10, number % 60
    return {
        "list": {
            "maHoSo": code,
            "hoTen": _NAMES[number % 4],
            "ngaySinh": "1999-01-01",
            "soCmt": f"{99000000 + number:012d}",
            "dvhcNoiCuTru": "9600000000",
            "ngayNop": f"2025-02-{1 + number % 28:02d}",
        },
        "detail": {
            "MaTTHC": "1.990101",
            "MaDVC": "DVC990101",
            "TenDVC": "Đổi giấy phép lái xe",
            "MaHoSo": code,
            "HoTenNguoiNop": _NAMES[number % 4],
            "MaTrangThai": str(1 + number % 10),
            "TrangThaiHoSo": "Đang xử lý",
            "DonViXuLy": "Trung tâm Giấy phép lái xe tỉnh Thử Nghiệm",
            "MaDonViXuLy": "96",
            "NgayNop": f"{1 + number % 28:02d}/02/2025 {hour:02d}:{minute:02d}:00",
            "NgayTiepNhan": f"{1 + number % 28:02d}/02/2025 {hour:02d}:{minute:02d}:30",
            "NgayHenTra": f"{1 + number % 28:02d}/03/2025 17:00:00",
            "HinhThucNhanKQ": number % 2,
        },
    }


def by_hand(raw: list[bytes]) -> list[Dossier]:
    """The bare loop: what a programmer would write who trusts the source."""
    procedures = catalogues.entries("procedures")
    found: list[Dossier] = []
    for page in raw:
        found += DOSSIERS.validate_python(
            [_by_hand(record["detail"], record["list"], procedures) for record in orjson.loads(page)]
        )
    return found


def _by_hand(detail: dict[str, Any], item: dict[str, Any], procedures: dict[str, Any]) -> dict[str, Any]:
    procedure = procedures[detail["MaTTHC"]]
    return {
        "code": detail["MaHoSo"],
        "source_id": detail["MaHoSo"],
        "procedure_code": detail["MaTTHC"],
        "procedure_name": procedure.name,
        "field_code": procedure.field_code,
        "field_name": procedure.field_name,
        "level": procedure.level,
        "agency_code": "H12.07",
        "agency_name": detail["DonViXuLy"],
        "channel": 1,
        "subject_kind": 1,
        "applicant": {"name": detail["HoTenNguoiNop"], "identity_number": item["soCmt"], "identity_kind": 1},
        "submitted_at": moment(detail["NgayNop"]),
        "received_at": moment(detail["NgayTiepNhan"]),
        "due_at": moment(detail["NgayHenTra"]),
        "state": _STATES[detail["MaTrangThai"]],
        "native_state": detail["MaTrangThai"],
        "result_delivery": detail["HinhThucNhanKQ"],
    }


def moment(text: str | None) -> datetime | None:
    if not text:
        return None
    return datetime.fromisoformat(f"{text[6:10]}-{text[3:5]}-{text[:2]}T{text[11:]}").replace(tzinfo=VN)


def by_mapping(raw: list[bytes]) -> list[Dossier]:
    """The product's way: the mapping, then one validation call."""
    mapping = mappings.load("gplx", Direction.SOURCE)
    found: list[Dossier] = []
    for page in raw:
        validated = mappings.validate_page(mapping, orjson.loads(page))
        assert not validated.bad
        found += [dossier for _, dossier in validated.good]
    return found


def mapping_only(raw: list[bytes]) -> int:
    """Decoding and mapping without validation."""
    mapping = mappings.load("gplx", Direction.SOURCE)
    return sum(len(mapping.convert(orjson.loads(page)).good) for page in raw)


def rates(ways: dict[str, Callable[[list[bytes]], object]], raw: list[bytes], records: int, rounds: int) -> list[float]:
    """Records per CPU second of each way, medians; the ways take turns, so that a busy machine wrongs none of them."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            start = time.process_time()
            work(raw)
            taken[name].append(time.process_time() - start)
    return [records / statistics.median(seconds) for seconds in taken.values()]


def main() -> None:
    """Print records per CPU second for each way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    raw = pages(given.records)
    assert by_hand(raw[:1]) == by_mapping(raw[:1]), "both ways must give the same dossiers"
    ways: dict[str, Callable[[list[bytes]], object]] = {"hand": by_hand, "mapping": by_mapping, "alone": mapping_only}
    hand, product, alone = rates(ways, raw, given.records, given.rounds)
    print(f"by hand, with validation        {hand:>10,.0f} records per CPU second")
    print(
        f"by mapping, with validation     {product:>10,.0f} records per CPU second  ({product / hand:.0%} of by hand)"
    )
    print(f"by mapping, without validation  {alone:>10,.0f} records per CPU second")


if __name__ == "__main__":
    main()
