"""A REST system behind an X-Road security server: the same entry, with ``xroad`` in its options."""

import json
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sandboxes
from entries import AT_ONCE, records, source_entry

from connectors.api import CheckStatus
from connectors.connections import ConnectionSettings, parse
from connectors.errors import GatewayRefused, NotSent, OutcomeUnknown
from connectors.options.rest import XRoadRest
from connectors.sources.rest import RestSource
from schemas.times import VN

AS_OF = datetime(2025, 12, 31, 17, 0, tzinfo=VN)
CLIENT = "VN-TEST/GOV/000.00.00.H12/hosync-mau"
SERVICE = "VN-TEST/GOV/000.00.00.G99/van-tai-duong-bo/hoSo"


class Sandbox:
    """The road-transport system and the security server in front of it."""

    def __init__(self, home: Path) -> None:
        self.told = json.loads((home / "sandbox.json").read_text())

    def settings(self, **changes: Any) -> ConnectionSettings:
        told = json.loads(self.told["connections"]["AIRFLOW_CONN_GTVT"])
        return parse("gtvt", json.dumps({**told, "port": self.told["xroad"]["port"], **changes}))

    def source(self, service: str = SERVICE) -> RestSource:
        entry = source_entry("gtvt")
        options = entry.options.model_copy(update={"xroad": XRoadRest(client=CLIENT, service=service)})
        return RestSource(entry.model_copy(update={"options": options}), self.settings(), retry=AT_ONCE)

    def control(self, server: str, path: str, body: Any = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.told[server]['port']}/_sandbox/{path}"
        with urllib.request.urlopen(urllib.request.Request(url, data)) as answer:
            return bytes(answer.read())


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    home = tmp_path_factory.mktemp("sandbox")
    with sandboxes.running(home, ["gtvt", "dkkd", "xroad"], size=600, as_of=AS_OF):
        yield Sandbox(home)


def pull(source: RestSource) -> list[Any]:
    return records(list(source.pull(window=None, cursor=None, open_codes=(), now=AS_OF)))


def test_the_whole_list_comes_through_the_security_server(sandbox: Sandbox) -> None:
    truth = [json.loads(line) for line in sandbox.control("gtvt", "truth").splitlines()]
    assert {record["MaHoSo"] for record in pull(sandbox.source())} == {row["source_id"] for row in truth}


def test_check_goes_through_it_too(sandbox: Sandbox) -> None:
    assert {result.status for result in sandbox.source().check()} == {CheckStatus.OK}


@pytest.mark.parametrize("spelling", ["7.7", "7.8"])
@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("Server.ServerProxy.AccessDenied", GatewayRefused),
        ("Server.ServerProxy.ServiceDisabled", NotSent),
        ("Server.ClientProxy.NetworkError", NotSent),
        ("Server.ServerProxy.ServiceFailed.HttpError", OutcomeUnknown),
        ("Client.BadRequest", GatewayRefused),
    ],
)
def test_the_security_servers_own_errors_are_told_apart(
    sandbox: Sandbox, code: str, error: type[Exception], spelling: str
) -> None:
    sandbox.control("xroad", "xroad", {"code": code, "times": 50, "spelling": spelling})
    with pytest.raises(error, match="the security server answered"):
        pull(sandbox.source())
    sandbox.control("xroad", "xroad", {"code": "", "times": 0, "spelling": "7.7"})


def test_a_passing_error_on_the_way_is_overcome(sandbox: Sandbox) -> None:
    sandbox.control("xroad", "xroad", {"code": "Server.ClientProxy.NetworkError", "times": 1})
    assert pull(sandbox.source())


def test_a_wrong_name_is_said_to_be_one(sandbox: Sandbox) -> None:
    with pytest.raises(GatewayRefused, match="names or access rights are wrong"):
        pull(sandbox.source(service=f"{SERVICE}Khac"))
