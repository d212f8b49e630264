"""The pull styles of SOAP sources: what is asked, in which order, and where the cursor goes."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from entries import NOW
from loopback import Asked, Reply
from services import answer, asked, envelope, ho_so, keys, listing, operation_of, pull, rows, source_of, wsdl

from connectors import windows
from connectors.api import Window
from connectors.catalog_models import PullStyle
from connectors.errors import BrokenAnswer, ContractBroken, Refused, Repeated
from schemas.times import VN

START = datetime(2025, 8, 1, tzinfo=VN)
LAG = timedelta(minutes=5)
CHANGED = {"answer": {"records": "danhSach.hoSo", "total": "tongSo", "key": "ma", "changed": "luc"}}
PAGED = {"paging": {"kind": "page"}}


@pytest.fixture
def contract(tmp_path) -> Path:
    path = tmp_path / "c.wsdl"
    path.write_text(wsdl())
    return path


class Service:
    """Dossiers by code with the time of their last change; listed in the order of the changes."""

    def __init__(self, changed: dict[str, datetime]) -> None:
        self.changed = changed
        self.asked: list[Asked] = []
        self.unknown: dict[str, Reply] = {}
        self.meanwhile: dict[int, Any] = {}

    def __call__(self, request: Asked) -> Reply:
        self.asked.append(request)
        if operation_of(request) == "traCuu":
            code = asked(request, "ma")
            found = listing([ho_so(code, self.written(code))], operation="traCuu") if code in self.changed else ""
            return self.unknown.get(code) or answer(found.replace("<tongSo>1</tongSo>", ""))
        self.meanwhile.get(len(self.asked), lambda: None)()
        since, until = (datetime.fromisoformat(asked(request, name)) for name in ("tu", "den"))
        page, size = int(asked(request, "trang")), int(asked(request, "soDong"))
        found = [code for code in sorted(self.changed, key=self.changed.__getitem__)
                 if since <= self.changed[code] < until]  # fmt: skip
        records = [ho_so(code, self.written(code)) for code in found[(page - 1) * size : page * size]]
        return answer(listing(records, len(found)))

    def written(self, code: str) -> str:
        return self.changed[code].astimezone(VN).replace(tzinfo=None).isoformat()


def daily(count: int) -> dict[str, datetime]:
    return {f"A{number:02d}": START + timedelta(days=number, hours=9) for number in range(count)}


def test_changed_since_moves_to_the_newest_change_with_the_last_page(serve, contract):
    service = Service(daily(25))
    pages = pull(source_of(serve(service), contract, {**PAGED, **CHANGED}))
    assert keys(pages) == sorted(service.changed)
    assert [page.cursor for page in pages] == [None, None, windows.to_text(START + timedelta(days=24, hours=9))]
    again = pull(source_of(serve(service), contract, {**PAGED, **CHANGED}), cursor=pages[-1].cursor)
    assert keys(again) == ["A24"]
    assert again[-1].cursor is None


def test_without_a_time_of_change_the_cursor_moves_to_the_end_held_back_from_now(serve, contract):
    pages = pull(source_of(serve(Service(daily(3))), contract, PAGED))
    assert pages[-1].cursor == windows.to_text(NOW - LAG)


def test_a_clock_that_runs_ahead_does_not_carry_the_cursor_away(serve, contract):
    reply = answer(listing([ho_so("A", (NOW + timedelta(days=2)).isoformat())]))
    assert pull(source_of(serve(reply), contract, {**PAGED, **CHANGED}))[-1].cursor == windows.to_text(NOW - LAG)


def test_an_explicit_window_is_asked_for_and_moves_nothing(serve, contract):
    window = Window(START + timedelta(days=3), START + timedelta(days=5))
    for style in (PullStyle.CHANGED_SINCE, PullStyle.WINDOW):
        pages = pull(source_of(serve(Service(daily(25))), contract, {**PAGED, **CHANGED}, style=style), window=window)
        assert keys(pages) == ["A03", "A04"]
        assert {page.cursor for page in pages} == {None}


def test_a_listing_that_shrinks_while_it_is_read_is_read_again(serve, contract):
    service = Service(daily(25))
    service.meanwhile[2] = lambda: service.changed.pop("A00")
    pages = pull(source_of(serve(service), contract, {**PAGED, **CHANGED}))
    assert set(keys(pages)) == set(service.changed) | {"A00"}
    assert pages[-1].cursor is not None
    assert len(service.asked) == 6


def test_a_record_that_moved_behind_what_was_read_is_noticed(serve, contract):
    service = Service(daily(25))

    def change() -> None:
        service.changed["A00"] = START + timedelta(days=26)

    service.meanwhile[2] = change  # which pulls A10 up to the page that has been read
    pages = pull(source_of(serve(service), contract, {**PAGED, **CHANGED}))
    assert "A10" in keys(pages)
    assert set(keys(pages)) == set(service.changed)


def test_pages_are_counted_from_where_the_system_does(serve, contract):
    service = serve(lambda request: answer(listing([ho_so("A")] if asked(request, "trang") == "0" else [], total=1)))
    assert keys(pull(source_of(service, contract, {"paging": {"kind": "page", "first": 0}}))) == ["A"]


def test_without_a_total_a_short_page_is_the_last(serve, contract):
    def reply(request: Asked) -> Reply:
        page = int(asked(request, "trang"))
        return answer(listing([ho_so(f"A{page}{number}") for number in range(10 if page < 3 else 4)]))

    server = serve(reply)
    options = {**PAGED, "answer": {"records": "danhSach.hoSo", "key": "ma"}}
    assert len(keys(pull(source_of(server, contract, options)))) == 24
    assert len(server.asked) == 3


@pytest.mark.parametrize("key", ["ma", None])
def test_a_page_that_comes_again_and_again_is_stopped(serve, contract, key):
    server = serve(answer(listing((ho_so(f"A{number}") for number in range(10)), total=1000)))
    options = {**PAGED, "answer": {"records": "danhSach.hoSo", "total": "tongSo", **({"key": key} if key else {})}}
    with pytest.raises(Repeated):
        pull(source_of(server, contract, options))
    assert len(server.asked) == 2


@pytest.mark.parametrize("total", ["-1", "mot", "", "1e9", "٣", "9" * 30])
def test_a_total_that_is_no_count_is_not_believed(serve, contract, total):
    body = listing([]).replace("<tongSo>0<", f"<tongSo>{total}<")
    with pytest.raises(BrokenAnswer, match="no tongSo, so an empty list cannot be believed"):
        pull(source_of(serve(answer(body)), contract))


def test_an_empty_page_before_the_announced_end_is_an_error(serve, contract):
    server = serve(lambda _: answer(listing([], total=7)))
    with pytest.raises(BrokenAnswer, match="page 1 is empty, yet 7 records are announced"):
        pull(source_of(server, contract, PAGED))


UNCOUNTED = {"answer": {"records": "danhSach.hoSo"}}


@pytest.mark.parametrize(
    "inner", ["<danhSach/>", "<danhSach></danhSach>", "<danhSach> \n </danhSach>", '<danhSach xsi:nil="true"/>']
)
def test_an_empty_wrapper_is_an_empty_list(serve, contract, inner):
    body = listing([]).replace("<danhSach></danhSach>", inner)
    assert rows(pull(source_of(serve(answer(body)), contract, UNCOUNTED))) == []


def test_a_missing_wrapper_is_an_error_where_the_contract_wants_one(serve, contract):
    body = listing([]).replace("<danhSach></danhSach>", "")
    with pytest.raises(BrokenAnswer, match="no danhSach, which the contract requires"):
        pull(source_of(serve(answer(body)), contract, UNCOUNTED))
    other = body.replace("lietKe", "traCuu").replace("<tongSo>0</tongSo>", "")
    options = {**UNCOUNTED, "operation": "traCuu", "request": {"ma": "{since}"}}
    assert rows(pull(source_of(serve(answer(other)), contract, options))) == []


def test_windows_are_asked_for_one_after_the_other_and_each_moves_the_cursor(serve, contract):
    service = Service(daily(25))
    options = {"style": PullStyle.WINDOW, "window_days": 10}
    pages = pull(source_of(serve(service), contract, PAGED, **options))
    assert keys(pages) == sorted(service.changed)
    ends = [START + timedelta(days=days) for days in (10, 20, 30)]
    assert [page.cursor for page in pages if page.cursor] == [*map(windows.to_text, ends), windows.to_text(NOW - LAG)]
    assert [asked(request, "tu")[:10] for request in service.asked] == [
        "2025-08-01", "2025-08-11", "2025-08-21", "2025-08-31",
    ]  # fmt: skip


REFRESH = {"refresh": {"operation": "traCuu", "request": {"ma": "{id}"}, "records": "danhSach.hoSo",
                       "success": {"at": "ketQua", "is": [None], "absent": ["KHONG_CO"]}}}  # fmt: skip


def test_open_dossiers_are_asked_for_one_by_one(serve, contract, caplog):
    service = Service(daily(3))
    nothing = '<traCuuResponse xmlns="urn:ho-so">{}</traCuuResponse>'
    service.unknown = {
        "B1": answer(nothing.format("<danhSach/>")),
        "B2": answer(nothing.format("<ketQua>KHONG_CO</ketQua>")),
        "B3": answer("<s:Fault><faultcode>s:Client</faultcode></s:Fault>", status=500),
        "B4": answer(nothing.format("<ketQua>LOI</ketQua>")),
    }
    source = source_of(serve(service), contract, {**PAGED, **REFRESH}, style=PullStyle.WINDOW, refresh_open=True)
    pages = pull(source, open_codes=["A00", "B1", "B2", "B3", "B4", "A02"])
    assert keys(pages)[-2:] == ["A00", "A02"]
    assert "does not tell about 3 of 6 open dossiers" in caplog.text
    with pytest.raises(Refused):
        pull(source, open_codes=["B3", "B4"])


def test_a_snapshot_says_when_it_is_whole(serve, contract):
    pages = pull(source_of(serve(Service(daily(25))), contract, PAGED, style=PullStyle.SNAPSHOT))
    assert [page.completes for page in pages] == [False, False, True]
    assert {page.cursor for page in pages} == {None}


def test_a_snapshot_that_moved_while_it_was_read_is_read_again(serve, contract):
    service = Service(daily(25))
    service.meanwhile[2] = lambda: service.changed.pop("A00")
    pages = pull(source_of(serve(service), contract, PAGED, style=PullStyle.SNAPSHOT))
    assert [page.completes for page in pages] == [False] * 5 + [True]


@pytest.mark.parametrize("style", [PullStyle.SNAPSHOT, PullStyle.WINDOW, PullStyle.CHANGED_SINCE])
def test_a_listing_that_never_stands_still_is_neither_whole_nor_passed_by_the_cursor(serve, contract, style, caplog):
    service = Service({f"A{number:03d}": START + timedelta(hours=number) for number in range(25)})
    for request in range(2, 100):
        service.meanwhile[request] = lambda: service.changed.pop(min(service.changed))
    pages = pull(source_of(serve(service), contract, PAGED, style=style, window_days=20))
    assert {(page.completes, page.cursor) for page in pages} == {(False, None)}
    assert "the listing moved in each of 3 passes" in caplog.text


ORDERED = {**PAGED, "answer": {**CHANGED["answer"], "oldest_first": True}}


def test_times_stamped_z_that_are_local_are_read_and_asked_for_as_local(serve, contract):
    rows_ = [ho_so("A", "2025-08-20T08:00:00Z"), ho_so("B", "2025-08-20T09:00:00.123Z")]
    server = serve(answer(listing(rows_)))
    local = {**ORDERED, "answer": {**ORDERED["answer"], "z_means": "local"},
             "request": {"tu": "{since:%Y-%m-%dT%H:%M:%SZ}", "trang": "{page}", "soDong": "{size}"}}  # fmt: skip
    (page,) = pull(source_of(server, contract, local), cursor="2025-08-19T10:00:00+07:00")
    assert asked(server.asked[0], "tu") == "2025-08-19T09:30:00Z"
    assert page.cursor == windows.to_text(datetime(2025, 8, 20, 9, 0, 0, 123000, VN))
    utc = {**ORDERED, "request": {**local["request"], "tu": "{since:utc:%Y-%m-%dT%H:%M:%SZ}"}}
    (page,) = pull(source_of(server, contract, utc))
    assert page.cursor == windows.to_text(datetime(2025, 8, 20, 16, 0, 0, 123000, VN))
    assert [record["luc"] for record in page.records] == ["2025-08-20T08:00:00Z", "2025-08-20T09:00:00.123Z"]


@pytest.mark.parametrize(
    ("written", "form", "moment"),
    [
        ("2025-08-20T24:00:00", "iso", datetime(2025, 8, 21, tzinfo=VN)),
        ("2025-08-20T09:00:00.1234567", "iso", datetime(2025, 8, 20, 9, 0, 0, 123456, VN)),
        ("2025-08-20T09:00:00+09:00", "iso", datetime(2025, 8, 20, 7, 0, tzinfo=VN)),
        ("20250820090000", "%Y%m%d%H%M%S", datetime(2025, 8, 20, 9, 0, tzinfo=VN)),
        ("20/08/2025 09:00", "%d/%m/%Y %H:%M", datetime(2025, 8, 20, 9, 0, tzinfo=VN)),
    ],
)
def test_times_of_change_are_read_as_the_entry_says(serve, contract, written, form, moment):
    options = {"answer": {**CHANGED["answer"], "changed_format": form}}
    pages = pull(source_of(serve(answer(listing([ho_so("A", written)]))), contract, options))
    assert pages[-1].cursor == windows.to_text(moment)
    assert pages[0].records[0]["luc"] == written


def test_a_second_that_fills_a_page_is_read_page_by_page_even_if_changes_are_finer(serve, contract):
    """The request is written to the second, the changes tell microseconds: asking on would ask the same again."""
    second = START + timedelta(days=2)
    changed = {f"A{number:02d}": second + timedelta(milliseconds=10 * number) for number in range(25)}

    def reply(request: Asked) -> Reply:
        since = datetime.fromisoformat(asked(request, "tu")).replace(tzinfo=VN)
        page, size = int(asked(request, "trang")), int(asked(request, "soDong"))
        found = sorted((moment, code) for code, moment in changed.items() if moment >= since)
        records = [ho_so(code, moment.isoformat()) for moment, code in found[(page - 1) * size : page * size]]
        return answer(listing(records, len(found)))

    form = {"tu": "{since:%Y-%m-%dT%H:%M:%S}", "trang": "{page}", "soDong": "{size}"}
    assert set(keys(pull(source_of(serve(reply), contract, {**ORDERED, "request": form})))) == set(changed)


def test_records_keep_what_cannot_be_read_and_say_so(serve, contract, caplog):
    bad = "<ngay>30/02/2026</ngay><so>mot</so><phi>1,5</phi><xong>có</xong><nguoi/><ghiChu>NFD: Đỗ</ghiChu>"
    server = serve(answer(listing([ho_so("A", "01/03/2026", bad), ho_so("B"), ho_so("", extra="<la>x</la>")])))
    pages = pull(source_of(server, contract))
    one, _, third = rows(pages)
    assert {name: one[name] for name in ("luc", "ngay", "so", "phi", "xong")} == {
        "luc": "01/03/2026", "ngay": "30/02/2026", "so": "mot", "phi": "1,5", "xong": "có",
    }  # fmt: skip
    assert (third["ma"], third["la"]) == ("", "x")
    assert "1 of 3 records break the contract: luc is not of type dateTime, ngay is not of type date" in caplog.text
    assert "mot" not in caplog.text


def test_attributes_and_things_of_any_kind_are_part_of_the_record(serve, contract, caplog):
    extra = '<dau ma="7" ten="Đỗ" khac="x"/><gi><a>1</a><a>2</a></gi>'
    (record,) = rows(pull(source_of(serve(answer(listing([ho_so("A", extra=extra)]))), contract)))
    assert (record["dau"], record["gi"]) == ({"ma": 7, "ten": "Đỗ"}, {"a": ["1", "2"]})
    (record,) = rows(pull(source_of(serve(answer(listing([ho_so("A", extra="<gi>x</gi>")]))), contract)))
    assert record["gi"] == "x"
    assert caplog.text == ""
    rows(pull(source_of(serve(answer(listing([ho_so("A", attributes='phienBan="mot"')]))), contract)))
    assert "phienBan is not of type int" in caplog.text


def test_a_required_element_that_is_nil_everywhere_is_drift(serve, contract):
    nil = ho_so("A").replace("<luc>2025-08-01T08:00:00</luc>", '<luc xsi:nil="true"/>')
    with pytest.raises(ContractBroken, match="in every record luc is nil"):
        pull(source_of(serve(answer(listing([nil] * 10, total=10))), contract))


def test_text_is_kept_to_the_letter(serve, contract):
    text = "Đo\u0303\u0302 \U0001d11e =1+1 \u200b hoà"
    body = envelope(listing([ho_so("A", extra=f"<ghiChu>{text}</ghiChu>")]))
    for reply in (Reply(200, body, "text/xml"), Reply(200, b"\xef\xbb\xbf" + body, "text/xml; charset=iso-8859-1")):
        assert rows(pull(source_of(serve(reply), contract)))[0]["ghiChu"] == text


def test_an_answer_says_by_itself_how_its_letters_are_written(serve, contract):
    body = envelope(listing([ho_so("A", extra="<ghiChu>Đỗ</ghiChu>")])).decode()
    wide = body.replace("UTF-8", "UTF-16").encode("utf-16")
    assert rows(pull(source_of(serve(Reply(200, wide, "text/xml")), contract)))[0]["ghiChu"] == "Đỗ"
    lying = body.encode().replace("Đỗ".encode(), "Đỗ".encode("utf-16-le"))
    with pytest.raises(BrokenAnswer):
        pull(source_of(serve(Reply(200, lying, "text/xml")), contract))


def test_eleven_megabytes_of_text_or_a_thousand_levels_are_refused(serve, contract):
    for extra in (f"<ghiChu>{'x' * (11 << 20)}</ghiChu>", "<la>" * 1000 + "</la>" * 1000):
        with pytest.raises(BrokenAnswer):
            pull(source_of(serve(answer(listing([ho_so("A", extra=extra)]))), contract))
