"""The security server's REST side, in front of the road-transport system."""

from typing import Any

import pytest
import requests

from sandbox.systems.xroad import REST_SERVICE

CLIENT = "VN-TEST/GOV/000.00.00.H12/hosync-mau"
GUEST = "VN-TEST/GOV/000.00.00.H12/khach"
NOBODY = "http://127.0.0.1:9"
ANSWERED = ("X-Road-Client", "X-Road-Service", "X-Road-Id", "X-Road-Request-Id", "X-Road-Request-Hash")


class Client:
    """A member of the network."""

    def __init__(self, server: Any, transport: Any) -> None:
        self.server = server
        self.key = transport.options.password
        self.unit = transport.options.extra["unit"]
        self.path = transport.options.extra["list_path"]

    def call(
        self, service: str = REST_SERVICE, *, client: str | None = CLIENT, path: str | None = None, **headers: str
    ) -> requests.Response:
        """The list of one month."""
        own = {"Authorization": f"Bearer {self.key}", "ApiKey": self.key, "MaDonVi": self.unit}
        if client is not None:
            own["X-Road-Client"] = client
        return requests.get(
            f"{self.server.url}/r1/{service}{self.path if path is None else path}",
            params={
                "Start": -1, "End": -1, "GovAgencyCode": self.unit, "APIKey": self.key,
                "ReceiveFromDate": "01/05/2026", "ReceiveToDate": "31/05/2026",
            },
            headers={**own, **headers},
            timeout=30,
        )  # fmt: skip


@pytest.fixture(scope="module")
def transport(start: Any) -> Any:
    return start("gtvt")


@pytest.fixture(scope="module")
def xroad(start: Any, transport: Any) -> Client:
    return Client(start("xroad", peers={"dkkd": NOBODY, "gtvt": transport.url}), transport)


def test_a_call_reaches_the_service_with_its_own_headers_and_parameters(xroad: Client, transport: Any) -> None:
    answer = xroad.call()
    received = {row["source_id"] for row in transport.truth() if (row["received_at"] or "")[:7] == "2026-05"}
    assert {item["MaHoSo"] for item in answer.json()["data"]} == received
    assert len(received) > 5
    assert "X-Road-Error" not in answer.headers


def test_the_answer_says_whose_it_is(xroad: Client) -> None:
    answer = xroad.call(**{"X-Road-Id": "mot-so"})
    assert [name for name in ANSWERED if not answer.headers.get(name)] == []
    assert answer.headers["X-Road-Id"] == "mot-so"
    assert (answer.headers["X-Road-Client"], answer.headers["X-Road-Service"]) == (CLIENT, REST_SERVICE)
    first, second = (xroad.call().headers for _ in range(2))
    assert first["X-Road-Id"] != second["X-Road-Id"], "one is made where none came"


def test_an_error_of_the_service_is_passed_on_as_it_is(xroad: Client) -> None:
    answer = xroad.call(path="/khong-co")
    assert answer.status_code == 404
    assert "X-Road-Error" not in answer.headers
    assert xroad.call(ApiKey="sai").json()["error_code"] == -304


@pytest.mark.parametrize(
    ("call", "status", "code"),
    [
        ({"client": None}, 400, "Client.BadRequest"),
        ({"client": "VN-TEST"}, 400, "Client.BadRequest"),
        ({"service": "VN-TEST/GOV", "path": ""}, 400, "Client.BadRequest"),
        ({"client": "VN-TEST/GOV/000.00.00.H99/la"}, 500, "Server.ClientProxy.UnknownMember"),
        ({"service": "VN-TEST/GOV/000.00.00.G98/la/hoSo"}, 500, "Server.ClientProxy.UnknownMember"),
        ({"service": f"{REST_SERVICE}Khac"}, 500, "Server.ServerProxy.UnknownService"),
        ({"client": GUEST}, 500, "Server.ServerProxy.AccessDenied"),
    ],
)
def test_what_the_security_server_refuses_it_says_itself(
    xroad: Client, call: dict[str, Any], status: int, code: str
) -> None:
    answer = xroad.call(**call)
    assert (answer.status_code, answer.headers["X-Road-Error"]) == (status, code)
    assert answer.json().keys() == {"type", "message", "detail"}
    assert answer.json()["type"] == code


def test_a_service_that_is_gone_is_a_network_error(start: Any, transport: Any) -> None:
    lonely = Client(start("xroad", peers={"dkkd": NOBODY, "gtvt": NOBODY}), transport)
    assert lonely.call().headers["X-Road-Error"] == "Server.ServerProxy.NetworkError"


def test_errors_can_be_ordered_in_both_spellings(xroad: Client) -> None:
    xroad.server.control("POST", "xroad", {"code": "Server.ServerProxy.ServiceDisabled", "times": 2})
    assert xroad.call().headers["X-Road-Error"] == "Server.ServerProxy.ServiceDisabled"
    xroad.server.control("POST", "xroad", {"spelling": "7.8"})
    answer = xroad.call()
    assert (answer.status_code, answer.json()["type"]) == (500, "server.serverproxy.service_disabled")
    xroad.server.control("POST", "xroad", {"spelling": "7.7"})
    assert xroad.call().status_code == 200
