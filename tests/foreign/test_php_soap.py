"""Two of the shipped contracts, served by PHP's SoapServer, pulled through protocol ``soap`` into the ledger."""

import base64
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import BrokenAnswer, ConnectorError, OutcomeUnknown, Refused
from schemas.times import VN

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).parent / "php" / "hoso.php"
NOW = datetime(2025, 9, 1, 5, 0, tzinfo=UTC)
FIRST_CHANGE = datetime(2025, 8, 1, 8, 0, tzinfo=VN)
COUNT = 32

ENTRY = """
kind: source
system: {system}
title: {{vi: Hệ thống viết bằng PHP, en: A system written in PHP}}
owner: {{agency: H12.99, vi: Cơ quan mẫu, en: Sample agency}}
protocol: soap
connection: {system}
contract: {contract}/{contract}.wsdl
mapping: {contract}
precedence: 20
pull: {{style: changed-since, overlap: 1m, safety_lag: 5m, page_size: 10, start: 2025-01-01}}
options:
  path: /hoso.php
  operation: danhSachHoSoThayDoi
  request: {{tuThoiDiem: "{{since}}", trang: "{{page}}", soDongMoiTrang: "{{size}}"}}
  paging: {{kind: page}}
  answer:
    records: danhSachHoSo.hoSo
    total: tongSo
    key: {key}
    changed: {changed}
    oldest_first: true
"""


def business(number: int, changed: str) -> dict[str, Any]:
    """A record of the business-registration contract (SOAP 1.1)."""
    return {
        "maHoSo": f"DK{number:08d}",
        "soBienNhan": f"000.00.12.H12-250801-{number:04d}",
        "maThuTuc": "2.990202",
        "tenThuTuc": "Đăng ký thay đổi nội dung đăng ký doanh nghiệp",
        "maLinhVuc": "G99-KD01",
        "tenLinhVuc": "Thành lập và hoạt động của doanh nghiệp",
        "maCoQuan": "000.00.12.H12",
        "tenCoQuan": "Phòng Đăng ký kinh doanh",
        "kenhNop": "2",
        "trangThai": "DANG_XU_LY",
        "ngayNop": "2025-08-01T07:30:00",
        "capNhatLuc": changed,
        "tenDoanhNghiep": "Công ty TNHH Mẫu & Thử <Nghiệm>",
        "maSoThue": "9900000129",
        "nguoiNop": {"hoTen": "Nguyễn Văn Mẫu", "soDinhDanh": "000099000001"},
        "hinhThucNhanKetQua": "0",
        "quaTrinh": [{"thoiDiem": changed, "trangThai": "MOI", "noiDung": "Mới đăng ký", "donVi": "Phòng Mẫu"}],
    }


def insurance(number: int, changed: str) -> dict[str, Any]:
    """A record of the social-insurance contract (SOAP 1.2); every third is not recorded yet."""
    return {
        "id": float(number),
        "soHoSo": f"{number:05d}/2025/12000" if number % 3 else None,
        "maHoSoDVC": f"000.00.30.H12-250801-{number:04d}",
        "maThuTuc": "1.990302",
        "maCoQuan": "000.00.30.H12",
        "tenCoQuan": "Bảo hiểm xã hội",
        "trangThai": 5 if number % 3 else 2,
        "kenhNop": 2,
        "nhanKetQua": 0,
        "ngayGui": "2025-08-01T07:30:00+07:00",
        "ngayCapNhat": changed,
        "nguoiNop": {"hoTen": "Nguyễn Văn Mẫu", "soDinhDanh": "000099000001"},
        "quaTrinh": {"buoc": [{"ngay": changed, "trangThai": 2, "noiDung": "Mới đăng ký"}]},
        "banQuet": base64.b64encode(b"%PDF").decode(),
    }


@dataclass(frozen=True)
class Contract:
    """One of the contracts, and what is called how in it."""

    name: str
    version: str
    record: Callable[[int, str], dict[str, Any]]
    key: str
    code: str
    changed: str
    unknown: Any
    ready: Any


CONTRACTS = (
    Contract("dkkd", "1.1", business, "maHoSo", "soBienNhan", "capNhatLuc", "LA", "CO_KET_QUA"),
    Contract("bhxh", "1.2", insurance, "maHoSoDVC", "maHoSoDVC", "ngayCapNhat", 77, 7),
)


@dataclass
class PhpSystem:
    """A running PHP server, what it holds, and the product reading it."""

    contract: Contract
    data: Path
    first: int
    reader: Any
    records: list[dict[str, Any]] = field(default_factory=list)

    def fill(self) -> None:
        for number in range(COUNT):
            changed = (FIRST_CHANGE + timedelta(hours=number)).isoformat()
            self.records.append(self.contract.record(self.first + number, changed))
        self.tell()

    def tell(self, mood: str = "") -> None:
        """From now on PHP answers with the records as they are, in this mood."""
        told = {"version": self.contract.version, "changed": self.contract.changed, "records": self.records}
        fresh = self.data.with_suffix(".new")
        fresh.write_text(json.dumps({**told, "mood": mood}), "utf-8")
        fresh.replace(self.data)

    def code(self, position: int) -> str:
        number = self.first + position
        return f"H12.{12 if self.contract.name == 'dkkd' else 30}-250801-{number:04d}"

    def codes(self) -> set[str]:
        return {self.code(position) for position in range(len(self.records))}


_first_numbers = iter(range(1000, 100_000, 100))


@pytest.fixture(params=CONTRACTS, ids=lambda one: f"{one.name}, SOAP {one.version}")
def php(request: pytest.FixtureRequest, start: Any, reader: Any, tmp_path: Path) -> PhpSystem:
    contract: Contract = request.param
    program = shutil.which("php")
    assert program, "PHP is missing: scripts/php.sh installs it"
    data = tmp_path / "data.json"
    first = next(_first_numbers)
    wsdl = ROOT / "schemas" / "wire" / contract.name / f"{contract.name}.wsdl"
    server = start(
        [program, "-d", "display_errors=1", "-S", "127.0.0.1:{port}", str(SCRIPT)],
        {"HOSO_WSDL": str(wsdl), "HOSO_DATA": str(data)},
    )
    system = f"php_{first}"
    entry = ENTRY.format(system=system, contract=contract.name, key=contract.key, changed=contract.changed)
    found = PhpSystem(contract, data, first, reader(system, entry, f"http://127.0.0.1:{server.port}"))
    found.fill()
    return found


def test_all_pages_arrive(php: PhpSystem) -> None:
    report = php.reader.pull(NOW)
    assert report.pages >= 4
    assert report.new == COUNT
    assert php.reader.held().keys() == php.codes()
    assert php.reader.set_aside() == []


def test_an_empty_list_and_a_list_of_one_are_lists(php: PhpSystem) -> None:
    everything, php.records = php.records, []
    php.tell()
    assert php.reader.pull(NOW).fetched == 0
    php.records = everything[:1]
    php.tell()
    assert php.reader.pull(NOW).new == 1


def test_only_what_is_new_is_read_again(php: PhpSystem) -> None:
    php.reader.pull(NOW)
    php.records[0]["trangThai"] = php.contract.ready
    php.records[0][php.contract.changed] = (FIRST_CHANGE + timedelta(days=10)).isoformat()
    php.tell()
    report = php.reader.pull(NOW)
    assert (report.new, report.changed) == (0, 1)
    assert report.fetched < 5
    assert php.reader.held()[php.code(0)] == 9


def test_an_unknown_code_and_a_broken_record_are_set_aside_and_come_in_once_mended(php: PhpSystem) -> None:
    right = [dict(php.records[3]), dict(php.records[20])]
    php.records[3]["trangThai"] = php.contract.unknown
    php.records[20][php.contract.code] = "?"
    php.tell()
    report = php.reader.pull(NOW)
    assert (report.new, report.quarantined) == (COUNT - 2, 2)
    assert [rule for _, rule in php.reader.set_aside()] == ["identifier", "unknown-code"]
    for position, one in zip((3, 20), right, strict=True):
        php.records[position] = {**one, php.contract.changed: (FIRST_CHANGE + timedelta(days=10)).isoformat()}
    php.tell()
    php.reader.pull(NOW)
    assert php.reader.held().keys() == php.codes()


def test_a_pull_that_fails_in_the_middle_is_resumed(php: PhpSystem) -> None:
    missing = "trangThai"
    kept = php.records[22].pop(missing)
    php.tell()  # PHP cannot write a record without an element that its contract requires, and answers with a fault
    with pytest.raises(ConnectorError):
        php.reader.pull(NOW)
    so_far = php.reader.held().keys()
    assert 0 < len(so_far) < COUNT
    php.records[22][missing] = kept
    php.tell()
    report = php.reader.pull(NOW)
    assert report.fetched < COUNT
    assert php.reader.held().keys() == php.codes()


@pytest.mark.parametrize(
    ("php", "mood", "error"),
    [
        (CONTRACTS[0], "fault", OutcomeUnknown),
        (CONTRACTS[1], "refusal", Refused),
        (CONTRACTS[0], "refusal", Refused),
        (CONTRACTS[0], "warning", BrokenAnswer),
        (CONTRACTS[1], "crash", ConnectorError),
    ],
    indirect=["php"],
)
def test_what_goes_wrong_in_php_is_told_apart_and_costs_nothing(
    php: PhpSystem, mood: str, error: type[ConnectorError]
) -> None:
    php.tell(mood)
    with pytest.raises(error) as caught:
        php.reader.pull(NOW)
    assert "bảo trì" not in str(caught.value), "a fault's text may hold anything"
    php.tell()
    assert php.reader.pull(NOW).new == COUNT
