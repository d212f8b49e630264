"""Real processes in a throw-away home."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from homes import short_home

from cli.up.children import Children, reaping
from cli.up.home import Home
from cli.up.leftovers import Book
from cli.up.signals import StopSignals


@pytest.fixture
def home() -> Iterator[Home]:
    with short_home() as made:
        yield made


@pytest.fixture
def children(home: Home) -> Iterator[Children]:
    home.root.mkdir()
    started = Children(book=Book(home.book), signals=StopSignals())
    with reaping():
        yield started
        started.stop_everything()
