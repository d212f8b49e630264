"""The webhook connector against the sandbox's receiver, and against servers that behave worse than it can."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from loopback import Asked, Reply, Script, Server
from pushing import Running, code, entry, outcomes, running

from connectors.api import CheckStatus, Item, Outcome
from connectors.catalog import FOLDER, load_entry
from connectors.catalog_models import Batch
from connectors.errors import BrokenAnswer, CatalogError, ConnectionMissing, Refused, Repeated
from connectors.options.auth import ApiKeyAuth, BearerAuth, OAuth2Auth
from connectors.targets.webhook import WebhookTarget
from sandbox.targets import feed

A, R, I_D, NO = Outcome.ACCEPTED, Outcome.RETRY, Outcome.IN_DOUBT, Outcome.REJECTED
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
Serve = Callable[[Script], Server]


def status(number: int, version: int = 1, state: int = 4, **more: Any) -> Item:
    payload = {"code": code(number), "version": version, "state": state, **more}
    return Item(key=f"d{number}v{version}", code=code(number), payload=payload)


def step(number: int, step: int) -> Item:
    payload = {"code": code(number), "version": step, "state": 4, "step": step}
    return Item(key=f"d{number}s{step}", code=code(number), payload=payload)


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Running]:
    with running(feed.build, tmp_path, password=SECRET) as server:
        yield server


@pytest.fixture
def target(receiver: Running) -> Iterator[WebhookTarget]:
    opened = WebhookTarget(entry("feed"), receiver.settings)
    yield opened
    opened.close()


class TestAgainstTheSandboxReceiver:
    def test_dossiers_are_told_and_read_back(self, receiver: Running, target: WebhookTarget) -> None:
        told = [status(1, due_at="2025-08-19T17:00:00+07:00"), status(2, state=9)]
        assert set(outcomes(target.send_dossiers(told)).values()) == {A}
        held = {each.code: each for each in target.listing()}
        assert {code: each.state for code, each in held.items()} == {code(1): 4, code(2): 9}
        assert held[code(1)].fields == {"due_at": "2025-08-19T17:00:00+07:00"}
        assert [row["message_id"] for row in receiver.control("steps")] == [
            "H12_12-250812-0001-1",
            "H12_12-250812-0002-1",
        ]

    def test_a_batch_goes_out_as_an_array(self, receiver: Running) -> None:
        target = WebhookTarget(entry("feed", batch=Batch(dossiers=10)), receiver.settings)
        assert len(outcomes(target.send_dossiers([status(n) for n in range(25)]))) == 25
        assert len({row["message_id"] for row in receiver.control("steps")}) == 3

    def test_of_a_refused_batch_only_the_bad_message_is_refused(self, receiver: Running) -> None:
        target = WebhookTarget(entry("feed", batch=Batch(dossiers=10)), receiver.settings)
        verdicts = outcomes(target.send_dossiers([status(n, state=99 if n == 3 else 4) for n in range(5)]))
        assert verdicts == {f"d{n}v1": NO if n == 3 else A for n in range(5)}

    def test_the_listing_is_read_page_by_page(self, receiver: Running) -> None:
        listing = entry("feed").options.listing.model_copy(update={"page_size": 2})
        target = WebhookTarget(entry("feed", options={"listing": listing}), receiver.settings)
        target.send_dossiers([status(n) for n in range(5)])
        assert [each.code for each in target.listing()] == [code(n) for n in range(5)]

    @pytest.mark.parametrize(
        "mode", ["apply-then-hang", "apply-then-500", "apply-then-drop", "html-200", "drop-before"]
    )
    def test_a_lost_answer_is_in_doubt_and_sending_it_again_changes_nothing(
        self, receiver: Running, target: WebhookTarget, mode: str
    ) -> None:
        receiver.fault(mode)
        assert outcomes(target.send_dossiers([status(1)])) == {"d1v1": I_D}
        assert outcomes(target.send_dossiers([status(1)])) == {"d1v1": A}
        assert [row["effect"] for row in receiver.control("writes") if row["effect"] != "noop"] == ["inserted"]

    @pytest.mark.parametrize("mode", ["429", "503"])
    def test_a_receiver_that_asks_for_time_gets_it(self, receiver: Running, target: WebhookTarget, mode: str) -> None:
        receiver.fault(mode, seconds=7)
        (verdict,) = target.send_dossiers([status(1)])
        assert (verdict.outcome, verdict.retry_after_s) == (R, 7)

    def test_a_wrong_secret_is_nobodys_fault_but_ours_and_everything_waits(self, receiver: Running) -> None:
        wrong = replace(receiver.settings, password="whsec_" + "QUJD" * 8)
        (verdict,) = WebhookTarget(entry("feed"), wrong).send_dossiers([status(1)])
        assert verdict.outcome is R
        assert "target" in verdict.reason
        assert "QUJD" not in verdict.reason

    def test_while_the_secret_is_changed_both_are_good(self, receiver: Running) -> None:
        extra = {"previous_secret": SECRET}
        turning = replace(receiver.settings, password="whsec_" + "QUJD" * 8, extra=extra)
        assert outcomes(WebhookTarget(entry("feed"), turning).send_dossiers([status(1)])) == {"d1v1": A}

    def test_a_clock_that_is_wrong_by_more_than_five_minutes_is_turned_away(self, receiver: Running) -> None:
        late = WebhookTarget(entry("feed"), receiver.settings, clock=lambda: 1_700_000_000.0)
        assert outcomes(late.send_dossiers([status(1)])) == {"d1v1": R}
        assert receiver.control("stats")["dossiers"] == 0

    def test_a_healthy_receiver_passes_the_check_and_is_sent_nothing(
        self, receiver: Running, target: WebhookTarget
    ) -> None:
        assert [result.status for result in target.check()] == [CheckStatus.OK] * 2
        assert receiver.control("writes") == []


def _told(server: Server) -> list[Asked]:
    return [asked for asked in server.asked if asked.method == "POST"]


def _sender(server: Server, password: str = SECRET, **changes: Any) -> WebhookTarget:
    return WebhookTarget(entry("feed", options=changes), server.settings(password=password))


def test_the_same_message_has_the_same_id_however_often_it_is_sent(serve: Serve) -> None:
    server = serve(lambda _: Reply(204))
    for version in (1, 1, 2):
        _sender(server).send_dossiers([status(1, version)])
    ids = [asked.headers["idempotency-key"] for asked in _told(server)]
    assert ids == ["H12_12-250812-0001-1"] * 2 + ["H12_12-250812-0001-2"]
    assert ids == [asked.headers["webhook-id"] for asked in _told(server)]


def test_steps_go_to_their_own_path_in_order_and_wait_for_each_other(serve: Serve) -> None:
    server = serve(lambda asked: Reply(400 if json.loads(asked.body)["step"] == 2 else 204))
    own = entry("feed", batch=Batch(steps=1), options={"steps_path": "/steps"})
    target = WebhookTarget(own, server.settings(password=SECRET))
    verdicts = target.send_steps([step(1, 1), step(1, 2), step(1, 3), step(2, 1)])
    assert outcomes(verdicts) == {"d1s1": A, "d1s2": NO, "d1s3": R, "d2s1": A}
    assert {asked.path for asked in _told(server)} == {"/steps"}


def test_unsigned_calls_carry_a_key_where_that_is_all_the_receiver_wants(serve: Serve) -> None:
    server = serve(lambda _: Reply(202))
    auth = ApiKeyAuth(kind="api-key", headers={"X-Api-Key": "{password}"}, body={"sender": "TINH-MAU"})
    _sender(server, password="khoa-mau", signed=False, auth=auth).send_dossiers([status(1)])
    (asked,) = _told(server)
    assert asked.headers["x-api-key"] == "khoa-mau"
    assert "webhook-signature" not in asked.headers
    assert json.loads(asked.body) == {**status(1).payload, "sender": "TINH-MAU"}


def test_a_bearer_and_a_signature_may_go_together(serve: Serve) -> None:
    server = serve(lambda _: Reply(204))
    _sender(server, auth=BearerAuth(kind="bearer")).send_dossiers([status(1)])
    (asked,) = _told(server)
    assert asked.headers["authorization"] == f"Bearer {SECRET}"
    assert asked.headers["webhook-signature"].startswith("v1,")


def test_trouble_with_signing_in_leaves_no_doubt_about_the_message(serve: Serve) -> None:
    server = serve(lambda asked: Reply(500 if asked.path == "/token" else 204))
    auth = OAuth2Auth(kind="oauth2", token_path="/token")
    assert outcomes(_sender(server, auth=auth).send_dossiers([status(1)])) == {"d1v1": R}
    assert [asked.path for asked in _told(server)] == ["/token"]


def test_a_message_without_what_makes_its_id_is_refused_before_it_is_sent(serve: Serve) -> None:
    server = serve(lambda _: Reply(204))
    nameless = Item(key="d1", code=code(1), payload={"code": code(1)})
    (verdict,) = _sender(server).send_dossiers([nameless])
    assert (verdict.outcome, "version" in verdict.reason) == (NO, True)
    assert _told(server) == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"data": []}, BrokenAnswer),
        ({"data": [], "next": 7}, BrokenAnswer),
        ({"data": {}, "next": None}, BrokenAnswer),
        ({"data": [{"state": 1}], "next": None}, BrokenAnswer),
        ({"data": [{"code": "X", "state": 1}], "next": "X"}, Repeated),
    ],
)
def test_a_listing_that_cannot_be_complete_is_an_error(
    serve: Serve, answer: dict[str, Any], error: type[Exception]
) -> None:
    server = serve(lambda _: Reply(200, json.dumps(answer).encode()))
    with pytest.raises(error):
        list(_sender(server).listing())


def test_a_state_that_nobody_knows_is_none_and_no_guess(serve: Serve) -> None:
    answer = {"data": [{"code": code(1), "state": "xong"}], "next": None}
    (held,) = _sender(serve(lambda _: Reply(200, json.dumps(answer).encode()))).listing()
    assert held.state is None


@pytest.mark.parametrize("secret", ["", "mat-khau-mau"])
def test_without_a_secret_nothing_is_sent_at_all(serve: Serve, secret: str) -> None:
    with pytest.raises(ConnectionMissing, match="signing secret"):
        _sender(serve(lambda _: Reply(204)), password=secret)


def test_what_a_receiver_cannot_be_asked_is_refused_with_what_to_do(target: WebhookTarget) -> None:
    for ask in (lambda: target.lookup(code(1)), target.counts):
        with pytest.raises(Refused, match=r"reconcile\.method"):
            ask()


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"operations": {"dossier": {"in_doubt": "ask"}}}, "operations.dossier.in_doubt"),
        ({"reconcile": {"method": "lookup"}}, "reconcile.method"),
        ({"options": {"path": "/status"}}, "reconcile.method"),
    ],
)
def test_a_catalog_that_wants_what_a_webhook_cannot_do_is_wrong(
    tmp_path: Path, changes: dict[str, Any], key: str
) -> None:
    file = tmp_path / "feed.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load((FOLDER / "feed.yaml").read_text()), **changes}))
    with pytest.raises(CatalogError) as wrong:
        load_entry(file)
    assert [problem.key for problem in wrong.value.problems] == [key]


def test_a_receiver_that_cannot_tell_what_it_holds_is_honestly_never_compared(tmp_path: Path) -> None:
    file = tmp_path / "feed.yaml"
    changes = {"reconcile": {"method": "none"}, "options": {"path": "/status"}}
    file.write_text(yaml.safe_dump({**yaml.safe_load((FOLDER / "feed.yaml").read_text()), **changes}))
    assert not load_entry(file).is_compared
