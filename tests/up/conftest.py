"""Real processes in a throw-away home. Its path is short: a Unix socket's path must stay under 108 bytes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.up.children import Children, reaping
from cli.up.home import Home
from cli.up.leftovers import Book
from cli.up.signals import StopSignals


@pytest.fixture
def home() -> Iterator[Home]:
    folder = Path(tempfile.mkdtemp(prefix="hs-up-"))
    folder.chmod(0o755)
    yield Home.at(folder / "home")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def children(home: Home) -> Iterator[Children]:
    home.root.mkdir()
    started = Children(book=Book(home.book), signals=StopSignals())
    with reaping():
        yield started
        started.stop_everything()
