"""The residence system: lists ordered as jobs, asked about, fetched; called with zeep."""

import base64
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import requests
import zeep
from lxml import etree

from sandbox.systems.qldc import STATUS_CODES
from schemas.states import State
from schemas.times import VN

WIRE = Path(__file__).parents[3] / "schemas" / "wire" / "qldc" / "qldc.wsdl"
SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
NAMESPACE = "{http://dancuquocgia.bca}"
HALF_YEAR = [datetime(2025, 12, 1, tzinfo=VN) + timedelta(days=days) for days in (0, 90, 180, 240)]
RECENT = (datetime(2026, 5, 1, tzinfo=VN), datetime(2026, 7, 31, tzinfo=VN))
WAITING = ("CHO_XU_LY", "DANG_XU_LY")


class Client:
    """An officer."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.options = server.options
        self.url = server.url + self.options.extra["path"]
        self.client = zeep.Client(f"{self.url}?wsdl")
        self.names = {"MaYeuCau": "MAU-0001", "MaDVC": "1.991801", "MaTichHop": "MAU", "MaCanBo": "canbo.mau"}

    def hash(self, password: str | None = None) -> str:
        return base64.b64encode(f"{self.options.login}:{password or self.options.password}".encode()).decode()

    def call(self, operation: str, *, auth: str | None = None, **values: Any) -> Any:
        header = {"AuthHash": self.hash() if auth is None else auth}
        return getattr(self.client.service, operation)(**{**self.names, **values}, _soapheaders=header)

    def refusal(self, operation: str, **values: Any) -> str:
        """The service's own error code."""
        with pytest.raises(zeep.exceptions.Fault) as caught:
            self.call(operation, **values)
        assert caught.value.code == "soap:Client"
        return str(caught.value.detail.findtext(f"{NAMESPACE}LoiNghiepVu/{NAMESPACE}MaLoi"))

    def order(self, start: datetime, end: datetime) -> str:
        moments = {"TuThoiDiem": f"{start:%Y%m%d%H%M%S}", "DenThoiDiem": f"{end:%Y%m%d%H%M%S}"}
        return str(self.call("CungCapDanhSachThayDoiCuTru", **moments).MaYeuCauXuLy)

    def states(self, job: str) -> list[str]:
        """What the service says about the job until it is at its end."""
        said: list[str] = []
        while not said or said[-1] in WAITING:
            said.append(self.call("GetRequestStatus", MaYeuCauXuLy=job).TrangThaiYeuCau)
        return said

    def records(self, job: str, size: int = 200) -> list[Any]:
        records: list[Any] = []
        page = 0
        while True:
            page += 1
            answer = self.call("GetResultDetailAsRecords", MaYeuCauXuLy=job, TrangSo=page, SoBanGhi=size)
            records += answer.DanhSachHoSo.HoSo if answer.DanhSachHoSo else []
            if len(records) >= answer.TongSo:
                return records

    def listing(self, start: datetime, end: datetime) -> list[Any]:
        job = self.order(start, end)
        assert self.states(job)[-1] == "HOAN_THANH"
        return self.records(job)


@pytest.fixture(scope="module")
def qldc(start: Any) -> Client:
    return Client(start("qldc"))


@pytest.fixture
def mended(qldc: Client) -> Iterator[Client]:
    yield qldc
    qldc.server.control("DELETE", "break")
    qldc.server.control("POST", "jobs", {"fail": 0})


def wire_time(iso: str | None) -> str | None:
    return None if iso is None else re.sub(r"\D", "", iso[:19])


def test_the_contract_handed_out_is_the_snapshot_with_the_services_own_address(qldc: Client) -> None:
    live = requests.get(f"{qldc.url}?wsdl", timeout=10).content
    assert live.replace(qldc.url.encode(), b"http://example.org/dich-vu") == WIRE.read_bytes()


def test_the_lists_of_all_windows_together_are_the_whole_truth(qldc: Client) -> None:
    truth = {row["source_id"]: row for row in qldc.server.truth()}
    windows = pairwise(HALF_YEAR)
    records = [one for start, end in windows for one in qldc.listing(start, end)]
    assert len(records) == len(truth) > 50
    for one in records:
        row = truth[one.SoHoSo]
        assert one.MaHoSo.endswith(row["code"][row["code"].index("-") :])
        assert one.TrangThai == STATUS_CODES[State(row["state"])]
        assert one.ThoiDiemThayDoi == wire_time(row["changed_at"])
        assert one.NgayHenTra == wire_time(row["due_at"])
        assert re.fullmatch(r"\d{8}", one.CongDan.NgayThangNamSinh.NgayThangNam)
        assert one.CongDan.HoVaTen.Ho
        assert one.CongDan.HoVaTen.Ten


def test_a_job_is_done_after_one_or_two_answers_that_it_is_not(qldc: Client) -> None:
    jobs = [qldc.order(*RECENT) for _ in range(2)]
    assert sorted(len(qldc.states(job)) for job in jobs) == [2, 3]


def test_a_list_is_not_given_before_it_is_done(qldc: Client) -> None:
    job = qldc.order(*RECENT)
    page = {"MaYeuCauXuLy": job, "TrangSo": 1, "SoBanGhi": 10}
    assert qldc.refusal("GetResultDetailAsRecords", **page) == "YC02"
    qldc.states(job)
    assert len(qldc.call("GetResultDetailAsRecords", **page).DanhSachHoSo.HoSo) == 10


def test_a_list_is_what_it_was_when_ordered(start: Any) -> None:
    qldc = Client(start("qldc"))
    job = qldc.order(*RECENT)
    qldc.states(job)
    before = [one.ThoiDiemThayDoi for one in qldc.records(job)]
    later = qldc.server.clock() + timedelta(days=5)
    assert qldc.server.control("POST", "clock", {"as_of": later.isoformat()}).status_code == 200
    assert [one.ThoiDiemThayDoi for one in qldc.records(job)] == before
    again = qldc.order(*RECENT)
    qldc.states(again)
    assert [one.ThoiDiemThayDoi for one in qldc.records(again)] != before


def test_a_job_may_fail(mended: Client) -> None:
    mended.server.control("POST", "jobs", {"fail": 1})
    assert mended.states(mended.order(HALF_YEAR[0], HALF_YEAR[1]))[-1] == "LOI"
    assert mended.states(mended.order(HALF_YEAR[0], HALF_YEAR[1]))[-1] == "HOAN_THANH"


def test_a_list_expires(mended: Client) -> None:
    job = mended.order(HALF_YEAR[0], HALF_YEAR[1])
    mended.states(job)
    mended.server.control("POST", "jobs", {"expire": True})
    assert mended.refusal("GetResultDetailAsRecords", MaYeuCauXuLy=job, TrangSo=1, SoBanGhi=1) == "YC03"
    assert mended.states(job) == ["HET_HAN"]
    assert mended.server.control("POST", "jobs", {"expire": "soon"}).status_code == 422


def test_a_deleted_or_forgotten_job_is_unknown(qldc: Client) -> None:
    job, other = (qldc.order(HALF_YEAR[0], HALF_YEAR[1]) for _ in range(2))
    assert qldc.call("DeleteRequest", MaYeuCauXuLy=job).MaYeuCauXuLy == job
    assert qldc.refusal("DeleteRequest", MaYeuCauXuLy=job) == "YC01"
    assert qldc.refusal("GetRequestStatus", MaYeuCauXuLy=job) == "YC01"
    qldc.server.control("POST", "faults", {"mode": "expire-sessions"})
    assert qldc.refusal("GetRequestStatus", MaYeuCauXuLy=other) == "YC01"
    assert qldc.server.control("GET", "jobs").json() == {}


def test_only_the_officer_whose_hash_it_is_gets_in(qldc: Client) -> None:
    job = {"MaYeuCauXuLy": "khong-co"}
    assert qldc.refusal("GetRequestStatus", **job, auth=qldc.hash("sai")) == "XT01"
    assert qldc.refusal("GetRequestStatus", **job, auth="") == "XT01"
    assert qldc.refusal("GetRequestStatus", **job, MaCanBo="canbo.khac") == "XT02"
    assert qldc.refusal("GetRequestStatus", **job, MaTichHop="KHAC") == "XT02"
    assert qldc.refusal("GetRequestStatus", **job, MaDVC="thu-tuc") == "TS01"
    assert qldc.refusal("GetRequestStatus", **job) == "YC01"


@pytest.mark.parametrize(
    ("begins", "ends"),
    [
        (HALF_YEAR[1], HALF_YEAR[0]),
        (HALF_YEAR[1], HALF_YEAR[1]),
        (HALF_YEAR[0], HALF_YEAR[3]),
    ],
)
def test_a_window_must_be_one_and_not_too_long(qldc: Client, begins: datetime, ends: datetime) -> None:
    moments = {"TuThoiDiem": f"{begins:%Y%m%d%H%M%S}", "DenThoiDiem": f"{ends:%Y%m%d%H%M%S}"}
    assert qldc.refusal("CungCapDanhSachThayDoiCuTru", **moments) == "TS01"


def test_a_moment_that_is_none_and_a_page_out_of_range_are_faults(qldc: Client) -> None:
    moments = {"TuThoiDiem": "20260231000000", "DenThoiDiem": "20260301000000"}
    assert qldc.refusal("CungCapDanhSachThayDoiCuTru", **moments) == "TS01"
    job = qldc.order(HALF_YEAR[0], HALF_YEAR[1])
    qldc.states(job)
    for page, size in ((0, 10), (1, 0), (1, 1001)):
        assert qldc.refusal("GetResultDetailAsRecords", MaYeuCauXuLy=job, TrangSo=page, SoBanGhi=size) == "TS01"


def raw(qldc: Client, body: str) -> requests.Response:
    envelope = (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:q="http://dancuquocgia.bca">'
        f"<s:Header><q:AuthHash>{qldc.hash()}</q:AuthHash></s:Header><s:Body>{body}</s:Body></s:Envelope>"
    )
    headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
    return requests.post(qldc.url, data=envelope.encode(), headers=headers, timeout=10)


def test_elements_have_one_order(qldc: Client) -> None:
    right = "<q:MaYeuCau>1</q:MaYeuCau><q:MaDVC>1.991801</q:MaDVC><q:MaTichHop>MAU</q:MaTichHop>"
    wrong = "<q:MaDVC>1.991801</q:MaDVC><q:MaYeuCau>1</q:MaYeuCau><q:MaTichHop>MAU</q:MaTichHop>"
    rest = "<q:MaCanBo>canbo.mau</q:MaCanBo><q:MaYeuCauXuLy>x</q:MaYeuCauXuLy>"
    assert "YC01" in raw(qldc, f"<q:GetRequestStatus>{right}{rest}</q:GetRequestStatus>").text
    refused = raw(qldc, f"<q:GetRequestStatus>{wrong}{rest}</q:GetRequestStatus>")
    assert refused.status_code == 500
    assert "không đúng hợp đồng" in refused.text


def test_answers_are_as_the_contract_says(qldc: Client) -> None:
    job = qldc.order(*RECENT)
    qldc.states(job)
    names = "".join(f"<q:{name}>{value}</q:{name}>" for name, value in qldc.names.items())
    asked = f"{names}<q:MaYeuCauXuLy>{job}</q:MaYeuCauXuLy><q:TrangSo>1</q:TrangSo><q:SoBanGhi>50</q:SoBanGhi>"
    answer = raw(qldc, f"<q:GetResultDetailAsRecords>{asked}</q:GetResultDetailAsRecords>")
    schema = etree.fromstring(WIRE.read_bytes()).find(".//{http://www.w3.org/2001/XMLSchema}schema")
    body = etree.fromstring(answer.content).find(f"{SOAP}Body")
    assert schema is not None
    assert body is not None
    etree.XMLSchema(schema).assertValid(body[0])


@pytest.mark.parametrize("how", ["unknown-status", "bad-date", "missing-code", "extra-field", "renamed-field"])
def test_a_broken_record_is_told_wrongly(mended: Client, how: str) -> None:
    row = mended.server.truth()[5]
    mended.server.control("POST", "break", {"codes": [row["code"]], "how": how})
    changed = datetime.fromisoformat(row["changed_at"])
    job = mended.order(changed, changed + timedelta(seconds=1))
    mended.states(job)
    names = "".join(f"<q:{name}>{value}</q:{name}>" for name, value in mended.names.items())
    asked = f"{names}<q:MaYeuCauXuLy>{job}</q:MaYeuCauXuLy><q:TrangSo>1</q:TrangSo><q:SoBanGhi>1</q:SoBanGhi>"
    told = raw(mended, f"<q:GetResultDetailAsRecords>{asked}</q:GetResultDetailAsRecords>").text
    right = {
        "unknown-status": "<TrangThai>LA</TrangThai>" in told,
        "bad-date": "<NgayNop>20260231256100</NgayNop>" in told,
        "missing-code": "<MaHoSo>" not in told,
        "extra-field": "<MaKhuVuc>" in told,
        "renamed-field": "<TinhTrang>" in told and "<TrangThai>" not in told,
    }
    assert right[how]
