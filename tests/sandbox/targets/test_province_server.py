"""The provincial system over HTTP: tokens, documents, traces, search, damage."""

import base64
from typing import Any

import pytest
import requests

from sandbox.targets.province import build

ACCOUNT = ("tai-khoan-mau", "mat-khau-mau")
NO_DATE = "0000-00-00T00:00:00.000+0700"
CODE = "H12.07-250812-0001"


def document(code: str = CODE, **changes: Any) -> dict[str, Any]:
    return {
        "DocTypeCode": "1.990101",
        "DocTypeName": "Đổi giấy phép lái xe",
        "DocCode": code,
        "CitizenName": "Nguyễn Văn Mẫu",
        "ApplicantsId": "000099000001",
        "ApplicantsType": 1,
        "Address": "Số 0 Đường Mẫu",
        "Phone": "0900000000",
        "DateReceived": "2025-08-12T08:15:00.000Z",
        "DateAppointed": "2025-08-19T17:00:00.000Z",
        "IsSuccess": False,
        "SuccessDate": NO_DATE,
        "IsReturned": False,
        "ReturnedDate": NO_DATE,
        "ReturnedType": 0,
        "Status": 1,
        "ProcessingOrganName": "Trung tâm mẫu",
        "OrganInchargeIdLevel1": "H12",
        "OrganInchargeName": "UBND tỉnh Thử Nghiệm",
    } | changes


def trace(status: int | None, code: str = CODE, **changes: Any) -> dict[str, Any]:
    return {
        "DocumentId": 0,
        "DocCode": code,
        "UserName": "Trần Thị Thử",
        "UserPosition": "Chuyên viên",
        "DateCreated": "2025-08-12T09:00:00.000Z",
        "Comment": "Chuyển xử lý",
        "Status": status,
        "OrganizationInchargeIdLevel1": "H12",
        "OrganizationInchargeName": "UBND tỉnh Thử Nghiệm",
    } | changes


class Client:
    """A client of both doors as simple as can be."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.login()

    def login(self) -> dict[str, Any]:
        form = {"grant_type": "client_credentials", "client_id": ACCOUNT[0], "client_secret": ACCOUNT[1]}
        answer = self.server.post("/token", data=form)
        assert answer.status_code == 200
        self.token = answer.json()["access_token"]
        return dict(answer.json())

    def post(self, operation: str, body: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        answer: requests.Response = self.server.post(
            f"/consumerAdapter/Document/{operation}", json=body, headers=headers
        )
        return answer

    def sync(self, body: dict[str, Any]) -> int:
        return int(self.post("SyncDocument", body).json()["Status"])

    def trace(self, body: dict[str, Any]) -> int:
        return int(self.post("UpdateDocumentTraces", body).json()["Status"])

    def search(self, **query: Any) -> dict[str, Any]:
        answer = self.server.get("/o/rest/v2/dossiers", params=query, auth=ACCOUNT, headers={"groupId": "35166"})
        assert answer.status_code == 200
        return dict(answer.json())

    def codes(self, **query: Any) -> list[str]:
        return [one["dossierNo"] for one in self.search(**query)["data"]]

    def status(self, code: str = CODE) -> str:
        (found,) = self.search(dossierNo=code)["data"]
        return str(found["dossierStatus"])

    def effects(self) -> list[str]:
        return [write["effect"] for write in self.server.lines("writes")]


@pytest.fixture
def client(start: Any) -> Client:
    return Client(start(build, "province"))


def test_credentials_may_come_as_basic_or_in_the_form(client: Client) -> None:
    form = {"grant_type": "client_credentials"}
    assert client.server.post("/token", data=form, auth=ACCOUNT).status_code == 200
    assert client.server.post("/token", data=form).json()["error"] == "invalid_client"
    wrong = client.server.post("/token", data=form, auth=("tai-khoan-mau", "sai"))
    assert wrong.status_code == 401
    unknown = client.server.post("/token", data={"grant_type": "password"}, auth=ACCOUNT)
    assert (unknown.status_code, unknown.json()["error"]) == (400, "unsupported_grant_type")


def test_a_token_is_given_again_with_what_is_left_of_its_life(client: Client) -> None:
    client.server.clock.forward(seconds=600)
    token = client.token
    answer = client.login()
    assert answer["access_token"] == token
    assert answer["expires_in"] == 3000


def test_an_expired_token_is_answered_401_with_the_gateways_code(client: Client) -> None:
    client.server.clock.forward(seconds=3600)
    answer = client.post("SyncDocument", document())
    assert answer.status_code == 401
    assert answer.json()["fault"]["code"] == 900901
    assert client.server.lines("writes") == []
    client.login()
    assert client.sync(document()) == 1


def test_no_token_and_expired_on_demand(client: Client) -> None:
    bare = client.server.post("/consumerAdapter/Document/SyncDocument", json=document())
    assert bare.json()["fault"]["code"] == 900902
    client.server.fault("expire-sessions")
    assert client.post("SyncDocument", document()).status_code == 401


def test_a_document_is_inserted_then_replaced_by_its_code(client: Client) -> None:
    assert client.sync(document()) == 1
    assert client.sync(document(Phone="0900000009")) == 1
    assert client.sync(document(Phone="0900000009")) == 1
    assert client.effects() == ["inserted", "updated", "noop"]
    assert client.search()["total"] == 1


def test_documents_alone_move_the_status(client: Client) -> None:
    client.sync(document())
    assert client.status() == "processing"
    client.sync(document(Status=2))
    assert client.status() == "releasing"
    client.sync(document(Status=2, IsReturned=True, ReturnedDate="2025-08-19T09:05:00.000Z"))
    assert client.status() == "done"
    client.sync(document())
    assert client.status() == "processing"


def test_a_document_in_process_keeps_the_finer_status_of_a_trace(client: Client) -> None:
    client.sync(document())
    client.trace(trace(5))
    client.sync(document(Phone="0900000009"))
    assert client.status() == "waiting"


def test_an_older_trace_moves_the_status_too(client: Client) -> None:
    client.sync(document())
    client.trace(trace(9, DateCreated="2025-08-18T15:30:00.000Z"))
    client.trace(trace(4, DateCreated="2025-08-13T08:00:00.000Z"))
    assert client.status() == "processing"
    assert [write["state"] for write in client.server.lines("writes")] == [4, 9, 4]


def test_the_same_trace_again_is_kept_once_and_applied_again(client: Client) -> None:
    client.sync(document())
    client.trace(trace(4))
    client.trace(trace(4))
    client.trace(trace(9, DateCreated="2025-08-18T15:30:00.000Z"))
    client.trace(trace(4))
    assert client.status() == "processing"
    assert len(client.server.lines("steps")) == 2
    assert client.effects() == ["inserted", "inserted", "noop", "inserted", "updated"]


def test_a_trace_without_a_status_is_history_only(client: Client) -> None:
    client.sync(document())
    client.trace(trace(5))
    assert client.trace(trace(None, Comment="Ghi chú")) == 1
    assert client.status() == "waiting"


def test_a_trace_needs_its_dossier(client: Client) -> None:
    answer = client.post("UpdateDocumentTraces", trace(4)).json()
    assert answer["Status"] == 0
    assert "DocCode" in answer["Message"]
    assert client.server.stats()["refused"] == {"UpdateDocumentTraces": 1}


def test_a_bad_document_is_refused_with_the_field(client: Client) -> None:
    answer = client.post("SyncDocument", document(DateReceived="12/08/2025"))
    assert answer.status_code == 200
    assert answer.json() == {"Status": 0, "Message": "Trường DateReceived không hợp lệ"}


def test_a_found_dossier_has_the_fields_of_the_search_in_its_forms(client: Client) -> None:
    client.sync(document(IsSuccess=True, SuccessDate="2025-08-18T15:30:00.000Z", Status=2))
    client.trace(trace(9, DateCreated="2025-08-18T15:30:00.000Z"))
    answer = client.search()
    assert answer["total"] == 1
    (found,) = answer["data"]
    expected = {
        "groupId": 35166,
        "createDate": "12/08/2025 08:15:00",
        "modifiedDate": "12/08/2025 08:15:00",
        "dossierNo": CODE,
        "serviceCode": "1.990101",
        "govAgencyCode": "H12.07",
        "govAgencyName": "Trung tâm mẫu",
        "applicantIdType": "citizen",
        "receiveDate": "12/08/2025 08:15:00",
        "dueDate": "19/08/2025 17:00:00",
        "releaseDate": "18/08/2025 15:30:00",
        "finishDate": "",
        "dossierStatus": "releasing",
        "dossierStatusText": "Chờ trả kết quả",
        "online": "false",
        "lastActionName": "Chuyển xử lý",
        "lastActionDate": "18/08/2025 15:30:00",
    }
    assert expected.items() <= found.items()


def test_the_search_wants_basic_and_the_group(client: Client) -> None:
    path = "/o/rest/v2/dossiers"
    assert client.server.get(path, headers={"groupId": "35166"}).status_code == 401
    assert client.server.get(path, headers={"groupId": "1"}, auth=ACCOUNT).status_code == 403
    bad = {"groupId": "35166", "Authorization": "Basic " + base64.b64encode(b"mau:sai").decode()}
    assert client.server.get(path, headers=bad).status_code == 401
    unread = client.server.get(path, headers={"groupId": "35166"}, auth=ACCOUNT, params={"start": "x"})
    assert unread.status_code == 400


def codes(*numbers: int) -> list[str]:
    return [f"H12.07-250812-{number:04d}" for number in numbers]


def test_pages_have_an_exclusive_end_and_the_order_of_creation(client: Client) -> None:
    for code in codes(3, 1, 2, 5, 4):
        client.sync(document(code))
    client.sync(document(codes(3)[0], Phone="0900000009"))
    assert client.codes(start=0, end=2) == codes(3, 1)
    assert client.codes(start=2, end=4) == codes(2, 5)
    assert client.codes(start=4, end=6) == codes(4)
    assert client.codes(start=5, end=9) == []
    assert client.codes(start=3, end=3) == []
    assert client.codes(start=1, end=3, order="true") == codes(5, 2)
    assert client.search(start=4, end=6)["total"] == 5


def test_pages_stay_right_after_a_dossier_is_lost(client: Client) -> None:
    for code in codes(*range(1, 7)):
        client.sync(document(code))
    client.server.damage(delete=codes(2))
    assert client.search()["total"] == 5
    assert client.codes(start=1, end=4) == codes(3, 4, 5)
    client.sync(document(codes(2)[0]))
    assert client.codes() == codes(1, 3, 4, 5, 6, 2)


def test_filters_by_day_of_receipt_and_status(client: Client) -> None:
    days = {1: "2025-08-11T23:59:59", 2: "2025-08-12T00:00:00", 3: "2025-08-12T23:59:59", 4: "2025-08-13T00:00:00"}
    for number, moment in days.items():
        client.sync(document(codes(number)[0], DateReceived=f"{moment}.000Z"))
    client.trace(trace(5, codes(3)[0]))
    day = {"fromReceiveDate": "12/08/2025", "toReceiveDate": "12/08/2025"}
    assert client.codes(**day) == codes(2, 3)
    assert client.codes(**day, order="true") == codes(3, 2)
    assert client.search(**day, start=1, end=2)["total"] == 2
    assert client.codes(**day, start=1, end=2) == codes(3)
    assert client.codes(status="waiting") == codes(3)
    assert client.codes(status="waiting,processing", fromReceiveDate="12/08/2025") == codes(2, 3, 4)
    assert client.codes(status="xyz") == []


@pytest.mark.parametrize("mode", ["apply-then-drop", "drop-before"])
def test_faults_before_and_after_the_work(client: Client, mode: str) -> None:
    client.sync(document())
    client.server.fault(mode, operation="UpdateDocumentTraces")
    with pytest.raises(requests.ConnectionError):
        client.trace(trace(9))
    assert client.status() == ("releasing" if mode == "apply-then-drop" else "processing")


def test_damage_changes_what_is_held_and_not_the_ledger(client: Client) -> None:
    for code in codes(1, 2):
        client.sync(document(code))
    client.trace(trace(4))
    added = {"code": codes(7)[0], "state": 5, "fields": {"DateReceived": "2025-08-01T08:00:00.000Z"}}
    answer = client.server.damage(delete=codes(1), set_state={codes(2)[0]: 10}, add=[added])
    assert answer.json() == {"deleted": 1, "set": 1, "added": 1}
    assert client.codes() == codes(2, 7)
    assert (client.status(codes(2)[0]), client.status(codes(7)[0])) == ("done", "waiting")
    assert client.effects() == ["inserted", "inserted", "inserted"]
    stats = client.server.stats()
    assert (stats["dossiers"], stats["steps"]) == (2, 0)
    assert {status: n for status, n in stats["status"].items() if n} == {"done": 1, "waiting": 1}
    held = client.server.lines(f"dossiers?code={codes(2)[0]}")
    assert [(one["state"], one["status"]) for one in held] == [(10, "done")]
    bad = client.server.damage(add=[{"code": "H12.07-1", "state": 1, "fields": {"DateReceived": "hôm nay"}}])
    assert bad.status_code == 422


def test_what_was_taken_outlives_a_restart(running: Any) -> None:
    with running(build, "province") as server:
        client = Client(server)
        client.sync(document())
        client.trace(trace(5))
    with running(build, "province") as server:
        client = Client(server)
        assert client.status() == "waiting"
        assert client.trace(trace(5)) == 1
        assert client.effects() == ["inserted", "inserted", "noop"]
