"""REST sources behind an X-Road security server."""

import uuid
from typing import Any

import pytest
from entries import NOW, records
from loopback import Asked, Reply, json_reply
from rest_entries import rest_entry, source_of

from connectors.errors import BrokenAnswer, GatewayRefused, NotSent, OutcomeUnknown, Refused

OPTIONS: dict[str, Any] = {
    "request": {"path": "/v1/ho-so", "params": {"tu": "{since:%Y%m%d%H%M%S}"}},
    "answer": {"records": "d"},
    "xroad": {
        "client": "VN-TEST/GOV/000.00.00.H12/hosync-mau",
        "service": "VN-TEST/GOV/000.00.00.G99/mau-chuyen(nganh)/hoso",
        "user_id": "VN0001",
    },
}
PREFIX = "/r1/VN-TEST/GOV/000.00.00.G99/mau-chuyen%28nganh%29/hoso"


def pull(serve, folder, script, options=OPTIONS, **settings):
    server = serve(script)
    source = source_of(rest_entry(folder, {"style": "window", "window_days": 100}, options), server, **settings)
    return records(list(source.pull(window=None, cursor=None, open_codes=(), now=NOW))), server


def gateway(code: str, status: int = 500, detail: str = "00000000-0000-4000-8000-0000000000d2") -> Reply:
    body = {"type": code, "message": "synthetic", "detail": detail}
    return json_reply(body, status, **{"X-Road-Error": code})


def test_the_call_goes_through_the_security_server_with_a_fresh_id_each_time(serve, tmp_path):
    replies = iter([Reply(502), json_reply({"d": [{"so": 1}]})])
    found, server = pull(serve, tmp_path, lambda _: next(replies))
    assert found == [{"so": 1}]
    assert {asked.path for asked in server.asked} == {f"{PREFIX}/v1/ho-so"}
    assert server.asked[0].query == {"tu": "20250801000000"}
    assert {asked.headers["x-road-client"] for asked in server.asked} == {"VN-TEST/GOV/000.00.00.H12/hosync-mau"}
    assert {asked.headers["x-road-userid"] for asked in server.asked} == {"VN0001"}
    assert len({uuid.UUID(asked.headers["x-road-id"]) for asked in server.asked}) == 2


def test_the_connection_may_name_client_and_service(serve, tmp_path):
    extra = {"client": "VN/GOV/H12/that", "service": "VN/GOV/G99/that/hoso/v2", "user_id": "VN2"}
    _, server = pull(serve, tmp_path, json_reply({"d": []}), extra=extra)
    assert server.asked[0].path == "/r1/VN/GOV/G99/that/hoso/v2/v1/ho-so"
    assert server.asked[0].headers["x-road-client"] == "VN/GOV/H12/that"
    assert server.asked[0].headers["x-road-userid"] == "VN2"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("Server.ServerProxy.AccessDenied", GatewayRefused),
        ("server.serverproxy.access_denied", GatewayRefused),
        ("Server.ClientProxy.UnknownMember", GatewayRefused),
        ("Client.InvalidMessage", GatewayRefused),
        ("Server.ServerProxy.ServiceDisabled", NotSent),
        ("server.clientproxy.network_error", NotSent),
        ("Server.ServerProxy.NetworkError", OutcomeUnknown),
        ("Server.ServerProxy.ServiceFailed.InvalidSignature", OutcomeUnknown),
    ],
)
def test_an_error_of_the_security_server_is_told_apart_and_names_what_to_quote(serve, tmp_path, code, error):
    with pytest.raises(error, match="00000000-0000-4000-8000-0000000000d2") as caught:
        pull(serve, tmp_path, gateway(code, 400 if code.startswith("Client") else 500))
    assert "the security server answered" in str(caught.value)
    assert "(message " in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"<error/>", b"[]", b'{"detail": 5}', b"{"])
def test_an_error_without_a_number_still_is_one_of_the_security_server(serve, tmp_path, body):
    reply = Reply(500, body, headers={"X-Road-Error": "Server.ServerProxy.AccessDenied"})
    with pytest.raises(GatewayRefused, match="Ask its operator"):
        pull(serve, tmp_path, reply)


def test_an_error_of_the_service_is_its_own(serve, tmp_path):
    with pytest.raises(Refused, match="HTTP 403"):
        pull(serve, tmp_path, json_reply({"type": "Server.ServerProxy.AccessDenied"}, 403))


def test_an_answer_to_another_message_is_not_believed(serve, tmp_path):
    with pytest.raises(BrokenAnswer, match="another message"):
        pull(serve, tmp_path, json_reply({"d": []}, **{"X-Road-Id": str(uuid.uuid4())}))


def test_tokens_of_the_service_are_fetched_through_the_security_server_too(serve, tmp_path):
    def answer(asked: Asked) -> Reply:
        if asked.path == f"{PREFIX}/token":
            return json_reply({"access_token": "t"})
        return json_reply({"d": [{"so": 1}]}) if asked.headers.get("authorization") == "Bearer t" else Reply(401)

    options = {**OPTIONS, "auth": {"kind": "oauth2", "token_path": "/token"}}
    assert pull(serve, tmp_path, answer, options)[0] == [{"so": 1}]


def test_tokens_of_another_host_are_fetched_there_directly(serve, tmp_path):
    sso = serve(json_reply({"access_token": "t"}))
    options = {**OPTIONS, "auth": {"kind": "oauth2", "token_path": "/token"}}
    pull(serve, tmp_path, json_reply({"d": []}), options, extra={"sso_url": f"http://127.0.0.1:{sso.port}"})
    assert [asked.path for asked in sso.asked] == ["/token"]
    assert "x-road-client" not in sso.asked[0].headers
