"""Every way in which a WSDL may want messages: SOAP 1.1 and 1.2, document and rpc, literal and encoded."""

import pytest
from lxml import etree
from services import (
    ENV11,
    ENV12,
    SPACE,
    answer,
    asked,
    envelope,
    ho_so,
    keys,
    listing,
    pull,
    rows,
    source_of,
    wsdl,
)
from zeep.helpers import serialize_object

from connectors.errors import BrokenAnswer, ContractBroken
from connectors.soap.operations import load, load_operation
from connectors.soap.shapes import to_record

FULL = """<hoSo phienBan="3"><ma>A &amp; B</ma><luc>2025-08-01T08:00:00.5+07:00</luc><ngay>2024-02-29</ngay><so>-7</so>
<phi>1200.50</phi><xong>true</xong><ghiChu xsi:nil="true"/><nguoi><ten>Đỗ Thị Mẫu</ten><tuoi>30</tuoi></nguoi>
<buoc>2025-08-01T08:00:00</buoc><buoc>2025-08-02T08:00:00Z</buoc><tep>AAEC</tep></hoSo>"""
WHOLE = {
    "ma": "A & B",
    "luc": "2025-08-01T08:00:00.5+07:00",
    "ngay": "2024-02-29",
    "so": -7,
    "phi": "1200.50",
    "xong": True,
    "ghiChu": None,
    "nguoi": {"ten": "Đỗ Thị Mẫu", "tuoi": 30},
    "buoc": ["2025-08-01T08:00:00", "2025-08-02T08:00:00Z"],
    "tep": "AAEC",
    "phienBan": 3,
}


@pytest.fixture
def contract(tmp_path):
    def write(**style):
        path = tmp_path / "c.wsdl"
        path.write_text(wsdl(**style))
        return path

    return write


@pytest.mark.parametrize("soap12", [False, True])
def test_the_contract_decides_how_soap_is_spoken(serve, contract, soap12):
    server = serve(answer(listing([FULL]), soap12=soap12))
    assert rows(pull(source_of(server, contract(soap12=soap12)))) == [WHOLE]
    sent = server.asked[0]
    assert etree.fromstring(sent.body).tag == f"{{{ENV12 if soap12 else ENV11}}}Envelope"
    if soap12:
        assert sent.headers["content-type"] == 'application/soap+xml; charset=utf-8; action="urn:lietKe"'
        assert "soapaction" not in sent.headers
    else:
        assert sent.headers["content-type"] == "text/xml; charset=utf-8"
        assert sent.headers["soapaction"] == '"urn:lietKe"'
    assert (asked(sent, "tu"), asked(sent, "trang")) == ("2025-08-01T00:00:00+07:00", "1")


def test_an_answer_in_the_other_version_of_soap_is_read_all_the_same(serve, contract):
    server = serve(answer(listing([FULL]), soap12=False))
    assert rows(pull(source_of(server, contract(soap12=True)))) == [WHOLE]


def test_another_action_than_the_contract_s_may_be_asked_for(serve, contract):
    server = serve(answer(listing([])))
    pull(source_of(server, contract(), {"action": "http://tempuri.org/X"}))
    assert server.asked[0].headers["soapaction"] == '"http://tempuri.org/X"'


def test_rpc_literal_puts_the_parameters_without_namespace_into_the_operation_s_element(serve, contract):
    inner = f'<tongSo xmlns="">1</tongSo><danhSach xmlns="" xmlns:n="{SPACE}">{_prefixed(FULL)}</danhSach>'
    server = serve(answer(f'<r:bat-ky xmlns:r="{SPACE}">{inner}</r:bat-ky>'))
    assert rows(pull(source_of(server, contract(style="rpc")))) == [WHOLE]
    body = etree.fromstring(server.asked[0].body).find(f"{{{ENV11}}}Body")
    assert body[0].tag == f"{{{SPACE}}}lietKe"
    assert [part.tag for part in body[0]] == ["tu", "den", "trang", "soDong"]


def _prefixed(text: str) -> str:
    """The elements of a record in the namespace of the schema, whatever the default one is."""
    return text.replace("</", "\0").replace("<", "<n:").replace("\0", "</n:")


ENCODED = f"""<n:lietKeResponse xmlns:n="{SPACE}" xmlns:xs="http://www.w3.org/2001/XMLSchema">
<tongSo xsi:type="xs:int">2</tongSo><danhSach xsi:type="e:Array" xmlns:e="http://schemas.xmlsoap.org/soap/encoding/">
<item href="#id0"/><item href="#id1"/></danhSach></n:lietKeResponse>
<multiRef id="id0"><ma xsi:type="xs:string">A</ma><luc>2025-08-01T08:00:00</luc><nguoi href="#id2"/></multiRef>
<multiRef id="id1"><ma xsi:type="xs:base64Binary">xJDhu5c=</ma><luc>2025-08-01T08:00:00</luc><so>4</so>
<nguoi href="#id2"/></multiRef><multiRef id="id2"><ten>Mẫu</ten></multiRef>"""


def test_rpc_encoded_answers_are_read_through_their_references(serve, contract):
    server = serve(answer(ENCODED))
    options = {"answer": {"records": "danhSach.item", "total": "tongSo"}}
    found = rows(pull(source_of(server, contract(style="rpc", use="encoded"), options)))
    common = {"luc": "2025-08-01T08:00:00", "nguoi": {"ten": "Mẫu"}, "buoc": []}
    assert found == [{"ma": "A", **common}, {"ma": "Đỗ", "so": 4, **common}]


@pytest.mark.parametrize(
    "targets",
    [
        '<multiRef id="id0"><nguoi href="#id0"/></multiRef>',
        '<multiRef id="id1"/>',
        "".join(f'<m id="id{n}">{f"""<a href="#id{n + 1}"/>""" * 20}</m>' for n in range(8)) + '<m id="id8">x</m>',
    ],
    ids=["a circle", "nowhere", "millions"],
)
def test_references_that_do_not_end_well_are_a_broken_answer(serve, contract, targets):
    head = f'<n:lietKeResponse xmlns:n="{SPACE}"><tongSo>1</tongSo><danhSach><item href="#id0"/></danhSach>'
    server = serve(answer(f"{head}</n:lietKeResponse>{targets}"))
    options = {"answer": {"records": "danhSach.item", "total": "tongSo"}}
    with pytest.raises(BrokenAnswer, match="references"):
        pull(source_of(server, contract(style="rpc", use="encoded"), options))


def test_the_port_can_be_chosen(serve, contract, tmp_path):
    path = contract()
    both = path.read_text().replace(
        '<w:service name="S">',
        '<w:binding name="B12" type="t:P"><z:binding xmlns:z="http://schemas.xmlsoap.org/wsdl/soap12/" '
        'transport="http://schemas.xmlsoap.org/soap/http"/></w:binding>'
        '<w:service name="S"><w:port name="Khac" binding="t:B12"><z:address location="http://x.invalid/" '
        'xmlns:z="http://schemas.xmlsoap.org/wsdl/soap12/"/></w:port>',
    )
    path = tmp_path / "both.wsdl"
    path.write_text(both)
    server = serve(answer(listing([ho_so("A")])))
    assert keys(pull(source_of(server, path, {"port": "Cong"}))) == ["A"]
    with pytest.raises(ContractBroken, match="no operation 'lietKe'"):
        pull(source_of(server, path))
    with pytest.raises(ContractBroken, match="no port 'La'; it has: Khac, Cong"):
        pull(source_of(server, path, {"port": "La"}))


def test_an_operation_without_an_answer_is_no_listing(contract):
    path = contract(changed={'<w:output message="t:lietKeResponse"/>': ""})
    with pytest.raises(ContractBroken, match="does not answer with one element"):
        load_operation("x", path, "lietKe")


def test_values_are_those_that_zeep_reads(contract):
    """zeep's own objects of a well-formed answer, which is where it can be trusted."""
    path = contract()
    operation = load_operation("x", path, "lietKe")
    tree = etree.fromstring(envelope(listing([FULL, ho_so("B")])))
    theirs = serialize_object(load(path).bindings[f"{{{SPACE}}}B"].get("lietKe").process_reply(tree), dict)
    element = tree.findall(f".//{{{SPACE}}}hoSo")
    ours = [to_record(one, operation.records("danhSach.hoSo").shape, set()) for one in element]
    kinds = load(path).types
    for mine, other in zip(ours, theirs["danhSach"]["hoSo"], strict=True):
        for name, kind in (("luc", "dateTime"), ("ngay", "date"), ("phi", "decimal"), ("tep", "base64Binary")):
            if name in mine:
                mine[name] = kinds.get_type(f"{{http://www.w3.org/2001/XMLSchema}}{kind}").pythonvalue(mine[name])
        moment = kinds.get_type("{http://www.w3.org/2001/XMLSchema}dateTime")
        mine["buoc"] = [moment.pythonvalue(each) for each in mine["buoc"]]
        assert {name: value for name, value in other.items() if value is not None} == {
            name: value for name, value in mine.items() if value is not None
        }
