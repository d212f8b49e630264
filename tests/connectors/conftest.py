"""Servers for the connector tests; see ``loopback``."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from loopback import Reply, Script, Server, serving


@pytest.fixture
def serve() -> Iterator[Callable[[Script | Reply], Server]]:
    """Start a server that runs a script, or always gives one reply; all of them end with the test."""
    with ExitStack() as stack:

        def start(what: Script | Reply) -> Server:
            return stack.enter_context(serving((lambda _: what) if isinstance(what, Reply) else what))

        yield start
