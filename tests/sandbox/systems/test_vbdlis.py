"""The land database calls: everything that happens, in its dialect, until it is heard."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from subscriber import ACCEPTED, REFUSED, Answer, Heard, Subscriber, listening, until_told

SECRET = "ma-an-toan-mau-vbdlis"
KINDS = {
    "ChuyenHoSo", "YeuCauBoSungHoSo", "NhanBoSungHoSo", "GuiKetQuaThue", "KetThucHoSo", "TiepNhanHoSoChoMotCua",
    "YeuCauCapNhatHoSo",
}  # fmt: skip
TIMES = ("NgayChuyen", "NgayYeuCau", "NgayNhanBoSung", "NgayCoKetQuaThue", "NgayKetThuc", "NgayTiepNhan")


@pytest.fixture(scope="module")
def subscriber() -> Iterator[Subscriber]:
    with listening() as one:
        yield one


@pytest.fixture(scope="module")
def vbdlis(start: Any, subscriber: Subscriber) -> Any:
    system = start("vbdlis")
    assert system.control("POST", "subscribe", {"url": subscriber.url}).json() == {"url": subscriber.url}
    until_told(system)
    return system


@pytest.fixture
def mended(vbdlis: Any, subscriber: Subscriber) -> Iterator[Any]:
    yield vbdlis
    subscriber.answer = lambda _: ACCEPTED
    vbdlis.control("DELETE", "break")
    until_told(vbdlis)


def _time(body: dict[str, Any]) -> str:
    (found,) = [body[key] for key in TIMES if key in body]
    return str(found)


def test_all_seven_calls_are_made_with_the_code_in_the_path(vbdlis: Any, subscriber: Subscriber) -> None:
    del vbdlis
    assert {one.kind for one in subscriber.heard} == KINDS
    assert {one.rest for one in subscriber.heard} == {SECRET}


def test_every_dossier_that_came_there_is_told_of_up_to_its_state(vbdlis: Any, subscriber: Subscriber) -> None:
    truth = vbdlis.truth()
    assert len(truth) > 200
    for row in truth:
        told = sorted(subscriber.about(row["source_id"]), key=lambda one: _time(one.body))
        assert len({_time(one.body) for one in told}) == row["steps"] + 1, "what happened, and the reception"
        assert told[0].kind == "TiepNhanHoSoChoMotCua"
        last = told[-1]
        assert _time(last.body) == _utc(row["changed_at"])
        assert (last.kind == "KetThucHoSo") == (row["state"] == 9)
        assert (last.kind == "YeuCauBoSungHoSo") == (row["state"] == 5)
        assert (last.kind == "GuiKetQuaThue") == (row["state"] == 6)


def _utc(iso: str) -> str:
    return f"{datetime.fromisoformat(iso) - timedelta(hours=7):%Y-%m-%dT%H:%M:%SZ}"


def test_bodies_have_the_keys_of_the_dialect_and_times_are_utc(vbdlis: Any, subscriber: Subscriber) -> None:
    del vbdlis
    one = {heard.kind: heard.body for heard in subscriber.heard}
    assert one["ChuyenHoSo"].keys() == {
        "SoBienNhan", "MaCanBoChuyen", "MaCanBoNhan", "MaTrangThai", "LaTrangThaiChuyenLai", "NoiDungXuLy",
        "NgayChuyen", "HanXuLy", "DanhSachTapTin",
    }  # fmt: skip
    assert one["ChuyenHoSo"]["MaTrangThai"] == "4"
    assert one["KetThucHoSo"].keys() == {
        "SoBienNhan", "NgayKetThuc", "MaCanBoXuLy", "TrangThaiKetThuc", "GhiChu", "DanhSachGiayToKetQua",
    }  # fmt: skip
    assert one["KetThucHoSo"]["TrangThaiKetThuc"] == 0
    assert one["YeuCauBoSungHoSo"].keys() == {"SoBienNhan", "MaCanBoXuLy", "NoiDungXuLy", "NgayYeuCau"}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", _time(heard.body)) for heard in subscriber.heard)
    assert all(re.fullmatch(r"000\.00\.11\.H12-\d{6}-\d{4}", body["SoBienNhan"]) for body in one.values())


def test_a_few_calls_come_twice_and_a_few_come_late(vbdlis: Any, subscriber: Subscriber) -> None:
    copies = Counter((one.kind, one.body["SoBienNhan"], _time(one.body)) for one in subscriber.heard)
    assert 0 < sum(number > 1 for number in copies.values()) < len(copies) / 10
    late = 0
    for row in vbdlis.truth():
        times = [_time(one.body) for one in subscriber.about(row["source_id"])]
        late += times != sorted(times)
    assert 0 < late < len(vbdlis.truth()) / 2


def test_when_the_clock_moves_the_new_is_told_and_the_old_is_not(mended: Any, subscriber: Subscriber) -> None:
    before = len(subscriber.heard)
    mended.control("POST", "clock", {"as_of": (mended.clock() + timedelta(days=3)).isoformat()})
    until_told(mended)
    fresh = subscriber.heard[before:]
    assert fresh
    known = {(one.kind, one.body["SoBienNhan"], _time(one.body)) for one in subscriber.heard[:before]}
    assert not known & {(one.kind, one.body["SoBienNhan"], _time(one.body)) for one in fresh}


def test_a_call_is_made_again_until_it_is_acknowledged(mended: Any, subscriber: Subscriber) -> None:
    attempts: Counter[str] = Counter()
    troubles: list[Answer] = [None, (503, {"Result": 0}), (200, {})]

    def deaf(one: Heard) -> Answer:
        key = f"{one.kind} {one.body['SoBienNhan']} {_time(one.body)}"
        attempts[key] += 1
        return troubles[attempts[key] - 1] if attempts[key] <= len(troubles) else ACCEPTED

    subscriber.answer = deaf
    mended.control("POST", "break", {"codes": [mended.truth()[0]["code"]], "how": "extra-field"})
    notes = until_told(mended)
    assert max(attempts.values()) >= len(troubles) + 1
    assert notes[-1]["outcome"] == "acknowledged"
    assert notes[-1]["attempts"] == len(troubles) + 1


def test_a_refused_call_is_given_up_and_its_reason_is_kept(mended: Any, subscriber: Subscriber) -> None:
    subscriber.answer = lambda one: ACCEPTED if "SoBienNhan" in one.body else REFUSED
    mended.control("POST", "break", {"codes": [mended.truth()[1]["code"]], "how": "missing-code"})
    last = until_told(mended)[-1]
    assert (last["outcome"], last["message"], last["attempts"]) == ("refused", REFUSED[1]["Message"], 1)


@pytest.mark.parametrize("state", [4, 6, 9])
@pytest.mark.parametrize(
    ("how", "key", "wrong"),
    [
        ("unknown-status", ("MaTrangThai", "TrangThaiKetThuc"), ("77", 77)),
        ("bad-date", TIMES, ("2026-02-31T25:61:00Z",)),
        ("extra-field", ("PhienBanGiaoTiep",), ("2",)),
        ("renamed-field", ("MaTinhTrang", "MaKetThuc"), ("4", 0)),
    ],
)
def test_a_broken_dossier_is_told_of_wrongly_and_when_mended_rightly_again(
    mended: Any, subscriber: Subscriber, state: int, how: str, key: tuple[str, ...], wrong: tuple[Any, ...]
) -> None:
    row = next(row for row in mended.truth() if row["state"] == state)
    mended.control("POST", "break", {"codes": [row["code"]], "how": how})
    until_told(mended)
    told = subscriber.about(row["source_id"])[-1].body
    assert any(told.get(name) in wrong for name in key)
    before = len(subscriber.heard)
    mended.control("DELETE", "break")
    until_told(mended)
    (right,) = [one for one in subscriber.heard[before:] if one.body["SoBienNhan"] == row["source_id"]]
    assert _time(right.body) == _utc(row["changed_at"])
    assert not any(right.body.get(name) in wrong for name in key if how != "renamed-field")
    assert "đính chính" in f"{right.body.get('NoiDungXuLy')}{right.body.get('GhiChu')}"


def test_after_a_restart_it_goes_on_where_it_stopped(start: Any, tmp_path: Any) -> None:
    with listening() as other:
        first = start("vbdlis", home=tmp_path)
        first.control("POST", "subscribe", {"url": other.url})
        until_told(first)
        first.control("DELETE", "subscribe")
        told = len(other.heard)
        again = start("vbdlis", home=tmp_path)
        again.control("POST", "subscribe", {"url": other.url})
        until_told(again)
        assert len(other.heard) == told
        third = start("vbdlis", home=tmp_path)  # whom to call is remembered too
        assert third.control("GET", "calls").json()["url"] == other.url


def test_nobody_is_called_before_somebody_subscribes(start: Any) -> None:
    fresh = start("vbdlis")
    answer = fresh.control("GET", "calls").json()
    assert (answer["url"], answer["calls"]) == (None, [])
    for wrong in ({}, {"url": "ftp://x"}, {"url": "khong-phai"}):
        assert fresh.control("POST", "subscribe", wrong).status_code == 422
