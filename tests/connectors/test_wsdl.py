"""Two WSDLs are compared by what matters on the wire, and `check` says what has changed."""

from pathlib import Path

import pytest
from loopback import Asked, Reply
from services import answer, listing, source_of, wsdl

from connectors.api import CheckStatus
from connectors.wsdl import NotWsdl, differences

ADDRESS = "http://service.invalid/ws?wsdl"


@pytest.fixture
def snapshot(tmp_path) -> Path:
    path = tmp_path / "c.wsdl"
    path.write_text(wsdl())
    return path


def nothing(url: str) -> bytes:
    raise OSError(url)


def changes(snapshot: Path, changed: dict[str, str] | None = None, **style: object) -> list[str]:
    live = wsdl(changed=changed, **style)
    return differences(snapshot, live.encode(), address=ADDRESS, fetch=nothing)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"http://nowhere.invalid/": "https://elsewhere.invalid:8443/ws"},
        {"xmlns:t=": "xmlns:khac=", "t:": "khac:"},
        {'<w:definitions xmlns:w="http': '<w:definitions name="X" xmlns:w="http'},
        {"<w:portType": "<w:documentation>Mới</w:documentation><w:portType"},
        {'"DanhSach"': '"Khac"', "t:DanhSach": "t:Khac"},
        {'name="P"': 'name="Q"', "t:P": "t:Q", 'name="Cong"': 'name="Khac"'},
        {"<w:service": "<!-- x --><w:service"},
    ],
    ids=["nothing", "address", "prefix", "name", "documentation", "names of types", "names of ports", "comments"],
)
def test_what_does_not_matter_is_not_told(snapshot, changed):
    assert changes(snapshot, changed) == []


def test_the_order_of_definitions_does_not_matter(snapshot):
    text = wsdl()
    begin, end = text.index('<w:message name="lietKe">'), text.index('<w:message name="traCuu">')
    moved = text[:begin] + text[end:].replace("<w:portType", text[begin:end] + "<w:portType", 1)
    assert differences(snapshot, moved.encode(), address=ADDRESS, fetch=nothing) == []


NGAY = '<xs:element name="ngay" type="xs:date" minOccurs="0"/>'
SO = '<xs:element name="so" type="xs:int" minOccurs="0"/>'


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({NGAY: ""}, "danhSach.hoSo.ngay is gone"),
        ({NGAY: NGAY + NGAY.replace("ngay", "ngayMoi")}, "danhSach.hoSo.ngayMoi is new (date, at most once)"),
        ({NGAY: NGAY.replace("xs:date", "xs:dateTime")},
         "danhSach.hoSo.ngay was date, at most once, is dateTime, at most once"),
        ({NGAY: NGAY.replace(' minOccurs="0"', "")}, "danhSach.hoSo.ngay was date, at most once, is date, once"),
        ({NGAY: NGAY.replace("/>", ' maxOccurs="9"/>')}, "ngay was date, at most once, is date, any number"),
        ({NGAY + "\n  " + SO: SO + NGAY}, "danhSach.hoSo: its elements come in another order"),
        ({'name="ma" type="xs:string"/>\n': 'name="ma" type="xs:string" form="unqualified"/>\n'},
         "danhSach.hoSo.ma has another namespace"),
        ({'name="tuoi"': 'name="tuoiTac"'}, "danhSach.hoSo.nguoi.tuoiTac is new (int, at most once)"),
        ({'<xs:attribute name="phienBan" type="xs:int"/>': ""}, "danhSach.hoSo.attribute phienBan is gone"),
        ({'name="phienBan" type="xs:int"': 'name="phienBan" type="xs:string"'},
         "danhSach.hoSo.attribute phienBan was int, is text"),
    ],
)  # fmt: skip
def test_a_change_of_a_record_is_named(snapshot, changed, told):
    found = changes(snapshot, changed)
    assert any(told in line and line.startswith("lietKe answer: ") for line in found), found


def test_changes_of_operations_and_messages_are_named(snapshot):
    renamed = changes(snapshot, {"datLenh": "datMoi"})
    assert {"operation datLenh is gone", "operation datMoi is new"} <= set(renamed)
    assert "lietKe: another SOAPAction" in changes(snapshot, {"urn:lietKe": "urn:khac"})
    assert "lietKe: SOAP 1.1 is gone" in changes(snapshot, soap12=True)
    assert "lietKe: was of style document, is rpc" in changes(snapshot, style="rpc")
    request = changes(snapshot, {'<xs:element name="soDong" type="xs:int" minOccurs="0"/>': ""})
    assert "lietKe request: soDong is gone" in request
    element = changes(snapshot, {"urn:ho-so": "urn:ho-so:2"})
    assert "lietKe answer: was the element {urn:ho-so}lietKeResponse, is {urn:ho-so:2}lietKeResponse" in element


def test_types_that_contain_themselves_are_compared_to_the_end(tmp_path):
    own = {'<xs:element name="ten" type="xs:string"/>': '<xs:element name="ten" type="xs:string"/>'
           '<xs:element name="cha" type="t:Nguoi" minOccurs="0"/>'}  # fmt: skip
    path = tmp_path / "own.wsdl"
    path.write_text(wsdl(changed=own))
    assert changes(path, own) == []
    found = changes(path, {**own, 'name="tuoi" type="xs:int"': 'name="tuoi" type="xs:long"'})
    assert [line for line in found if "tuoi was int" in line]


def test_imports_of_a_live_wsdl_are_fetched_by_their_whole_address(snapshot):
    live = wsdl()
    begin, end = live.index("<xs:complexType name="), live.index('<xs:element name="lietKe">')
    types = live[begin:end]
    live = live[:begin] + live[end:]
    live = live.replace("<xs:import", '<xs:include schemaLocation="types.xsd?xsd=1"/><xs:import', 1)
    opening = live[live.index("<xs:schema ") : live.index("<xs:include")]
    inner = '<xs:import namespace="http://schemas.xmlsoap.org/soap/encoding/"/>'
    names = (
        ' xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:ho-so" xmlns:w="http://schemas.xmlsoap.org/wsdl/"'
    )
    names += ' xmlns:enc="http://schemas.xmlsoap.org/soap/encoding/"'
    schema = f"{opening.replace('<xs:schema', '<xs:schema' + names)}{inner}{types}</xs:schema>"
    fetched = []

    def fetch(url: str) -> bytes:
        fetched.append(url)
        return schema.encode()

    assert differences(snapshot, live.encode(), address=ADDRESS, fetch=fetch) == []
    assert fetched == ["http://service.invalid/types.xsd?xsd=1"]
    with pytest.raises(NotWsdl):
        differences(snapshot, live.encode(), address=ADDRESS, fetch=nothing)


@pytest.mark.parametrize(
    "live",
    [b"", b"<html/>", b"<html", b"{}", b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>'],
    ids=["empty", "html", "cut", "json", "entities"],
)
def test_what_is_no_wsdl_is_not_compared(snapshot, live):
    with pytest.raises(NotWsdl):
        differences(snapshot, live, address=ADDRESS, fetch=nothing)


def checked(serve, snapshot: Path, live: Reply, **options: object) -> tuple[dict[str, CheckStatus], str, list[Asked]]:
    server = serve(lambda asked: live if asked.method == "GET" and asked.path != "/" else answer(listing([])))
    results = source_of(server, snapshot, options).check()
    detail = next((result.detail for result in results if result.name == "drift"), "")
    return {result.name: result.status for result in results}, detail, server.asked


def test_check_compares_with_the_live_wsdl(serve, snapshot):
    statuses, detail, asked = checked(serve, snapshot, Reply(200, wsdl().encode(), "text/xml"))
    lines = ("contract", "operation", "connection", "drift", "sign-in", "read")
    assert statuses == dict.fromkeys(lines, CheckStatus.OK)
    assert "says what the contract says" in detail
    assert [(one.method, one.path) for one in asked] == [("GET", "/"), ("GET", "/ws"), ("POST", "/ws")]


def test_check_fails_on_drift_and_names_what_changed(serve, snapshot):
    live = Reply(200, wsdl(changed={NGAY: ""}).encode(), "text/xml")
    statuses, detail, _ = checked(serve, snapshot, live, live_wsdl="/mo-ta")
    assert statuses["drift"] is CheckStatus.FAILED
    assert "danhSach.hoSo.ngay is gone" in detail


@pytest.mark.parametrize("live", [Reply(404), Reply(200, b"<html/>", "text/html"), Reply(302)], ids=str)
def test_check_only_warns_when_there_is_no_live_wsdl(serve, snapshot, live):
    statuses, detail, _ = checked(serve, snapshot, live)
    assert statuses["drift"] is CheckStatus.WARNING
    assert statuses["read"] is CheckStatus.OK
    assert "cannot be compared" in detail


def test_behind_a_security_server_there_is_nothing_to_compare_with(serve, snapshot):
    statuses, _, _ = checked(serve, snapshot, Reply(404), xroad={"client": "VN/GOV/H12/a", "service": "VN/GOV/G99/b/c"})
    assert "drift" not in statuses


def test_imports_of_a_live_wsdl_come_from_the_system_itself(serve, snapshot):
    """JAX-WS and others name themselves by addresses that only they can reach."""
    live = wsdl().replace(
        "<w:types>", '<w:import namespace="urn:x" location="http://inside.invalid/ws?wsdl=1"/><w:types>'
    )
    other = '<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" targetNamespace="urn:x"/>'
    replies = {"": live, "1": other}
    server = serve(lambda asked: Reply(200, replies[asked.query.get("wsdl", "")].encode(), "text/xml")
                   if asked.method == "GET" else answer(listing([])))  # fmt: skip
    results = {result.name: result.status for result in source_of(server, snapshot).check()}
    assert results["drift"] is CheckStatus.OK
