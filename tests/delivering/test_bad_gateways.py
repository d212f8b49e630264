"""What stands between us and a target, or lets us in there, misbehaves: requests come twice, answers say nothing,
nobody can sign in. No dossier is lost, doubled or given up for it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest
from delivery_world import Serve, World, shipped, world
from dossiers import code, dossier
from relay import Answer, PassOn, Relay, politely, relaying
from serving import Served
from sqlalchemy import Engine

from ledger.sealing import Sealer
from sandbox.targets import emc, feed, npsp, province
from schemas.identifiers import dossier_short
from sync.deliver import DeliverReport, deliver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PATIENCE_S = 20.0
STATES_LATER = ((9, 2.0), (5, 3.0), (9, 4.0))


@pytest.fixture(params=["npsp", "province", "feed"])
def target(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(serve: Serve, target: str) -> Served:
    match target:
        case "npsp":
            return serve("npsp", npsp.build, dstcode="VN:GOV:mau")
        case "province":
            return serve("province", province.build, group_id="35166")
        case "emc":
            return serve("emc", emc.build, site_id=99999)
    return serve("feed", feed.build, password=SECRET)


@pytest.fixture
def gateway(server: Served, target: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    with relaying(server) as running:
        monkeypatch.setenv(f"AIRFLOW_CONN_{target.upper()}", running.connection(server))
        yield running


@pytest.fixture
def small(
    own_engine: Engine, sealer: Sealer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, gateway: Relay
) -> Iterator[World]:
    assert gateway
    hasty = {"failures": 10, "rest": "1s", "longest_rest": "1s"}
    changes = {"retries": {"attempts": 2}, "breaker": hasty}
    with world(own_engine, sealer, tmp_path, monkeypatch, shipped(target), changes) as opened:
        yield opened


def _push(small: World, target: str) -> DeliverReport:
    """Deliver until nothing is left. (``World.push`` waits for the end of leases, which takes seconds.)"""
    until = monotonic() + PATIENCE_S
    while (report := deliver(small.context, target)).remaining and monotonic() < until:
        sleep(0.05)
    return report


def _states(server: Served) -> dict[str, int]:
    return {dossier_short(row["code"]): row["state"] for row in server.control("dossiers")}


def _applied(server: Served) -> Counter[tuple[str, str, str]]:
    return Counter(
        (write["operation"], write["code"], write["key"], write["body_hash"])
        for write in server.control("writes")
        if write["effect"] != "noop"
    )


def _first(_path: str, pass_on: PassOn) -> Answer:
    answer = pass_on()
    pass_on()
    return answer


def _second(_path: str, pass_on: PassOn) -> Answer:
    pass_on()
    return pass_on()


@pytest.mark.parametrize("manner", [_first, _second], ids=["first answer", "second answer"])
def test_p3_a_gateway_that_hands_every_request_on_twice_changes_nothing(
    small: World, server: Served, gateway: Relay, target: str, manner: Callable[[str, PassOn], Answer]
) -> None:
    gateway.manner = manner
    small.tell(*(dossier(n) for n in range(6)))
    assert _push(small, target).remaining == 0
    small.tell(*(dossier(n, state=9, hours=2) for n in range(3)))
    assert _push(small, target).remaining == 0
    assert _states(server) == {code(n): 9 if n < 3 else 4 for n in range(6)}
    assert {what: times for what, times in _applied(server).items() if times > 1} == {}
    gateway.manner = politely
    assert small.compare(target).open_breaks == 0


@pytest.mark.parametrize("target", ["emc"], indirect=True)
def test_p4_at_emc_which_cannot_tell_a_repetition_the_comparison_of_counts_shows_it(
    small: World, gateway: Relay
) -> None:
    gateway.manner = _second
    small.tell(*(dossier(n) for n in range(5)))
    assert _push(small, "emc").remaining == 0
    gateway.manner = politely
    assert small.compare("emc").breaks["count_mismatch"] > 0


def _nothing_done(_path: str, _pass_on: PassOn) -> Answer:
    return Answer(202, "", b"")


def _all_done(_path: str, pass_on: PassOn) -> Answer:
    pass_on()
    return Answer(202, "", b"")


@pytest.mark.parametrize("target", ["npsp", "province"], indirect=True)
@pytest.mark.parametrize("manner", [_nothing_done, _all_done], ids=["nothing done", "all done"])
def test_p3_accepted_without_a_word_is_no_success_until_the_target_was_asked(
    small: World, server: Served, gateway: Relay, target: str, manner: Callable[[str, PassOn], Answer]
) -> None:
    small.tell(dossier(1))
    assert _push(small, target).remaining == 0  # signed in, and the dossier known
    small.tell(dossier(1, state=9, hours=1), dossier(2))
    gateway.manner = manner
    report = deliver(small.context, target)
    assert (report.accepted, report.unchanged, report.rejected) == (0, 0, 0)
    assert report.remaining == 2
    gateway.manner = politely
    assert _push(small, target).remaining == 0
    assert _states(server) == {code(1): 9, code(2): 4}
    assert {what: times for what, times in _applied(server).items() if times > 1} == {}


@pytest.mark.parametrize("target", ["feed"], indirect=True)
def test_p4_where_any_2xx_is_a_success_what_was_not_done_is_found_by_asking(
    small: World, server: Served, gateway: Relay
) -> None:
    gateway.manner = _nothing_done
    small.tell(dossier(1))
    assert _push(small, "feed").remaining == 0
    gateway.manner = politely
    report = small.compare("feed")
    assert (report.breaks["missing_at_target"], report.healed) == (1, 1)
    _push(small, "feed")
    assert _states(server) == {code(1): 4}


@pytest.mark.parametrize("target", ["npsp", "province"], indirect=True)
def test_while_nobody_can_sign_in_everything_waits_and_nothing_is_given_up(
    small: World, server: Served, gateway: Relay, target: str
) -> None:
    def no_sign_in(path: str, pass_on: PassOn) -> Answer:
        return Answer(500, "text/html", b"") if path.endswith(("/login", "/token")) else pass_on()

    gateway.manner = no_sign_in
    small.tell(*(dossier(n) for n in range(4)))
    for _ in range(5):
        report = deliver(small.context, target)
        assert (report.accepted, report.rejected, report.in_doubt) == (0, 0, 0)
    assert (small.status(target).due, small.status(target).rejected) == (4, 0)
    gateway.manner = politely
    assert _push(small, target).remaining == 0
    assert _states(server) == {code(n): 4 for n in range(4)}
    assert set(_applied(server).values()) == {1}


def test_while_the_secret_is_wrong_everything_waits_and_nothing_is_given_up(
    small: World, server: Served, gateway: Relay, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.tell(*(dossier(n) for n in range(3)))
    assert _push(small, target).remaining == 0
    right = gateway.connection(server)
    wrong = {"password": "whsec_" + "QUJD" * 8, "extra": {**server.extra, "search_password": "sai"}}
    monkeypatch.setenv(f"AIRFLOW_CONN_{target.upper()}", json.dumps({**json.loads(right), **wrong}))
    small.tell(*(dossier(n, state=9, hours=1) for n in range(4)))
    for _ in range(5):
        report = deliver(small.context, target)
        assert (report.accepted, report.rejected, report.in_doubt) == (0, 0, 0)
    assert (small.status(target).waiting, small.status(target).rejected) == (4, 0)
    monkeypatch.setenv(f"AIRFLOW_CONN_{target.upper()}", right)
    assert _push(small, target).remaining == 0
    assert _states(server) == {code(n): 9 for n in range(4)}


def test_p2_a_lawful_step_back_is_told_because_it_is_newer(small: World, server: Served, target: str) -> None:
    small.tell(dossier(1, state=4))
    assert _push(small, target).remaining == 0
    for state, hours in STATES_LATER:
        small.tell(dossier(1, state=state, hours=hours))
        assert _push(small, target).remaining == 0
        assert _states(server) == {code(1): state}
    small.tell(dossier(1, state=5, hours=3), dossier(1, state=4))  # what an old window tells again
    report = deliver(small.context, target)
    assert (report.sent, report.remaining) == (0, 0)
    assert _states(server) == {code(1): 9}
