"""Pull style ``snapshot`` of REST sources: only a whole pass completes it."""

from typing import Any

import pytest
from entries import NOW, records
from loopback import Asked, Reply, json_reply
from rest_entries import rest_entry, source_of

from connectors.errors import BrokenAnswer

OPTIONS: dict[str, Any] = {
    "request": {"path": "/tat-ca", "params": {"trang": "{page}", "so": "{size}"}},
    "paging": {"kind": "page", "first": 0},
    "answer": {"records": "muc", "total": "tong", "key": "ma"},
}


class Everything:
    """All records, page by page from 0; ``meanwhile`` runs before each answer."""

    def __init__(self, count: int) -> None:
        self.items = [f"H{number:02d}" for number in range(count)]
        self.meanwhile: Any = lambda _: None

    def __call__(self, asked: Asked) -> Reply:
        page, size = int(asked.query["trang"]), int(asked.query["so"])
        self.meanwhile(page)
        part = self.items[page * size : (page + 1) * size]
        return json_reply({"tong": len(self.items), "muc": [{"ma": one} for one in part]})


@pytest.fixture
def everything(serve, tmp_path):
    def start(count, options=OPTIONS):
        system = Everything(count)
        return system, source_of(rest_entry(tmp_path, {"style": "snapshot"}, options), serve(system))

    return start


def pull(source):
    return list(source.pull(window=None, cursor=None, open_codes=(), now=NOW))


def test_the_last_page_completes_the_snapshot_and_no_cursor_moves(everything):
    system, source = everything(25)
    pages = pull(source)
    assert [record["ma"] for record in records(pages)] == system.items
    assert [page.completes for page in pages] == [False, False, True]
    assert not any(page.cursor for page in pages)


def test_an_empty_snapshot_is_a_whole_one(everything):
    _, source = everything(0)
    assert [page.completes for page in pull(source)] == [True]


def test_records_that_move_meanwhile_make_the_pass_begin_again(everything):
    system, source = everything(25)

    def leave(page: int) -> None:
        if page == 1 and len(system.items) == 25:
            del system.items[0]

    system.meanwhile = leave
    pages = pull(source)
    assert {record["ma"] for record in records(pages)} >= set(system.items)
    assert [page.completes for page in pages] == [False] * (len(pages) - 1) + [True]


def test_a_snapshot_that_is_never_whole_completes_nothing(everything):
    system, source = everything(60)
    system.meanwhile = lambda page: system.items.pop(0) if page else None
    assert not any(page.completes for page in pull(source))


def test_a_cut_pass_completes_nothing(serve, tmp_path):
    def breaks(asked: Asked) -> Reply:
        if asked.query["trang"] == "1":
            return Reply(body=b'{"tong": 20, "muc": [')
        return json_reply({"tong": 20, "muc": [{"ma": str(number)} for number in range(10)]})

    source = source_of(rest_entry(tmp_path, {"style": "snapshot"}, OPTIONS), serve(breaks))
    pages = source.pull(window=None, cursor=None, open_codes=(), now=NOW)
    assert not next(pages).completes
    with pytest.raises(BrokenAnswer):
        next(pages)


def test_all_listings_together_make_the_snapshot(everything):
    second = {**OPTIONS["request"], "path": "/con-lai"}
    _, source = everything(25, {**OPTIONS, "more_requests": [second]})
    assert [page.completes for page in pull(source)] == [False] * 5 + [True]
