"""The services that take a month's report: what they check, what a second report becomes, and the writes they note."""

from typing import Any

import pytest

from sandbox.targets import npsp, province

HEADERS = {"dstcode": "VN:GOV:mau"}
ACCOUNT = {"username": "tai-khoan-mau", "password": "mat-khau-mau"}
STATISTICS = {
    "Month": 8, "Year": 2025, "IsMonthStatistic": True, "NewReception": 12, "PreExtisting": 3, "Total": 15,
    "TotalSolved": 11, "SolvedInTime": 10, "SolvedInTimePercent": 90.91, "SolvedLate": 1, "SolvedLatePercent": 9.09,
    "TotalPending": 4, "Pending": 4, "PendingPercent": 100.0, "PendingLate": 0, "PendingLatePercent": 0.0, "Note": "",
    "OrganizationInchargeIdlevel1": "H12", "OrganizationInchargeName": "UBND tỉnh Thử Nghiệm",
}  # fmt: skip
LEVELS = {"PercentVeryGood": 75.0, "PercentGood": 20.0, "PercentBad": 5.0}
VOTES = {
    "DateCreated": "2025-08-31T23:59:59.000+0700",
    "TotalVoted": 40,
    **LEVELS,
    "Questions": [{"DocTypeCode": "", "Content": "Thái độ phục vụ", **LEVELS}],
    "OrganizationInchargeIdlevel1": "H12",
    "OrganizationInchargeName": "UBND tỉnh Thử Nghiệm",
}
PATHS = {"UpdateStatistic": "Statistic/UpdateStatistic", "UpdateVote": "Vote/UpdateVote"}


def rating(**changes: Any) -> dict[str, Any]:
    return {
        "NgayTongHop": "8-2025",
        "TongSoNguoiDanhGia": 40,
        "PhanTramDanhGiaRatHaiLong": "75%",
        "PhanTramDanhGiaHaiLong": "20%",
        "PhanTramDanhGiaChuaHaiLong": "5%",
        "DanhSachNoiDungYKien": "",
        "MaThuTuc": "",
        "NoiDung": "Thái độ phục vụ",
        "Madonvi": "000.00.00.H12",
        "TenDonVi": "UBND tỉnh Thử Nghiệm",
    } | changes


class Portal:
    """The portal, signed in to."""

    def __init__(self, start: Any, **extra: Any) -> None:
        self.server = start(npsp.build, "npsp", **extra)
        self._session = self.server.post("/mapi/login", json=ACCOUNT, headers=HEADERS).json()["session"]

    def tell(self, *records: Any) -> dict[str, Any]:
        body = {"session": self._session, "madonvi": "000.00.00.H12", "service": "DongBoDanhGia", "data": list(records)}
        return dict(self.server.post("/mapi/g", json=body, headers=HEADERS).json())

    def effects(self) -> list[str]:
        return [write["effect"] for write in self.server.lines("writes")]


@pytest.mark.parametrize(
    ("second", "held", "effects"),
    [
        ("counts-too", 2, ["inserted", "inserted"]),
        ("replaces", 1, ["inserted", "updated"]),
        ("is-refused", 1, ["inserted"]),
    ],
)
def test_a_second_month_of_ratings_becomes_what_the_portal_is_told_to_make_of_it(
    start: Any, second: str, held: int, effects: list[str]
) -> None:
    portal = Portal(start, ratings=second)
    portal.tell(rating())
    answer = portal.tell(rating(TongSoNguoiDanhGia=41))
    assert ("đã tồn tại" in answer["message"]) == (second == "is-refused")
    assert len(portal.server.lines("reports")) == held
    assert portal.effects() == effects


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"NgayTongHop": "2025-08"}, "NgayTongHop"),
        ({"NgayTongHop": "08-2025"}, "NgayTongHop"),
        ({"PhanTramDanhGiaHaiLong": "20"}, "PhanTramDanhGiaHaiLong"),
        ({"TongSoNguoiDanhGia": "40"}, "TongSoNguoiDanhGia"),
        ({"NoiDung": ""}, "NoiDung"),
    ],
)
def test_a_malformed_record_is_refused_with_all_its_call(start: Any, changes: dict[str, Any], fault: str) -> None:
    portal = Portal(start)
    assert fault in portal.tell(rating(), rating(**changes))["message"]
    assert portal.effects() == []


class Province:
    """The provincial system, with a token."""

    def __init__(self, start: Any) -> None:
        self.server = start(province.build, "province")
        form = {"grant_type": "client_credentials", "client_id": "tai-khoan-mau", "client_secret": "mat-khau-mau"}
        self._token = self.server.post("/token", data=form).json()["access_token"]

    def tell(self, service: str, body: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}"}
        return dict(self.server.post(f"/consumerAdapter/{PATHS[service]}", json=body, headers=headers).json())


@pytest.mark.parametrize(("service", "body"), [("UpdateStatistic", STATISTICS), ("UpdateVote", VOTES)])
def test_a_month_of_an_agency_takes_the_place_of_the_one_before_it(start: Any, service: str, body: Any) -> None:
    server = Province(start)
    other = {**body, "OrganizationInchargeName": "UBND tỉnh"}
    for told in (body, body, other, {**body, "OrganizationInchargeIdlevel1": "H12.07"}):
        assert server.tell(service, told)["Status"] == 1
    assert [write["effect"] for write in server.server.lines("writes")] == ["inserted", "noop", "updated", "inserted"]
    assert [each["key"] for each in server.server.lines("reports")] == ["2025-08|H12", "2025-08|H12.07"]


@pytest.mark.parametrize(
    ("service", "body", "fault"),
    [
        ("UpdateStatistic", {**STATISTICS, "Month": "8"}, "Month"),
        ("UpdateStatistic", {**STATISTICS, "Total": 16}, "Total"),
        ("UpdateStatistic", {**STATISTICS, "SolvedLatePercent": 101}, "SolvedLatePercent"),
        ("UpdateStatistic", {**STATISTICS, "OrganizationInchargeIdlevel1": ""}, "OrganizationInchargeIdlevel1"),
        ("UpdateVote", {**VOTES, "DateCreated": "2025-08-31"}, "DateCreated"),
        ("UpdateVote", {**VOTES, "DateCreated": "2025-02-31T00:00:00.000+0700"}, "DateCreated"),
        ("UpdateVote", {**VOTES, "Questions": [{"Content": "?"}]}, "DocTypeCode"),
    ],
)
def test_a_malformed_report_is_refused_by_its_first_fault(start: Any, service: str, body: Any, fault: str) -> None:
    server = Province(start)
    answer = server.tell(service, body)
    assert answer["Status"] == 0
    assert fault in answer["Message"]
    assert server.server.lines("reports") == []


@pytest.mark.parametrize("service", PATHS)
def test_faults_work_on_reports_as_on_others(start: Any, service: str) -> None:
    server = Province(start)
    server.server.fault("apply-then-500", operation=service)
    body = STATISTICS if service == "UpdateStatistic" else VOTES
    headers = {"Authorization": f"Bearer {server._token}"}
    answer = server.server.post(f"/consumerAdapter/{PATHS[service]}", json=body, headers=headers)
    assert answer.status_code == 500
    assert len(server.server.lines("reports")) == 1


def test_nobody_tells_a_report_without_a_token(start: Any) -> None:
    server = Province(start)
    answer = server.server.post(f"/consumerAdapter/{PATHS['UpdateVote']}", json=VOTES)
    assert answer.status_code == 401
    assert server.server.lines("writes") == []
