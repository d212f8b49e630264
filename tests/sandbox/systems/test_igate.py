"""The one-stop system over HTTP."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests

from sandbox.systems.igate import STATUS_IDS
from schemas.states import State

ITEM_KEYS = {
    "id", "code", "nationCode", "appliedDate", "acceptedDate", "appointmentDate", "completedDate", "updatedDate",
    "applicant", "agency", "procedure", "accepter", "currentTask", "dossierStatus", "isDVCLT",
}  # fmt: skip
IDS = {number: state for state, number in STATUS_IDS.items()}


class Client:
    """A client of the one-stop system."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.token = self.grant().json()["access_token"]

    def grant(self, **changes: str) -> requests.Response:
        options = self.server.options
        form = {
            "grant_type": "password",
            "client_id": options.extra["client_id"],
            "username": options.login,
            "password": options.password,
            **changes,
        }
        return requests.post(self.server.url + options.extra["token_path"], data=form, timeout=10)

    def search(self, **parameters: Any) -> requests.Response:
        named = {name.replace("_", "-"): value for name, value in parameters.items()}
        headers = {"Authorization": f"Bearer {self.token}"}
        return requests.get(f"{self.server.url}/pa/dossier/search", params=named, headers=headers, timeout=60)

    def everything(self, **parameters: Any) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        while True:
            page = self.search(page=len(items) // 500, size=500, **parameters).json()
            items += page["content"]
            if page["last"]:
                return items


@pytest.fixture(scope="module")
def igate(start: Any) -> Client:
    return Client(start("igate"))


@pytest.fixture
def mended(igate: Client) -> Iterator[Client]:
    yield igate
    igate.server.control("DELETE", "break")
    igate.token = igate.grant().json()["access_token"]


def test_both_grants_give_a_token_of_five_minutes(igate: Client) -> None:
    extra = igate.server.options.extra
    for form in ({}, {"grant_type": "client_credentials", "client_secret": extra["client_secret"]}):
        answer = igate.grant(**form)
        assert answer.status_code == 200
        assert answer.json()["expires_in"] == 300
        assert answer.json()["token_type"] == "Bearer"


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"password": "sai"}, 401, "invalid_grant"),
        ({"client_id": "la"}, 401, "invalid_client"),
        ({"grant_type": "client_credentials", "client_secret": "sai"}, 401, "unauthorized_client"),
        ({"grant_type": "implicit"}, 400, "unsupported_grant_type"),
    ],
)
def test_a_wrong_grant_is_refused_as_keycloak_does(
    igate: Client, form: dict[str, str], status: int, error: str
) -> None:
    answer = igate.grant(**form)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_without_a_good_token_there_is_no_search(mended: Client) -> None:
    mended.server.control("POST", "faults", {"mode": "expire-sessions"})
    answer = mended.search()
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_all_pages_together_are_the_truth_newest_change_first(igate: Client) -> None:
    items = igate.everything()
    truth = {row["code"]: row for row in igate.server.truth()}
    assert {item["code"] for item in items} == truth.keys()
    assert len(items) == len(truth)
    changes = [item["updatedDate"] for item in items]
    assert changes == sorted(changes, reverse=True)
    for item in items[:300]:
        row = truth[item["code"]]
        assert item.keys() == ITEM_KEYS
        assert item["id"] == row["source_id"]
        assert IDS[item["dossierStatus"]["id"]] == row["state"]
        assert item["updatedDate"] == row["changed_at"][:19] + ".000+0700"
        assert item["nationCode"] == row["national_code"]


def test_ascending_order_is_the_same_list_the_other_way_round(igate: Client) -> None:
    codes = [item["code"] for item in igate.everything()]
    assert [item["code"] for item in igate.everything(sort="updatedDate,asc")] == codes[::-1]


def test_a_page_says_where_it_stands(igate: Client) -> None:
    total = len(igate.server.truth())
    page = igate.search(page=1, size=30).json()
    assert page["pageable"] == {"pageNumber": 1, "pageSize": 30}
    assert (page["number"], page["size"], page["numberOfElements"]) == (1, 30, 30)
    assert (page["totalElements"], page["totalPages"]) == (total, -(-total // 30))
    assert (page["first"], page["last"], page["empty"]) == (False, False, False)


def test_past_the_end_a_page_is_empty_and_last(igate: Client) -> None:
    page = igate.search(page=10_000, size=30).json()
    assert (page["content"], page["last"], page["empty"]) == ([], True, True)


def test_a_slice_counts_nothing(igate: Client) -> None:
    page = igate.search(spec="slice").json()
    assert "totalElements" not in page
    assert page["size"] == 20


def test_id_4_means_returned_and_every_state_has_an_id(igate: Client) -> None:
    assert STATUS_IDS[State.RETURNED] == 4
    assert set(STATUS_IDS) == set(State)
    assert {item["dossierStatus"]["id"] for item in igate.everything()} <= set(IDS)


def test_filters_find_what_the_truth_says(igate: Client) -> None:
    truth = igate.server.truth()
    start, end = "2026-04-01T00:00:00.000+0700", "2026-04-30T23:59:59.999+0700"
    april = {row["code"] for row in truth if row["received_at"] and row["received_at"][:7] == "2026-04"}
    assert {item["code"] for item in igate.everything(accepted_from=start, accepted_to=end)} == april
    assert {item["code"] for item in igate.everything(accepted_from="2026-04-01", accepted_to="2026-04-30")} == april
    due = {row["code"] for row in truth if row["due_at"] and row["due_at"][:10] == "2026-06-30"}
    assert {
        item["code"] for item in igate.everything(appointment_from="2026-06-30", appointment_to="2026-06-30")
    } == due
    open_ones = {row["code"] for row in truth if row["state"] in (State.PROCESSING, State.ACCEPTED)}
    wanted = f"{STATUS_IDS[State.PROCESSING]},{STATUS_IDS[State.ACCEPTED]}"
    assert {item["code"] for item in igate.everything(dossier_status=wanted)} == open_ones


def test_filters_by_code_agency_procedure_and_person(igate: Client) -> None:
    one = igate.search(size=1).json()["content"][0]
    assert [item["code"] for item in igate.everything(code=one["code"])] == [one["code"]]
    for name, value, get in (
        ("ancestor_agency_id", one["agency"]["id"], lambda item: item["agency"]["id"]),
        ("procedure_id", one["procedure"]["id"], lambda item: item["procedure"]["id"]),
        (
            "identity_number",
            one["applicant"]["data"]["identityNumber"],
            lambda item: item["applicant"]["data"]["identityNumber"],
        ),
    ):
        found = igate.everything(**{name: value})
        assert one["code"] in {item["code"] for item in found}
        assert {get(item) for item in found} == {value}
    assert igate.everything(code="H12.99-260101-0001") == []
    assert len(igate.everything(ancestor_agency_id=f"{0xB << 88:024x}")) == len(igate.server.truth())


@pytest.mark.parametrize(
    "parameters",
    [{"page": "one"}, {"sort": "code,desc"}, {"accepted_from": "01/04/2026"}, {"dossier_status": "open"}],
)
def test_a_parameter_out_of_shape_is_a_bad_request(igate: Client, parameters: dict[str, str]) -> None:
    answer = igate.search(**parameters)
    assert (answer.status_code, answer.json()["status"]) == (400, 400)


def test_parameters_nobody_knows_are_ignored(igate: Client) -> None:
    assert igate.search(isAgencySearch="true", candidate_group_id="x").status_code == 200


def test_items_move_to_the_front_when_the_clock_moves(start: Any) -> None:
    client = Client(start("igate"))
    before = client.everything()
    client.server.control("POST", "clock", {"as_of": (client.server.clock() + timedelta(days=3)).isoformat()})
    after = client.everything()
    border = before[0]["updatedDate"]
    moved = [item["code"] for item in after if item["updatedDate"] > border]
    assert moved == [item["code"] for item in after[: len(moved)]]
    assert set(moved) & {item["code"] for item in before}
    still = [item["code"] for item in after[len(moved) :]]
    assert still == [item["code"] for item in before if item["code"] not in set(moved)]


@pytest.mark.parametrize("how", ["unknown-status", "bad-date", "missing-code"])
def test_a_broken_record_is_told_wrongly(mended: Client, how: str) -> None:
    good = mended.search(size=1).json()["content"][0]
    mended.server.control("POST", "break", {"codes": [good["code"]], "how": how})
    bad = mended.search(size=1).json()["content"][0]
    assert bad["id"] == good["id"]
    assert {
        "unknown-status": bad["dossierStatus"]["id"] == 77,
        "bad-date": bad["appointmentDate"] == "2026-02-31T25:61:00.000+0700",
        "missing-code": "code" not in bad,
    }[how]


def test_an_enterprise_is_known_by_its_tax_code(igate: Client) -> None:
    numbers = {item["applicant"]["data"]["identityNumber"] for item in igate.everything()}
    assert any(number.startswith("99") and len(number) == 10 for number in numbers)
    assert any(number.startswith("000099") for number in numbers)
