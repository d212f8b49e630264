"""What faults mean, however they are spelled and whatever status they come with; their text is never repeated."""

from pathlib import Path
from typing import Any

import pytest
from loopback import Reply
from services import ENV12, answer, envelope, ho_so, keys, listing, pull, source_of, wsdl

from connectors.errors import (
    BrokenAnswer,
    ConnectorError,
    ContractBroken,
    GatewayRefused,
    NotSent,
    OutcomeUnknown,
    Redirected,
    Refused,
    SignInFailed,
    Throttled,
)

SECRET = "Nguyễn Văn Mẫu 000099000001"
DETAIL = "<detail><LoiNghiepVu><maLoi>{code}</maLoi></LoiNghiepVu></detail>"


@pytest.fixture
def contract(tmp_path) -> Path:
    path = tmp_path / "c.wsdl"
    path.write_text(wsdl())
    return path


@pytest.fixture
def failure(serve, contract):
    """The error of a pull that gets this answer."""

    def run(reply: Reply, **options: Any) -> ConnectorError:
        with pytest.raises(ConnectorError) as caught:
            pull(source_of(serve(reply), contract, options))
        error: BaseException | None = caught.value
        while error is not None:
            assert SECRET not in f"{error!r}{error}"
            error = error.__cause__ or error.__context__
        return caught.value

    return run


def fault(code: str, detail: str = "", status: int = 500, **headers: str) -> Reply:
    said = f"<faultcode>{code}</faultcode>" if code else ""
    return answer(f"<s:Fault>{said}<faultstring>{SECRET}</faultstring>{detail}</s:Fault>", status=status, **headers)


def fault12(code: str, *subcodes: str, detail: str = "", status: int = 500) -> Reply:
    inner = "".join(f"<s:Subcode><s:Value>{subcode}</s:Value>" for subcode in subcodes) + "</s:Subcode>" * len(subcodes)
    said = f"<s:Code><s:Value>{code}</s:Value>{inner}</s:Code>"
    reason = f'<s:Reason><s:Text xml:lang="vi">{SECRET}</s:Text></s:Reason>'
    return answer(f"<s:Fault>{said}{reason}{detail}</s:Fault>", soap12=True, status=status)


@pytest.mark.parametrize("code", ["s:Client", "SOAP-ENV:Client", "soap:Client.ThamSo", "soap11env:Client", "Client"])
def test_a_fault_that_blames_the_client_refuses_under_any_prefix(failure, code):
    assert isinstance(failure(fault(code)), Refused)


@pytest.mark.parametrize("code", ["S:Server", "soap:Server", "s:Receiver", "", "Lạ", "ns0:maLoi"])
def test_any_other_fault_is_asked_again_and_stays_unknown(serve, contract, failure, code):
    assert type(failure(fault(code))) is OutcomeUnknown
    server = serve(fault(code))
    with pytest.raises(OutcomeUnknown):
        pull(source_of(server, contract))
    assert len(server.asked) == 4


@pytest.mark.parametrize(
    "fault_as_written",
    [
        "<s:Fault><s:Code/><s:Reason/></s:Fault>",
        "<s:Fault><s:Code><s:Value/></s:Code></s:Fault>",
        "<s:Fault><s:Detail/></s:Fault>",
        "<s:Fault/>",
        "<s:Fault><faultcode/><faultstring/><detail/></s:Fault>",
        "<s:Fault><faultcode>S:Server</faultcode><faultstring>Trang không hợp lệ</faultstring></s:Fault>",
    ],
    ids=["empty code", "empty value", "empty detail", "nothing at all", "empty in the other version", "server's own"],
)
@pytest.mark.parametrize("soap12", [False, True], ids=["1.1", "1.2"])
def test_p1_a_fault_that_says_nothing_is_asked_again_a_few_times_and_refuses_nothing(
    serve, contract, fault_as_written, soap12
):
    """As npm soap, PHP and JAX-WS write them when something goes wrong inside, whoever is to blame."""
    server = serve(answer(fault_as_written, soap12=soap12, status=500))
    with pytest.raises(OutcomeUnknown):
        pull(source_of(server, contract))
    assert len(server.asked) == 4


def test_faults_of_soap_12_and_mixtures_are_read(failure):
    assert isinstance(failure(fault12("env:Sender", status=400)), Refused)
    assert type(failure(fault12("env:Receiver"))) is OutcomeUnknown
    mixed = f"<s:Fault xmlns:s='{ENV12}'><faultcode>Client</faultcode><faultstring>x</faultstring></s:Fault>"
    assert isinstance(failure(answer(mixed, soap12=True)), Refused)
    unqualified = "<s:Fault><Code><Value>x:Sender</Value></Code></s:Fault>"
    assert isinstance(failure(answer(unqualified, soap12=True)), Refused)


def test_a_fault_with_status_200_is_a_fault(failure):
    assert isinstance(failure(fault("s:Client", status=200)), Refused)


@pytest.mark.parametrize("status", [200, 500, 503])
def test_a_retry_after_comes_through(failure, status):
    # Longer than the whole budget of a read, so that nothing waits here.
    error = failure(fault("s:Server", status=status, **{"Retry-After": "300"}))
    assert isinstance(error, Throttled)
    assert error.retry_after_s == 300


@pytest.mark.parametrize("code", ["wsse:FailedAuthentication", "ns3:InvalidSecurity", "wsse:MessageExpired"])
def test_a_fault_of_ws_security_is_about_the_account(failure, code):
    assert isinstance(failure(fault(code)), SignInFailed)
    assert isinstance(failure(fault12("s:Sender", code)), SignInFailed)


def test_another_kind_of_message_is_for_a_person(failure):
    assert isinstance(failure(fault("s:MustUnderstand")), ContractBroken)
    assert isinstance(failure(fault("s:VersionMismatch")), ContractBroken)


RULES = {
    "detail_code": "LoiNghiepVu.maLoi",
    "rules": [
        {"detail": "QUA_TAI", "means": "retry"},
        {"detail": "SAI_THAM_SO", "means": "refused"},
        {"detail": "HET_PHIEN", "means": "session"},
        {"code": "Server.BaoTri", "status": 500, "means": "refused"},
    ],
}


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (fault("S:Server", DETAIL.format(code="SAI_THAM_SO")), Refused),
        (fault("S:Server", DETAIL.format(code=" saiThamSo ")), Refused),
        (fault("S:Client", DETAIL.format(code="QuaTai")), OutcomeUnknown),
        (fault("S:Server", DETAIL.format(code="HET_PHIEN")), SignInFailed),
        (fault("S:Server.Bao_Tri"), Refused),
        (fault("S:Server.BaoTri", status=200), OutcomeUnknown),
        (fault("S:Server", "<detail><LoiNghiepVu/></detail>"), OutcomeUnknown),
        (fault("S:Server", "<detail/>"), OutcomeUnknown),
        (fault("S:Server", '<n:detail xmlns:n="urn:n"><n:LoiNghiepVu><n:maLoi>SAI_THAM_SO</n:maLoi></n:LoiNghiepVu>'
               "</n:detail>"), Refused),
        (fault("S:Server", "<detail><item><key>LoiNghiepVu</key><value><item><key>maLoi</key><value>SAI_THAM_SO</value>"
               "</item></value></item></detail>"), Refused),
        (fault12("s:Receiver", detail=f"<s:Detail>{DETAIL[8:-9].format(code='SAI_THAM_SO')}</s:Detail>"), Refused),
    ],
)  # fmt: skip
def test_an_entry_s_own_rules_come_first(failure, reply, kind):
    assert type(failure(reply, faults=RULES)) is kind


XROAD = {"client": "VN/GOV/H12/a", "service": "VN/GOV/G99/b/lietKe"}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("Server.ServerProxy.ServiceDisabled", NotSent),
        ("server.serverproxy.service_disabled", NotSent),
        ("Server.ClientProxy.NetworkError", NotSent),
        ("server.client_proxy.network_error", NotSent),
        ("Server.ServerProxy.AccessDenied", GatewayRefused),
        ("server.server_proxy.access_denied", GatewayRefused),
        ("Client.BadRequest", GatewayRefused),
        ("Server.ServerProxy.ServiceFailed.MissingBody", OutcomeUnknown),
        ("server.client_proxy.logging_failed", OutcomeUnknown),
    ],
)
def test_a_security_server_s_faults_are_told_apart_in_both_spellings(failure, code, kind):
    detail = '<detail><x:faultDetail xmlns:x="http://x-road.eu/xsd/xroad.xsd">d-1</x:faultDetail></detail>'
    error = failure(fault(code, detail, status=200), xroad=XROAD)
    assert type(error) is kind
    assert "d-1" in str(error)


def test_a_service_s_own_fault_behind_a_security_server_stays_its_own(failure):
    assert isinstance(failure(fault("s:Client", status=200), xroad=XROAD), Refused)
    assert type(failure(fault("s:Server", status=200), xroad=XROAD)) is OutcomeUnknown


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(302, headers={"Location": "http://127.0.0.1:9/"}), Redirected),
        (Reply(307, headers={"Location": "/elsewhere"}), Redirected),
        (Reply(401, b"<html/>", "text/html"), SignInFailed),
        (Reply(403, b"<html/>", "text/html"), Refused),
        (Reply(404), Refused),
        (Reply(429, headers={"Retry-After": "300"}), Throttled),
        (Reply(503, headers={"Retry-After": "300"}), Throttled),
        (Reply(500, b"<html>oops</html>", "text/html"), OutcomeUnknown),
        (Reply(500, envelope(listing([])), "text/xml"), OutcomeUnknown),
        (Reply(200, b"", "text/xml"), BrokenAnswer),
        (Reply(202, b"", "text/xml"), BrokenAnswer),
        (Reply(200, b"<html>sign in</html>", "text/html"), BrokenAnswer),
        (Reply(200, b'{"fault": 1}', "application/json"), BrokenAnswer),
        (Reply(200, b"<a/>", "text/xml"), BrokenAnswer),
        (Reply(200, envelope(listing([ho_so("A")])).replace(b"UTF-8", b"UTF-16"), "text/xml"), BrokenAnswer),
        (Reply(200, envelope(listing([ho_so("A", extra='<ghiChu i:nil="true"/>')])), "text/xml"), BrokenAnswer),
    ],
    ids=["302", "307", "401", "403", "404", "429", "503", "500 html", "500 no fault", "empty", "202 empty", "html",
         "json", "no envelope", "other charset", "prefix nobody declared"],
)  # fmt: skip
def test_what_is_no_soap_answer_is_told_by_its_status(failure, reply, kind):
    assert type(failure(reply)) is kind


def test_a_short_trouble_is_overcome(serve, contract):
    replies = [fault("S:Server"), Reply(502), Reply(200, b"", "text/xml"), answer(listing([ho_so("A")]))]
    server = serve(lambda _: replies.pop(0))
    assert keys(pull(source_of(server, contract))) == ["A"]


def test_a_cut_page_behind_an_error_status_is_no_other_error(failure):
    def cut(out, _stop):
        out.write(b"HTTP/1.1 503 X\r\nContent-Type: text/html\r\nContent-Length: 900\r\n\r\n<html>")

    assert "HTTP 503" in str(failure(Reply(raw=cut)))


SUCCESS = {"at": "ketQua", "is": [0, "00"], "expired": ["HET_PHIEN"]}


@pytest.mark.parametrize(
    ("said", "kind"), [("00", None), ("0", None), ("99", Refused), ("HET_PHIEN", SignInFailed), ("", Refused)]
)
def test_an_error_in_an_ordinary_answer_is_an_error(serve, contract, failure, said, kind):
    body = listing([]).replace("<tongSo>", f"<ketQua>{said}</ketQua><tongSo>")
    answers = {"records": "danhSach.hoSo", "total": "tongSo", "success": SUCCESS}
    if kind is None:
        assert keys(pull(source_of(serve(answer(body)), contract, {"answer": answers}))) == []
    else:
        assert type(failure(answer(body), answer=answers)) is kind
