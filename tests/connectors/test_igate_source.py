"""The one-stop source against a search that moves while it is read."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from entries import AT_ONCE, NOW, records, source_entry
from loopback import Asked, Reply, json_reply

from connectors.api import CheckStatus, Window
from connectors.errors import BrokenAnswer, ContractBroken, Repeated
from connectors.sources.igate import IgateSource
from schemas.times import VN

START = datetime(2025, 8, 1, 8, 0, tzinfo=VN)


def written(moment: datetime) -> str:
    return f"{moment.astimezone(VN):%Y-%m-%dT%H:%M:%S}.000+0700"


class OneStop:
    """Dossiers by id with their last change; ``meanwhile`` runs before each page is answered."""

    def __init__(self, count: int) -> None:
        self.changed = {f"id{number:03d}": START + timedelta(hours=number) for number in range(count)}
        self.meanwhile: Callable[[int], None] = lambda _: None
        self.tokens = 0
        self.good = ""
        self.twist: Callable[[dict[str, Any]], Any] = lambda page: page
        self.filters: list[dict[str, str]] = []

    def __call__(self, asked: Asked) -> Reply:
        if asked.path.endswith("/token"):
            self.tokens += 1
            self.good = f"token-{self.tokens}"
            return json_reply({"access_token": self.good, "expires_in": 300})
        if asked.headers.get("authorization") != f"Bearer {self.good}":
            return json_reply({"error": "invalid_token"}, 401)
        number, size = int(asked.query["page"]), int(asked.query["size"])
        self.filters.append(asked.query)
        self.meanwhile(number)
        items = sorted(self.changed.items(), key=lambda item: item[1], reverse=True)
        content = [
            {"id": one, "updatedDate": written(changed)} for one, changed in items[number * size : (number + 1) * size]
        ]
        last = (number + 1) * size >= len(items)
        return json_reply(self.twist({"content": content, "number": number, "last": last, "totalElements": len(items)}))


@pytest.fixture
def one_stop(serve):
    def start(count, *, page_size=10, **pull):
        system = OneStop(count)
        settings = serve(system).settings(login="u", password="p", extra={"client_id": "c"})
        entry = source_entry("igate", page_size=page_size, start=date(2025, 8, 1), **pull)
        return system, IgateSource(entry, settings, retry=AT_ONCE)

    return start


def pull(source, *, window=None, cursor=None, now=NOW):
    return list(source.pull(window=window, cursor=cursor, open_codes=(), now=now))


def ids(pages):
    return [record["id"] for record in records(pages)]


def test_the_first_pull_reads_all_and_the_cursor_is_the_newest_change_as_written(one_stop):
    system, source = one_stop(25)
    pages = pull(source)
    assert sorted(ids(pages)) == sorted(system.changed)
    assert [page.cursor for page in pages] == [None, None, written(system.changed["id024"])]


def test_the_next_pull_stops_below_the_cursor_less_the_overlap(one_stop):
    system, source = one_stop(100)
    pages = pull(source, cursor=written(system.changed["id089"]))
    assert set(ids(pages)) >= {f"id{number:03d}" for number in range(88, 100)}
    assert len(pages) == 2
    assert pages[-1].cursor == written(system.changed["id099"])


def test_the_cursor_never_comes_closer_to_now_than_the_safety_lag(one_stop):
    system, source = one_stop(5)
    system.changed["ahead"] = NOW + timedelta(days=1)
    system.changed["fresh"] = NOW - timedelta(minutes=1)
    pages = pull(source)
    assert {"ahead", "fresh"} <= set(ids(pages))
    assert pages[-1].cursor == written(system.changed["id004"])


def test_nothing_new_leaves_the_cursor_where_it_is(one_stop):
    system, source = one_stop(5)
    assert pull(source, cursor=written(system.changed["id004"]))[-1].cursor is None


def test_ties_at_the_cursor_are_read_again(one_stop):
    system, source = one_stop(3, overlap=timedelta(0))
    system.changed["twin"] = system.changed["id002"]
    assert {"twin", "id002"} <= set(ids(pull(source, cursor=written(system.changed["id002"]))))


def test_a_dossier_that_jumps_to_the_top_meanwhile_is_newer_than_the_new_cursor(one_stop):
    system, source = one_stop(30)

    def jump(number: int) -> None:
        if number == 1:
            system.changed["id005"] = START + timedelta(hours=40)

    system.meanwhile = jump
    first = pull(source)
    assert "id005" not in ids(first)
    system.meanwhile = lambda _: None
    assert "id005" in ids(pull(source, cursor=first[-1].cursor))


def test_a_dossier_that_leaves_meanwhile_makes_the_pass_begin_again(one_stop):
    system, source = one_stop(30)

    def leave(number: int) -> None:
        if number == 1:
            system.changed.pop("id029", None)

    system.meanwhile = leave
    pages = pull(source)
    assert set(ids(pages)) >= set(system.changed)
    assert [page.cursor for page in pages[:-1]] == [None] * (len(pages) - 1)
    assert pages[-1].cursor == written(system.changed["id028"])
    assert [page.number for page in pages] == list(range(1, len(pages) + 1))


def test_a_listing_that_shrinks_all_the_time_ends_and_leaves_the_cursor(one_stop, caplog):
    system, source = one_stop(60)
    system.meanwhile = lambda number: system.changed.pop(max(system.changed)) and None if number else None
    pages = pull(source)
    assert all(page.cursor is None for page in pages)
    assert "cursor stays" in caplog.text


def test_a_token_that_ends_in_the_middle_is_renewed_once(one_stop):
    system, source = one_stop(30)
    system.meanwhile = lambda number: setattr(system, "good", "gone") if number == 1 and system.tokens == 1 else None
    assert sorted(ids(pull(source))) == sorted(system.changed)
    assert system.tokens == 2


def test_a_window_selects_by_acceptance_with_both_ends_included(one_stop):
    system, source = one_stop(3)
    window = Window(datetime(2025, 8, 1, tzinfo=VN), datetime(2025, 8, 2, tzinfo=VN))
    pages = pull(source, window=window)
    assert system.filters[0]["accepted-from"] == "2025-08-01T00:00:00.000+0700"
    assert system.filters[0]["accepted-to"] == "2025-08-01T23:59:59.999+0700"
    assert pages[-1].cursor is None


def test_tokens_may_come_from_another_host(serve, one_stop):
    system, _ = one_stop(1)
    sso, search = serve(system), serve(system)
    settings = search.settings(extra={"client_id": "c", "sso_url": f"http://127.0.0.1:{sso.port}"})
    pull(IgateSource(source_entry("igate", start=date(2025, 8, 1)), settings, retry=AT_ONCE))
    assert [asked.path.rsplit("/", 1)[1] for asked in sso.asked] == ["token"]
    assert [asked.path.rsplit("/", 1)[1] for asked in search.asked] == ["search"]


def test_ties_at_the_cursor_are_read_across_pages_too(one_stop):
    system, source = one_stop(3, overlap=timedelta(0), page_size=1)
    system.changed["twin"] = system.changed["id002"]
    assert {"twin", "id002"} <= set(ids(pull(source, cursor=written(system.changed["id002"]))))


@pytest.mark.parametrize(
    ("twist", "error"),
    [
        (lambda page: {**page, "content": page["content"][:1], "last": False, "number": 0}, Repeated),
        (lambda page: {**page, "content": [{"id": "x", "updatedDate": written(START)}], "last": False}, Repeated),
        (lambda page: {**page, "content": [], "last": False}, BrokenAnswer),
        (lambda page: {**page, "content": None}, BrokenAnswer),
        (lambda page: {**page, "content": ["x"]}, BrokenAnswer),
        (lambda page: {**page, "last": "no"}, BrokenAnswer),
        (lambda page: {**page, "totalElements": -1}, BrokenAnswer),
        (lambda page: [page], BrokenAnswer),
        (lambda page: {**page, "content": page["content"][::-1]}, ContractBroken),
        (lambda page: {**page, "content": [{"id": one["id"]} for one in page["content"]]}, ContractBroken),
    ],
    ids=[
        "page number ignored",
        "same page for ever",
        "empty in the middle",
        "null list",
        "no objects",
        "no last",
        "negative total",
        "no page",
        "not sorted",
        "no change times",
    ],
)
def test_a_search_that_cannot_be_trusted_is_an_error(one_stop, twist, error):
    system, source = one_stop(30)
    system.twist = twist
    with pytest.raises(error):
        pull(source)


def test_an_absurd_page_count_changes_nothing(one_stop):
    system, source = one_stop(12)
    system.twist = lambda page: {**page, "totalPages": 10**9}
    assert len(ids(pull(source))) == 12


def test_an_unreadable_time_of_one_item_does_not_stop_the_others(one_stop):
    system, source = one_stop(12)

    def spoil(page: dict[str, Any]) -> dict[str, Any]:
        page["content"][0]["updatedDate"] = "31/02/2026"
        return page

    system.twist = spoil
    assert len(ids(pull(source))) == 12


def test_check_reads_one_dossier(one_stop):
    system, source = one_stop(12)
    assert {result.status for result in source.check()} == {CheckStatus.OK}
    assert system.filters[-1]["size"] == "1"
