"""Servers for the connector tests; see ``loopback``. Every page of every test is read again; see ``again``."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from again import every_page_read_again
from loopback import Reply, Script, Server, serving


@pytest.fixture(scope="session", autouse=True)
def pages_read_again() -> Iterator[None]:
    """What would be archived of a page gives back its records."""
    with every_page_read_again():
        yield


@pytest.fixture
def serve() -> Iterator[Callable[[Script | Reply], Server]]:
    """Start a server that runs a script, or always gives one reply; all of them end with the test."""
    with ExitStack() as stack:

        def start(what: Script | Reply) -> Server:
            return stack.enter_context(serving((lambda _: what) if isinstance(what, Reply) else what))

        yield start
