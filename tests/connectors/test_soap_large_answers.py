"""Answers larger than a page are read while they arrive, cut into pages, and never held as a whole."""

import itertools
import subprocess
import sys
from pathlib import Path

import pytest
from entries import NOW
from loopback import Reply
from lxml import etree
from services import SPACE, answer, envelope, ho_so, in_pieces, keys, listing, pull, rows, source_of, wsdl

from connectors.errors import BrokenAnswer, OutcomeUnknown

NO_PAGES = {"request": {"tu": "{since}"}, "paging": {"kind": "none"}}
ALL = {"window": None, "cursor": None, "open_codes": (), "now": NOW}
HEAD, TAIL = (part.encode() for part in envelope(listing(["@"], 0)).decode().split("@"))


@pytest.fixture
def contract(tmp_path) -> Path:
    path = tmp_path / "c.wsdl"
    path.write_text(wsdl())
    return path


def test_a_large_answer_becomes_several_pages(serve, contract):
    server = serve(answer(listing(ho_so(f"A{number}") for number in range(25))))
    pages = pull(source_of(server, contract, NO_PAGES))
    assert [len(page.records) for page in pages] == [10, 10, 5]
    assert keys(pages) == [f"A{number}" for number in range(25)]
    assert [page.number for page in pages] == [1, 2, 3]


def test_an_answer_of_one_page_is_kept_as_it_came(serve, contract):
    reply = answer(listing(ho_so(f"A{number}") for number in range(10)))
    (page,) = pull(source_of(serve(reply), contract, NO_PAGES))
    assert (page.raw, page.media_type) == (reply.body, "text/xml")


def test_the_raw_bytes_of_each_page_are_an_envelope_with_its_own_records(serve, contract):
    extra = "<ghiChu>&lt;Đ&gt;</ghiChu>"
    server = serve(answer(listing(ho_so(f"A{number}", extra=extra) for number in range(25))))
    for page in pull(source_of(server, contract, NO_PAGES)):
        again = serve(Reply(200, page.raw, "text/xml"))
        found = rows(pull(source_of(again, contract, {**NO_PAGES, "answer": {"records": "danhSach.hoSo"}})))
        assert found == page.records


@pytest.mark.parametrize("count", [5, 25])
def test_p1_a_letter_that_xml_forbids_spoils_its_text_and_nothing_else(serve, contract, count):
    extras = {3: "<ghiChu>M&#x1F;u &#0;1</ghiChu>", 4: "<ghiChu>M\x0bu</ghiChu>"}
    reply = answer(listing(ho_so(f"A{number}", extra=extras.get(number, "")) for number in range(count)))
    pages = pull(source_of(serve(reply), contract, NO_PAGES))
    assert keys(pages) == [f"A{number}" for number in range(count)]
    notes = {record["ma"]: record["ghiChu"] for record in rows(pages) if "ghiChu" in record}
    assert notes == {"A3": "M\ufffdu \ufffd1", "A4": "M\ufffdu"}
    if len(pages) == 1:
        assert pages[0].raw == reply.body, "what is archived is what came"
    entry = {**NO_PAGES, "answer": {"records": "danhSach.hoSo"}}
    again = pull(source_of(serve(Reply(200, pages[0].raw, "text/xml")), contract, entry))
    assert rows(again) == pages[0].records


def test_nothing_of_what_is_cut_stays(serve, contract):
    person = "<nguoi><ten>Đỗ Thị Mẫu</ten><tuoi>30</tuoi></nguoi>"
    for count in (5, 25):
        server = serve(answer(listing(ho_so(f"A{number}", extra=person) for number in range(count))))
        for path in ("hoSo.nguoi.ten", "danhSach.hoSo.nguoi.ten", "nguoi.ten"):
            pages = pull(source_of(server, contract, NO_PAGES, cut=(path,)))
            assert [page for page in pages if "Mẫu".encode() in page.raw] == []
            assert {str(record["nguoi"]) for record in rows(pages)} == {"{'tuoi': 30}"}
            assert len(keys(pages)) == count


@pytest.mark.parametrize("count", [5, 25])
def test_whoever_cuts_the_records_themselves_keeps_nothing_of_them(serve, contract, count):
    server = serve(answer(listing(ho_so(f"A{number}") for number in range(count))))
    options = {**NO_PAGES, "answer": {"records": "danhSach.hoSo"}}
    pages = pull(source_of(server, contract, options, cut=("hoSo",)))
    assert rows(pages) == []
    assert not [page for page in pages if b"<ma>" in page.raw]


def test_only_what_stands_in_the_body_is_a_record(serve, contract):
    hidden = listing([ho_so("GIA")])
    body = envelope(listing([ho_so("A")]), header=f"<h>{hidden}</h>{hidden}")
    assert keys(pull(source_of(serve(Reply(200, body, "text/xml")), contract, NO_PAGES))) == ["A"]


def test_an_answer_without_its_end_is_an_error_and_never_a_shorter_list(serve, contract):
    whole = envelope(listing(ho_so(f"A{number}") for number in range(25)))
    for end in (len(whole) // 2, len(whole) - 1, len(whole) - 30):
        server = serve(Reply(200, whole[:end], "text/xml"))
        pages = []
        with pytest.raises(BrokenAnswer):
            pages.extend(source_of(server, contract, NO_PAGES).pull(**ALL))
        assert all(page.cursor is None for page in pages)


def test_a_connection_that_breaks_in_the_middle_is_an_error(serve, contract):
    records = (ho_so(f"A{number}").encode() for number in range(50_000))
    server = serve(in_pieces(itertools.chain([HEAD], records), cut=True))
    with pytest.raises((BrokenAnswer, OutcomeUnknown)):
        pull(source_of(server, contract, NO_PAGES))


def test_what_was_handed_out_is_not_asked_for_again(serve, contract):
    whole = envelope(listing(ho_so(f"A{number}") for number in range(25)))
    server = serve(Reply(200, whole[:-30], "text/xml"))
    with pytest.raises(BrokenAnswer):
        pull(source_of(server, contract, NO_PAGES))
    assert len(server.asked) == 1
    short = serve(Reply(200, envelope(listing([ho_so("A")]))[:-30], "text/xml"))
    with pytest.raises(BrokenAnswer):
        pull(source_of(short, contract, NO_PAGES))
    assert len(short.asked) == 4


def test_a_total_that_does_not_fit_is_seen_at_the_end(serve, contract):
    server = serve(answer(listing((ho_so(f"A{number}") for number in range(25)), total=26)))
    with pytest.raises(BrokenAnswer, match="25 records came, yet 26 are announced"):
        pull(source_of(server, contract, NO_PAGES))


def test_a_fault_behind_records_makes_the_answer_an_error(serve, contract):
    body = listing((ho_so(f"A{number}") for number in range(25)), total=25)
    fault = "<s:Fault><faultcode>s:Server</faultcode><faultstring>x</faultstring></s:Fault>"
    with pytest.raises(OutcomeUnknown, match=r"fault \(s:Server"):
        pull(source_of(serve(answer(body + fault)), contract, NO_PAGES))


def test_a_document_type_is_refused_before_the_first_record_is_used(serve, contract):
    body = envelope(listing(ho_so(f"A{number}", extra="<ghiChu>x&e;y</ghiChu>") for number in range(25)))
    body = body.replace(b"<s:Envelope", b'<!DOCTYPE a [<!ENTITY e "z">]><s:Envelope', 1)
    pages = []
    with pytest.raises(BrokenAnswer, match="document type"):
        pages.extend(source_of(serve(Reply(200, body, "text/xml")), contract, NO_PAGES).pull(**ALL))
    assert pages == []


def test_records_in_many_lists_are_all_found(serve, contract):
    changed = {
        '<xs:element name="danhSach" type="t:DanhSach" minOccurs="1"/>': (
            '<xs:element name="danhSach" type="t:DanhSach" maxOccurs="unbounded"/>'
        )
    }
    contract.write_text(wsdl(changed=changed))
    lists = "".join(f"<danhSach>{ho_so(f'A{number}')}</danhSach>" for number in range(25))
    server = serve(answer(f'<lietKeResponse xmlns="{SPACE}"><tongSo>25</tongSo>{lists}</lietKeResponse>'))
    pages = pull(source_of(server, contract, NO_PAGES))
    assert keys(pages) == [f"A{number}" for number in range(25)]
    assert len(etree.fromstring(pages[0].raw).findall(f".//{{{SPACE}}}hoSo")) == 10


CHILD = """
import resource, sys
sys.path[:0] = sys.argv[3:]
from pathlib import Path
from entries import NOW
from services import source_of
class Server:
    def settings(self, **fields):
        from connectors.connections import ConnectionSettings
        return ConnectionSettings(conn_id="loop", host="127.0.0.1", port=int(sys.argv[1]), **fields)
options = {"request": {"tu": "{since}"}, "paging": {"kind": "none"}}
source = source_of(Server(), Path(sys.argv[2]), options, max_response_mb=400)
pages = source.pull(window=None, cursor=None, open_codes=(), now=NOW)
first = next(pages)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
count = len(first.records) + sum(len(page.records) for page in pages)
print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def grown(server, contract: Path) -> tuple[int, float]:
    """How many records a process reads, and by how many MB its memory grows behind the first page."""
    here = Path(__file__).parent
    command = [sys.executable, "-c", CHILD, str(server.port), str(contract), str(here), str(here.parent.parent)]
    count, kilobytes = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return int(count), int(kilobytes) / 1024


def test_memory_stays_flat_however_long_the_listing_is(serve, contract):
    block = "".join(ho_so(f"A{number:03d}", extra=f"<ghiChu>{'x' * 500}</ghiChu>") for number in range(1000)).encode()
    head = HEAD.replace(b"<tongSo>0<", b"<tongSo>60000<")
    server = serve(in_pieces(itertools.chain([head], itertools.repeat(block, 60), [TAIL])))
    count, megabytes = grown(server, contract)
    assert count == 60_000
    assert megabytes < 15  # of the 37 MB that came
