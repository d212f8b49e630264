"""Throw-away homes. Their paths are short: a Unix socket's path must stay under 108 bytes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.up.home import Home


@contextmanager
def short_home() -> Iterator[Home]:
    """A home for the length of the block, not made yet."""
    folder = Path(tempfile.mkdtemp(prefix="hs-up-"))
    folder.chmod(0o755)
    yield Home.at(folder / "home")
    shutil.rmtree(folder, ignore_errors=True)
