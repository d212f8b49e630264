"""The SOAP source against a service behind a security server, well-behaved and hostile."""

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from xml.sax.saxutils import escape

import pytest
from entries import AT_ONCE, NOW, records, source_entry
from hypothesis import given
from hypothesis import strategies as st
from loopback import Asked, Reply
from lxml import etree

from connectors import windows
from connectors.api import CheckStatus, Window
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
from connectors.sources.xroad_soap import Question, XRoadSoapSource, following
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


def record(key: str, changed: str, extra: str = "", without: str = "") -> str:
    values = {"maHoSo": key, **dict.fromkeys(LEAVES, "x"), "capNhatLuc": changed}
    leaves = "".join(f"<m:{name}>{escape(value)}</m:{name}>" for name, value in values.items() if name != without)
    applicant = "<m:nguoiNop><m:hoTen>Đỗ Thị Mẫu</m:hoTen><m:soDinhDanh>000099000001</m:soDinhDanh></m:nguoiNop>"
    rest = "<m:hinhThucNhanKetQua>0</m:hinhThucNhanKetQua><m:quaTrinh/>"
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


@pytest.fixture
def registry(serve):
    def start(changed: dict[str, datetime] | int, **pull):
        if isinstance(changed, int):
            changed = {f"DK{number:03d}": START + timedelta(hours=number) for number in range(changed)}
        system = Registry(changed)
        entry = source_entry("dkkd", **{"start": date(2025, 8, 1), "page_size": 10, **pull})
        return system, XRoadSoapSource(entry, serve(system).settings(), retry=AT_ONCE)

    return start


def pull(source, *, window=None, cursor=None):
    return list(source.pull(window=window, cursor=cursor, open_codes=(), now=NOW))


def keys(pages):
    return [one["maHoSo"] for one in records(pages)]


def answer_with(registry, *replies: Reply) -> list:
    system, source = registry(0)
    system.answers = list(replies)
    return pull(source)


def failure(registry, reply: Reply) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        answer_with(registry, *[reply] * 4)
    assert "000099000001" not in f"{caught.value!r}{caught.value.__cause__!r}"
    return caught.value


def test_everything_is_read_and_the_cursor_moves_with_every_page(registry):
    system, source = registry(25)
    pages = pull(source)
    assert set(keys(pages)) == set(system.changed)
    assert [page.cursor for page in pages] == [
        windows.to_text(START + timedelta(hours=number)) for number in (9, 18, 24)
    ]


def test_the_request_is_what_the_contract_and_the_security_server_want(registry, serve):
    seen: list[Asked] = []
    system, _ = registry(1)

    def note(asked: Asked) -> Reply:
        seen.append(asked)
        return system(asked)

    settings = serve(note).settings(extra={"client": "VN-TEST/GOV/H12/other"})
    pull(XRoadSoapSource(source_entry("dkkd", start=date(2025, 8, 1)), settings))
    tree = etree.fromstring(seen[0].body)
    header = tree.find("s:Header", NAMES)
    assert [etree.QName(part).localname for part in header] == ["client", "service", "id", "protocolVersion"]
    assert [part.text for part in header[0]] == ["VN-TEST", "GOV", "H12", "other"]
    assert [etree.QName(part).localname for part in header[1]][-2:] == ["serviceCode", "serviceVersion"]
    assert header[0].get("{http://x-road.eu/xsd/identifiers}objectType") == "SUBSYSTEM"
    assert header.findtext("x:protocolVersion", namespaces=NAMES) == "4.0"
    assert seen[0].headers["content-type"] == "text/xml; charset=utf-8"
    assert tree.findtext(".//m:tuThoiDiem", namespaces=NAMES) == "2025-08-01T00:00:00+07:00"


def test_every_message_has_an_id_of_its_own(registry):
    system, source = registry(25)
    system.answers = [xml(fault("Server.ClientProxy.NetworkError"))]
    pull(source)
    assert len(set(system.ids)) == len(system.ids) == 4


def test_the_next_pull_begins_the_overlap_before_the_cursor_and_never_moves_it_back(registry):
    system, source = registry(25, overlap=timedelta(hours=12))
    cursor = windows.to_text(START + timedelta(hours=24))
    pages = pull(source, cursor=cursor)
    assert system.asked[0][0] == START + timedelta(hours=12)
    assert [page.cursor for page in pages] == [None, None]


def test_the_cursor_stays_behind_now(registry):
    system, source = registry({"A": NOW - timedelta(hours=1), "B": NOW + timedelta(days=1)})
    assert keys(pull(source)) == ["A", "B"]
    assert pull(source)[-1].cursor == windows.to_text(NOW - timedelta(minutes=5))
    assert system.asked


def test_a_record_that_changes_meanwhile_does_not_hide_another_one(registry):
    system, source = registry(25)

    def change(request: int) -> None:
        if request == 2:
            system.changed["DK000"] = START + timedelta(hours=30)

    system.meanwhile = change
    assert set(keys(pull(source))) == set(system.changed)


@pytest.mark.parametrize("before", [0, 2])
@pytest.mark.parametrize("ties", [9, 10, 11, 25, 30])
def test_many_changes_at_one_moment_are_all_read(registry, before, ties):
    earlier = {f"A{number}": START + timedelta(minutes=number) for number in range(before)}
    changed = {**earlier, **{f"T{number}": START + timedelta(hours=1) for number in range(ties)}, "Z": NOW}
    _, source = registry(changed)
    assert set(keys(pull(source))) == set(changed)


@given(
    st.lists(st.integers(0, 12), max_size=40),
    st.integers(1, 5),
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 39)), max_size=5),
)
def test_reading_on_from_the_last_change_misses_nothing_that_stays(minutes, size, moves):
    """The paging rule alone, against a listing in which records move to the end while it is read."""
    changed = {number: START + timedelta(minutes=minute) for number, minute in enumerate(minutes)}
    question, seen, later = Question(START), set(), START + timedelta(hours=1)
    for request in range(1000):
        for when, who in moves:
            if when == request and who in changed:
                changed[who] = later = later + timedelta(minutes=1)
        found = sorted((moment, key) for key, moment in changed.items() if moment >= question.since)
        page = found[(question.page - 1) * size : question.page * size]
        seen.update(key for _, key in page)
        if (question.page - 1) * size + len(page) >= len(found):
            break
        question = following(question, [moment for moment, _ in page])
    else:
        pytest.fail("the pass has no end")
    # Only a page number above 1 can be overtaken, and then only by records of the same moment.
    tied = {moment for moment in changed.values() if list(changed.values()).count(moment) >= size}
    assert all(key in seen for key, moment in changed.items() if moment not in tied or not moves)


def test_a_window_ends_with_its_end_and_leaves_the_cursor(registry):
    system, source = registry(100)
    window = Window(START + timedelta(hours=20), START + timedelta(hours=30))
    pages = pull(source, window=window)
    assert set(keys(pages)) >= {f"DK{number:03d}" for number in range(20, 30)}
    assert {page.cursor for page in pages} == {None}
    assert len(system.asked) == 2


def test_missing_nil_and_empty_are_three_things(registry):
    nil = '<m:ngayHenTra xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/>'
    steps = "<m:khac>mới</m:khac>"
    row = record("A", START.isoformat(), extra=nil + "<m:ngayTiepNhan/>" + steps)
    (page,) = answer_with(registry, xml(envelope(listing([row], 1))))
    (one,) = page.records
    assert "ngayHoanThanh" not in one
    assert one["ngayHenTra"] is None
    assert one["ngayTiepNhan"] == ""
    assert one["quaTrinh"] == {"buoc": []}
    assert one["nguoiNop"] == {"hoTen": "Đỗ Thị Mẫu", "soDinhDanh": "000099000001"}
    assert one["khac"] == "mới"


def test_text_is_kept_as_it_came(registry):
    row = record("A", START.isoformat(), extra="<m:khac><![CDATA[<b> & ]]>c<!-- x -->d&amp;&#x1D11E;</m:khac>")
    (page,) = answer_with(registry, xml(envelope(listing([row], 1))))
    assert page.records[0]["khac"] == "<b> & cd&\U0001d11e"


def test_an_element_that_comes_twice_is_kept_twice(registry):
    row = record("A", START.isoformat(), extra="<m:trangThai>RUT</m:trangThai>")
    (page,) = answer_with(registry, xml(envelope(listing([row], 1))))
    assert page.records[0]["trangThai"] == ["x", "RUT"]


def test_an_honest_empty_answer_is_no_error(registry):
    (page,) = answer_with(registry, xml(envelope(listing([], 0))))
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
def test_an_answer_that_does_not_vouch_for_itself_is_broken(registry, content):
    assert isinstance(failure(registry, xml(envelope(content))), BrokenAnswer)


GOOD = envelope(listing([record("A", START.isoformat())], 1))


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
def test_what_is_not_the_answer_is_broken(registry, reply):
    assert isinstance(failure(registry, reply), BrokenAnswer)


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
def test_faults_of_the_security_server_come_with_status_200_in_two_spellings(registry, code, expected, spelling):
    written = spellings(code)[spelling]
    error = failure(registry, xml(fault(written)))
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
def test_faults_of_the_service_are_told_apart_from_the_security_server(registry, code, expected, status):
    error = failure(registry, xml(fault(code, None), status))
    assert type(error) is expected
    assert "security server" not in str(error)


def test_a_soap_12_fault_is_understood(registry):
    body = (
        b'<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body><e:Fault><e:Code><e:Value>e:Sender'
        b"</e:Value></e:Code></e:Fault></e:Body></e:Envelope>"
    )
    assert isinstance(failure(registry, Reply(200, body, "application/soap+xml")), Refused)


def test_status_500_without_a_fault_is_an_unknown_outcome(registry):
    error = failure(registry, Reply(500, b"<html>oops</html>", "text/html"))
    assert type(error) is OutcomeUnknown


def test_a_short_failure_is_overcome(registry):
    system, source = registry(5)
    system.answers = [Reply(502), xml(GOOD[:-30])]
    assert len(keys(pull(source))) == 5


def test_a_server_that_ignores_the_question_does_not_run_for_ever(registry):
    rows = [record(f"A{number}", (START + timedelta(hours=number)).isoformat()) for number in range(10)]
    endless = xml(envelope(listing(rows, 1000)))
    with pytest.raises(Repeated):
        answer_with(registry, *[endless] * 5)


def test_an_unsorted_answer_stops_the_pull(registry):
    rows = [record("A", (START + timedelta(hours=1)).isoformat()), record("B", START.isoformat())]
    assert isinstance(failure(registry, xml(envelope(listing(rows, 2)))), ContractBroken)


def test_one_record_that_breaks_the_contract_is_handed_on(registry, caplog):
    rows = [record(f"A{number}", START.isoformat(), without="maSoThue" if number == 3 else "") for number in range(12)]
    (page,) = answer_with(registry, xml(envelope(listing(rows, 12))))
    assert "maSoThue" not in page.records[3]
    assert "1 of 12" in caplog.text


def test_a_required_element_that_all_records_lack_is_drift_of_the_contract(registry):
    rows = [record(f"A{number}", START.isoformat(), without="maSoThue") for number in range(12)]
    error = failure(registry, xml(envelope(listing(rows, 12))))
    assert isinstance(error, ContractBroken)
    assert "maSoThue" in str(error)


def test_an_unreadable_time_of_change_is_handed_on(registry):
    rows = [record("A", START.isoformat()), record("B", "01/03/2026"), record("C", "2026-02-30T00:00:00")]
    (page,) = answer_with(registry, xml(envelope(listing(rows, 3))))
    assert [one["capNhatLuc"] for one in page.records][1:] == ["01/03/2026", "2026-02-30T00:00:00"]
    assert page.cursor == windows.to_text(START)


def test_check_goes_through_the_security_server(registry):
    _, source = registry(5)
    results = source.check()
    assert [result.name for result in results] == ["contract", "operation", "connection", "read"]
    assert {result.status for result in results} == {CheckStatus.OK}


def test_check_names_an_operation_that_the_contract_does_not_have(serve):
    entry = source_entry("dkkd")
    wrong = entry.model_copy(update={"options": entry.options.model_copy(update={"operation": "danhSach"})})
    results = XRoadSoapSource(wrong, serve(Reply()).settings()).check()
    assert results[-1].status is CheckStatus.FAILED
    assert "danhSachHoSoThayDoi" in results[-1].detail
