"""Ways of signing in of REST sources, each against a server that insists on it."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from entries import NOW, records
from loopback import Asked, Reply, json_reply
from rest_entries import rest_entry, source_of

from connectors.api import CheckStatus
from connectors.errors import BrokenAnswer, ConnectionMissing, Refused, SignInFailed

GOOD = json_reply({"data": [{"so": "H1"}]})
REQUEST = {"method": "POST", "path": "/ds", "body": {"trang": "1"}}
ANSWER: dict[str, Any] = {"records": "data"}


def read(folder, server, auth, *, request=REQUEST, answer=ANSWER, **settings):
    options = {"auth": auth, "request": request, "answer": answer}
    source = source_of(rest_entry(folder, {"style": "snapshot"}, options), server, **settings)
    return records(list(source.pull(window=None, cursor=None, open_codes=(), now=NOW)))


def insisting(wanted: Callable[[Asked], bool]) -> Callable[[Asked], Reply]:
    return lambda asked: GOOD if wanted(asked) else json_reply({"loi": 1}, 401)


@pytest.mark.parametrize(
    ("auth", "wanted"),
    [
        ({"kind": "none"}, lambda asked: "authorization" not in asked.headers),
        (
            {"kind": "basic"},
            lambda asked: base64.b64decode(asked.headers["authorization"].split()[1]).decode() == "nguoi-dung:mật khẩu",
        ),
        (
            {"kind": "api-key", "headers": {"ApiKey": "{extra.khoa}"}, "params": {"key": "{extra.khoa}"}},
            lambda asked: asked.headers["apikey"] == asked.query["key"] == "k+1",
        ),
        (
            {"kind": "api-key", "body": {"authKey": "{password}"}},
            lambda asked: asked.json == {"trang": "1", "authKey": "mật khẩu"},
        ),
    ],
    ids=["none", "basic", "api key in header and query", "api key in the body"],
)
def test_simple_signatures_go_with_every_call(serve, tmp_path, auth, wanted):
    server = serve(insisting(wanted))
    assert read(tmp_path, server, auth, password="mật khẩu", extra={"khoa": "k+1"}) == [{"so": "H1"}]


def test_a_bearer_token_that_does_not_end(serve, tmp_path):
    server = serve(insisting(lambda asked: asked.headers["authorization"] == "Bearer mat-khau"))
    assert read(tmp_path, server, {"kind": "bearer"}) == [{"so": "H1"}]


def test_an_api_key_goes_into_a_form_too(serve, tmp_path):
    server = serve(insisting(lambda asked: asked.form == {"trang": "1", "key": "mat-khau"}))
    request = {"method": "POST", "path": "/ds", "form": {"trang": "1"}}
    assert read(tmp_path, server, {"kind": "api-key", "body": {"key": "{password}"}}, request=request)


@pytest.mark.parametrize("kind", ["basic", "bearer", "none"])
def test_a_signature_that_cannot_be_renewed_and_is_refused_is_a_matter_for_a_person(serve, tmp_path, kind):
    server = serve(Reply(401))
    with pytest.raises(SignInFailed, match="connection 'loop'"):
        read(tmp_path, server, {"kind": kind})
    assert len(server.asked) == 1


def test_an_extra_that_is_missing_is_named(serve, tmp_path):
    with pytest.raises(ConnectionMissing, match="no 'khoa'"):
        read(tmp_path, serve(GOOD), {"kind": "api-key", "headers": {"ApiKey": "{extra.khoa}"}})


class Issuer:
    """Gives tokens that are good for so many calls; ``token`` checks how they are asked for."""

    def __init__(self, token: Callable[[Asked], bool], good_for: int = 1000) -> None:
        self.token = token
        self.good_for = good_for
        self.issued = 0
        self.used = 0

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/token":
            if not self.token(asked):
                return json_reply({"error": "invalid_client"}, 400)
            self.issued, self.used = self.issued + 1, 0
            return json_reply({"access_token": f"the-{self.issued}", "expires_in": "3600"})
        self.used += 1
        good = asked.headers.get("authorization") == f"Bearer the-{self.issued}" and self.used <= self.good_for
        return GOOD if good else json_reply({}, 401)


@pytest.mark.parametrize(
    ("auth", "token"),
    [
        (
            {},
            lambda asked: (
                asked.form == {"grant_type": "client_credentials", "client_id": "nguoi-dung", "client_secret": "b%+:"}
            ),
        ),
        (
            {"client_auth": "basic", "scope": "doc"},
            lambda asked: (
                asked.form == {"grant_type": "client_credentials", "scope": "doc"}
                and base64.b64decode(asked.headers["authorization"].split()[1]) == b"nguoi-dung:b%+:"
            ),
        ),
        (
            {"client_auth": "basic-encoded"},
            lambda asked: base64.b64decode(asked.headers["authorization"].split()[1]) == b"nguoi-dung:b%25%2B%3A",
        ),
        (
            {"grant": "password"},
            lambda asked: (
                asked.form
                == {
                    "grant_type": "password",
                    "client_id": "ung-dung",
                    "client_secret": "bi-mat",
                    "username": "nguoi-dung",
                    "password": "b%+:",
                }
            ),
        ),
    ],
    ids=["client in the form", "client as Basic", "client as encoded Basic", "password"],
)
def test_oauth2_tokens_are_fetched_as_the_entry_says(serve, tmp_path, auth, token):
    server = serve(Issuer(token))
    extra = {"client_id": "ung-dung", "client_secret": "bi-mat"}
    auth = {"kind": "oauth2", "token_path": "/token", **auth}
    assert read(tmp_path, server, auth, password="b%+:", extra=extra) == [{"so": "H1"}]


OAUTH2 = {"kind": "oauth2", "token_path": "/token"}


def test_a_token_that_is_refused_is_renewed_once(serve, tmp_path):
    issuer = Issuer(lambda _: True, good_for=2)
    options = {"auth": OAUTH2, "request": REQUEST, "more_requests": [REQUEST] * 4, "answer": ANSWER}
    source = source_of(rest_entry(tmp_path, {"style": "snapshot"}, options), serve(issuer))
    assert len(records(list(source.pull(window=None, cursor=None, open_codes=(), now=NOW)))) == 5
    assert issuer.issued == 3


def test_a_fresh_token_that_is_refused_too_is_a_matter_for_a_person(serve, tmp_path):
    issuer = Issuer(lambda _: True, good_for=0)
    with pytest.raises(SignInFailed, match="right after signing in"):
        read(tmp_path, serve(issuer), OAUTH2)
    assert issuer.issued == 2


def test_refused_credentials_are_a_matter_for_a_person(serve, tmp_path):
    with pytest.raises(SignInFailed, match="connection 'loop'"):
        read(tmp_path, serve(Issuer(lambda _: False)), OAUTH2)


def test_tokens_may_come_from_another_host(serve, tmp_path):
    issuer = Issuer(lambda _: True)
    sso, data = serve(issuer), serve(issuer)
    assert read(tmp_path, data, OAUTH2, extra={"sso_url": f"http://127.0.0.1:{sso.port}"})
    assert [asked.path for asked in sso.asked] == ["/token"]
    assert [asked.path for asked in data.asked] == ["/ds"]


def test_the_lgsp_header_goes_with_the_token_call_and_all_others(serve, tmp_path):
    def shown(asked: Asked) -> Any:
        return json.loads(base64.b64decode(asked.headers["lgspaccesstoken"]))

    issuer = Issuer(lambda asked: asked.form == {"grant_type": "client_credentials"})
    server = serve(issuer)
    extra = {"app_name": "hosync", "partner_code": "P1", "partner_code_cus": "P2"}
    assert read(tmp_path, server, {"kind": "lgsp", "token_path": "/token"}, extra=extra)
    assert [shown(asked) for asked in server.asked] == [
        {
            "AccessKey": "nguoi-dung",
            "SecretKey": "mat-khau",
            "AppName": "hosync",
            "PartnerCode": "P1",
            "PartnerCodeCus": "P2",
        }
    ] * 2
    assert server.asked[1].headers["authorization"] == "Bearer the-1"


SESSION: dict[str, Any] = {
    "kind": "session",
    "login_path": "/login",
    "body": {"username": "{login}", "password": "{password}"},
    "session": "data.session",
    "lifetime": "data.seconds",
    "in_body": {"session": "{session}"},
    "headers": {"X-Session": "{session}"},
}
EXPIRES = {**ANSWER, "success": {"at": "error_code", "is": ["0"], "expired": [-5]}}


def test_a_session_is_shown_as_the_entry_says_and_renewed_when_the_answer_says_that_it_is_over(serve, tmp_path):
    logins = []

    def answer(asked: Asked) -> Reply:
        if asked.path == "/login":
            logins.append(asked.json)
            return json_reply({"data": {"session": f"s{len(logins)}", "seconds": 600}})
        if asked.json["session"] != "s2" or asked.headers["x-session"] != "s2":
            return json_reply({"error_code": -5})
        return json_reply({"error_code": "0", "data": [{"so": "H1"}]})

    assert read(tmp_path, serve(answer), SESSION, answer=EXPIRES) == [{"so": "H1"}]
    assert logins == [{"username": "nguoi-dung", "password": "mat-khau"}] * 2


def test_a_session_may_stand_in_templates(serve, tmp_path):
    def answer(asked: Asked) -> Reply:
        if asked.path == "/login":
            return json_reply({"data": {"session": 12345}})
        return GOOD if asked.path == "/s/12345" and asked.query == {"s": "12345"} else Reply(400)

    request = {"path": "/s/{session}", "params": {"s": "{session}"}}
    auth = {name: SESSION[name] for name in ("kind", "login_path", "body", "session")}
    assert read(tmp_path, serve(answer), auth, request=request)


def test_a_sign_in_that_is_refused_with_http_200_is_a_matter_for_a_person(serve, tmp_path):
    server = serve(json_reply({"error_code": 1, "data": None}))
    with pytest.raises(SignInFailed, match=r"no data\.session"):
        read(tmp_path, server, SESSION)


@pytest.mark.parametrize("session", [True, {"a": 1}, ["s"]])
def test_what_cannot_be_a_session_is_a_broken_answer(serve, tmp_path, session):
    with pytest.raises(BrokenAnswer):
        read(tmp_path, serve(json_reply({"data": {"session": session}})), SESSION)


def test_a_refusal_is_no_reason_to_sign_in_again(serve, tmp_path):
    issuer = Issuer(lambda _: True)

    def forbids(asked: Asked) -> Reply:
        return issuer(asked) if asked.path == "/token" else Reply(403)

    with pytest.raises(Refused):
        read(tmp_path, serve(forbids), OAUTH2)
    assert issuer.issued == 1


def test_check_says_at_which_step_it_fails(serve, tmp_path):
    def check(script, **settings):
        options = {"auth": OAUTH2, "request": REQUEST, "answer": ANSWER}
        source = source_of(rest_entry(tmp_path, {"style": "snapshot"}, options), serve(script), **settings)
        return {result.name: result.status for result in source.check()}

    good = Issuer(lambda _: True)
    assert check(good) == dict.fromkeys(("contract", "connection", "sign-in", "read"), CheckStatus.OK)
    assert check(Issuer(lambda _: False))["sign-in"] is CheckStatus.FAILED
    assert check(lambda asked: good(asked) if asked.path == "/token" else Reply(404))["read"] is CheckStatus.FAILED
    assert check(good, port=1) == {"contract": CheckStatus.OK, "connection": CheckStatus.FAILED}


def test_nothing_secret_gets_into_errors(serve, tmp_path):
    auth = {"kind": "api-key", "params": {"key": "{password}"}, "headers": {"ApiKey": "{password}"}}
    request = {"path": "/ds/{extra.ma}", "params": {"u": "{login}"}}
    with pytest.raises(Refused) as caught:
        read(tmp_path, serve(Reply(400)), auth, request=request, extra={"ma": "trong-duong-dan"})
    text = f"{caught.value!s} {caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
    assert "/ds/{extra.ma}" in text
    assert not [secret for secret in ("mat-khau", "nguoi-dung", "trong-duong-dan") if secret in text]
