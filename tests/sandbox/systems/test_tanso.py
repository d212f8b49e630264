"""The mailbox of radio licences over HTTP."""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.systems.tanso import KINDS
from schemas.identifiers import dossier_short

RECEIVER_KEYS = {"profileId", "fromUnitCode", "toUnitCode", "createTime", "status", "status_profile", "type"}
PROFILE_KEYS = {
    "source_id", "ref_code", "procedures_code", "from_unit_code", "to_unit_code", "status", "status_profile",
    "profileOwner", "profileApplicant", "profileAttachments", "profileDocFees", "creation_date", "accept_date",
    "appointment_date", "process_officials", "time_of_process", "content_process", "is_request_payment", "total_amount",
}  # fmt: skip
UNIT = "000.00.00.H12"


class Client:
    """A client of the mailbox."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.token = self.ask_token().json()["access_token"]

    def ask_token(self, password: str | None = None, grant: str = "client_credentials") -> requests.Response:
        options = self.server.options
        account = (options.login, options.password if password is None else password)
        return requests.post(f"{self.server.url}/token", data={"grant_type": grant}, auth=account, timeout=10)

    def call(self, method: str, path: str, **query: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return requests.request(method, f"{self.server.url}/{path}", params=query, headers=headers, timeout=30)

    def listed(self, unit: str = UNIT) -> list[dict[str, Any]]:
        return list(self.call("GET", "getListDossier", unit_code=unit).json()["profileReceivers"])

    def detail(self, profile_id: int) -> dict[str, Any]:
        return dict(self.call("GET", "getDetailDossier", profile_id=profile_id).json()["profileOutmodel"])

    def acknowledge(self, profile_id: int, status: str = "done") -> requests.Response:
        return self.call("POST", "updateStatusReceiver", profile_id=profile_id, status=status)


@pytest.fixture(scope="module")
def tanso(start: Any) -> Client:
    return Client(start("tanso"))


@pytest.fixture
def mended(tanso: Client) -> Iterator[Client]:
    yield tanso
    tanso.server.control("DELETE", "break")
    tanso.token = tanso.ask_token().json()["access_token"]


def test_a_token_is_for_the_right_name_and_password(tanso: Client) -> None:
    assert tanso.ask_token().json()["token_type"] == "Bearer"
    assert tanso.ask_token(password="sai").status_code == 401
    assert tanso.ask_token(grant="password").json() == {"error": "unsupported_grant_type"}


def test_nothing_is_told_without_a_token(mended: Client) -> None:
    mended.server.control("POST", "faults", {"mode": "expire-sessions"})
    for method, path in (("GET", "getListDossier"), ("GET", "getDetailDossier"), ("POST", "updateStatusReceiver")):
        answer = mended.call(method, path, unit_code=UNIT, profile_id=1, status="done")
        assert (answer.status_code, answer.json()) == (401, {"error": "invalid_token"})


def test_the_list_holds_every_message_oldest_first(tanso: Client) -> None:
    messages = tanso.listed()
    assert all(one.keys() == RECEIVER_KEYS for one in messages)
    assert all(re.fullmatch(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d", one["createTime"]) for one in messages)
    assert [one["createTime"] for one in messages] == sorted(one["createTime"] for one in messages)
    assert len({one["profileId"] for one in messages}) == len(messages)
    assert len(messages) == sum(row["steps"] for row in tanso.server.truth()) > 100
    assert {"TIEPNHAN", "CAPNHAT", "THANHTOAN", "KETQUA"} <= {one["status"] for one in messages} <= set(KINDS.values())


def test_the_messages_of_a_dossier_end_with_what_it_is(tanso: Client) -> None:
    told = defaultdict(list)
    for one in tanso.listed():
        detail = tanso.detail(one["profileId"])
        assert detail.keys() == PROFILE_KEYS
        assert {key: detail[key] for key in ("status", "status_profile")} == {
            key: one[key] for key in ("status", "status_profile")
        }
        assert detail["time_of_process"] == one["createTime"]
        told[dossier_short(detail["ref_code"])].append(detail)
    truth = {row["code"]: row for row in tanso.server.truth()}
    assert told.keys() == truth.keys()
    for code, row in truth.items():
        last = told[code][-1]
        assert (last["status_profile"], last["source_id"]) == (str(row["state"]), row["source_id"])
        assert (last["accept_date"] == "") == (row["received_at"] is None)
        assert told[code][0]["status_profile"] == "1"
        assert told[code][0]["accept_date"] == told[code][0]["appointment_date"] == ""


def test_a_message_stays_until_it_is_acknowledged_even_over_a_restart(start: Any, tmp_path: Path) -> None:
    tanso = Client(start("tanso", home=tmp_path))
    first, second, *_ = before = tanso.listed()
    assert tanso.acknowledge(first["profileId"], status="fail").status_code == 200
    assert tanso.listed() == before
    assert tanso.acknowledge(first["profileId"]).status_code == 200
    assert tanso.acknowledge(first["profileId"]).status_code == 200
    assert tanso.listed() == before[1:]
    assert tanso.detail(first["profileId"])["time_of_process"] == first["createTime"]

    again = Client(start("tanso", home=tmp_path))
    assert again.listed() == before[1:]
    assert again.acknowledge(second["profileId"]).status_code == 200
    assert again.server.control("GET", "messages").json() == {"sent": len(before), "acknowledged": 2}
    assert again.server.control("DELETE", "messages").json() == {"sent": len(before), "acknowledged": 0}
    assert again.listed() == before


def test_what_happens_later_is_a_new_message(start: Any) -> None:
    tanso = Client(start("tanso"))
    before = tanso.listed()
    tanso.server.control("POST", "clock", {"as_of": "2026-07-07T10:00:00+07:00"})
    after = tanso.listed()
    assert after[: len(before)] == before
    assert len(after) > len(before)


def test_another_unit_has_no_messages_here(tanso: Client) -> None:
    assert tanso.listed("000.00.00.H13") == []
    assert tanso.call("GET", "getListDossier").status_code == 400


@pytest.mark.parametrize("profile_id", ["1", "x", "999999999"])
def test_an_unknown_message_is_not_found(tanso: Client, profile_id: Any) -> None:
    assert tanso.call("GET", "getDetailDossier", profile_id=profile_id).status_code == 404
    assert tanso.acknowledge(profile_id).status_code == 404


def test_only_done_and_fail_can_be_said_of_a_message(tanso: Client) -> None:
    assert tanso.acknowledge(tanso.listed()[0]["profileId"], status="gone").status_code == 400


def test_a_request_for_payment_says_how_much(tanso: Client) -> None:
    asking = next(one for one in tanso.listed() if one["status"] == "THANHTOAN")
    detail = tanso.detail(asking["profileId"])
    assert detail["is_request_payment"] is True
    assert detail["total_amount"] > 0


@pytest.mark.parametrize(
    ("how", "expected", "gone"),
    [
        ("unknown-status", {"status": "KHAC", "status_profile": "77"}, None),
        ("bad-date", {"creation_date": "2026/02/31 25:61:00"}, None),
        ("missing-code", {}, "ref_code"),
        ("extra-field", {"priority": 1}, None),
        ("renamed-field", {"statusProfile": "1"}, "status_profile"),
    ],
)
def test_a_broken_record_is_told_wrongly(mended: Client, how: str, expected: dict[str, Any], gone: str | None) -> None:
    first = mended.listed()[0]["profileId"]
    code = dossier_short(mended.detail(first)["ref_code"])
    mended.server.control("POST", "break", {"codes": [code], "how": how})
    detail = mended.detail(first)
    assert expected.items() <= detail.items()
    assert gone not in detail
