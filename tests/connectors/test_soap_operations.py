"""Contracts are read from their own folder, and say what is wrong with them."""

from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from connectors.errors import ContractBroken
from connectors.soap.operations import load_operation
from connectors.soap.shapes import Shape, to_record

TYPES = """
<xs:complexType name="Person"><xs:sequence>
  <xs:element name="name" type="xs:string"/>
  <xs:element name="child" type="t:Person" minOccurs="0" maxOccurs="unbounded"/>
  <xs:element name="note" type="xs:string" nillable="true"/>
  <xs:element name="fee" type="t:Money" minOccurs="0"/>
</xs:sequence></xs:complexType>
<xs:complexType name="Money"><xs:simpleContent><xs:extension base="xs:decimal">
  <xs:attribute name="currency" type="xs:string"/></xs:extension></xs:simpleContent></xs:complexType>
<xs:complexType name="Either"><xs:choice><xs:element name="a" type="xs:string"/><xs:element name="b" type="xs:string"/>
</xs:choice></xs:complexType>
"""
WSDL = """<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/"
 xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t">
<wsdl:types><xs:schema targetNamespace="urn:t" elementFormDefault="qualified">{schema}{types}
<xs:element name="ask"><xs:complexType><xs:sequence><xs:element name="since" type="xs:dateTime"/></xs:sequence>
</xs:complexType></xs:element>
<xs:element name="askResponse"><xs:complexType><xs:sequence>
<xs:element name="person" type="t:Person" maxOccurs="unbounded"/><xs:element name="either" type="t:Either"/>
</xs:sequence></xs:complexType></xs:element></xs:schema></wsdl:types>
<wsdl:message name="in"><wsdl:part name="p" element="t:ask"/></wsdl:message>
<wsdl:message name="out"><wsdl:part name="p" element="t:askResponse"/></wsdl:message>
<wsdl:portType name="P"><wsdl:operation name="ask"><wsdl:input message="t:in"/><wsdl:output message="t:out"/>
</wsdl:operation></wsdl:portType>
<wsdl:binding name="B" type="t:P"><s:binding style="document" transport="{transport}"/>
<wsdl:operation name="ask"><s:operation soapAction="urn:ask"/><wsdl:input><s:body use="literal"/></wsdl:input>
<wsdl:output><s:body use="literal"/></wsdl:output></wsdl:operation></wsdl:binding>
<wsdl:service name="S"><wsdl:port name="P" binding="t:B"><s:address location="http://nowhere.invalid/"/></wsdl:port>
</wsdl:service></wsdl:definitions>"""
HTTP = "http://schemas.xmlsoap.org/soap/http"


@pytest.fixture
def contract(tmp_path):
    def write(schema: str = "", types: str = TYPES, transport: str = HTTP) -> Path:
        path = tmp_path / "contract" / "c.wsdl"
        path.parent.mkdir()
        path.write_text(WSDL.format(schema=schema, types=types, transport=transport))
        return path

    return write


def read(element: etree._Element, shape: Shape) -> tuple[dict[str, Any], set[str]]:
    notes: set[str] = set()
    return to_record(element, shape, notes), notes


def test_an_operation_writes_requests_and_knows_the_answer(contract):
    operation = load_operation("x", contract(), "ask")
    assert (operation.action, operation.response) == ("urn:ask", "{urn:t}askResponse")
    tree = operation.envelope([], {"since": "2025-08-01T00:00:00"})
    assert tree.findtext(".//{urn:t}since") == "2025-08-01T00:00:00"


def test_shapes_follow_types_that_contain_themselves(contract):
    person = load_operation("x", contract(), "ask").records("person").shape
    element = etree.fromstring(
        '<p xmlns="urn:t"><name>A</name><child><name>B</name><note/></child><child><note/></child></p>'
    )
    assert read(element, person) == (
        {"name": "A", "child": [{"name": "B", "note": "", "child": []}, {"note": "", "child": []}]},
        {"child.name is missing"},
    )


def test_a_leaf_with_attributes_is_text(contract):
    person = load_operation("x", contract(), "ask").records("person").shape
    element = etree.fromstring('<p xmlns="urn:t"><name>A</name><note/><fee currency="VND">5000</fee></p>')
    assert read(element, person)[0]["fee"] == "5000"


def test_nothing_in_a_choice_is_required(contract):
    either = load_operation("x", contract(), "ask").records("either").shape
    assert read(etree.fromstring('<e xmlns="urn:t"><a>x</a></e>'), either) == ({"a": "x"}, set())


def test_an_import_is_served_from_the_folder_whatever_its_address(contract):
    path = contract('<xs:include schemaLocation="http://somewhere.invalid/types.xsd"/>', types="")
    types = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t"'
    (path.parent / "types.xsd").write_text(f'{types} elementFormDefault="qualified">{TYPES}</xs:schema>')
    assert load_operation("x", path, "ask").shape.fields


@pytest.mark.parametrize(
    "location", ["http://somewhere.invalid/missing.xsd", "file:///etc/passwd", "../outside.xsd", "/etc/passwd"]
)
def test_an_import_from_elsewhere_is_refused(contract, location):
    path = contract(f'<xs:include schemaLocation="{location}"/>')
    (path.parent.parent / "outside.xsd").write_text("<never/>")
    with pytest.raises(ContractBroken) as caught:
        load_operation("x", path, "ask")
    assert "root:" not in f"{caught.value}{caught.value.__cause__!r}"


def test_what_is_wrong_with_a_contract_is_said(contract, tmp_path):
    path = contract()
    with pytest.raises(ContractBroken, match="no operation 'tell'; it has: ask"):
        load_operation("x", path, "tell")
    with pytest.raises(ContractBroken, match=r"no .people. as in people\.person; there is: person, either"):
        load_operation("x", path, "ask").records("people.person")
    with pytest.raises(ContractBroken, match=r"at person\.name is text, not a record"):
        load_operation("x", path, "ask").records("person.name")
    with pytest.raises(ContractBroken, match="no port 'Q'; it has: P, B"):
        load_operation("x", path, "ask", "Q")
    with pytest.raises(ContractBroken, match="does not take: when; it takes: since"):
        load_operation("x", path, "ask").envelope([], {"when": 1})
    with pytest.raises(ContractBroken, match="cannot be read"):
        load_operation("x", tmp_path / "nothing.wsdl", "ask")


def test_a_contract_that_is_not_for_http_is_refused(contract):
    with pytest.raises(ContractBroken, match="no binding for SOAP over HTTP"):
        load_operation("x", contract(transport="urn:smoke-signals"), "ask")


@pytest.mark.parametrize(
    "prolog", ['<!DOCTYPE a SYSTEM "x">', '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>']
)
def test_a_contract_with_a_document_type_is_refused(contract, prolog):
    path = contract()
    path.write_text(prolog + path.read_text())
    with pytest.raises(ContractBroken):
        load_operation("x", path, "ask")
