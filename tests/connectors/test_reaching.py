"""Where a call leads and how it begins: a host that never takes it, and addresses that come from answers."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest
from services import answer, ho_so, keys, listing, pull, source_of, wsdl

from connectors.catalog_models import Timeouts
from connectors.connections import ConnectionSettings
from connectors.errors import ConnectorError, Intent, NotSent, OutcomeUnknown
from connectors.http import HttpClient


@pytest.fixture
def full_host() -> Iterator[int]:
    """The port of a host that is there and takes no connection any more: its queue is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with suppress(BlockingIOError):
                waiting.connect(listener.getsockname())
        yield listener.getsockname()[1]


def failure(port: int, **timeouts: float) -> ConnectorError:
    settings = ConnectionSettings(conn_id="loop", host="127.0.0.1", port=port)
    with pytest.raises(ConnectorError) as caught:
        HttpClient("loop", settings, timeouts=Timeouts(**timeouts)).request("POST", "/x", json={})
    return caught.value


def test_a_host_that_takes_no_connection_was_surely_not_told(full_host):
    error = failure(full_host, connect_s=0.3, read_s=60, total_s=60)
    assert type(error) is NotSent
    assert error.intent is Intent.RETRY
    assert "connect time-out" in str(error)


def test_a_host_that_takes_the_connection_and_says_nothing_may_have_been_told():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = failure(silent.getsockname()[1], connect_s=60, read_s=0.3, total_s=60)
    assert type(error) is OutcomeUnknown
    assert error.intent is Intent.ASK
    assert "read time-out" in str(error)


def test_a_contract_is_never_fetched_and_the_address_in_it_never_called(serve, tmp_path):
    contract = tmp_path / "c.wsdl"
    contract.write_text(wsdl())
    assert "http://nowhere.invalid/" in contract.read_text()
    server = serve(answer(listing([ho_so("A")])))
    assert keys(pull(source_of(server, contract))) == ["A"]
    assert [(asked.method, asked.path) for asked in server.asked] == [("POST", "/ws")]
