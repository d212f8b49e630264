"""Listings read in pages while rows come and go, tried against a model of an offset search."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import Repeated
from connectors.targets.paging import OffsetPage, complete_listing


class ModelSearch:
    """A list of numbers, served by offset; ``between`` changes it after each page."""

    def __init__(self, rows: list[int], between: Callable[["ModelSearch"], None] = lambda _: None) -> None:
        self.rows = rows
        self.between = between
        self.pages = 0

    def fetch(self, start: int, end: int) -> OffsetPage:
        page = OffsetPage(len(self.rows), [{"id": number} for number in self.rows[start:end]])
        self.pages += 1
        self.between(self)
        return page


def read(search: ModelSearch, size: int = 10, attempts: int = 3) -> list[int]:
    return [
        row["id"]
        for row in complete_listing("province", search.fetch, lambda row: row["id"], size=size, attempts=attempts)
    ]


@given(st.integers(0, 60), st.integers(2, 20))
def test_a_quiet_listing_is_read_whole_in_order(count: int, size: int) -> None:
    assert read(ModelSearch(list(range(count))), size) == list(range(count))


@given(st.data(), st.integers(0, 60), st.integers(2, 20))
def test_rows_added_anywhere_meanwhile_cost_none_that_was_there(data: st.DataObject, count: int, size: int) -> None:
    budget = [data.draw(st.integers(0, 40))]

    def add(search: ModelSearch) -> None:
        for _ in range(min(budget[0], data.draw(st.integers(0, 3)))):
            budget[0] -= 1
            search.rows.insert(data.draw(st.integers(0, len(search.rows))), 1000 + budget[0])

    found = read(ModelSearch(list(range(count)), add), size, attempts=50)
    assert len(found) == len(set(found))
    assert set(range(count)) <= set(found)


@given(st.data(), st.integers(0, 60), st.integers(2, 20))
def test_rows_taken_away_and_added_cost_none_that_stayed(data: st.DataObject, count: int, size: int) -> None:
    budget = [10]
    gone: set[int] = set()
    newcomers = itertools.count(1000)

    def change(search: ModelSearch) -> None:
        if budget[0] and data.draw(st.booleans()):
            budget[0] -= 1
            if search.rows:
                gone.add(search.rows.pop(data.draw(st.integers(0, len(search.rows) - 1))))
            for _ in range(data.draw(st.integers(0, 2))):
                search.rows.insert(data.draw(st.integers(0, len(search.rows))), next(newcomers))

    found = read(ModelSearch(list(range(count)), change), size, attempts=50)
    assert len(found) == len(set(found))
    assert set(range(count)) - gone <= set(found)


def test_a_listing_that_always_loses_its_place_is_an_error() -> None:
    def shrink(search: ModelSearch) -> None:
        search.rows.pop(0)

    with pytest.raises(Repeated, match="3 times"):
        read(ModelSearch(list(range(100)), shrink))


@pytest.mark.parametrize("total", [15, 1000])
def test_a_server_that_repeats_a_page_for_ever_is_found_out(total: int) -> None:
    pages: list[int] = []

    def fetch(start: int, end: int) -> OffsetPage:
        pages.append(start)
        return OffsetPage(total, [{"id": number} for number in range(end - start)])

    with pytest.raises(Repeated):
        list(complete_listing("province", fetch, lambda row: row["id"], size=10, attempts=2))
    assert len(pages) < 10


@pytest.mark.parametrize("total", [26, 10**9])
def test_a_listing_shorter_than_its_own_total_is_an_error(total: int) -> None:
    def fetch(start: int, end: int) -> OffsetPage:
        return OffsetPage(total, [{"id": number} for number in range(25)][start:end])

    with pytest.raises(Repeated):
        list(complete_listing("province", fetch, lambda row: row["id"], size=10, attempts=2))


def test_a_server_that_gives_one_row_twice_and_another_never_is_found_out() -> None:
    rows = [{"id": number} for number in range(25)]
    rows[17] = rows[3]

    with pytest.raises(Repeated, match="24 different rows"):
        list(
            complete_listing(
                "province",
                lambda start, end: OffsetPage(25, rows[start:end]),
                lambda row: row["id"],
                size=10,
                attempts=2,
            )
        )


def test_a_total_that_counts_only_the_page_ends_nothing() -> None:
    def fetch(start: int, end: int) -> OffsetPage:
        rows = [{"id": number} for number in range(25)][start:end]
        return OffsetPage(len(rows), rows)

    assert len(list(complete_listing("province", fetch, lambda row: row["id"], size=10, attempts=1))) == 25


def test_a_server_that_gives_smaller_pages_than_asked_is_read_to_the_end() -> None:
    def fetch(start: int, end: int) -> OffsetPage:
        return OffsetPage(25, [{"id": number} for number in range(25)][start : min(end, start + 4)])

    assert len(list(complete_listing("province", fetch, lambda row: row["id"], size=10, attempts=1))) == 25


def test_pages_are_asked_for_only_as_they_are_needed() -> None:
    search = ModelSearch(list(range(100)))
    rows = complete_listing("province", search.fetch, lambda row: row["id"], size=10, attempts=1)
    next(rows)
    assert search.pages == 1
