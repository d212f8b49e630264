"""The driving-licence source against a small system that lists by day and tells one dossier at a time."""

import itertools
import json
from datetime import date, datetime, timedelta

import pytest
from entries import AT_ONCE, NOW, records, source_entry
from hypothesis import given
from hypothesis import strategies as st
from loopback import Asked, Reply, json_reply

from connectors import windows
from connectors.api import CheckStatus, Window
from connectors.errors import BrokenAnswer, NeedsPerson, OutcomeUnknown, Refused, SignInFailed
from connectors.mapi import error_code
from connectors.sources.mapi import MapiSource
from schemas.times import VN


class Licences:
    """Dossiers by code: (reception day, state). Sessions last until ``expire`` is called."""

    def __init__(self, dossiers: dict[str, tuple[date, str]]) -> None:
        self.dossiers = dossiers
        self.logins = 0
        self.listed: list[tuple[str, str]] = []
        self.looked_up: list[str] = []
        self.good: set[str] = set()
        self.refused: set[str] = set()
        self.success: object = "0"
        self.expire_after: int | None = None

    def __call__(self, asked: Asked) -> Reply:
        if asked.method == "GET":
            return Reply(404)
        if asked.path.endswith("/mapi/login"):
            if asked.json["password"] != "right":
                return json_reply({"error_code": "1", "message": "Sai mật khẩu"})
            self.logins += 1
            self.good = {f"session-{self.logins}"}
            return json_reply({"error_code": self.success, "session": f"session-{self.logins}"})
        if self.expire_after is not None:
            self.expire_after -= 1
            if self.expire_after < 0:
                self.good, self.expire_after = set(), None
        if asked.json["session"] not in self.good:
            return json_reply({"error_code": "-1", "message": "Phiên làm việc đã hết hạn"})
        return getattr(self, asked.json["service"])(asked.json)

    def DanhSachHoSo(self, ask: dict[str, str]) -> Reply:  # noqa: N802
        self.listed.append((ask["ngayNhan1"], ask["ngayNhan2"]))
        found = [
            {"maHoSo": code, "hoTen": "Nguyễn Văn Mẫu"}
            for code, (day, _) in self.dossiers.items()
            if ask["ngayNhan1"] <= day.isoformat() <= ask["ngayNhan2"]
        ]
        return json_reply({"error_code": self.success, "data": found})

    def TraCuuHoSo(self, ask: dict[str, str]) -> Reply:  # noqa: N802
        code = ask["mahoso"]
        self.looked_up.append(code)
        if code in self.refused:
            return json_reply({"error_code": "-303", "message": "Không được xem"})
        if code not in self.dossiers:
            return json_reply({"error_code": self.success, "data": []})
        day, state = self.dossiers[code]
        detail = {"MaHoSo": code, "MaTrangThai": state, "NgayTiepNhan": f"{day:%d/%m/%Y} 08:30:00"}
        return json_reply({"error_code": self.success, "data": [detail]})


@pytest.fixture
def licences(serve):
    """Start a system; gives it and a source that reads it."""

    def start(dossiers, *, password="right", **pull):
        system = Licences(dossiers)
        settings = serve(system).settings(login="u", password=password)
        return system, MapiSource(source_entry("gplx", **{"start": date(2025, 8, 20), **pull}), settings, retry=AT_ONCE)

    return start


def pull(source, *, window=None, cursor=None, open_codes=(), now=NOW):
    return list(source.pull(window=window, cursor=cursor, open_codes=open_codes, now=now))


AUGUST = {f"D-{day:02d}": (date(2025, 8, day), "2") for day in range(20, 32)}


def test_the_first_pull_reads_everything_from_the_start_of_the_catalog(licences):
    _, source = licences(AUGUST)
    pages = pull(source)
    assert [record["list"]["maHoSo"] for record in records(pages)] == list(AUGUST)
    assert all(record["detail"]["MaHoSo"] == record["list"]["maHoSo"] for record in records(pages))
    assert [page.number for page in pages] == list(range(1, len(pages) + 1))


def test_days_are_asked_once_each_and_never_beyond_the_window(licences):
    system, source = licences(AUGUST)
    pull(source, window=Window(datetime(2025, 8, 20, tzinfo=VN), datetime(2025, 8, 27, tzinfo=VN)))
    assert system.listed == [("2025-08-20", "2025-08-22"), ("2025-08-23", "2025-08-25"), ("2025-08-26", "2025-08-26")]


def test_an_explicit_window_never_moves_the_cursor_nor_asks_for_others(licences):
    system, source = licences(AUGUST)
    window = Window(datetime(2025, 8, 20, tzinfo=VN), datetime(2025, 8, 21, tzinfo=VN))
    pages = pull(source, window=window, open_codes=["D-31"])
    assert [page.cursor for page in pages] == [None]
    assert system.looked_up == ["D-20"]


def test_the_cursor_moves_with_the_last_page_of_each_window_and_stays_behind_now(licences):
    _, source = licences(AUGUST, page_size=2)
    pages = pull(source)
    cursors = [page.cursor for page in pages]
    assert cursors[:3] == [None, windows.to_text(datetime(2025, 8, 23, tzinfo=VN)), None]
    assert cursors[-1] == windows.to_text(NOW - timedelta(minutes=5))


def test_the_next_pull_begins_the_overlap_before_the_cursor(licences):
    system, source = licences(AUGUST)
    pull(source, cursor="2025-08-31T17:00:00+00:00")
    assert system.listed[0][0] == "2025-08-29"


def test_open_dossiers_that_no_window_brings_up_are_asked_for_with_their_list_item(licences):
    system, source = licences({**AUGUST, "OLD": (date(2025, 8, 1), "4")})
    pages = pull(source, cursor="2025-08-31T17:00:00+00:00", open_codes=["OLD", "D-30"])
    (refreshed,) = [record for record in records(pages) if record["detail"]["MaHoSo"] == "OLD"]
    assert refreshed["list"] == {"maHoSo": "OLD", "hoTen": "Nguyễn Văn Mẫu"}
    assert pages[-1].cursor is None
    assert system.looked_up.count("D-30") == 1


def test_open_dossiers_that_the_system_forgot_are_reported_and_break_nothing(licences, caplog):
    _, source = licences(AUGUST)
    pages = pull(source, cursor="2025-08-31T17:00:00+00:00", open_codes=["GONE", "D-20"])
    assert [record["detail"]["MaHoSo"] for record in pages[-1].records] == ["D-20"]
    assert "GONE" in caplog.text


def test_the_raw_bytes_of_a_page_are_all_that_was_told_of_its_dossiers(licences):
    _, source = licences({"A": (date(2025, 8, 20), "2")}, start=date(2025, 9, 1))
    (page,) = pull(source, open_codes=["A"])[1:]
    kept = json.loads(page.raw)
    assert kept["items"] == [{"maHoSo": "A", "hoTen": "Nguyễn Văn Mẫu"}]
    assert [(answer["error_code"], answer["data"][0]["MaHoSo"]) for answer in kept["told"]] == [("0", "A")]


def test_a_long_list_is_kept_once_and_its_items_with_the_pages_that_follow(licences):
    _, source = licences(AUGUST, window_days=40, page_size=5)
    kept = [json.loads(page.raw) for page in pull(source)]
    assert [len(page["told"]) for page in kept] == [5, 5, 2]
    assert [len(page["listed"][0]["data"]) if "listed" in page else len(page["items"]) for page in kept] == [12, 5, 2]


def test_a_session_that_ends_in_the_middle_costs_one_sign_in(licences):
    system, source = licences(AUGUST)
    system.expire_after = 5
    assert len(records(pull(source))) == len(AUGUST)
    assert system.logins == 2


def test_wrong_credentials_stop_at_once_and_say_which_connection(licences):
    _, source = licences(AUGUST, password="wrong")
    with pytest.raises(SignInFailed, match="connection 'loop'") as caught:
        pull(source)
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize("success", [0, "0", "00"])
def test_success_is_written_in_several_ways(licences, success):
    system, source = licences(AUGUST)
    system.success = success
    assert len(records(pull(source))) == len(AUGUST)


def test_one_dossier_that_is_refused_does_not_hold_up_the_others(licences):
    system, source = licences(AUGUST)
    system.refused = {"D-20"}
    first, *others = records(pull(source))
    assert first == {"list": {"maHoSo": "D-20", "hoTen": "Nguyễn Văn Mẫu"}, "detail": None, "problem": first["problem"]}
    assert "-303" in first["problem"]
    assert all(other["detail"] for other in others)


def test_a_system_that_refuses_every_dossier_stops_the_pull(licences):
    system, source = licences(AUGUST)
    system.refused = set(AUGUST)
    with pytest.raises(Refused) as caught:
        pull(source)
    assert caught.value.code == "-303"


def test_a_list_item_without_code_and_an_unknown_dossier_are_handed_on(licences, monkeypatch):
    system, source = licences({})
    day = {"error_code": "0", "data": [{"hoTen": "Không mã"}, {"maHoSo": "UNKNOWN"}]}
    monkeypatch.setattr(system, "DanhSachHoSo", lambda _: json_reply(day))
    window = Window(datetime(2025, 8, 20, tzinfo=VN), datetime(2025, 8, 21, tzinfo=VN))
    assert [record["detail"] for record in records(pull(source, window=window))] == [None, None]


def test_a_detail_about_another_dossier_is_not_taken_for_it(licences, monkeypatch):
    system, source = licences({"A": (date(2025, 8, 20), "2")})
    stranger = {"error_code": "0", "data": [{"MaHoSo": "B", "MaTrangThai": "9"}]}
    monkeypatch.setattr(system, "TraCuuHoSo", lambda _: json_reply(stranger))
    (record,) = records(pull(source))
    assert record["detail"] is None
    assert "another dossier" in record["problem"]


@pytest.mark.parametrize(
    "answer", [{"error_code": "0"}, {"error_code": "0", "data": {}}, {"error_code": "0", "data": [1]}]
)
def test_a_list_that_is_no_list_is_a_broken_answer(licences, monkeypatch, answer):
    system, source = licences(AUGUST)
    monkeypatch.setattr(system, "DanhSachHoSo", lambda _: json_reply(answer))
    with pytest.raises(BrokenAnswer):
        pull(source)


def test_pages_before_a_failure_stay_good(licences, monkeypatch):
    system, source = licences(AUGUST)
    listing = system.DanhSachHoSo
    monkeypatch.setattr(
        system, "DanhSachHoSo", lambda ask: Reply(502) if ask["ngayNhan1"] > "2025-08-25" else listing(ask)
    )
    pages = source.pull(window=None, cursor=None, open_codes=(), now=NOW)
    assert [next(pages).cursor, next(pages).cursor] == [
        windows.to_text(datetime(2025, 8, 23, tzinfo=VN)),
        windows.to_text(datetime(2025, 8, 26, tzinfo=VN)),
    ]
    with pytest.raises(OutcomeUnknown):
        next(pages)


def test_a_cursor_that_is_none_of_ours_is_refused(licences):
    _, source = licences(AUGUST)
    with pytest.raises(NeedsPerson, match="cursor"):
        pull(source, cursor="yesterday")


def test_check_says_what_works_and_what_does_not(licences):
    _, good = licences(AUGUST)
    assert {result.status for result in good.check()} == {CheckStatus.OK}
    _, bad = licences(AUGUST, password="wrong")
    failed = [result for result in bad.check() if result.status is CheckStatus.FAILED]
    assert [result.name for result in failed] == ["sign-in"]
    assert "connection 'loop'" in failed[0].fix


@pytest.mark.parametrize(
    ("written", "code"),
    [(0, "0"), ("00", "0"), ("0", "0"), (0.0, "0"), (-3, "-3"), ("-03", "-3"), (None, ""), ("E7", "E7"), (True, "")],
)
def test_error_codes_come_to_one_form(written, code):
    assert error_code(written) == code


@given(
    st.datetimes(datetime(2025, 1, 1), datetime(2025, 3, 1)),
    st.timedeltas(timedelta(0), timedelta(days=40)),
    st.integers(1, 10),
)
def test_slices_cover_a_window_without_gap_or_overlap(start, length, days):
    window = Window(start.replace(tzinfo=VN), (start + length).replace(tzinfo=VN))
    slices = list(windows.day_slices(window, days))
    edges = [window.start, *(part.end for part in slices)]
    assert [part.start for part in slices] == edges[:-1]
    assert edges[-1] == window.end or not slices
    touched = [windows.days_touched(part) for part in slices]
    assert all((last - first).days < days for first, last in touched)
    assert all(before[1] < after[0] for before, after in itertools.pairwise(touched))
