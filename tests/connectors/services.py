"""A SOAP service for the tests, in any style: its contract, the catalog entry for it, and how it writes."""

from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from threading import Event
from typing import Any, BinaryIO

from entries import AT_ONCE, NOW, source_entry
from loopback import Asked, Reply, Server
from lxml import etree

from connectors.api import Page, Window
from connectors.catalog_models import Limits, SourceEntry, SourceProtocol, Timeouts
from connectors.options.soap import SoapJobsOptions, SoapOptions
from connectors.sources.soap import SoapSource
from connectors.sources.soap_jobs import SoapJobsSource

SPACE = "urn:ho-so"
ENV11 = "http://schemas.xmlsoap.org/soap/envelope/"
ENV12 = "http://www.w3.org/2003/05/soap-envelope"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
_BINDINGS = {False: "http://schemas.xmlsoap.org/wsdl/soap/", True: "http://schemas.xmlsoap.org/wsdl/soap12/"}
_TYPES = """
<xs:complexType name="Dau"><xs:attribute name="ma" type="xs:int"/><xs:attribute name="ten" type="xs:string"/>
</xs:complexType>
<xs:complexType name="Nguoi"><xs:sequence>
  <xs:element name="ten" type="xs:string"/><xs:element name="tuoi" type="xs:int" minOccurs="0"/>
</xs:sequence></xs:complexType>
<xs:complexType name="HoSo"><xs:sequence>
  <xs:element name="ma" type="xs:string"/>
  <xs:element name="luc" type="xs:dateTime"/>
  <xs:element name="ngay" type="xs:date" minOccurs="0"/>
  <xs:element name="so" type="xs:int" minOccurs="0"/>
  <xs:element name="phi" type="xs:decimal" minOccurs="0"/>
  <xs:element name="xong" type="xs:boolean" minOccurs="0"/>
  <xs:element name="ghiChu" type="xs:string" minOccurs="0" nillable="true"/>
  <xs:element name="nguoi" type="t:Nguoi" minOccurs="0"/>
  <xs:element name="buoc" type="xs:dateTime" minOccurs="0" maxOccurs="unbounded"/>
  <xs:element name="tep" type="xs:base64Binary" minOccurs="0"/>
  <xs:element name="dau" type="t:Dau" minOccurs="0"/>
  <xs:element name="gi" type="xs:anyType" minOccurs="0"/>
</xs:sequence><xs:attribute name="phienBan" type="xs:int"/></xs:complexType>
<xs:complexType name="DanhSach"><xs:sequence>
  <xs:element name="hoSo" type="t:HoSo" minOccurs="0" maxOccurs="unbounded"/>
</xs:sequence></xs:complexType>
<xs:complexType name="Mang"><xs:complexContent><xs:restriction base="enc:Array">
  <xs:attribute ref="enc:arrayType" w:arrayType="t:HoSo[]"/>
</xs:restriction></xs:complexContent></xs:complexType>
"""
# Operation: the elements of its request and of its answer. "?" stands for what need not be there.
OPERATIONS = {
    "lietKe": ("tu:dateTime? den:dateTime? trang:int? soDong:int?", "ketQua:string? tongSo:int? danhSach:DanhSach"),
    "traCuu": ("ma:string", "ketQua:string? danhSach:DanhSach?"),
    "datLenh": ("tu:string den:string", "lenh:string?"),
    "hoiLenh": ("lenh:string", "tinhTrang:string"),
    "layKetQua": ("lenh:string trang:int soDong:int", "tongSo:int danhSach:DanhSach"),
    "xoaLenh": ("lenh:string", "ketQua:string?"),
}


def wsdl(*, soap12: bool = False, style: str = "document", use: str = "literal", changed: dict[str, str] | None = None):
    """The contract; ``changed`` replaces pieces of its text."""
    elements, messages, operations, bound = [], [], [], []
    for name, sides in OPERATIONS.items():
        for side, parts in zip(("", "Response"), sides, strict=True):
            fields = [part.rstrip("?").split(":") for part in parts.split()]
            kinds = {field: _kind(kind, use) for field, kind in fields}
            optional = {part.split(":")[0] for part in parts.split() if part.endswith("?")}
            inner = "".join(
                f'<xs:element name="{field}" type="{kind}" minOccurs="{int(field not in optional)}"/>'
                for field, kind in kinds.items()
            )
            elements.append(
                f'<xs:element name="{name}{side}"><xs:complexType><xs:sequence>{inner}</xs:sequence></xs:complexType>'
                "</xs:element>"
            )
            typed = "".join(f'<w:part name="{field}" type="{kind}"/>' for field, kind in kinds.items())
            part = f'<w:part name="p" element="t:{name}{side}"/>' if style == "document" else typed
            messages.append(f'<w:message name="{name}{side}">{part}</w:message>')
        operations.append(
            f'<w:operation name="{name}"><w:input message="t:{name}"/><w:output message="t:{name}Response"/>'
            "</w:operation>"
        )
        body = f'<s:body use="{use}" namespace="{SPACE}"/>' if style == "rpc" else '<s:body use="literal"/>'
        bound.append(
            f'<w:operation name="{name}"><s:operation soapAction="urn:{name}" style="{style}"/>'
            f"<w:input>{body}</w:input><w:output>{body}</w:output></w:operation>"
        )
    text = f"""<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:s="{_BINDINGS[soap12]}"
 xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="{SPACE}" targetNamespace="{SPACE}"
 xmlns:enc="http://schemas.xmlsoap.org/soap/encoding/">
<w:types><xs:schema targetNamespace="{SPACE}" elementFormDefault="qualified">
<xs:import namespace="http://schemas.xmlsoap.org/soap/encoding/"/>{_TYPES}{"".join(elements)}</xs:schema></w:types>
{"".join(messages)}<w:portType name="P">{"".join(operations)}</w:portType>
<w:binding name="B" type="t:P"><s:binding style="{style}" transport="http://schemas.xmlsoap.org/soap/http"/>
{"".join(bound)}</w:binding>
<w:service name="S"><w:port name="Cong" binding="t:B"><s:address location="http://nowhere.invalid/"/></w:port></w:service>
</w:definitions>"""
    for old, new in (changed or {}).items():
        assert old in text
        text = text.replace(old, new)
    return text


def _kind(kind: str, use: str) -> str:
    if kind == "DanhSach":
        return "t:Mang" if use == "encoded" else "t:DanhSach"
    return f"xs:{kind}"


LISTING: dict[str, Any] = {
    "path": "/ws",
    "operation": "lietKe",
    "request": {"tu": "{since}", "den": "{until}", "trang": "{page}", "soDong": "{size}"},
    "answer": {"records": "danhSach.hoSo", "total": "tongSo", "key": "ma"},
}


def entry_of(
    contract: Path,
    options: SoapOptions | SoapJobsOptions,
    *,
    cut: tuple[str, ...] = (),
    max_response_mb: int = 64,
    **pull: Any,
) -> SourceEntry:
    """A catalog entry for the service."""
    entry = source_entry("dkkd", **{"start": date(2025, 8, 1), "page_size": 10, **pull})
    jobs = isinstance(options, SoapJobsOptions)
    return entry.model_copy(
        update={
            "system": "dich_vu",
            "protocol": SourceProtocol.SOAP_JOBS if jobs else SourceProtocol.SOAP,
            "contract": str(contract),
            "options": options,
            "cut": cut,
            "limits": Limits(max_response_mb=max_response_mb),
            "timeouts": Timeouts(),
        }
    )


def source_of(
    server: Server,
    contract: Path,
    options: dict[str, Any] | None = None,
    *,
    settings: dict[str, Any] | None = None,
    **entry: Any,
) -> SoapSource:
    """A source that reads from ``server``; ``options`` go over those of ``LISTING``."""
    model = SoapOptions.model_validate({**LISTING, **(options or {})})
    return SoapSource(entry_of(contract, model, **entry), server.settings(**(settings or {})), retry=AT_ONCE)


def jobs_of(server: Server, contract: Path, options: dict[str, Any], **arguments: Any) -> SoapJobsSource:
    """A source that orders jobs at ``server``."""
    entry = entry_of(contract, SoapJobsOptions.model_validate(options), **arguments.pop("entry", {}))
    return SoapJobsSource(entry, server.settings(), retry=AT_ONCE, **arguments)


def pull(
    source: SoapSource | SoapJobsSource,
    *,
    window: Window | None = None,
    cursor: str | None = None,
    open_codes: Iterable[str] = (),
    now: datetime = NOW,
) -> list[Page]:
    return list(source.pull(window=window, cursor=cursor, open_codes=tuple(open_codes), now=now))


def rows(pages: list[Page]) -> list[Any]:
    return [record for page in pages for record in page.records]


def keys(pages: list[Page]) -> list[str]:
    return [record["ma"] for record in rows(pages)]


def ho_so(ma: str, luc: str = "2025-08-01T08:00:00", extra: str = "", attributes: str = "") -> str:
    return f"<hoSo {attributes}><ma>{ma}</ma><luc>{luc}</luc>{extra}</hoSo>"


def listing(records: Iterable[str], total: int | None = None, operation: str = "lietKe") -> str:
    """The body's element of an answer that lists."""
    inner = "".join(records)
    said = inner.count("<hoSo ") if total is None else total
    content = f"<tongSo>{said}</tongSo><danhSach>{inner}</danhSach>"
    return f'<{operation}Response xmlns="{SPACE}">{content}</{operation}Response>'


def envelope(content: str, *, soap12: bool = False, header: str = "") -> bytes:
    space = ENV12 if soap12 else ENV11
    head = f"<s:Header>{header}</s:Header>" if header else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{space}" xmlns:xsi="{XSI}">{head}'
        f"<s:Body>{content}</s:Body></s:Envelope>"
    ).encode()


def answer(content: str, *, soap12: bool = False, status: int = 200, **headers: str) -> Reply:
    media_type = "application/soap+xml; charset=utf-8" if soap12 else "text/xml; charset=utf-8"
    return Reply(status, envelope(content, soap12=soap12), media_type, headers)


def asked(request: Asked, path: str) -> str | None:
    """The text of an element of a request, by its local name."""
    found = etree.fromstring(request.body).find(f".//{{*}}{path}")
    return None if found is None else found.text


def operation_of(request: Asked) -> str:
    """The local name of the element in the body of a request."""
    body = next(part for part in etree.fromstring(request.body) if etree.QName(part).localname == "Body")
    return etree.QName(body[0]).localname


def in_pieces(pieces: Iterable[bytes], media_type: str = "text/xml; charset=utf-8", cut: bool = False) -> Reply:
    """An answer that is made while it is sent; ``cut``: the connection ends before the last chunk."""

    def write(out: BinaryIO, stop: Event) -> None:
        out.write(f"HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for piece in pieces:
            if stop.is_set():
                return
            out.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        out.write(b"" if cut else b"0\r\n\r\n")

    return Reply(raw=write)
