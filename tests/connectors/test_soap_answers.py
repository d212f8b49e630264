"""SOAP answers: read as they are meant, and refused when they cannot be believed; faults before everything else."""

import re
from datetime import timedelta

import pytest
from loopback import Reply
from registry import GOOD, START, Registry, envelope, fault, listing, pull, reader, record, xml

from connectors import windows
from connectors.errors import (
    BrokenAnswer,
    ConnectorError,
    ContractBroken,
    GatewayRefused,
    NotSent,
    OutcomeUnknown,
    Refused,
    Repeated,
)


@pytest.fixture
def answer_with(serve):
    """Pull from a service that gives these answers; the last one again and again."""

    def run(*replies):
        system = Registry({})
        system.answers = [*replies, *replies[-1:] * 3]
        return pull(reader(serve(system)))

    return run


@pytest.fixture
def failure(answer_with):
    """The error of a pull that gets this answer; it never shows what the answer says."""

    def run(reply: Reply) -> ConnectorError:
        with pytest.raises(ConnectorError) as caught:
            answer_with(reply)
        assert "000099000001" not in f"{caught.value!r}{caught.value.__cause__!r}"
        return caught.value

    return run


def test_missing_nil_and_empty_are_three_things(answer_with):
    nil = '<m:ngayHenTra xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/>'
    unknown = "<m:khac>mới</m:khac>"
    row = record("A", START.isoformat(), extra=nil + "<m:ngayTiepNhan/>" + unknown, steps=0)
    (page,) = answer_with(xml(envelope(listing([row], 1))))
    (one,) = page.records
    assert "ngayHoanThanh" not in one
    assert one["ngayHenTra"] is None
    assert one["ngayTiepNhan"] == ""
    assert one["quaTrinh"] == []
    assert one["nguoiNop"] == {"hoTen": "Đỗ Thị Mẫu", "soDinhDanh": "000099000001"}
    assert one["khac"] == "mới"


def test_what_may_come_many_times_is_a_list_even_when_it_comes_once(answer_with):
    rows = [record("A", START.isoformat(), steps=1), record("B", START.isoformat(), steps=2)]
    (page,) = answer_with(xml(envelope(listing(rows, 2))))
    assert [len(one["quaTrinh"]) for one in page.records] == [1, 2]
    step = {"thoiDiem": "2025-08-01T08:00:00", **dict.fromkeys(("trangThai", "noiDung", "donVi"), "x")}
    assert page.records[1]["quaTrinh"][0] == step


def test_text_is_kept_as_it_came(answer_with):
    row = record("A", START.isoformat(), extra="<m:khac><![CDATA[<b> & ]]>c<!-- x -->d&amp;&#x1D11E;</m:khac>")
    (page,) = answer_with(xml(envelope(listing([row], 1))))
    assert page.records[0]["khac"] == "<b> & cd&\U0001d11e"


def test_an_element_that_comes_twice_is_kept_twice(answer_with):
    row = record("A", START.isoformat(), extra="<m:trangThai>RUT</m:trangThai>")
    (page,) = answer_with(xml(envelope(listing([row], 1))))
    assert page.records[0]["trangThai"] == ["x", "RUT"]


def test_only_what_stands_at_the_path_is_a_record(answer_with):
    row = record("A", START.isoformat(), extra="<m:lienQuan><m:hoSo><m:maHoSo>B</m:maHoSo></m:hoSo></m:lienQuan>")
    (page,) = answer_with(xml(envelope(listing([row], 1))))
    assert [one["maHoSo"] for one in page.records] == ["A"]
    assert page.records[0]["lienQuan"] == {"hoSo": {"maHoSo": "B"}}


def test_an_honest_empty_answer_is_no_error(answer_with):
    (page,) = answer_with(xml(envelope(listing([], 0))))
    assert (page.records, page.cursor) == ([], None)


@pytest.mark.parametrize(
    "content",
    [
        listing([], ""),
        listing([], 3),
        listing([], "mot"),
        "<m:danhSachHoSoThayDoiResponse/>",
        "<m:somethingElse/>",
        "<n:danhSachHoSoThayDoiResponse xmlns:n='urn:new'><n:tongSo>0</n:tongSo></n:danhSachHoSoThayDoiResponse>",
        "",
    ],
    ids=["empty total", "nothing of three", "no number", "no scalar", "other element", "other namespace", "no body"],
)
def test_an_answer_that_does_not_vouch_for_itself_is_broken(failure, content):
    assert isinstance(failure(xml(envelope(content))), BrokenAnswer)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>sign in</html>", "text/html"),
        xml(b"<html>sign in</html>"),
        xml(GOOD[:-30]),
        xml(GOOD.replace(b"</m:tongSo>", b"</m:tong>")),
        xml(GOOD.replace("Đỗ".encode(), b"\xd0\xe3")),
        xml(GOOD.replace(b">0</m:hinh", b' i:nil="true"></m:hinh')),
        xml(b""),
        xml(GOOD + GOOD),
        xml(b'<!DOCTYPE s:Envelope SYSTEM "http://127.0.0.1:9/x.dtd">' + GOOD),
        xml(b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/hostname">]>' + GOOD.replace(b"<m:trang>1", b"<m:trang>&e;")),
        xml(
            b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
            b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>' + GOOD.replace(b"<m:trang>1", b"<m:trang>&c;")
        ),
        xml(GOOD.replace(b"<m:trang>1", b"<m:trang>&unknown;")),
        xml(GOOD.replace(b"<m:trang>1", b"<m:trang>" + b"<a>" * 400 + b"</a>" * 400)),
        xml(envelope(listing([record("A", START.isoformat())], 1), "another-message")),
    ],
    ids=[
        "html",
        "html called xml",
        "cut",
        "not well-formed",
        "wrong encoding",
        "nil without declaration",
        "empty",
        "two documents",
        "external dtd",
        "external entity",
        "billion laughs",
        "unknown entity",
        "too deep",
        "answer to another message",
    ],
)
def test_what_is_not_the_answer_is_broken(failure, reply):
    assert isinstance(failure(reply), BrokenAnswer)


def spellings(code: str) -> list[str]:
    """The code as up to X-Road 7.7 and as from 7.8 on."""
    first, *rest = code.split(".")
    words = [re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word).lower() for word in rest]
    anew = [word.replace("_", "") if word.endswith("_proxy") else word for word in words]
    return [code, ".".join([first.lower(), *anew])]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("Client.InvalidXml", GatewayRefused),
        ("Server.ClientProxy.UnknownMember", GatewayRefused),
        ("Server.ServerProxy.UnknownService", GatewayRefused),
        ("Server.ServerProxy.AccessDenied", GatewayRefused),
        ("Server.ServerProxy.ServiceDisabled", NotSent),
        ("Server.ClientProxy.NetworkError", NotSent),
        ("Server.ClientProxy.OutdatedGlobalConf", NotSent),
        ("Server.ServerProxy.NetworkError", OutcomeUnknown),
        ("Server.ServerProxy.ServiceFailed.HttpError", OutcomeUnknown),
        ("Server.ClientProxy.LoggingFailed", OutcomeUnknown),
        ("Server.ClientProxy.ServiceFailed.InconsistentResponse", OutcomeUnknown),
    ],
)
@pytest.mark.parametrize("spelling", [0, 1])
def test_faults_of_the_security_server_come_with_status_200_in_two_spellings(failure, code, expected, spelling):
    written = spellings(code)[spelling]
    error = failure(xml(fault(written)))
    assert type(error) is expected
    assert written in str(error)
    assert "d-1" in str(error)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("Client.ThamSo", Refused),
        ("SOAP-ENV:Client", Refused),
        ("env:Sender", Refused),
        ("S:Server", OutcomeUnknown),
        ("soap:Receiver", OutcomeUnknown),
        ("", OutcomeUnknown),
        ("LoiNghiepVu", OutcomeUnknown),
    ],
)
@pytest.mark.parametrize("status", [200, 500])
def test_faults_of_the_service_are_told_apart_from_the_security_server(failure, code, expected, status):
    error = failure(xml(fault(code, None), status))
    assert type(error) is expected
    assert "security server" not in str(error)


def test_a_soap_12_fault_is_understood(failure):
    body = (
        b'<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body><e:Fault><e:Code><e:Value>e:Sender'
        b"</e:Value></e:Code></e:Fault></e:Body></e:Envelope>"
    )
    assert isinstance(failure(Reply(200, body, "application/soap+xml")), Refused)


def test_status_500_without_a_fault_is_an_unknown_outcome(failure):
    error = failure(Reply(500, b"<html>oops</html>", "text/html"))
    assert type(error) is OutcomeUnknown


def test_a_server_that_ignores_the_question_does_not_run_for_ever(answer_with):
    rows = [record(f"A{number}", (START + timedelta(hours=number)).isoformat()) for number in range(10)]
    endless = xml(envelope(listing(rows, 1000)))
    with pytest.raises(Repeated):
        answer_with(endless)


def test_an_unsorted_answer_stops_the_pull(failure):
    rows = [record("A", (START + timedelta(hours=1)).isoformat()), record("B", START.isoformat())]
    assert isinstance(failure(xml(envelope(listing(rows, 2)))), ContractBroken)


def test_one_record_that_breaks_the_contract_is_handed_on(answer_with, caplog):
    rows = [record(f"A{number}", START.isoformat(), without="maSoThue" if number == 3 else "") for number in range(10)]
    (page,) = answer_with(xml(envelope(listing(rows, 10))))
    assert "maSoThue" not in page.records[3]
    assert "1 of 10 records break the contract: maSoThue is missing" in caplog.text


def test_a_required_element_that_all_records_lack_is_drift_of_the_contract(failure):
    rows = [record(f"A{number}", START.isoformat(), without="maSoThue") for number in range(12)]
    error = failure(xml(envelope(listing(rows, 12))))
    assert isinstance(error, ContractBroken)
    assert "maSoThue" in str(error)


def test_an_unreadable_time_of_change_is_handed_on(answer_with):
    rows = [record("A", START.isoformat()), record("B", "01/03/2026"), record("C", "2026-02-30T00:00:00")]
    (page,) = answer_with(xml(envelope(listing(rows, 3))))
    assert [one["capNhatLuc"] for one in page.records][1:] == ["01/03/2026", "2026-02-30T00:00:00"]
    assert page.cursor == windows.to_text(START)
