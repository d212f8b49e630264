"""The road-transport system over HTTP."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sandbox.systems.gtvt import channel_code
from schemas.codes import Channel

DOCUMENTED = {
    "MaHoSo", "MaTTHC", "TenTTHC", "TenLinhVuc", "TrichYeuHoSo", "KenhThucHien", "DonViXuLy", "MaDoiTuong", "ChuHoSo",
    "SoDienThoai", "Email", "NgayGuiHoSo", "NgayTiepNhan", "NgayHenTra",
}  # fmt: skip
UNIT = "000.00.06.H12"


class Client:
    """A client of the list."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.key = server.options.password

    def ask(self, first: str, last: str, *, headers: dict[str, str] | None = None, **changes: str) -> dict[str, Any]:
        params = {"Start": "-1", "End": "-1", "GovAgencyCode": UNIT, "APIKey": self.key}
        params |= {"ReceiveFromDate": first, "ReceiveToDate": last, **changes}
        sent = {"Authorization": f"Bearer {self.key}", "MaDonVi": UNIT, "ApiKey": self.key, **(headers or {})}
        url = self.server.url + self.server.options.extra["list_path"]
        answer = requests.get(url, params=params, headers=sent, timeout=30)
        assert answer.status_code == 200
        return dict(answer.json())


@pytest.fixture(scope="module")
def gtvt(start: Any) -> Client:
    return Client(start("gtvt"))


@pytest.fixture
def mended(gtvt: Client) -> Iterator[Client]:
    yield gtvt
    gtvt.server.control("DELETE", "break")


def test_the_list_has_what_was_received_on_its_days_with_its_total(gtvt: Client) -> None:
    received = {row["source_id"] for row in gtvt.server.truth() if row["received_at"][:7] == "2026-05"}
    answer = gtvt.ask("01/05/2026", "31/05/2026")
    assert {item["MaHoSo"] for item in answer["data"]} == received
    assert answer["total"] == len(answer["data"]) == len(received) > 20


def test_an_item_is_written_as_documented(gtvt: Client) -> None:
    for item in gtvt.ask("01/01/2026", "30/06/2026")["data"]:
        assert item.keys() >= DOCUMENTED
        assert re.fullmatch(r"0900\.\d{3}\.\d{3}", item["SoDienThoai"])
        assert re.fullmatch(r"\d\d/\d\d/\d{4} \d\d:\d\d:\d\d", item["NgayTiepNhan"])
        assert item["KenhThucHien"] in (0, 1)


def test_the_channel_counts_from_zero(gtvt: Client) -> None:
    channels = {row["source_id"]: Channel(row["channel"]) for row in gtvt.server.truth()}
    items = gtvt.ask("01/01/2026", "30/06/2026")["data"]
    assert {item["KenhThucHien"] for item in items} == {0, 1}
    assert all(item["KenhThucHien"] == channel_code(channels[item["MaHoSo"]]) for item in items)


def test_what_came_by_post_counts_as_direct() -> None:
    assert {channel: channel_code(channel) for channel in Channel} == {
        Channel.DIRECT: 0,
        Channel.ONLINE: 1,
        Channel.POSTAL: 0,
    }


def test_start_and_end_cut_a_piece_out_of_the_list(gtvt: Client) -> None:
    whole = gtvt.ask("01/05/2026", "31/05/2026")
    piece = gtvt.ask("01/05/2026", "31/05/2026", Start="5", End="9")
    assert piece == {"total": whole["total"], "data": whole["data"][5:9]}


def test_a_list_ends_with_the_clock(gtvt: Client) -> None:
    assert gtvt.ask("01/07/2026", "31/12/2026") == {"total": 0, "data": []}


@pytest.mark.parametrize(
    ("changes", "headers", "code"),
    [
        ({"GovAgencyCode": ""}, {}, -300),
        ({"APIKey": ""}, {}, -301),
        ({"APIKey": "sai"}, {}, -302),
        ({"GovAgencyCode": "000.00.99.H12"}, {}, -303),
        ({}, {"MaDonVi": "000.00.99.H12"}, -303),
        ({}, {"ApiKey": "sai"}, -304),
        ({}, {"Authorization": "Bearer sai"}, -304),
        ({"ReceiveFromDate": "2026-05-01"}, {}, -305),
    ],
)
def test_what_is_wrong_is_said_in_the_error_code(
    gtvt: Client, changes: dict[str, str], headers: dict[str, str], code: int
) -> None:
    answer = gtvt.ask("01/05/2026", "31/05/2026", headers=headers, **changes)
    assert answer["error_code"] == code
    assert answer["message"]
    assert "data" not in answer


@pytest.mark.parametrize(
    ("how", "key", "value"),
    [
        ("unknown-status", "TrangThaiHoSo", "77"),
        ("bad-date", "NgayHenTra", "31/02/2026 25:61:00"),
        ("missing-code", "MaHoSo", None),
        ("extra-field", "MaKetQuaThayThe", "KQ-MAU"),
        ("renamed-field", "TrangThaiHoSo", None),
    ],
)
def test_a_broken_record_is_told_wrongly(mended: Client, how: str, key: str, value: str | None) -> None:
    row = mended.server.truth()[5]
    day = "/".join(reversed(row["received_at"][:10].split("-")))
    before = mended.ask(day, day)["data"]
    mended.server.control("POST", "break", {"codes": [row["code"]], "how": how})
    after = mended.ask(day, day)["data"]
    (broken,) = (item for item in after if item not in before)
    assert broken.get(key) == value
