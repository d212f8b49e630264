"""EMC's connector against the sandbox counter, and against servers that behave worse than it can."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from loopback import Reply, Script, Server
from pushing import Running, code, entry, event, outcomes

from connectors.api import CheckStatus, Outcome
from connectors.catalog import FOLDER, load_entry
from connectors.errors import BrokenAnswer, CatalogError, ConnectionMissing, Refused
from connectors.targets.emc import EmcTarget

A, R, I_D = Outcome.ACCEPTED, Outcome.RETRY, Outcome.IN_DOUBT
Serve = Callable[[Script], Server]


@pytest.fixture
def target(counter: Running) -> Iterator[EmcTarget]:
    opened = EmcTarget(entry("emc"), counter.settings)
    yield opened
    opened.close()


class TestAgainstTheSandboxCounter:
    @pytest.mark.parametrize("encoding", ["json", "form"])
    def test_events_are_counted_in_either_encoding(self, counter: Running, encoding: str) -> None:
        target = EmcTarget(entry("emc", options={"encoding": encoding}), counter.settings)
        events = [event(1, 1, status="1"), event(1, 2), event(2, 1, status="1", codeTTHC="2.001610")]
        assert set(outcomes(target.send_steps(events)).values()) == {A}
        assert target.counts() == {"status:1": 2, "status:2": 1, "dossiers": 2}
        bodies = [row["body"] for row in counter.control("steps")]
        assert {body["nameTTHC"] for body in bodies} == {"Thủ tục mẫu dùng cho kiểm thử"}
        assert {str(body["siteId"]) for body in bodies} == {"99999"}

    def test_nothing_sent_counts_nothing(self, target: EmcTarget) -> None:
        assert target.counts() == {"dossiers": 0}

    @pytest.mark.parametrize(
        "mode", ["apply-then-hang", "apply-then-500", "apply-then-drop", "html-200", "drop-before"]
    )
    def test_a_lost_answer_is_in_doubt_and_the_rest_waits(self, counter: Running, target: EmcTarget, mode: str) -> None:
        counter.fault(mode)
        assert outcomes(target.send_steps([event(1, 1), event(2, 1)])) == {"d1s1": I_D, "d2s1": R}
        assert target.counts()["dossiers"] == (1 if mode.startswith("apply") else 0)

    @pytest.mark.parametrize("mode", ["429", "503"])
    def test_a_counter_that_asks_for_time_gets_it(self, counter: Running, target: EmcTarget, mode: str) -> None:
        counter.fault(mode, seconds=7)
        verdicts = target.send_steps([event(1, 1), event(2, 1)])
        assert {(verdict.outcome, verdict.retry_after_s) for verdict in verdicts} == {(R, 7)}

    def test_a_healthy_counter_passes_the_check(self, target: EmcTarget) -> None:
        assert [result.status for result in target.check()] == [CheckStatus.OK] * 2

    def test_a_cut_export_is_read_again(self, counter: Running, target: EmcTarget) -> None:
        target.send_steps([event(1, 1)])
        counter.fault("cut", operation="dashboard")
        assert target.counts()["dossiers"] == 1


def test_an_export_that_is_always_a_sign_in_page_is_an_error(serve: Serve) -> None:
    server = serve(lambda _: Reply(307, headers={"Location": "/login"}))
    with pytest.raises(BrokenAnswer):
        EmcTarget(entry("emc"), server.settings(extra={"site_id": 1})).counts()


def test_a_dashboard_that_moved_fails_the_check_with_words(serve: Serve) -> None:
    server = serve(lambda _: Reply(404))
    connection, dashboard = EmcTarget(entry("emc"), server.settings(extra={"site_id": 1})).check()
    assert (connection.status, dashboard.status) == (CheckStatus.OK, CheckStatus.FAILED)
    assert "GET /dashboard" in dashboard.detail
    assert dashboard.fix


def test_a_refused_event_is_rejected_and_a_wrong_path_is_not(serve: Serve) -> None:
    server = serve(lambda asked: Reply(400 if b"250812-0001" in asked.body else 404))
    target = EmcTarget(entry("emc"), server.settings(extra={"site_id": 1}))
    assert outcomes(target.send_steps([event(1, 1), event(1, 2), event(2, 1)])) == {
        "d1s1": Outcome.REJECTED,
        "d1s2": R,
        "d2s1": R,
    }


@pytest.mark.parametrize("site", [None, "", "abc", "-1"])
def test_without_a_site_number_nothing_is_sent_at_all(counter: Running, site: str | None) -> None:
    with pytest.raises(ConnectionMissing, match="site_id"):
        EmcTarget(entry("emc"), replace(counter.settings, extra={"site_id": site}))


def test_emc_cannot_be_asked_for_a_dossier(target: EmcTarget) -> None:
    with pytest.raises(Refused, match="counts"):
        target.lookup(code(1))
    with pytest.raises(Refused):
        target.listing()


@pytest.mark.parametrize(
    ("changes", "key", "fix"),
    [
        (
            {"messages": ["dossier"], "operations": {"dossier": {"in_doubt": "give_up"}}},
            "messages",
            "messages: [step]",
        ),
        ({"operations": {"step": {"in_doubt": "resend"}}}, "operations.step.in_doubt", "at least once"),
        ({"operations": {"step": {"in_doubt": "ask"}}}, "operations.step.in_doubt", "at most once"),
        ({"reconcile": {"method": "listing"}}, "reconcile.method", "counts"),
    ],
)
def test_a_catalog_that_wants_of_emc_what_it_cannot_do_is_wrong(
    tmp_path: Path, changes: dict[str, Any], key: str, fix: str
) -> None:
    file = tmp_path / "emc.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load((FOLDER / "emc.yaml").read_text()), **changes}))
    with pytest.raises(CatalogError) as wrong:
        load_entry(file)
    (problem,) = wrong.value.problems
    assert (problem.key, fix in problem.fix) == (key, True)


@pytest.mark.parametrize("policy", ["give_up", "risk_double"])
def test_either_promise_may_be_chosen(tmp_path: Path, policy: str) -> None:
    file = tmp_path / "emc.yaml"
    file.write_text((FOLDER / "emc.yaml").read_text().replace("in_doubt: give_up", f"in_doubt: {policy}"))
    assert load_entry(file).operations.step.in_doubt == policy


def test_dossiers_are_refused_before_anything_is_sent(target: EmcTarget) -> None:
    with pytest.raises(Refused, match="steps"):
        target.send_dossiers([])
