"""Pull styles ``window`` and ``newest-first`` of REST sources."""

from datetime import date, datetime, timedelta
from typing import Any

import orjson
import pytest
from entries import NOW, records
from loopback import Asked, Reply, json_reply
from rest_entries import rest_entry, source_of

from connectors.api import Window
from connectors.errors import BrokenAnswer, ContractBroken, Refused
from schemas.times import VN

FIRST_DAY = date(2025, 8, 1)


class Register:
    """Dossiers by code with day of receipt and of return; listed by either, detailed by code."""

    def __init__(self, days: int) -> None:
        self.received = {f"H{day:02d}": FIRST_DAY + timedelta(days=day) for day in range(days)}
        self.returned: dict[str, date] = {}
        self.secret: set[str] = set()

    def __call__(self, asked: Asked) -> Reply:
        if asked.path.startswith("/hs/"):
            code = asked.path.rsplit("/", 1)[1]
            if code in self.secret:
                return json_reply({"loi": 1}, 403)
            return json_reply({"hoSo": {"so": code, "chiTiet": True}}) if code in self.received else Reply(404)
        dates, first, last = (
            (self.received, asked.query["nhanTu"], asked.query["nhanDen"])
            if "nhanTu" in asked.query
            else (self.returned, asked.query["traTu"], asked.query["traDen"])
        )
        found = [code for code, day in dates.items() if _day(first) <= day <= _day(last)]
        return json_reply({"data": [{"so": code} for code in found], "total": len(found)})


def _day(text: str) -> date:
    return datetime.strptime(text, "%d/%m/%Y").date()


def listing(first: str, last: str) -> dict[str, Any]:
    return {"path": "/hs", "params": {first: "{since:%d/%m/%Y}", last: "{until:last:%d/%m/%Y}"}}


OPTIONS: dict[str, Any] = {
    "request": listing("nhanTu", "nhanDen"),
    "answer": {"records": "data", "total": "total", "key": "so"},
    "refresh": {"path": "/hs/{id}", "record": "hoSo", "absent_status": [404]},
}
DETAIL = {"request": {"path": "/hs/{id}", "absent_status": [404]}, "record": "hoSo", "key": "so"}


@pytest.fixture
def register(serve, tmp_path):
    def start(days, options=OPTIONS, **pull):
        system = Register(days)
        server = serve(system)
        entry = rest_entry(tmp_path, {"style": "window", "window_days": 10, "overlap": "1d", **pull}, options)
        return system, server, source_of(entry, server)

    return start


def pull(source, *, window=None, cursor=None, codes=(), now=NOW):
    return list(source.pull(window=window, cursor=cursor, open_codes=codes, now=now))


def codes(pages):
    return [record["so"] for record in records(pages)]


def test_days_are_asked_for_in_slices_and_each_slice_moves_the_cursor(register):
    system, server, source = register(31)
    pages = pull(source)
    assert codes(pages) == list(system.received)
    assert [asked.query["nhanTu"] for asked in server.asked] == ["01/08/2025", "11/08/2025", "21/08/2025", "31/08/2025"]
    assert [asked.query["nhanDen"] for asked in server.asked] == [
        "10/08/2025",
        "20/08/2025",
        "30/08/2025",
        "01/09/2025",
    ]
    assert [datetime.fromisoformat(page.cursor) for page in pages] == [
        datetime(2025, 8, 11, tzinfo=VN),
        datetime(2025, 8, 21, tzinfo=VN),
        datetime(2025, 8, 31, tzinfo=VN),
        NOW - timedelta(minutes=5),
    ]


def test_a_run_begins_the_overlap_before_the_cursor(register):
    _, server, source = register(31)
    pull(source, cursor=datetime(2025, 8, 30, 12, tzinfo=VN).isoformat())
    assert server.asked[0].query["nhanTu"] == "29/08/2025"


def test_open_dossiers_that_no_window_brought_are_asked_for_one_by_one(register):
    _, server, source = register(31, refresh_open=True)
    pages = pull(source, cursor=NOW.isoformat(), codes=["H05", "H30", "khong-con"])
    assert codes(pages)[-1] == "H05"
    assert [asked.path for asked in server.asked if asked.path != "/hs"] == ["/hs/H05", "/hs/khong-con"]
    assert pages[-1].cursor is None


def test_a_refreshed_dossier_has_the_shape_of_the_others(register):
    _, _, source = register(31, {**OPTIONS, "detail": DETAIL, "refresh": {"path": "/hs/{id}"}}, refresh_open=True)
    found = records(pull(source, cursor=NOW.isoformat(), codes=["H05"]))
    assert {"list": {"so": "H30"}, "detail": {"so": "H30", "chiTiet": True}} in found
    assert found[-1] == {"list": None, "detail": {"so": "H05", "chiTiet": True}}


def test_a_given_window_moves_no_cursor_and_refreshes_nothing(register):
    _, server, source = register(31, refresh_open=True)
    window = Window(datetime(2025, 8, 3, tzinfo=VN), datetime(2025, 8, 5, tzinfo=VN))
    pages = pull(source, window=window, codes=["H20"])
    assert codes(pages) == ["H02", "H03"]
    assert [page.cursor for page in pages] == [None]
    assert len(server.asked) == 1


def test_further_listings_are_read_too_and_only_the_last_one_moves_the_cursor(register):
    options = {**OPTIONS, "more_requests": [listing("traTu", "traDen")]}
    system, _, source = register(31, options, window_days=40)
    system.returned["H01"] = date(2025, 8, 31)
    pages = pull(source)
    assert codes(pages)[-1] == "H01"
    assert [bool(page.cursor) for page in pages] == [False, True]


def test_details_are_joined_with_their_list_items_page_by_page(register):
    _, _, source = register(25, {**OPTIONS, "detail": DETAIL}, window_days=40)
    pages = pull(source)
    assert [len(page.records) for page in pages] == [10, 10, 5]
    assert records(pages)[0] == {"list": {"so": "H00"}, "detail": {"so": "H00", "chiTiet": True}}
    assert [bool(page.cursor) for page in pages] == [False, False, True]
    kept = [orjson.loads(page.raw) for page in pages]
    assert [len(each["told"]) for each in kept] == [10, 10, 5]
    assert [len(each["listed"][0]["data"]) if "listed" in each else each["items"][0]["so"] for each in kept] == [
        25,
        "H10",
        "H20",
    ]


def test_a_dossier_that_the_system_will_not_show_does_not_hold_up_the_others(register, caplog):
    system, _, source = register(3, {**OPTIONS, "detail": DETAIL}, window_days=40)
    system.secret.add("H01")
    assert [record["detail"] is None for record in records(pull(source))] == [False, True, False]
    assert "refused 1 of 3" in caplog.text


def test_when_all_details_are_refused_that_is_an_error(register):
    system, _, source = register(3, {**OPTIONS, "detail": DETAIL}, window_days=40)
    system.secret.update(system.received)
    with pytest.raises(Refused):
        pull(source)


def test_a_detail_about_another_dossier_counts_as_none(register):
    always_the_first = {"path": "/hs/H00", "params": {"so": "{id}"}}
    _, _, source = register(2, {**OPTIONS, "detail": {**DETAIL, "request": always_the_first}}, window_days=40)
    assert [bool(record["detail"]) for record in records(pull(source))] == [True, False]


def test_a_total_that_says_more_came_than_arrived_is_an_error(serve, tmp_path):
    server = serve(json_reply({"data": [{"so": "1"}], "total": 2}))
    source = source_of(rest_entry(tmp_path, {"style": "window"}, OPTIONS), server)
    with pytest.raises(BrokenAnswer, match="ends after 1 records, yet 2"):
        pull(source)


def test_behind_a_window_that_was_not_read_whole_the_cursor_does_not_move(serve, tmp_path):
    def moving(asked: Asked) -> Reply:
        if asked.query["nhanTu"] != "11/08/2025":
            return json_reply({"data": [], "total": 0})
        page = int(asked.query["trang"])
        rows = [{"so": f"{page}-{number}"} for number in range(10)]
        return json_reply({"data": rows if page < 3 else rows[:1], "total": 100 if page == 1 else 21})

    request = {**OPTIONS["request"], "params": {**OPTIONS["request"]["params"], "trang": "{page}"}}
    options = {**OPTIONS, "request": request, "paging": {"kind": "page"}}
    source = source_of(rest_entry(tmp_path, {"style": "window", "window_days": 10}, options), serve(moving))
    pages = pull(source)
    moved = [datetime.fromisoformat(page.cursor) for page in pages if page.cursor]
    assert moved == [datetime(2025, 8, 11, tzinfo=VN)]


# --- newest first ---


class Search:
    """Pages sorted by last change, newest first, by offset."""

    def __init__(self, count: int) -> None:
        self.changed = {f"id{number:03d}": datetime(2025, 8, 1, number, tzinfo=VN) for number in range(count)}
        self.meanwhile: Any = lambda _: None

    def __call__(self, asked: Asked) -> Reply:
        start, end = int(asked.query["start"]), int(asked.query["end"])
        self.meanwhile(start)
        items = sorted(self.changed.items(), key=lambda item: item[1], reverse=True)
        rows = [{"id": one, "sua": int(at.timestamp() * 1000)} for one, at in items[start:end]]
        return json_reply({"data": rows, "total": len(items)})


SEARCH: dict[str, Any] = {
    "request": {"path": "/tim", "params": {"start": "{offset}", "end": "{end}"}},
    "paging": {"kind": "offset"},
    "answer": {"records": "data", "total": "total", "key": "id", "changed": "sua", "changed_format": "ms"},
}


@pytest.fixture
def search(serve, tmp_path):
    def start(count, **pull):
        system = Search(count)
        server = serve(system)
        entry = rest_entry(tmp_path, {"style": "newest-first", "page_size": 5, "overlap": "1h", **pull}, SEARCH)
        return system, server, source_of(entry, server)

    return start


def found(pages):
    return [record["id"] for record in records(pages)]


def test_newest_first_reads_down_to_the_cursor_less_the_overlap(search):
    system, server, source = search(24)
    first = pull(source)
    assert set(found(first)) == set(system.changed)
    assert datetime.fromisoformat(first[-1].cursor) == datetime(2025, 8, 1, 23, tzinfo=VN)
    asked = len(server.asked)
    again = pull(source, cursor=first[-1].cursor)
    assert found(again) == ["id023", "id022", "id021", "id020", "id019"]
    assert len(server.asked) == asked + 1
    assert again[-1].cursor is None


def test_newest_first_reads_again_when_a_record_leaves_meanwhile(search):
    system, _, source = search(24)
    system.meanwhile = lambda start: system.changed.pop("id023", None) if start else None
    pages = pull(source)
    assert set(found(pages)) >= set(system.changed)
    assert [bool(page.cursor) for page in pages][-1]


def test_newest_first_refuses_a_listing_in_another_order(serve, tmp_path):
    rows = [{"id": str(number), "sua": number} for number in range(3)]
    entry = rest_entry(tmp_path, {"style": "newest-first"}, SEARCH)
    source = source_of(entry, serve(json_reply({"data": rows, "total": 3})))
    with pytest.raises(ContractBroken, match="newest first"):
        pull(source)


def test_newest_first_refuses_a_listing_without_times(serve, tmp_path):
    entry = rest_entry(tmp_path, {"style": "newest-first"}, SEARCH)
    source = source_of(entry, serve(json_reply({"data": [{"id": "1", "sua": "hom qua"}], "total": 1})))
    with pytest.raises(ContractBroken, match="no record of a page has a time"):
        pull(source)


def test_newest_first_a_window_is_one_of_changes(search):
    _, _, source = search(24)
    window = Window(datetime(2025, 8, 1, 20, tzinfo=VN), datetime(2025, 8, 1, 22, tzinfo=VN))
    pages = pull(source, window=window)
    assert {"id020", "id021"} <= set(found(pages))
    assert len(pages) == 1
    assert pages[0].cursor is None
