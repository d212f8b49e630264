"""The social-insurance system, called with zeep, which knows nothing of how it was written."""

import base64
import email.parser
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import xmlsec
import zeep
from lxml import etree
from zeep.transports import Transport
from zeep.wsse.compose import Compose
from zeep.wsse.signature import BinarySignature
from zeep.wsse.username import UsernameToken

from sandbox.systems.bhxh import STATUS_CODES
from sandbox.systems.wssecurity import WSSE, WSU, digest
from schemas.states import State
from schemas.times import VN

WIRE = Path(__file__).parents[3] / "schemas" / "wire" / "bhxh" / "bhxh.wsdl"
SOAP = "{http://www.w3.org/2003/05/soap-envelope}"
NAMESPACE = "{http://bhxh.mau.invalid/hoso/v1}"
LONG_AGO = datetime(2025, 1, 1, tzinfo=VN)
SHA256 = {
    "signature_method": xmlsec.Transform.RSA_SHA256,
    "digest_method": xmlsec.Transform.SHA256,
}


class Signature(BinarySignature):  # type: ignore[misc]
    """Signs what goes out; answers come unsigned."""

    def verify(self, envelope: Any) -> Any:
        return envelope


class Client:
    """A registered client."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.options = server.options
        self.url = server.url + self.options.extra["path"]
        self.sent: list[bytes] = []

    def token(self, **changes: Any) -> UsernameToken:
        return UsernameToken(
            **{
                "username": self.options.login,
                "password": self.options.password,
                "use_digest": True,
                "zulu_timestamp": True,
                **changes,
            }
        )

    def signature(self, **changes: Any) -> Signature:
        files = self.options.extra["sign_key"], self.options.extra["sign_cert"]
        return Signature(*files, **{**SHA256, **changes})

    def service(self, *wsse: Any) -> Any:
        client = zeep.Client(f"{self.url}?wsdl", wsse=Compose(list(wsse)), transport=self._transport())
        return client.service

    def _transport(self) -> Transport:
        sent = self.sent

        class Recording(Transport):  # type: ignore[misc]
            def post_xml(self, address: Any, envelope: Any, headers: Any) -> Any:
                sent.append(etree.tostring(envelope))
                return super().post_xml(address, envelope, headers)

        return Recording()

    def listing(self, since: datetime = LONG_AGO, page: int = 1, size: int = 1000) -> Any:
        return self.service(self.token(), self.signature()).danhSachHoSoThayDoi(since, page, size)

    def all(self, size: int = 500) -> list[Any]:
        records: list[Any] = []
        page = 0
        while True:
            page += 1
            answer = self.listing(page=page, size=size)
            records += answer.danhSachHoSo.hoSo
            if len(records) >= answer.tongSo:
                return records

    def post(self, body: bytes, media_type: str = "application/soap+xml") -> requests.Response:
        return requests.post(self.url, data=body, headers={"Content-Type": media_type}, timeout=30)

    def message(self) -> bytes:
        """A good message that has not been sent."""
        client = zeep.Client(f"{self.url}?wsdl", wsse=Compose([self.token(), self.signature()]))
        return bytes(etree.tostring(client.create_message(client.service, "danhSachHoSoThayDoi", LONG_AGO, 1, 2)))


@pytest.fixture(scope="module")
def bhxh(start: Any) -> Client:
    return Client(start("bhxh"))


@pytest.fixture
def mended(bhxh: Client) -> Iterator[Client]:
    yield bhxh
    bhxh.server.control("DELETE", "break")
    bhxh.server.control("DELETE", "faults")
    bhxh.server.control("POST", "packaging", {"mtom": True})


def subcode(answer: requests.Response) -> str:
    assert answer.status_code == 400, answer.text
    fault = etree.fromstring(answer.content).find(f"{SOAP}Body/{SOAP}Fault")
    assert fault is not None
    assert fault.findtext(f"{SOAP}Code/{SOAP}Value") == "soap:Sender"
    return str(fault.findtext(f"{SOAP}Code/{SOAP}Subcode/{SOAP}Value")).removeprefix("why:")


def test_the_contract_handed_out_is_the_snapshot_with_the_services_own_address(bhxh: Client) -> None:
    live = requests.get(f"{bhxh.url}?wsdl", timeout=10).content
    assert bhxh.url.encode() in live
    assert live.replace(bhxh.url.encode(), b"http://example.org/dich-vu") == WIRE.read_bytes()


def test_all_pages_together_are_the_whole_truth_in_order_of_change(bhxh: Client) -> None:
    truth = {row["source_id"]: row for row in bhxh.server.truth()}
    records = bhxh.all()
    assert len(records) == len(truth) > 800
    assert [one.ngayCapNhat for one in records] == sorted(one.ngayCapNhat for one in records)
    for one in records:
        row = truth[f"{one.id:.1f}"]
        assert one.maHoSoDVC.endswith(row["code"][row["code"].index("-") :])
        assert one.trangThai == STATUS_CODES[State(row["state"])]
        assert one.ngayCapNhat.isoformat() == row["changed_at"]
        assert (one.ngayHenTra and one.ngayHenTra.isoformat()) == row["due_at"]
        assert len(one.quaTrinh.buoc) == row["steps"]


def test_a_dossier_has_no_number_before_it_is_recorded(bhxh: Client) -> None:
    for one in bhxh.all():
        assert (one.soHoSo is None) == (one.ngayGhiNhan is None)
        assert one.soHoSo is None or re.fullmatch(r"\d{5}/2026/12000", one.soHoSo)


def test_only_what_changed_since_then_is_listed(bhxh: Client) -> None:
    since = bhxh.server.clock() - timedelta(days=3)
    rows = {row["source_id"] for row in bhxh.server.truth() if datetime.fromisoformat(row["changed_at"]) >= since}
    answer = bhxh.listing(since)
    assert {f"{one.id:.1f}" for one in answer.danhSachHoSo.hoSo} == rows
    assert answer.tongSo == len(rows) > 10
    nothing = bhxh.listing(bhxh.server.clock() + timedelta(seconds=1))
    assert (nothing.tongSo, nothing.danhSachHoSo) == (0, None)


def test_moments_carry_the_vietnamese_offset(bhxh: Client) -> None:
    answer = bhxh.post(bhxh.message())
    moments = re.findall(rb"<ngay\w*>([^<]+)</ngay", answer.content)
    assert moments
    assert all(moment.endswith(b"+07:00") for moment in moments)


def test_scans_come_beside_the_envelope_and_each_belongs_to_a_dossier(bhxh: Client) -> None:
    answer = bhxh.post(bhxh.message())
    kind = answer.headers["Content-Type"]
    assert kind.startswith('multipart/related; type="application/xop+xml"')
    mail = email.parser.BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + answer.content)
    root, *scans = mail.get_payload()
    references = re.findall(rb'<banQuet><xop:Include [^>]*href="cid:([^"]+)"', root.get_payload(decode=True))
    assert [f"<{one.decode()}>" for one in references] == [scan["Content-ID"] for scan in scans]
    assert len(scans) == 2
    assert all(scan.get_payload(decode=True).startswith(b"%PDF") for scan in scans)


def test_scans_stand_in_the_envelope_when_packaging_is_off(mended: Client) -> None:
    beside = mended.listing(size=3).danhSachHoSo.hoSo
    mended.server.control("POST", "packaging", {"mtom": False})
    inside = mended.listing(size=3).danhSachHoSo.hoSo
    assert [one.banQuet for one in inside] == [one.banQuet for one in beside]
    assert inside[0].banQuet.startswith(b"%PDF")
    assert mended.server.control("POST", "packaging", {"mtom": "no"}).status_code == 422


def test_answers_are_as_the_contract_says(mended: Client) -> None:
    mended.server.control("POST", "packaging", {"mtom": False})
    schema = etree.fromstring(WIRE.read_bytes()).find(".//{http://www.w3.org/2001/XMLSchema}schema")
    assert schema is not None
    body = etree.fromstring(mended.post(mended.message()).content).find(f"{SOAP}Body")
    assert body is not None
    etree.XMLSchema(schema).assertValid(body[0])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"password": "sai"}, "FailedAuthentication"),
        ({"username": "khong-quen"}, "FailedAuthentication"),
        ({"use_digest": False}, "UnsupportedSecurityToken"),
    ],
)
def test_a_token_that_does_not_fit_is_refused(bhxh: Client, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(zeep.exceptions.Fault) as caught:
        bhxh.service(bhxh.token(**changes), bhxh.signature()).danhSachHoSoThayDoi(LONG_AGO, 1, 1)
    assert [name.localname for name in caught.value.subcodes] == [code]


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_token_of_another_time_is_refused(bhxh: Client, minutes: int) -> None:
    created = datetime.now(UTC) + timedelta(minutes=minutes)
    with pytest.raises(zeep.exceptions.Fault, match="quá cũ"):
        bhxh.service(bhxh.token(created=created), bhxh.signature()).danhSachHoSoThayDoi(LONG_AGO, 1, 1)


def test_a_message_sent_again_is_refused(bhxh: Client) -> None:
    message = bhxh.message()
    assert bhxh.post(message).status_code == 200
    assert subcode(bhxh.post(message)) == "FailedAuthentication"


def test_a_message_without_a_signature_is_refused(bhxh: Client) -> None:
    with pytest.raises(zeep.exceptions.Fault, match="chưa được ký"):
        bhxh.service(bhxh.token()).danhSachHoSoThayDoi(LONG_AGO, 1, 1)


def test_a_weak_signature_is_refused(bhxh: Client) -> None:
    weak = bhxh.signature(signature_method=xmlsec.Transform.RSA_SHA1)
    with pytest.raises(zeep.exceptions.Fault) as caught:
        bhxh.service(bhxh.token(), weak).danhSachHoSoThayDoi(LONG_AGO, 1, 1)
    assert caught.value.subcodes[0].localname == "UnsupportedAlgorithm"


def test_another_certificate_is_refused(bhxh: Client) -> None:
    home = Path(bhxh.options.extra["sign_cert"]).parent
    foreign = Signature(str(home / "client.key"), str(home / "client.pem"), **SHA256)
    with pytest.raises(zeep.exceptions.Fault) as caught:
        bhxh.service(bhxh.token(), foreign).danhSachHoSoThayDoi(LONG_AGO, 1, 1)
    assert caught.value.subcodes[0].localname == "InvalidSecurityToken"


def test_a_body_changed_on_the_way_is_refused(bhxh: Client) -> None:
    changed = bhxh.message().replace(b">2</", b">3</")
    assert subcode(bhxh.post(changed)) == "FailedCheck"


def test_a_signed_body_moved_aside_vouches_for_nothing(bhxh: Client) -> None:
    envelope = etree.fromstring(bhxh.message())
    header, body = envelope.find(f"{SOAP}Header"), envelope.find(f"{SOAP}Body")
    assert header is not None
    assert body is not None
    false = etree.fromstring(etree.tostring(body).replace(b">2</", b">1000</"))
    envelope.replace(body, false)
    etree.SubElement(header, "giau").append(body)
    assert subcode(bhxh.post(etree.tostring(envelope))) == "FailedCheck"
    false.attrib.pop(f"{{{WSU}}}Id")
    assert subcode(bhxh.post(etree.tostring(envelope))) == "FailedCheck"


def test_a_timestamp_must_be_signed_and_may_not_have_ended(bhxh: Client) -> None:
    ended = etree.Element(f"{{{WSU}}}Timestamp")
    etree.SubElement(ended, f"{{{WSU}}}Created").text = "2026-01-01T00:00:00Z"
    etree.SubElement(ended, f"{{{WSU}}}Expires").text = "2026-01-01T00:05:00Z"
    with pytest.raises(zeep.exceptions.Fault) as caught:
        bhxh.service(bhxh.token(timestamp_token=ended), bhxh.signature()).danhSachHoSoThayDoi(LONG_AGO, 1, 1)
    assert caught.value.subcodes[0].localname == "MessageExpired"
    unsigned = etree.fromstring(bhxh.message())
    security = unsigned.find(f"{SOAP}Header/{{{WSSE}}}Security")
    assert security is not None
    security.insert(0, ended)
    assert subcode(bhxh.post(etree.tostring(unsigned))) == "FailedCheck"


@pytest.mark.parametrize(("page", "size"), [(0, 10), (1, 0), (1, 1001)])
def test_parameters_out_of_range_are_faults(bhxh: Client, page: int, size: int) -> None:
    with pytest.raises(zeep.exceptions.Fault) as caught:
        bhxh.listing(page=page, size=size)
    assert caught.value.code == "soap:Sender"
    assert caught.value.subcodes[0].localname == "ThamSo"


def test_what_is_no_message_of_this_service_is_refused(bhxh: Client) -> None:
    assert bhxh.post(b"<xml/>", "text/xml").status_code == 415
    for nonsense in (b"", b"<xml/>", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"):
        assert bhxh.post(nonsense).status_code == 400
    assert requests.get(bhxh.url, timeout=10).status_code == 405


@pytest.mark.parametrize("how", ["unknown-status", "bad-date", "missing-code", "extra-field", "renamed-field"])
def test_a_broken_record_is_told_wrongly(mended: Client, how: str) -> None:
    row = min(mended.server.truth(), key=lambda one: (one["changed_at"], one["code"]))
    mended.server.control("POST", "break", {"codes": [row["code"]], "how": how})
    content = mended.post(mended.message()).content
    record = content[content.index(b"<hoSo>") : content.index(b"</hoSo>")]
    right = {
        "unknown-status": b"<trangThai>77</trangThai>" in record,
        "bad-date": b"<ngayGui>31/02/2026</ngayGui>" in record,
        "missing-code": b"<maHoSoDVC>" not in record,
        "extra-field": b"<maBenhVien>" in record,
        "renamed-field": b"<tinhTrang>" in record and b"</nhanKetQua><trangThai>" not in record,
    }
    assert right[how]


def test_a_fault_can_be_meant_for_the_operation(mended: Client) -> None:
    mended.server.control("POST", "faults", {"mode": "503", "operation": "danhSachHoSoThayDoi"})
    assert mended.post(mended.message()).status_code == 503
    assert mended.post(mended.message()).status_code == 200


def test_the_digest_is_that_of_the_profile() -> None:
    # Made with OpenSSL: the bytes of the nonce, the time and the password, one after the other, through SHA-1.
    nonce = base64.b64encode(b"0123456789abcdef").decode()
    assert digest(nonce, "2026-01-01T00:00:00Z", "mat-khau") == "GxxyJkWoiH+fWA9EZTNJ4ZaRfYU="
