"""The ministry's judicial-record system over HTTP."""

import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sandbox.systems.lltp import SECRET

OUTCOME_KEYS = {
    "soPhieuLLTP", "ngayCapPhieu", "loaiPhieu", "nguoiKy", "chucVu", "tinhTrangAnTich", "thongTinAn", "phieuLLTP",
}  # fmt: skip


class Client:
    """A client of the status call."""

    def __init__(self, server: Any) -> None:
        self.server = server

    def ask(self, code: str, **changes: Any) -> dict[str, Any]:
        body = {"authKey": self.server.options.password, "maTinh": "96", "maHoSoMCDT": code, **changes}
        url = self.server.url + self.server.options.extra["status_path"]
        answer = requests.post(url, json=body, timeout=10)
        assert answer.status_code == 200
        return dict(answer.json())

    def one(self, code: str) -> dict[str, Any]:
        (record,) = self.ask(code)["value"]
        return dict(record)


@pytest.fixture(scope="module")
def lltp(start: Any) -> Client:
    return Client(start("lltp"))


@pytest.fixture
def mended(lltp: Client) -> Iterator[Client]:
    yield lltp
    lltp.server.control("DELETE", "break")


def test_one_dossier_is_told_with_its_national_state_as_a_number(lltp: Client) -> None:
    for row in lltp.server.truth():
        record = lltp.one(row["source_id"])
        assert record["maHoSoMCDT"] == row["source_id"]
        assert record["trangThaiXuLy"] == row["state"]
        assert (record["ketQuaXuLy"] is not None) == (row["state"] in (9, 10))


def test_an_issued_certificate_comes_with_all_that_nobody_may_keep(lltp: Client) -> None:
    outcomes = [lltp.one(row["code"])["ketQuaXuLy"] for row in lltp.server.truth() if row["state"] == 9]
    assert any(outcome["thongTinAn"] for outcome in outcomes)
    for outcome in outcomes:
        assert outcome.keys() == OUTCOME_KEYS
        assert re.fullmatch(r"\d\d/\d\d/\d{4}", outcome["ngayCapPhieu"])
        assert SECRET in outcome["tinhTrangAnTich"]
        assert SECRET in b64decode(outcome["phieuLLTP"]).decode()
        assert all(SECRET in text for conviction in outcome["thongTinAn"] for text in conviction.values())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"authKey": "sai"}, "Khóa xác thực không đúng"),
        ({"maTinh": "01"}, "Mã tỉnh không đúng"),
        ({"maHoSoMCDT": "000.00.08.H12-260105-9999"}, "Không tìm thấy hồ sơ"),
        ({"maHoSoMCDT": None}, "Không tìm thấy hồ sơ"),
    ],
)
def test_a_refusal_says_why_and_is_no_http_error(lltp: Client, changes: dict[str, Any], words: str) -> None:
    code = lltp.server.truth()[0]["code"]
    assert lltp.ask(code, **changes) == {"status": 0, "statusDescription": words, "value": []}


@pytest.mark.parametrize(
    ("how", "key", "value"),
    [
        ("unknown-status", "trangThaiXuLy", 77),
        ("missing-code", "maHoSoMCDT", None),
        ("extra-field", "coQuanCap", "Cơ quan mẫu"),
        ("renamed-field", "trangThaiXuLy", None),
    ],
)
def test_a_broken_record_is_told_wrongly(mended: Client, how: str, key: str, value: object) -> None:
    code = mended.server.truth()[2]["code"]
    mended.server.control("POST", "break", {"codes": [code], "how": how})
    assert mended.one(code).get(key) == value


def test_a_bad_date_is_that_of_the_certificate(mended: Client) -> None:
    code = mended.server.truth()[2]["code"]
    mended.server.control("POST", "break", {"codes": [code], "how": "bad-date"})
    assert mended.one(code)["ketQuaXuLy"]["ngayCapPhieu"] == "31/02/2026"
