"""The social-protection system over HTTP."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from lxml.etree import fromstring

from sandbox.systems import btxh as system

SAMPLE_KEYS = {
    "LoaiDuLieu", "StatusId", "MaHoSo", "MaTTHC", "HoTen", "GioiTinhId", "SoCMND", "NgayTiepNhan", "NgayHenTra",
    "CertificateExtentData",
}  # fmt: skip


class Client:
    """A client of the list."""

    def __init__(self, server: Any) -> None:
        self.server = server

    def post(self, path: str, body: Any) -> dict[str, Any]:
        answer = requests.post(self.server.url + path, json=body, timeout=30)
        assert answer.status_code == 200
        return dict(answer.json())

    def ask(self, first: str = "01/01/2026 00:00:00", last: str = "31/12/2026 23:59:59", **changes: str) -> Any:
        body = {"AcceptKey": self.server.options.password, "LoaiDuLieu": "100", "MaTinh": "96", "MaHuyen": ""}
        body |= {"MaXa": "", "ThoiGianBatDau": first, "ThoiGianKetThuc": last, **changes}
        return self.post(self.server.options.extra["list_path"], body)


@pytest.fixture(scope="module")
def btxh(start: Any) -> Client:
    return Client(start("btxh"))


@pytest.fixture
def mended(btxh: Client) -> Iterator[Client]:
    yield btxh
    btxh.server.control("DELETE", "break")


def slashes(iso: str) -> str:
    return f"{datetime.fromisoformat(iso):%d/%m/%Y %H:%M:%S}"


def test_the_whole_half_year_is_the_whole_truth(btxh: Client) -> None:
    answer = btxh.ask()
    assert (answer["error_code"], answer["message"]) == ("0", "Thành công")
    told = {item["MaHoSo"]: (item["StatusId"], item["NgayCapNhat"]) for item in answer["data"]}
    truth = btxh.server.truth()
    assert told == {row["source_id"]: (str(row["state"]), slashes(row["changed_at"])) for row in truth}


def test_a_span_is_one_of_last_changes_with_both_seconds(btxh: Client) -> None:
    by_change = sorted(btxh.server.truth(), key=lambda row: row["changed_at"])[50:60]
    first, last = slashes(by_change[0]["changed_at"]), slashes(by_change[-1]["changed_at"])
    assert [item["MaHoSo"] for item in btxh.ask(first, last)["data"]] == [row["source_id"] for row in by_change]
    assert btxh.ask("01/07/2027 00:00:00")["data"] == []


def test_an_item_is_written_as_the_system_takes_it(btxh: Client) -> None:
    items = btxh.ask()["data"]
    assert {item["GioiTinhId"] for item in items} == {1034, 1035}
    for item in items:
        assert item.keys() >= SAMPLE_KEYS
        assert re.fullmatch(r"(\d\d/\d\d/\d{4} \d\d:\d\d:\d\d)?", item["NgayTiepNhan"])
        papers = fromstring(item["CertificateExtentData"])
        assert papers.tag == "DanhSach"
        assert all(str(paper.findtext("Url")).startswith("https://example.invalid/") for paper in papers)


def test_one_commune_can_be_asked_for(btxh: Client) -> None:
    items = btxh.ask(MaXa=system.commune_code("H12.103"))["data"]
    assert 0 < len(items) < len(btxh.ask()["data"])
    assert {item["MaDonVi"] for item in items} == {"000.00.103.H12"}
    assert btxh.ask(MaXa="00000")["data"] == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"AcceptKey": "sai"}, "1"),
        ({"LoaiDuLieu": "7"}, "2"),
        ({"MaTinh": "01"}, "2"),
        ({"ThoiGianBatDau": "2026-01-01"}, "2"),
    ],
)
def test_what_is_wrong_is_said_in_the_error_code(btxh: Client, changes: dict[str, str], code: str) -> None:
    answer = btxh.ask(**changes)
    assert answer["error_code"] == code
    assert answer["message"]
    assert "data" not in answer


def test_a_body_that_is_no_object_is_an_error_code_too(btxh: Client) -> None:
    assert btxh.post(btxh.server.options.extra["list_path"], [])["error_code"] == "2"


def test_an_installation_with_tokens_wants_one_that_has_not_expired(
    btxh: Client, serve_app: Any, tmp_path: Path
) -> None:
    options = btxh.server.options
    options = replace(options, extra={**options.extra, "token_path": "/apiBTXH/LayToken"})
    client = Client(replace(btxh.server, url=serve_app(system.build(tmp_path, options)), options=options))
    assert client.ask()["error_code"] == "3"
    assert client.post("/apiBTXH/LayToken", {"AcceptKey": "sai"})["error_code"] == "1"
    token = client.post("/apiBTXH/LayToken", {"AcceptKey": options.password})["token"]
    assert client.ask(Token=token)["error_code"] == "0"
    client.server.control("POST", "faults", {"mode": "expire-sessions"})
    assert client.ask(Token=token)["error_code"] == "3"


@pytest.mark.parametrize(
    ("how", "key", "value"),
    [
        ("unknown-status", "StatusId", "77"),
        ("bad-date", "NgayHenTra", "31/02/2026 25:61:00"),
        ("missing-code", "MaHoSo", None),
        ("extra-field", "DoiTuongId", 2001),
        ("renamed-field", "StatusId", None),
    ],
)
def test_a_broken_record_is_told_wrongly(mended: Client, how: str, key: str, value: object) -> None:
    row = mended.server.truth()[5]
    at = slashes(row["changed_at"])
    before = mended.ask(at, at)["data"]
    mended.server.control("POST", "break", {"codes": [row["code"]], "how": how})
    (broken,) = (item for item in mended.ask(at, at)["data"] if item not in before)
    assert broken.get(key) == value
