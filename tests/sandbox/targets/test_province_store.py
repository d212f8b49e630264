"""Finding a page among many dossiers without walking over them."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from sandbox.targets.province.search import Search
from sandbox.targets.province.store import ProvinceStore

NOW = datetime(2025, 8, 12, 1, 15, tzinfo=UTC)
MANY = 2_500  # more than two of the blocks by which dossiers are counted


def code(number: int) -> str:
    return f"H12.07-250812-{number:04d}"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProvinceStore]:
    opened = ProvinceStore(tmp_path_factory.mktemp("province") / "province.db")
    for number in range(MANY):
        opened.plant(code(number), 4, {}, NOW)
    opened.delete([code(number) for number in range(MANY) if number % 3 == 0 or 1000 <= number < 1100])
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def left() -> list[str]:
    return [code(number) for number in range(MANY) if number % 3 and not 1000 <= number < 1100]


@pytest.mark.parametrize("size", [1, 7, 500, MANY])
def test_pages_one_after_the_other_show_every_dossier_once(store: ProvinceStore, left: list[str], size: int) -> None:
    seen: list[str] = []
    for start in range(0, len(left) + size, size):
        total, found = store.search(Search(start=start, end=start + size))
        assert total == len(left)
        seen += [str(one.document["DocCode"]) for one in found]
    assert seen == left


def test_newest_first_is_the_reverse(store: ProvinceStore, left: list[str]) -> None:
    _, found = store.search(Search(start=600, end=1200, newest_first=True))
    assert [one.document["DocCode"] for one in found] == left[::-1][600:1200]


def test_a_filter_that_matches_all_gives_the_same_pages(store: ProvinceStore) -> None:
    everything = frozenset({"processing"})
    for start, end in ((0, 10), (700, 1300), (1590, 1700)):
        assert store.search(Search(start=start, end=end)) == store.search(
            Search(start=start, end=end, statuses=everything)
        )
