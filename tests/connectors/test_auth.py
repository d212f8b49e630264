"""Signing in: renewed early, renewed once, shared by threads."""

import base64
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from loopback import Asked, Reply, json_reply

from connectors.auth import (
    Keeper,
    Token,
    basic,
    bearer,
    oauth2_client_credentials,
    oauth2_password,
    signed_in,
)
from connectors.errors import BrokenAnswer, ConnectionMissing, NotSent, NotSignedIn, OutcomeUnknown, SignInFailed
from connectors.http import HttpClient


class Issuer:
    """Hands out token-1, token-2, … and counts."""

    def __init__(self, lifetime_s: float | None = 100.0) -> None:
        self.issued = 0
        self.now = 0.0
        self.keeper = Keeper(self._fetch, monotonic=lambda: self.now)
        self._lifetime_s = lifetime_s

    def _fetch(self) -> Token:
        self.issued += 1
        return Token(f"token-{self.issued}", self._lifetime_s)


def test_a_token_is_kept_until_shortly_before_its_end():
    issuer = Issuer(lifetime_s=100)
    assert issuer.keeper.value() == "token-1"
    issuer.now = 89
    assert issuer.keeper.value() == "token-1"
    issuer.now = 90
    assert issuer.keeper.value() == "token-2"


def test_many_threads_that_find_a_token_stale_renew_it_once():
    issuer = Issuer()
    stale = issuer.keeper.value()
    together = threading.Barrier(8)

    def renew(_: int) -> str:
        together.wait()
        return issuer.keeper.renew(stale)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(renew, range(8))) == {"token-2"}


def test_a_call_is_made_once_more_after_the_session_ended():
    issuer = Issuer()
    used: list[str] = []

    def call(token: str) -> str:
        used.append(token)
        if token == "token-1":
            raise NotSignedIn("x", "session over")
        return "done"

    assert signed_in(issuer.keeper, call) == "done"
    assert used == ["token-1", "token-2"]


def test_a_fresh_token_that_is_refused_too_is_a_matter_for_a_person():
    issuer = Issuer()

    def call(_token: str) -> str:
        raise NotSignedIn("x", "no")

    with pytest.raises(SignInFailed):
        signed_in(issuer.keeper, call)
    assert issuer.issued == 2


def test_a_failed_sign_in_leaves_no_stale_token_behind():
    answers = iter([Token("a", 1), OutcomeUnknown("x", "issuer down"), Token("b", 1)])

    def fetch() -> Token:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    keeper = Keeper(fetch, monotonic=lambda: 0.0)
    assert keeper.value() == "a"
    with pytest.raises(OutcomeUnknown):
        keeper.renew("a")
    assert keeper.value() == "b"


def oauth(serve, reply, make, **fields):
    server = serve(reply)
    settings = server.settings(login="bí-mật", password="p%+:đ", **fields)
    return server, make(HttpClient("igate", settings), "/token")


TOKEN = json_reply({"access_token": "abc", "expires_in": "300", "token_type": "Bearer"})


def test_client_credentials_go_in_the_form(serve):
    server, fetch = oauth(serve, TOKEN, oauth2_client_credentials)
    assert fetch() == Token("abc", 300.0)
    assert server.asked[0].form["client_secret"] == "p%+:đ"
    assert "authorization" not in server.asked[0].headers


def test_the_password_grant_takes_the_client_from_the_extra(serve):
    server, fetch = oauth(serve, TOKEN, oauth2_password, extra={"client_id": "web", "client_secret": "s"})
    fetch()
    form = server.asked[0].form
    assert form == {
        "grant_type": "password",
        "client_id": "web",
        "client_secret": "s",
        "username": "bí-mật",
        "password": "p%+:đ",
    }
    with pytest.raises(ConnectionMissing, match="client_id"):
        oauth(serve, TOKEN, oauth2_password)[1]()


@pytest.mark.parametrize("status", [400, 401, 403])
def test_refused_credentials_are_named_by_their_connection(serve, status):
    _, fetch = oauth(serve, Reply(status, b'{"error": "invalid_grant"}'), oauth2_client_credentials)
    with pytest.raises(SignInFailed, match="connection 'loop'") as caught:
        fetch()
    assert "bí-mật" not in str(caught.value)


def test_a_token_endpoint_that_is_down_is_not_a_refusal(serve):
    _, fetch = oauth(serve, Reply(503, headers={"Retry-After": "5"}), oauth2_client_credentials)
    with pytest.raises(NotSent):
        fetch()


@pytest.mark.parametrize("answer", [{}, {"access_token": ""}, {"access_token": 5}, {"access_token": "đ"}])
def test_an_answer_without_a_usable_token_is_broken(serve, answer):
    _, fetch = oauth(serve, json_reply(answer), oauth2_client_credentials)
    with pytest.raises(BrokenAnswer):
        fetch()


def test_headers_of_the_simple_schemes():
    assert bearer("t") == {"Authorization": "Bearer t"}
    scheme, _, value = basic("bí-mật", "đ:")["Authorization"].partition(" ")
    assert (scheme, base64.b64decode(value).decode()) == ("Basic", "bí-mật:đ:")


def test_tokens_do_not_show_themselves():
    assert "abc" not in repr(Token("abc", 1.0))


def test_a_failed_call_does_not_show_the_password(serve):
    def refuse(asked: Asked) -> Reply:
        return Reply(400, asked.body)

    server = serve(refuse)
    settings = server.settings(login="name", password="pass-word", extra={"client_id": "c"})
    with pytest.raises(SignInFailed) as caught:
        oauth2_password(HttpClient("x", settings), "/token")()
    assert "pass-word" not in f"{caught.value!r}{caught.value.__cause__!r}"
