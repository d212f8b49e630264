"""The OpenCPS one-stop system over HTTP."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import requests

from sandbox.systems.opencps import STATUSES

KEYS = {
    "dossierId", "groupId", "userId", "userName", "createDate", "modifiedDate", "referenceUid", "counter",
    "serviceCode", "serviceName", "govAgencyCode", "govAgencyName", "dossierTemplateNo", "applicantName",
    "applicantIdType", "applicantIdNo", "applicantIdDate", "address", "cityCode", "cityName", "districtCode",
    "districtName", "wardCode", "wardName", "contactName", "contactTelNo", "contactEmail", "dossierNo", "submitDate",
    "receiveDate", "dueDate", "releaseDate", "finishDate", "cancellingDate", "correctingDate", "extendDate",
    "dossierStatus", "dossierStatusText", "dossierSubStatus", "dossierSubStatusText", "lockState", "viaPostal",
    "online", "originality", "durationCount", "durationUnit", "systemId", "serviceLevel", "stepCode", "stepName",
    "lastActionCode", "lastActionName", "lastActionDate", "lastActionUser", "metaData", "vnpostalStatus",
}  # fmt: skip
SYNC_KEYS = {
    "dossierSyncId", "dossierRefUid", "syncRefUid", "actionCode", "actionName", "actionUser", "actionNote", "syncType",
    "infoType", "payload",
}  # fmt: skip
ALL = 10_000


class Client:
    """A client of the dossier API."""

    def __init__(self, server: Any) -> None:
        self.server = server

    def get(self, path: str = "", *, password: str | None = None, group: str | None = "35166", **query: Any) -> Any:
        options = self.server.options
        return requests.get(
            f"{self.server.url}/o/rest/v2/dossiers{path}",
            params=query,
            auth=(options.login, options.password if password is None else password),
            headers={} if group is None else {"groupId": group},
            timeout=30,
        )

    def found(self, **query: Any) -> list[dict[str, Any]]:
        answer = self.get(**{"start": 0, "end": ALL, **query})
        assert answer.status_code == 200, answer.text
        assert answer.json()["total"] == len(answer.json()["data"])
        return list(answer.json()["data"])


@pytest.fixture(scope="module")
def opencps(start: Any) -> Client:
    return Client(start("opencps"))


@pytest.fixture
def mended(opencps: Client) -> Iterator[Client]:
    yield opencps
    opencps.server.control("DELETE", "break")


def shown(iso: str | None) -> str:
    return f"{iso[8:10]}/{iso[5:7]}/{iso[:4]} {iso[11:19]}" if iso else ""


def test_nobody_gets_in_without_the_password_or_the_group(opencps: Client) -> None:
    assert opencps.get().status_code == 200
    assert opencps.get(password="sai").status_code == 401
    assert opencps.get(group=None).status_code == 403
    assert opencps.get(group="1").status_code == 403
    assert opencps.get("/900001", group=None).status_code == 403


def test_everything_it_tells_is_the_truth(opencps: Client) -> None:
    truth = opencps.server.truth()
    found = opencps.found()
    assert [one["dossierNo"] for one in found] == [row["code"] for row in truth]
    for one, row in zip(found, truth, strict=True):
        assert one.keys() == KEYS
        assert STATUSES[one["dossierStatus"], one["dossierSubStatus"]] == row["state"]
        assert one["referenceUid"] == row["source_id"]
        assert one["submitDate"] == one["createDate"] == shown(row["submitted_at"])
        assert one["receiveDate"] == shown(row["received_at"])
        assert one["dueDate"] == shown(row["due_at"])
        assert one["releaseDate"] == shown(row["finished_at"])
        assert one["finishDate"] == shown(row["returned_at"])
        assert one["modifiedDate"] == shown(row["changed_at"])
        assert one["online"] == ("true" if row["channel"] == 2 else "false")


def test_offsets_end_exclusively_and_zero_means_the_default(opencps: Client) -> None:
    every = opencps.found()
    assert opencps.get(start=20, end=30).json() == {"total": len(every), "data": every[20:30]}
    assert opencps.get(start=20, end=0).json()["data"] == every[20:35]
    assert opencps.get().json()["data"] == every[:15]
    assert opencps.get(start=len(every), end=len(every) + 5).json()["data"] == []


def test_the_default_order_is_creation_and_can_be_turned_round(opencps: Client) -> None:
    every = opencps.found()
    assert [one["counter"] for one in every] == sorted(one["counter"] for one in every)
    assert opencps.get(start=0, end=5, order="true").json()["data"] == every[: -5 - 1 : -1]


def test_a_sort_of_the_callers_compares_dates_as_text(opencps: Client) -> None:
    dates = [one["dueDate"] for one in opencps.found(sort="dueDate")]
    assert dates == sorted(dates)
    moments = [datetime.strptime(date, "%d/%m/%Y %H:%M:%S") for date in dates if date]
    assert moments != sorted(moments)
    assert [one["dueDate"] for one in opencps.found(sort="dueDate", order="true")] == dates[::-1]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Submit", "submitted_at"),
        ("Receive", "received_at"),
        ("Release", "finished_at"),
        ("Finish", "returned_at"),
        ("Due", "due_at"),
    ],
)
def test_dossiers_are_found_by_each_of_their_dates(opencps: Client, name: str, key: str) -> None:
    truth = opencps.server.truth()
    window = {f"from{name}Date": "01/05/2026", f"to{name}Date": "15/05/2026"}
    expected = [row["code"] for row in truth if "2026-05-01" <= (row[key] or "") < "2026-05-16"]
    assert [one["dossierNo"] for one in opencps.found(**window)] == expected
    assert len(expected) > 5
    open_end = [row["code"] for row in truth if (row[key] or "") >= "2026-05-01"]
    assert [one["dossierNo"] for one in opencps.found(**{f"from{name}Date": "01/05/2026 00:00:00"})] == open_end


def test_filters_work_together(opencps: Client) -> None:
    waiting = opencps.found(status="waiting, interoperating")
    assert {one["dossierStatus"] for one in waiting} == {"waiting", "interoperating"}
    assert all(one["dossierSubStatus"] for one in opencps.found(substatus="processing_1,processing_2"))
    one = opencps.found()[7]
    assert opencps.found(dossierNo=one["dossierNo"]) == [one]
    assert one in opencps.found(
        applicantIdNo=one["applicantIdNo"], service=one["serviceCode"], agency=one["govAgencyCode"], keyword="x"
    )
    assert opencps.found(dossierNo=one["dossierNo"], status="unheard") == []


@pytest.mark.parametrize("query", [{"fromReceiveDate": "2026-05-01"}, {"toFinishDate": "31/02/2026"}, {"start": "-1"}])
def test_what_cannot_be_read_is_a_bad_request(opencps: Client, query: dict[str, str]) -> None:
    answer = opencps.get(**query)
    assert answer.status_code == 400
    assert next(iter(query)) in answer.json()["message"]


def test_one_dossier_is_found_by_either_of_its_ids(opencps: Client) -> None:
    one = opencps.found()[3]
    assert opencps.get(f"/{one['dossierId']}").json() == one
    assert opencps.get(f"/{one['referenceUid']}").json() == one
    for unknown in ("1", "x", "00000000-0000-4000-8000-ffffffffffff"):
        assert opencps.get(f"/{unknown}").status_code == 404
        assert opencps.get(f"/{unknown}/syncs").status_code == 404


def test_the_syncs_of_a_dossier_are_what_was_done_with_it(opencps: Client) -> None:
    row = opencps.server.truth()[0]
    syncs = opencps.get(f"/{row['source_id']}/syncs").json()
    assert syncs["total"] == len(syncs["data"]) == row["steps"]
    assert all(sync.keys() == SYNC_KEYS and sync["dossierRefUid"] == row["source_id"] for sync in syncs["data"])


def test_land_dossiers_are_interoperating_while_they_are_worked_on(opencps: Client) -> None:
    land = [row["code"] for row in opencps.server.truth() if row["field_code"] == "G99-DD01" and row["state"] == 4]
    statuses = {one["dossierStatus"] for one in opencps.found() if one["dossierNo"] in land}
    assert statuses == {"interoperating"}


def test_moving_the_clock_moves_dossiers_into_windows(start: Any) -> None:
    opencps = Client(start("opencps"))
    assert opencps.found(fromSubmitDate="03/07/2026") == []
    opencps.server.control("POST", "clock", {"as_of": "2026-07-10T10:00:00+07:00"})
    truth = opencps.server.truth()
    assert [one["dossierNo"] for one in opencps.found()] == [row["code"] for row in truth]
    finished = [row["code"] for row in truth if (row["finished_at"] or "") >= "2026-07-01"]
    assert [one["dossierNo"] for one in opencps.found(fromReleaseDate="01/07/2026")] == finished != []


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("unknown-status", {"dossierStatus": "unheard", "dossierSubStatus": ""}),
        ("bad-date", {"dueDate": "31/02/2026 25:61:00"}),
        ("missing-code", {"dossierNo": ""}),
        ("extra-field", {"fileAttachCount": 2}),
    ],
)
def test_a_broken_record_is_told_wrongly(mended: Client, how: str, expected: dict[str, Any]) -> None:
    row = mended.server.truth()[5]
    mended.server.control("POST", "break", {"codes": [row["code"]], "how": how})
    assert expected.items() <= mended.get(f"/{row['source_id']}").json().items()
    (listed,) = [one for one in mended.found() if one["referenceUid"] == row["source_id"]]
    assert expected.items() <= listed.items()


def test_a_renamed_status_stands_under_another_name(mended: Client) -> None:
    row = mended.server.truth()[5]
    mended.server.control("POST", "break", {"codes": [row["code"]], "how": "renamed-field"})
    one = mended.get(f"/{row['source_id']}").json()
    assert "dossierStatus" not in one
    assert re.fullmatch(r"[a-z]+", one["statusCode"])
