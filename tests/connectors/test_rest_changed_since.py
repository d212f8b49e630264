"""Pull style ``changed-since`` of REST sources: nothing is lost, however the listing moves and the clocks differ."""

import time
from collections.abc import Callable
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from entries import NOW, records
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loopback import Asked, Reply, json_reply, serving
from rest_entries import rest_entry, source_of

from connectors.api import Window
from connectors.errors import BrokenAnswer, ContractBroken
from schemas.times import VN

START = datetime(2025, 8, 1, 8, 0, tzinfo=VN)
LAG = timedelta(minutes=5)


class Feed:
    """Records by id with their last change; ``{"tong", "muc"}``, sorted oldest first, or ``by_id``."""

    def __init__(self, count: int = 0) -> None:
        self.changed = {f"id{number:03d}": START + timedelta(hours=number) for number in range(count)}
        self.meanwhile: Callable[[Asked], None] = lambda _: None
        self.by_id = False

    def __call__(self, asked: Asked) -> Reply:
        self.meanwhile(asked)
        since = datetime.fromisoformat(asked.query["tu"])
        until = datetime.fromisoformat(asked.query["den"]) if "den" in asked.query else datetime.max.replace(tzinfo=VN)
        found = [(one, at) for one, at in self.changed.items() if since <= at < until]
        found.sort(key=lambda item: item if self.by_id else item[::-1])
        page, size = int(asked.query["trang"]), int(asked.query["so"])
        part = found[(page - 1) * size : page * size]
        return json_reply({"tong": len(found), "muc": [{"ma": one, "luc": at.isoformat()} for one, at in part]})


REQUEST = {"path": "/hs", "params": {"tu": "{since}", "trang": "{page}", "so": "{size}"}}
ANSWER = {"records": "muc", "total": "tong", "key": "ma", "changed": "luc"}
OPTIONS: dict[str, Any] = {"request": REQUEST, "paging": {"kind": "page"}, "answer": ANSWER}
SORTED = {**OPTIONS, "answer": {**ANSWER, "oldest_first": True}}
BOUNDED = {**OPTIONS, "request": {**REQUEST, "params": {**REQUEST["params"], "den": "{until}"}}}


@contextmanager
def reading(folder, feed, options=OPTIONS, *, monotonic=time.monotonic, **pull):
    entry = rest_entry(folder, {"style": "changed-since", "safety_lag": "5m", **pull}, options)
    with serving(feed) as server:
        source = source_of(entry, server, monotonic=monotonic)
        yield lambda cursor=None, now=NOW, window=None: list(
            source.pull(window=window, cursor=cursor, open_codes=(), now=now)
        )
        source.close()


def ids(pages):
    return [record["ma"] for record in records(pages)]


def cursor_of(pages, before=None):
    return next((page.cursor for page in reversed(pages) if page.cursor), before)


@pytest.mark.parametrize("options", [OPTIONS, SORTED], ids=["any order", "oldest first"])
def test_everything_comes_and_the_next_run_begins_before_the_newest_change(tmp_path, options):
    feed = Feed(25)
    with reading(tmp_path, feed, options, overlap="1h") as pull:
        first = pull()
        assert set(ids(first)) == set(feed.changed)
        second = pull(cursor_of(first))
        assert {"id023", "id024"} <= set(ids(second))
        assert len(set(ids(second))) <= 3


def test_in_any_order_only_the_last_page_moves_the_cursor(tmp_path):
    with reading(tmp_path, Feed(25)) as pull:
        pages = pull()
    assert [bool(page.cursor) for page in pages] == [False, False, True]
    # What changed while the pass ran may have been missed, so the cursor stays behind the newest change by as much.
    newest = START + timedelta(hours=24)
    assert newest - timedelta(seconds=30) < datetime.fromisoformat(pages[-1].cursor) <= newest


def test_p1_who_leaves_a_moment_of_many_pages_hides_nobody_behind_it(tmp_path):
    feed = Feed(0)
    feed.changed |= {f"cung{number:02d}": START + timedelta(hours=1) for number in range(20)}
    feed.changed["sau"] = START + timedelta(hours=2)

    def leave(asked: Asked) -> None:
        if asked.query["trang"] == "3":
            feed.changed["cung00"] = START + timedelta(hours=3)

    feed.meanwhile = leave
    with reading(tmp_path, feed, SORTED) as pull:
        assert "sau" in ids(pull())


def test_oldest_first_every_page_moves_the_cursor(tmp_path):
    with reading(tmp_path, Feed(25), SORTED) as pull:
        pages = pull()
    assert all(page.cursor for page in pages)
    assert datetime.fromisoformat(pages[-1].cursor) == START + timedelta(hours=24)


@pytest.mark.parametrize("options", [OPTIONS, SORTED], ids=["any order", "oldest first"])
def test_a_source_clock_that_runs_ahead_loses_nothing(tmp_path, options):
    feed = Feed(3)
    feed.changed["mai"] = NOW + timedelta(days=1)
    with reading(tmp_path, feed, options, overlap="0s") as pull:
        first = pull()
        assert "mai" in ids(first)
        assert datetime.fromisoformat(cursor_of(first)) <= NOW - LAG
        feed.changed["nua"] = NOW + timedelta(hours=2)  # written by that clock at what is now for us
        assert "nua" in ids(pull(cursor_of(first), NOW + timedelta(minutes=1)))


@pytest.mark.parametrize("options", [OPTIONS, SORTED], ids=["any order", "oldest first"])
def test_a_source_clock_that_runs_behind_loses_nothing(tmp_path, options):
    feed = Feed(0)
    behind = timedelta(hours=3)
    feed.changed["cu"] = NOW - behind
    with reading(tmp_path, feed, options, overlap="0s") as pull:
        first = pull()
        feed.changed["moi"] = NOW - behind + timedelta(seconds=40)
        assert "moi" in ids(pull(cursor_of(first), NOW + timedelta(minutes=1)))


def test_without_times_of_change_the_cursor_is_the_end_of_the_window_less_the_safety_lag(tmp_path):
    options = {**OPTIONS, "answer": {**ANSWER, "changed": None}}
    with reading(tmp_path, Feed(3), options) as pull:
        assert datetime.fromisoformat(pull()[-1].cursor) == NOW - LAG


def test_nothing_new_leaves_the_cursor_where_it_is(tmp_path):
    with reading(tmp_path, Feed(3)) as pull:
        assert pull((START + timedelta(hours=2)).isoformat())[-1].cursor is None


def test_a_window_is_one_of_changes_and_moves_no_cursor(tmp_path):
    for options in (BOUNDED, SORTED):
        with reading(tmp_path, Feed(30), options) as pull:
            pages = pull(window=Window(START + timedelta(hours=5), START + timedelta(hours=8)))
        assert {"id005", "id006", "id007"} <= set(ids(pages))
        assert len(pages) == 1
        assert not any(page.cursor for page in pages)


@pytest.mark.parametrize("moment_fills", [3, 25], ids=["a tie across a boundary", "pages full of one moment"])
def test_equal_times_on_a_page_boundary_lose_nothing(tmp_path, moment_fills):
    feed = Feed(9)
    feed.changed.update({f"tie{number:02d}": START + timedelta(hours=8) for number in range(moment_fills)})
    feed.changed.update({f"z{number}": START + timedelta(hours=9) for number in range(3)})
    for options in (OPTIONS, SORTED):
        with reading(tmp_path, feed, options) as pull:
            assert set(ids(pull())) == set(feed.changed)


def test_a_listing_that_is_not_sorted_as_the_entry_says_is_an_error(tmp_path):
    feed = Feed(30)
    feed.by_id = True
    feed.changed["id001"] = START + timedelta(hours=100)
    with reading(tmp_path, feed, SORTED) as pull, pytest.raises(ContractBroken, match="oldest first"):
        pull()


def test_a_record_that_moves_to_the_end_meanwhile_makes_the_pass_begin_again(tmp_path):
    feed = Feed(25)

    def move(asked: Asked) -> None:
        if asked.query["trang"] == "2":
            feed.changed["id003"] = START + timedelta(hours=100)

    feed.meanwhile = move
    with reading(tmp_path, feed) as pull:
        pages = pull()
    assert set(ids(pages)) == set(feed.changed)
    assert [bool(page.cursor) for page in pages] == [False] * 5 + [True]


def test_a_record_that_leaves_the_window_meanwhile_makes_the_pass_begin_again(tmp_path):
    feed = Feed(25)

    def leave(asked: Asked) -> None:
        if asked.query["trang"] == "2":
            feed.changed["id003"] = NOW + timedelta(hours=1)

    feed.meanwhile = leave
    with reading(tmp_path, feed, BOUNDED) as pull:
        assert set(ids(pull())) == set(feed.changed)


def test_a_listing_that_moves_all_the_time_ends_and_leaves_the_cursor(tmp_path, caplog):
    feed = Feed(40)
    feed.meanwhile = lambda _: feed.changed.update({min(feed.changed, key=feed.changed.get): NOW})
    with reading(tmp_path, feed) as pull:
        assert not any(page.cursor for page in pull())
    assert "cursor stays" in caplog.text


def test_a_listing_that_ends_before_its_total_is_an_error_never_a_shorter_list(tmp_path):
    def short(asked: Asked) -> Reply:
        rows = [{"ma": str(number), "luc": START.isoformat()} for number in range(10)]
        return json_reply({"tong": 25, "muc": rows if asked.query["trang"] == "1" else []})

    with reading(tmp_path, short) as pull, pytest.raises(BrokenAnswer, match="ends after 10 records, yet 25"):
        pull()


def test_what_changes_on_a_page_that_was_read_is_read_next_time_even_if_newer_changes_were_seen(tmp_path):
    feed = Feed(25)
    feed.by_id = True
    clock = [0.0]
    source_clock = START + timedelta(days=3)  # far behind ours, so that only the changes seen hold the cursor back

    def change(asked: Asked) -> None:
        clock[0] += 60
        if asked.query["trang"] == "2":
            feed.changed["id001"] = source_clock + timedelta(seconds=10)
        if asked.query["trang"] == "3":
            feed.changed["id024"] = source_clock + timedelta(seconds=70)

    feed.meanwhile = change
    with reading(tmp_path, feed, overlap="0s", monotonic=lambda: clock[0]) as pull:
        first = pull()
        feed.meanwhile = lambda _: None
        assert "id001" in ids(pull(cursor_of(first)))


class Life:
    """What happens at a source, page request by page request: records come in and change, late, by a wrong clock."""

    def __init__(self, steps: list[tuple[str, int]], skew: timedelta) -> None:
        self.feed = Feed()
        self.steps = iter(steps)
        self.clock = NOW
        self.skew = skew
        self.versions: dict[str, datetime] = self.feed.changed
        self.feed.meanwhile = lambda _: self.tick()

    def monotonic(self) -> float:
        return self.clock.timestamp()

    def tick(self) -> None:
        self.clock += timedelta(seconds=7)
        action, which = next(self.steps, ("rest", 0))
        if action == "new":
            self.versions[f"r{which:03d}"] = self.clock + self.skew
        elif action == "change" and self.versions:
            self.versions[sorted(self.versions)[which % len(self.versions)]] = self.clock + self.skew


STEPS = st.lists(st.tuples(st.sampled_from(["new", "new", "change", "rest"]), st.integers(0, 99)), max_size=40)
SKEWS = st.sampled_from([timedelta(0), timedelta(hours=-2), timedelta(minutes=-1), timedelta(hours=2)])


TIGHT = {"page_size": 3, "overlap": "0s", "safety_lag": "1s"}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, skew=SKEWS, at_start=st.integers(0, 12))
@pytest.mark.parametrize(
    ("options", "by_id"), [(OPTIONS, True), (OPTIONS, False), (SORTED, False)], ids=["by id", "moving", "oldest first"]
)
def test_whatever_comes_and_changes_between_two_pages_is_read_in_the_end(
    tmp_path, options, by_id, steps, skew, at_start
):
    life = Life(steps, skew)
    life.feed.by_id = by_id
    for number in range(at_start):
        life.versions[f"s{number:02d}"] = NOW + skew - timedelta(minutes=at_start - number)
    read: dict[str, str] = {}
    with reading(tmp_path, life.feed, options, monotonic=life.monotonic, **TIGHT) as pull:
        cursor = None
        for _ in range(6):
            life.clock += timedelta(minutes=10)
            pages = pull(cursor, life.clock)
            read.update((record["ma"], record["luc"]) for record in records(pages))
            cursor = cursor_of(pages, cursor)
        life.steps = iter(())
        for _ in range(2):
            life.clock += timedelta(hours=5)
            pages = pull(cursor, life.clock)
            read.update((record["ma"], record["luc"]) for record in records(pages))
            cursor = cursor_of(pages, cursor)
    assert read == {one: at.isoformat() for one, at in life.versions.items()}


@pytest.mark.parametrize("options", [OPTIONS, SORTED], ids=["any order", "oldest first"])
def test_p1_a_change_that_the_system_commits_late_is_read_within_the_overlap(tmp_path, options):
    """It carries the time at which its transaction began, which the cursor has passed meanwhile."""
    feed = Feed(25)
    with reading(tmp_path, feed, options, overlap="10m") as pull:
        first = pull()
        began = feed.changed["id024"] - timedelta(minutes=5)
        feed.changed["cham"] = began
        assert datetime.fromisoformat(cursor_of(first)) > began, "else this proves nothing"
        assert "cham" in ids(pull(cursor_of(first)))


@pytest.mark.parametrize("options", [OPTIONS, SORTED], ids=["any order", "oldest first"])
def test_our_own_clock_set_back_moves_no_cursor_back_and_loses_nothing(tmp_path, options):
    feed = Feed(0)
    feed.changed["cu"] = NOW - timedelta(hours=1)
    with reading(tmp_path, feed, options, overlap="0s") as pull:
        first = pull()
        back = NOW - timedelta(days=1)
        second = pull(cursor_of(first), back)
        assert [page.cursor for page in second if page.cursor] == []
        feed.changed["moi"] = NOW + timedelta(minutes=1)
        assert "moi" in ids(pull(cursor_of(first), back))
        assert "moi" in ids(pull(cursor_of(first), NOW + timedelta(hours=1)))
