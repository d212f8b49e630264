"""The business-registration system behind the security server, as a SOAP client sees it."""

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from lxml import etree
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.systems.dkkd import NAMESPACE, SNAPSHOT_ADDRESS, STATUS_CODES
from sandbox.systems.xroad import spelled_anew
from schemas.states import State

SNAPSHOT = Path(__file__).parents[3] / "schemas/wire/dkkd/dkkd.wsdl"
SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
XROAD = "{http://x-road.eu/xsd/xroad.xsd}"
TNS = f"{{{NAMESPACE}}}"
CODES = {code: state for state, code in STATUS_CODES.items()}
CLIENT = ("VN-TEST", "GOV", "000.00.00.H12", "hosync-mau")
SERVICE = ("VN-TEST", "GOV", "000.00.00.G99", "dang-ky-kinh-doanh", "danhSachHoSoThayDoi", "v1")
PARTS = ("xRoadInstance", "memberClass", "memberCode", "subsystemCode", "serviceCode", "serviceVersion")


def identifier(name: str, kind: str, values: tuple[str, ...]) -> str:
    parts = "".join(f"<id:{part}>{value}</id:{part}>" for part, value in zip(PARTS, values, strict=False) if value)
    return f'<x:{name} id:objectType="{kind}">{parts}</x:{name}>'


def request(
    since: str = "2000-01-01T00:00:00+07:00",
    page: int = 1,
    size: int = 1000,
    client: tuple[str, ...] = CLIENT,
    service: tuple[str, ...] = SERVICE,
    fields: str = "<x:userId>VN0000</x:userId><x:id>chuyen-1</x:id><x:protocolVersion>4.0</x:protocolVersion>",
) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:x="http://x-road.eu/xsd/xroad.xsd"'
        f' xmlns:id="http://x-road.eu/xsd/identifiers" xmlns:m="{NAMESPACE}"><s:Header>'
        f"{identifier('client', 'SUBSYSTEM', client)}{identifier('service', 'SERVICE', service)}{fields}"
        f"</s:Header><s:Body><m:danhSachHoSoThayDoi><m:tuThoiDiem>{since}</m:tuThoiDiem><m:trang>{page}</m:trang>"
        f"<m:soDongMoiTrang>{size}</m:soDongMoiTrang></m:danhSachHoSoThayDoi></s:Body></s:Envelope>"
    )


def post(url: str, body: str | bytes, **headers: str) -> requests.Response:
    data = body.encode() if isinstance(body, str) else body
    return requests.post(url, data=data, headers={"Content-Type": "text/xml; charset=UTF-8", **headers}, timeout=60)


class Client:
    """A SOAP client of the security server."""

    def __init__(self, provider: Any, server: Any) -> None:
        self.provider = provider
        self.server = server

    def raw(self, body: str | bytes | None = None, **asked: Any) -> requests.Response:
        return post(self.server.url + "/", request(**asked) if body is None else body)

    def answer(self, **asked: Any) -> Any:
        answer = self.raw(**asked)
        assert answer.status_code == 200
        root = etree.fromstring(answer.content)
        assert root.find(f".//{SOAP}Fault") is None, answer.text[:400]
        return root

    def dossiers(self, **asked: Any) -> list[Any]:
        return list(self.answer(**asked).iter(f"{TNS}hoSo"))

    def fault(self, body: str | bytes | None = None, **asked: Any) -> str:
        answer = self.raw(body, **asked)
        assert answer.status_code == 200, "X-Road sends its faults with HTTP 200"
        fault = etree.fromstring(answer.content).find(f".//{SOAP}Fault")
        assert fault is not None
        return str(fault.findtext("faultcode"))


def text(element: Any, path: str) -> str:
    return str(element.findtext("/".join(f"{TNS}{part}" for part in path.split("/"))))


@pytest.fixture(scope="module")
def _dkkd(start: Any) -> Client:
    provider = start("dkkd")
    return Client(provider, start("xroad", peers={"dkkd": provider.url}))


@pytest.fixture
def dkkd(_dkkd: Client) -> Iterator[Client]:
    yield _dkkd
    _dkkd.provider.control("DELETE", "break")
    _dkkd.provider.control("DELETE", "faults")
    _dkkd.server.control("POST", "xroad", {"code": "", "times": 0, "spelling": "7.7"})


def test_the_served_contract_is_the_snapshot_but_for_the_address(dkkd: Client) -> None:
    served = requests.get(f"{dkkd.provider.url}/?wsdl", timeout=30).content
    address = re.search(rb'location="([^"]+)"', served)
    assert address is not None
    stored = SNAPSHOT.read_bytes().replace(SNAPSHOT_ADDRESS.encode(), address.group(1))
    hint = "the service has changed: python -m sandbox.systems.dkkd > schemas/wire/dkkd/dkkd.wsdl"
    assert canonical(served) == canonical(stored), hint


def canonical(document: bytes) -> bytes:
    return etree.tostring(etree.fromstring(document, etree.XMLParser(remove_blank_text=True)), method="c14n")


def test_the_contract_needs_nothing_from_elsewhere() -> None:
    root = etree.parse(str(SNAPSHOT)).getroot()
    assert not [element for element in root.iter() if etree.QName(element).localname in ("import", "include")]


def test_all_dossiers_come_longest_unchanged_first_with_their_truth(dkkd: Client) -> None:
    truth = {row["code"]: row for row in dkkd.provider.truth()}
    dossiers = dkkd.dossiers()
    assert {text(one, "soBienNhan") for one in dossiers} == truth.keys()
    changes = [text(one, "capNhatLuc") for one in dossiers]
    assert changes == sorted(changes)
    for one in dossiers:
        row = truth[text(one, "soBienNhan")]
        assert text(one, "maHoSo") == row["source_id"]
        assert CODES[text(one, "trangThai")] == row["state"]
        assert text(one, "capNhatLuc") == row["changed_at"]
        steps = one.findall(f"{TNS}quaTrinh")
        assert len(steps) == row["steps"]
        assert CODES[text(steps[0], "trangThai")] is State.REGISTERED
        assert text(one, "maSoThue").startswith("99")


def test_pages_add_up_to_the_whole(dkkd: Client) -> None:
    whole = [text(one, "maHoSo") for one in dkkd.dossiers()]
    pages = [dkkd.answer(page=page, size=20) for page in range(1, len(whole) // 20 + 3)]
    assert [text(one, "maHoSo") for page in pages for one in page.iter(f"{TNS}hoSo")] == whole
    assert {next(page.iter(f"{TNS}tongSo")).text for page in pages} == {str(len(whole))}


def test_changed_since_includes_its_own_second(dkkd: Client) -> None:
    dossiers = dkkd.dossiers()
    middle = text(dossiers[len(dossiers) // 2], "capNhatLuc")
    expected = [text(one, "maHoSo") for one in dossiers if text(one, "capNhatLuc") >= middle]
    assert [text(one, "maHoSo") for one in dkkd.dossiers(since=middle)] == expected
    assert [text(one, "maHoSo") for one in dkkd.dossiers(since=middle[:19])] == expected, "no zone is Vietnamese time"


def test_nothing_changed_still_says_so(dkkd: Client) -> None:
    root = dkkd.answer(since="2100-01-01T00:00:00+07:00")
    assert next(root.iter(f"{TNS}tongSo")).text == "0"
    assert next(root.iter(f"{TNS}thoiDiem")).text == dkkd.provider.clock().isoformat()
    assert not list(root.iter(f"{TNS}hoSo"))


def test_headers_come_back_unchanged_and_in_order_with_the_request_hash(dkkd: Client) -> None:
    body = request(size=1)
    answer = etree.fromstring(post(dkkd.server.url + "/", body).content)
    sent, received = (root.find(f"{SOAP}Header") for root in (etree.fromstring(body.encode()), answer))
    *echoed, digest = received
    assert [canon(one) for one in echoed] == [canon(one) for one in sent]
    assert digest.tag == f"{XROAD}requestHash"
    assert digest.get("algorithmId") == "http://www.w3.org/2001/04/xmlenc#sha512"
    assert digest.text == base64.b64encode(hashlib.sha512(body.encode()).digest()).decode()


def canon(element: Any) -> bytes:
    return etree.tostring(element, method="c14n", exclusive=True, with_tail=False)


ID, PROTOCOL = "<x:id>1</x:id>", "<x:protocolVersion>4.0</x:protocolVersion>"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"fields": PROTOCOL}, "Client.MissingHeaderField"),
        ({"fields": ID}, "Client.MissingHeaderField"),
        ({"fields": ID + ID + PROTOCOL}, "Client.DuplicateHeaderField"),
        ({"fields": ID + PROTOCOL.replace("4.0", "3.1")}, "Client.InvalidProtocolVersion"),
        ({"client": (*CLIENT[:3], "")}, "Client.InvalidXml"),
        ({"client": (*CLIENT[:2], "000.00.00.H99", "la")}, "Server.ClientProxy.UnknownMember"),
        ({"client": (*CLIENT[:3], "khach")}, "Server.ServerProxy.AccessDenied"),
        ({"service": (*SERVICE[:2], "000.00.00.G01", *SERVICE[3:])}, "Server.ClientProxy.UnknownMember"),
        ({"service": (*SERVICE[:5], "v9")}, "Server.ServerProxy.UnknownService"),
        ({"service": (*SERVICE[:4], "xoaHoSo", "v1")}, "Client.InvalidBody"),
    ],
)
def test_a_message_out_of_order_gets_the_real_fault_code(dkkd: Client, asked: dict[str, Any], code: str) -> None:
    assert dkkd.fault(**asked) == code


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("<s:Envelope", "Client.InvalidXml"),
        ("<hello/>", "Client.InvalidSoap"),
        (f'<Envelope xmlns="{SOAP[1:-1]}"><Body/></Envelope>', "Client.MissingHeader"),
        (f'<Envelope xmlns="{SOAP[1:-1]}"><Header/></Envelope>', "Client.MissingBody"),
    ],
)
def test_what_is_no_soap_message_gets_the_real_fault_code(dkkd: Client, body: str, code: str) -> None:
    assert dkkd.fault(body) == code


def test_only_posted_xml_is_taken(dkkd: Client) -> None:
    assert b"Client.InvalidHttpMethod" in requests.get(dkkd.server.url + "/", timeout=5).content
    answer = post(dkkd.server.url + "/", request(), **{"Content-Type": "application/json"})
    assert b"Client.InvalidContentType" in answer.content


def test_a_fault_names_an_id_for_the_operators(dkkd: Client) -> None:
    root = etree.fromstring(dkkd.raw(client=(*CLIENT[:3], "khach")).content)
    assert re.fullmatch(r"[0-9a-f-]{36}", root.findtext(f".//{XROAD}faultDetail"))


def test_the_providers_own_fault_is_passed_on_with_status_200(dkkd: Client) -> None:
    assert dkkd.fault(page=0).endswith("Client.ThamSo")
    assert dkkd.fault(size=5000).endswith("Client.ThamSo")


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"mode": "503"}, "Server.ServerProxy.ServiceFailed.HttpError"),
        ({"mode": "drop"}, "Server.ServerProxy.ServiceFailed.NetworkError"),
        ({"mode": "html-200"}, "Server.ServerProxy.ServiceFailed.InvalidXml"),
        ({"mode": "cut"}, "Server.ServerProxy.ServiceFailed.NetworkError"),
    ],
)
def test_a_failing_provider_is_a_failed_service(dkkd: Client, fault: dict[str, Any], code: str) -> None:
    dkkd.provider.control("POST", "faults", fault)
    assert dkkd.fault() == code
    assert dkkd.dossiers()


def test_a_provider_that_is_gone_is_a_network_error(start: Any) -> None:
    lonely = Client(None, start("xroad", peers={"dkkd": "http://127.0.0.1:9"}))
    assert lonely.fault() == "Server.ServerProxy.ServiceFailed.NetworkError"


def test_a_provider_that_does_not_repeat_the_headers_is_inconsistent(
    start: Any, serve_app: Callable[[ASGIApp], str]
) -> None:
    async def forgetful(_request: Request) -> Response:
        body = request(fields=ID + PROTOCOL)
        return Response(body, media_type="text/xml")

    provider = serve_app(Starlette(routes=[Route("/", forgetful, methods=["POST"])]))
    client = Client(None, start("xroad", peers={"dkkd": provider}))
    assert client.fault() == "Server.ClientProxy.ServiceFailed.InconsistentResponse"


def test_any_fault_can_be_ordered_in_both_spellings(dkkd: Client) -> None:
    code = "Server.ServerProxy.InvalidSignatureValue"
    dkkd.server.control("POST", "xroad", {"code": code, "times": 2})
    assert dkkd.fault() == code
    dkkd.server.control("POST", "xroad", {"spelling": "7.8"})
    assert dkkd.fault() == "server.serverproxy.invalid_signature_value"
    assert dkkd.dossiers(), "two faults were ordered, and no more"
    assert dkkd.server.control("POST", "xroad", {"spelling": "6"}).status_code == 422
    assert dkkd.server.control("POST", "xroad", {"cod": "x"}).status_code == 422


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Server.ServerProxy.AccessDenied", "server.serverproxy.access_denied"),
        ("Server.ClientProxy.NetworkError", "server.clientproxy.network_error"),
        ("Client.MissingHeaderField", "client.missing_header_field"),
    ],
)
def test_the_spelling_changed_with_release_7_8(old: str, new: str) -> None:
    assert spelled_anew(old) == new


@pytest.mark.parametrize(
    ("how", "element", "value"),
    [
        ("unknown-status", "trangThai", "LA"),
        ("bad-date", "ngayNop", "31/02/2026"),
        ("missing-code", "soBienNhan", "None"),
    ],
)
def test_a_broken_record_is_told_wrongly_and_the_others_rightly(
    dkkd: Client, how: str, element: str, value: str
) -> None:
    good = dkkd.dossiers()
    broken = text(good[3], "maHoSo")
    dkkd.provider.control("POST", "break", {"codes": [text(good[3], "soBienNhan")], "how": how})
    told = dkkd.dossiers()
    assert [text(one, "maHoSo") for one in told] == [text(one, "maHoSo") for one in good]
    assert {text(one, "maHoSo") for one in told if text(one, element) == value} == {broken}


def test_the_clock_moves_what_has_changed(start: Any) -> None:
    provider = start("dkkd")
    client = Client(provider, start("xroad", peers={"dkkd": provider.url}))
    then = provider.clock()
    assert client.dossiers(since=(then + timedelta(seconds=1)).isoformat()) == []
    provider.control("POST", "clock", {"as_of": (then + timedelta(days=15)).isoformat()})
    changed = client.dossiers(since=(then + timedelta(seconds=1)).isoformat())
    rows = {row["source_id"] for row in provider.truth() if row["changed_at"] > then.isoformat()}
    assert {text(one, "maHoSo") for one in changed} == rows
    assert rows
