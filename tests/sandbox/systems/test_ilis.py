"""The land system ILIS: dossiers are announced to it by one who has signed in, and it calls about those."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from subscriber import Subscriber, listening, until_told

CODE_GET = "CodeGet=ma-codeget-mau-ilis"


@dataclass
class Client:
    """Somebody with an account there."""

    server: Any

    def token(self, **changes: str) -> requests.Response:
        options = self.server.options
        form = {
            "grant_type": "password",
            "username": options.login,
            "password": options.password,
            "client_id": options.extra["client_id"],
            "client_secret": options.extra["client_secret"],
        }
        return requests.post(self.server.url + options.extra["token_path"], data={**form, **changes}, timeout=10)

    def announce(self, body: Any, token: str | None = None) -> requests.Response:
        token = token or self.token().json()["access_token"]
        url = self.server.url + self.server.options.extra["announce_path"]
        return requests.post(url, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=10)


@pytest.fixture(scope="module")
def subscriber() -> Iterator[Subscriber]:
    with listening() as one:
        yield one


@pytest.fixture(scope="module")
def ilis(start: Any, subscriber: Subscriber) -> Client:
    system = start("ilis")
    system.control("POST", "subscribe", {"url": subscriber.url})
    return Client(system)


def test_the_password_grant_wants_all_four_parts(ilis: Client) -> None:
    assert ilis.token().json()["token_type"] == "bearer"
    for wrong, error in (
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"client_secret": "sai"}, "invalid_client"),
        ({"password": "sai"}, "invalid_grant"),
    ):
        assert ilis.token(**wrong).json() == {"error": error}


def test_without_a_good_token_nothing_is_announced(ilis: Client) -> None:
    assert ilis.announce({"SoBienNhan": "x"}, token="sai").status_code == 401
    token = ilis.token().json()["access_token"]
    ilis.server.control("POST", "faults", {"mode": "expire-sessions"})
    assert ilis.announce({"SoBienNhan": "x"}, token=token).status_code == 401


def test_an_announced_dossier_is_told_of_and_no_other(ilis: Client, subscriber: Subscriber) -> None:
    until_told(ilis.server)
    assert subscriber.heard == []
    wanted = [row for row in ilis.server.truth() if row["steps"] > 3][:8]
    for row in wanted:
        answer = ilis.announce({"SoBienNhan": row["source_id"], "TinhId": "96"}).json()
        assert answer["data"] == 1
        assert answer["status"]["success"] is True
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", answer["status"]["time"])
    until_told(ilis.server)
    assert {one.body["SoBienNhan"] for one in subscriber.heard} == {row["source_id"] for row in wanted}
    assert {one.rest for one in subscriber.heard} == {CODE_GET}
    for row in wanted:
        happened = {str(one.body) for one in subscriber.about(row["source_id"])}
        assert len(happened) == row["steps"]


def test_a_dossier_announced_twice_exists_already(ilis: Client) -> None:
    row = ilis.server.truth()[-1]
    assert ilis.announce({"SoBienNhan": row["source_id"]}).json()["status"]["success"] is True
    again = ilis.announce({"SoBienNhan": row["code"]}).json()
    assert (again["data"], again["status"]["success"], again["status"]["message"]) == (0, False, "Hồ sơ đã tồn tại")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"SoBienNhan": "000.00.11.H12-260105-9999"}, "Không tìm thấy số biên nhận"),
        ({}, "Không tìm thấy số biên nhận"),
        ([], "Dữ liệu không hợp lệ"),
    ],
)
def test_what_cannot_be_announced_is_said_in_the_status(ilis: Client, body: Any, message: str) -> None:
    answer = ilis.announce(body).json()
    assert (answer["data"], answer["status"]["message"]) == (0, message)


def test_a_dossier_of_another_procedure_is_not_its_business(ilis: Client, start: Any) -> None:
    other = start("vbdlis").truth()[0]
    answer = ilis.announce({"SoBienNhan": other["source_id"]}).json()
    assert answer["status"]["message"] == "Hồ sơ không thuộc quy trình của hệ thống"


def test_times_are_vietnamese_and_taxes_have_their_own_call(ilis: Client, subscriber: Subscriber) -> None:
    paying = next(row for row in ilis.server.truth() if row["state"] == 6)
    ilis.announce({"SoBienNhan": paying["source_id"]})
    until_told(ilis.server)
    last = max(subscriber.about(paying["source_id"]), key=lambda one: str(one.body.get("NgayCoKetQuaThue") or ""))
    assert last.kind == "CapNhatKetQuaThongBaoThue"
    assert last.body.keys() == {"SoBienNhan", "NguoiXuLy", "NgayCoKetQuaThue", "GhiChu", "DanhSachThongBaoThue"}
    assert f"{last.body['NgayCoKetQuaThue']}+07:00" == paying["state_at"]
    assert last.body["DanhSachThongBaoThue"][0].keys() == {"HoVaChu", "LoaiThue", "SoThongBaoThue", "DuongDanTBT"}
    assert "TiepNhanHoSoChoMotCua" not in {one.kind for one in subscriber.heard}


def test_what_was_announced_is_remembered_over_a_restart(start: Any, tmp_path: Any) -> None:
    first = Client(start("ilis", home=tmp_path))
    row = first.server.truth()[0]
    first.announce({"SoBienNhan": row["source_id"]})
    again = Client(start("ilis", home=tmp_path))
    assert again.announce({"SoBienNhan": row["source_id"]}).json()["status"]["message"] == "Hồ sơ đã tồn tại"
