"""A service behind a security server, for the SOAP tests: what it holds, and how its answers are written."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from xml.sax.saxutils import escape

from entries import AT_ONCE, NOW, source_entry
from loopback import Asked, Reply, Server
from lxml import etree

from connectors.api import Page, Window
from connectors.sources.soap import SoapSource
from schemas.times import VN

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
NAMES = {"m": "http://dkkd.mau.invalid/hoso/v1", "x": "http://x-road.eu/xsd/xroad.xsd", "s": SOAP}
START = datetime(2025, 8, 1, 8, 0, tzinfo=VN)
LEAVES = [
    "soBienNhan",
    "maThuTuc",
    "tenThuTuc",
    "maLinhVuc",
    "tenLinhVuc",
    "maCoQuan",
    "tenCoQuan",
    "kenhNop",
    "trangThai",
    "ngayNop",
    "capNhatLuc",
    "tenDoanhNghiep",
    "maSoThue",
]


STEP = "<m:quaTrinh><m:thoiDiem>2025-08-01T08:00:00</m:thoiDiem>"
STEP += "".join(f"<m:{name}>x</m:{name}>" for name in ("trangThai", "noiDung", "donVi")) + "</m:quaTrinh>"


def record(key: str, changed: str, extra: str = "", without: str = "", steps: int = 1) -> str:
    values = {"maHoSo": key, **dict.fromkeys(LEAVES, "x"), "ngayNop": START.isoformat(), "capNhatLuc": changed}
    leaves = "".join(f"<m:{name}>{escape(value)}</m:{name}>" for name, value in values.items() if name != without)
    applicant = "<m:nguoiNop><m:hoTen>Đỗ Thị Mẫu</m:hoTen><m:soDinhDanh>000099000001</m:soDinhDanh></m:nguoiNop>"
    rest = f"<m:hinhThucNhanKetQua>0</m:hinhThucNhanKetQua>{STEP * steps}"
    return f"<m:hoSo>{leaves}{applicant}{rest}{extra}</m:hoSo>"


def envelope(content: str, message_id: str = "") -> bytes:
    header = f"<x:id>{message_id}</x:id>" if message_id else ""
    names = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMES.items())
    return f"<s:Envelope {names}><s:Header>{header}</s:Header><s:Body>{content}</s:Body></s:Envelope>".encode()


def listing(rows: list[str], total: object, page: int = 1) -> str:
    return (
        f"<m:danhSachHoSoThayDoiResponse><m:tongSo>{total}</m:tongSo><m:trang>{page}</m:trang>"
        f"<m:thoiDiem>2025-09-01T00:00:00+07:00</m:thoiDiem><m:danhSachHoSo>{''.join(rows)}</m:danhSachHoSo>"
        "</m:danhSachHoSoThayDoiResponse>"
    )


def fault(code: str, detail_id: str | None = "d-1") -> bytes:
    detail = f"<detail><x:faultDetail>{detail_id}</x:faultDetail></detail>" if detail_id else "<detail/>"
    text = "<faultstring>secret 000099000001</faultstring>"
    return envelope(f"<s:Fault><faultcode>{code}</faultcode>{text}{detail}</s:Fault>")


class Registry:
    """Dossiers by id with their last change, asked as the contract says."""

    def __init__(self, changed: dict[str, datetime]) -> None:
        self.changed = changed
        self.asked: list[tuple[datetime, int, int]] = []
        self.ids: list[str] = []
        self.meanwhile: Callable[[int], None] = lambda _: None
        self.answers: list[Reply] = []

    def __call__(self, asked: Asked) -> Reply:
        if asked.method == "GET":
            return Reply(200, fault("Client.InvalidHttpMethod"), "text/xml")
        tree = etree.fromstring(asked.body)
        self.ids.append(tree.findtext(".//x:id", namespaces=NAMES))
        if self.answers:
            return self.answers.pop(0)
        since = datetime.fromisoformat(tree.findtext(".//m:tuThoiDiem", namespaces=NAMES))
        page, size = (int(tree.findtext(f".//m:{name}", namespaces=NAMES)) for name in ("trang", "soDongMoiTrang"))
        self.asked.append((since, page, size))
        self.meanwhile(len(self.asked))
        found = sorted((moment, key) for key, moment in self.changed.items() if moment >= since)
        rows = [record(key, moment.isoformat()) for moment, key in found[(page - 1) * size : page * size]]
        return xml(envelope(listing(rows, len(found), page), self.ids[-1]))


def xml(body: bytes, status: int = 200) -> Reply:
    return Reply(status, body, "text/xml; charset=utf-8")


GOOD = envelope(listing([record("A", START.isoformat())], 1))


def hourly(count: int) -> dict[str, datetime]:
    """So many records, changed one hour after the other."""
    return {f"DK{number:03d}": START + timedelta(hours=number) for number in range(count)}


def reader(server: Server, **pull: object) -> SoapSource:
    """The source of the project's catalog, reading from ``server`` in small pages."""
    entry = source_entry("dkkd", **{"start": date(2025, 8, 1), "page_size": 10, **pull})
    return SoapSource(entry, server.settings(), retry=AT_ONCE)


def pull(source: SoapSource, *, window: Window | None = None, cursor: str | None = None) -> list[Page]:
    return list(source.pull(window=window, cursor=cursor, open_codes=(), now=NOW))


def keys(pages: list[Page]) -> list[str]:
    return [one["maHoSo"] for page in pages for one in page.records]
