"""The driving-licence system over HTTP."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests

LIST_KEYS = {"maHoSo", "hoTen", "ngaySinh", "soCmt", "dvhcNoiCuTru", "ngayNop"}
DETAIL_KEYS = {
    "MaTTHC", "MaDVC", "TenDVC", "MaHoSo", "HoTenNguoiNop", "MaTrangThai", "TrangThaiHoSo", "DonViXuLy",
    "MaDonViXuLy", "NgayNop", "NgayTiepNhan", "NgayHenTra", "HinhThucNhanKQ",
}  # fmt: skip


class Client:
    """A client of the dispatch protocol."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.session = self.login().json()["session"]

    def login(self, **changes: str) -> requests.Response:
        options = self.server.options
        body = {"username": options.login, "password": options.password, **changes}
        return requests.post(self.server.url + options.extra["login_path"], json=body, timeout=10)

    def call(self, service: str, **parameters: Any) -> dict[str, Any]:
        body = {"session": self.session, "service": service, "donViXuLy": "96", **parameters}
        answer = requests.post(self.server.url + self.server.options.extra["service_path"], json=body, timeout=30)
        assert answer.status_code == 200
        return dict(answer.json())

    def listed(self, first: str, last: str) -> list[dict[str, Any]]:
        return list(self.call("DanhSachHoSo", ngayNhan1=first, ngayNhan2=last)["data"])

    def detail(self, code: str) -> dict[str, Any]:
        (one,) = self.call("TraCuuHoSo", mahoso=code)["data"]
        return dict(one)


@pytest.fixture(scope="module")
def gplx(start: Any) -> Client:
    return Client(start("gplx"))


@pytest.fixture
def mended(gplx: Client) -> Iterator[Client]:
    yield gplx
    gplx.server.control("DELETE", "break")
    gplx.server.control("DELETE", "faults")
    gplx.session = gplx.login().json()["session"]


def test_error_codes_are_text(gplx: Client) -> None:
    assert gplx.login().json()["error_code"] == "0"
    assert gplx.login(password="sai").json()["error_code"] == "1"
    assert "session" not in gplx.login(password="sai").json()


def test_the_list_has_what_was_received_on_its_days_all_at_once(gplx: Client) -> None:
    truth = gplx.server.truth()
    items = gplx.listed("2026-05-01", "2026-05-31")
    received = {row["source_id"] for row in truth if row["received_at"][:7] == "2026-05"}
    assert {item["maHoSo"] for item in items} == received
    assert len(items) == len(received) > 20
    assert all(item.keys() == LIST_KEYS for item in items)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", item["ngayNop"]) for item in items)


def test_the_whole_half_year_is_the_whole_truth(gplx: Client) -> None:
    assert {item["maHoSo"] for item in gplx.listed("2025-12-01", "2026-07-31")} == {
        row["source_id"] for row in gplx.server.truth()
    }


def test_a_list_ends_with_the_clock(gplx: Client) -> None:
    now = gplx.server.clock()
    today = {row["source_id"] for row in gplx.server.truth() if row["received_at"][:10] == f"{now:%Y-%m-%d}"}
    assert {item["maHoSo"] for item in gplx.listed(f"{now:%Y-%m-%d}", f"{now:%Y-%m-%d}")} == today
    assert gplx.listed("2026-07-01", "2026-12-31") == []
    assert gplx.listed("2026-05-02", "2026-05-01") == []


def test_a_look_up_tells_the_state_in_national_codes_and_local_times(gplx: Client) -> None:
    for row in gplx.server.truth()[-40:]:
        one = gplx.detail(row["source_id"])
        assert one.keys() == DETAIL_KEYS
        assert one["MaTrangThai"] == str(row["state"])
        assert one["MaHoSo"] == row["source_id"]
        received = row["received_at"]
        assert one["NgayTiepNhan"] == f"{received[8:10]}/{received[5:7]}/{received[:4]} {received[11:19]}"
        assert one["HinhThucNhanKQ"] in (0, 1)


def test_the_short_form_of_a_code_is_understood_too(gplx: Client) -> None:
    row = gplx.server.truth()[0]
    assert gplx.detail(row["code"])["MaHoSo"] == row["source_id"]


def test_an_unknown_dossier_is_an_empty_success(gplx: Client) -> None:
    assert gplx.call("TraCuuHoSo", mahoso="000.00.07.H12-260105-9999") == {"error_code": "0", "data": []}


@pytest.mark.parametrize(
    ("service", "parameters", "code"),
    [
        ("XoaHoSo", {}, "-2"),
        ("DanhSachHoSo", {"ngayNhan1": "01/02/2026", "ngayNhan2": "2026-02-02"}, "-3"),
        ("DanhSachHoSo", {"donViXuLy": ""}, "-300"),
        ("TraCuuHoSo", {"donViXuLy": "01"}, "-303"),
        ("TraCuuHoSo", {"session": "khong-co"}, "-1"),
    ],
)
def test_what_is_wrong_is_said_in_the_error_code(
    gplx: Client, service: str, parameters: dict[str, Any], code: str
) -> None:
    answer = gplx.call(service, **parameters)
    assert answer["error_code"] == code
    assert answer["message"]


def test_an_expired_session_needs_a_new_log_in(mended: Client) -> None:
    mended.server.control("POST", "faults", {"mode": "expire-sessions"})
    assert mended.call("TraCuuHoSo", mahoso="x")["error_code"] == "-1"
    mended.session = mended.login().json()["session"]
    assert mended.call("TraCuuHoSo", mahoso="x")["error_code"] == "0"


def test_a_body_that_is_not_json_is_an_error_code_too(gplx: Client) -> None:
    answer = requests.post(gplx.server.url + gplx.server.options.extra["service_path"], data="<xml/>", timeout=5)
    assert answer.json()["error_code"] == "-2"


@pytest.mark.parametrize(
    ("how", "key", "value"),
    [
        ("unknown-status", "MaTrangThai", "77"),
        ("bad-date", "NgayHenTra", "31/02/2026 25:61:00"),
        ("missing-code", "MaHoSo", None),
    ],
)
def test_a_broken_record_is_told_wrongly(mended: Client, how: str, key: str, value: str | None) -> None:
    row = mended.server.truth()[5]
    mended.server.control("POST", "break", {"codes": [row["code"]], "how": how})
    assert mended.detail(row["source_id"]).get(key) == value


def test_a_fault_can_be_meant_for_one_service(mended: Client) -> None:
    mended.server.control("POST", "faults", {"mode": "503", "operation": "TraCuuHoSo", "times": 1})
    assert mended.listed("2026-05-01", "2026-05-02") is not None
    with pytest.raises(AssertionError):
        mended.call("TraCuuHoSo", mahoso="x")


def test_a_list_cut_in_the_middle_is_not_taken_for_a_shorter_one(mended: Client) -> None:
    mended.server.control("POST", "faults", {"mode": "cut"})
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        mended.listed("2026-01-01", "2026-06-30")
