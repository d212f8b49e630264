"""The read-ahead pipeline: order kept, errors passed on, nothing left running."""

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.pipeline import ahead


@given(st.lists(st.integers()), st.integers(min_value=1, max_value=5))
def test_every_element_comes_out_once_and_in_order(elements: list[int], depth: int) -> None:
    with ahead(elements, depth) as stream:
        assert list(stream) == elements


def test_an_error_of_the_producer_is_raised_after_the_elements_before_it() -> None:
    def broken() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("page 3 is broken")

    seen: list[int] = []

    def consume() -> None:
        with ahead(broken()) as stream:
            for element in stream:
                seen.append(element)  # noqa: PERF402 - what was seen before the error is the point

    with pytest.raises(ValueError, match="page 3"):
        consume()
    assert seen == [1, 2]
    assert not [thread for thread in threading.enumerate() if thread.name == "ahead"]


def test_a_consumer_that_leaves_early_stops_the_producer() -> None:
    produced = []

    def endless() -> Iterator[int]:
        number = 0
        while True:
            produced.append(number)
            yield number
            number += 1

    with ahead(endless(), depth=3) as stream:
        first = next(stream)
    assert first == 0
    assert len(produced) <= 6
    assert not [thread for thread in threading.enumerate() if thread.name == "ahead"]


def test_the_producer_runs_at_most_depth_elements_ahead() -> None:
    produced = []
    gate = threading.Event()

    def counted() -> Iterator[int]:
        for number in range(100):
            produced.append(number)
            yield number
            if number == 3:
                gate.set()

    with ahead(counted(), depth=2) as stream:
        assert not gate.wait(0.5), "nobody consumed, yet more than depth + 1 elements were made"
        assert next(stream) == 0
