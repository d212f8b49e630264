"""The provincial system's connector against the sandbox system, and against servers that behave worse than it can."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from loopback import Asked, Reply, Script, Server, json_reply
from pushing import Running, code, document, entry, long_code, outcomes, trace

from connectors.api import CheckStatus, Held, Outcome
from connectors.catalog_models import TargetEntry
from connectors.errors import BrokenAnswer, ConnectionMissing, Repeated, SignInFailed
from connectors.targets.lgsp_document import LgspDocumentTarget

A, R, I_D = Outcome.ACCEPTED, Outcome.RETRY, Outcome.IN_DOUBT
RECEIVED, DUE = "2025-08-12T08:15:00+07:00", "2025-08-19T17:00:00+07:00"
FIELDS = {"received_at": RECEIVED, "due_at": DUE, "procedure_code": "1.001612"}


def province(*, page_size: int = 500, attempts: int = 3, **options: Any) -> TargetEntry:
    found = entry("province")
    search = found.options.search.model_copy(update={"page_size": page_size, "attempts": attempts})
    return entry("province", options={"search": search, **options})


@pytest.fixture
def target(provincial: Running) -> Iterator[LgspDocumentTarget]:
    opened = LgspDocumentTarget(province(page_size=5), provincial.settings)
    yield opened
    opened.close()


class TestAgainstTheSandboxSystem:
    def test_documents_and_traces_are_written_and_read_back(
        self, provincial: Running, target: LgspDocumentTarget
    ) -> None:
        assert outcomes(target.send_dossiers([document(1), document(2)])) == {"d1": A, "d2": A}
        assert outcomes(target.send_steps([trace(1, 1, Status=2), trace(1, 2, Status=5)])) == {"d1s1": A, "d1s2": A}
        assert target.lookup(code(1)) == Held(code=code(1), state=5, fields=FIELDS)
        assert target.lookup(code(3)) is None
        assert [row["operation"] for row in provincial.control("writes")] == ["SyncDocument"] * 2 + [
            "UpdateDocumentTraces"
        ] * 2

    @pytest.mark.parametrize("state", range(1, 11))
    def test_every_national_state_is_read_back_as_itself(
        self, provincial: Running, target: LgspDocumentTarget, state: int
    ) -> None:
        provincial.control("damage", {"add": [{"code": code(1), "state": state}]})
        found = target.lookup(code(1))
        assert found is not None
        assert found.state == state

    def test_one_refused_document_leaves_the_others_alone(self, target: LgspDocumentTarget) -> None:
        verdicts = target.send_dossiers([document(1), document(2, Status=9), document(3)])
        assert outcomes(verdicts) == {"d1": A, "d2": Outcome.REJECTED, "d3": A}
        assert "Trường Status không hợp lệ" in verdicts[1].reason

    def test_a_refused_trace_holds_back_the_later_ones_of_its_dossier_only(self, target: LgspDocumentTarget) -> None:
        target.send_dossiers([document(1), document(2)])
        steps = [trace(1, 1, UserName=""), trace(1, 2), trace(2, 1), trace(9, 1)]
        found = outcomes(target.send_steps(steps))
        assert found == {"d1s1": Outcome.REJECTED, "d1s2": R, "d2s1": A, "d9s1": Outcome.REJECTED}

    def test_a_token_that_ends_in_mid_run_is_renewed_and_costs_nothing(
        self, provincial: Running, target: LgspDocumentTarget
    ) -> None:
        target.send_dossiers([document(1)])
        provincial.fault("expire-sessions")
        assert outcomes(target.send_dossiers([document(2)])) == {"d2": A}
        assert [row["effect"] for row in provincial.control("writes")] == ["inserted", "inserted"]

    @pytest.mark.parametrize("mode", ["apply-then-hang", "apply-then-500", "apply-then-drop", "cut"])
    def test_a_lost_answer_is_in_doubt_until_it_is_looked_up_and_the_rest_waits(
        self, provincial: Running, target: LgspDocumentTarget, mode: str
    ) -> None:
        provincial.fault(mode)
        assert outcomes(target.send_dossiers([document(1), document(2)])) == {"d1": I_D, "d2": R}
        assert target.lookup(code(1)) is not None
        assert target.lookup(code(2)) is None

    @pytest.mark.parametrize("mode", ["drop-before", "500", "html-200"])
    def test_a_lost_request_looks_the_same(self, provincial: Running, target: LgspDocumentTarget, mode: str) -> None:
        provincial.fault(mode)
        assert outcomes(target.send_dossiers([document(1)])) == {"d1": I_D}
        assert target.lookup(code(1)) is None

    @pytest.mark.parametrize("mode", ["429", "503"])
    def test_a_gateway_that_asks_for_time_gets_it(
        self, provincial: Running, target: LgspDocumentTarget, mode: str
    ) -> None:
        provincial.fault(mode, seconds=7)
        verdicts = target.send_dossiers([document(1), document(2)])
        assert {(verdict.outcome, verdict.retry_after_s) for verdict in verdicts} == {(R, 7)}

    def test_the_listing_is_whole_and_in_national_terms(self, provincial: Running, target: LgspDocumentTarget) -> None:
        provincial.control("damage", {"add": [{"code": code(n), "state": n % 10 + 1} for n in range(1, 24)]})
        assert {held.code: held.state for held in target.listing()} == {code(n): n % 10 + 1 for n in range(1, 24)}

    def test_the_listing_loses_nothing_while_dossiers_come_and_go(
        self, provincial: Running, target: LgspDocumentTarget
    ) -> None:
        provincial.control("damage", {"add": [{"code": code(n), "state": 4} for n in range(1, 24)]})
        rows = target.listing()
        found = [next(rows).code for _ in range(7)]
        provincial.control("damage", {"delete": [code(2), code(5)], "add": [{"code": code(50), "state": 1}]})
        found += [held.code for held in rows]
        assert len(found) == len(set(found))
        assert set(found) >= {code(n) for n in range(1, 24)} - {code(2), code(5)}
        assert code(50) in found

    def test_an_empty_system_lists_nothing(self, target: LgspDocumentTarget) -> None:
        assert list(target.listing()) == []

    def test_a_listing_survives_a_hiccup(self, provincial: Running, target: LgspDocumentTarget) -> None:
        provincial.control("damage", {"add": [{"code": code(n), "state": 4} for n in range(1, 8)]})
        provincial.fault("500")
        assert len(list(target.listing())) == 7

    def test_a_dossier_filed_under_the_other_written_form_is_found_under_ours(
        self, provincial: Running, target: LgspDocumentTarget
    ) -> None:
        provincial.control("damage", {"add": [{"code": long_code(5), "state": 9}]})
        found = target.lookup(code(5))
        assert found is not None
        assert (found.code, found.state) == (code(5), 9)
        assert [held.code for held in target.listing()] == [code(5)]

    def test_a_healthy_system_passes_the_check(self, target: LgspDocumentTarget) -> None:
        assert [result.status for result in target.check()] == [CheckStatus.OK] * 2

    def test_a_wrong_secret_waits_and_is_told_by_the_check(self, provincial: Running) -> None:
        stranger = LgspDocumentTarget(province(), replace(provincial.settings, password="sai"))
        assert outcomes(stranger.send_dossiers([document(1)])) == {"d1": R}
        (result,) = stranger.check()
        assert result.status is CheckStatus.FAILED
        assert "connection 'target'" in result.fix

    def test_the_search_has_an_account_of_its_own(self, provincial: Running) -> None:
        extra = {**provincial.settings.extra, "search_login": "khac", "search_password": "sai"}
        stranger = LgspDocumentTarget(province(), replace(provincial.settings, extra=extra))
        signed_in, search = stranger.check()
        assert (signed_in.status, search.status) == (CheckStatus.OK, CheckStatus.FAILED)
        assert "search_login" in search.detail
        with pytest.raises(SignInFailed):
            stranger.lookup(code(1))


Serve = Callable[[Script], Server]


def row(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "dossierId": number,
        "dossierNo": code(number),
        "dossierStatus": "processing",
        "applicantName": "Nguyễn Văn Mẫu",
        "receiveDate": "12/08/2025 08:15:00",
        "dueDate": "19/08/2025 17:00:00",
        "serviceCode": "1.001612",
        **changes,
    }


class TestTheSearch:
    def target(self, serve: Serve, answers: Callable[[Mapping[str, str]], Any], **changes: Any) -> LgspDocumentTarget:
        def script(asked: Asked) -> Reply:
            answer = answers(asked.query)
            return answer if isinstance(answer, Reply) else json_reply(answer)

        settings = serve(script).settings(login="a", password="b", extra={"group_id": "35166"})
        return LgspDocumentTarget(province(page_size=10, attempts=2, **changes), settings)

    def test_only_what_is_compared_is_kept(self, serve: Serve) -> None:
        held = self.target(serve, lambda _: {"total": 1, "data": [row(1)]}).lookup(code(1))
        assert held == Held(code=code(1), state=4, fields=FIELDS)

    def test_absent_and_unreadable_times_are_left_out(self, serve: Serve) -> None:
        bad = row(1, receiveDate="31/02/2025 08:15:00", dueDate="", dossierStatus="mystery")
        held = self.target(serve, lambda _: {"total": 1, "data": [bad]}).lookup(code(1))
        assert held == Held(code=code(1), state=None, fields={"procedure_code": "1.001612"})

    def test_of_several_with_one_code_the_last_changed_is_told(self, serve: Serve) -> None:
        rows = [
            row(1, modifiedDate="13/08/2025 09:30:00", dossierStatus="done"),
            row(1, dossierId=2, modifiedDate="12/09/2025 09:30:00", dossierStatus="waiting"),
            row(1, dossierId=3),
        ]
        held = self.target(serve, lambda _: {"total": 3, "data": rows}).lookup(code(1))
        assert held is not None
        assert held.state == 5

    def test_a_search_that_ignores_its_filter_is_an_error_not_an_absence(self, serve: Serve) -> None:
        rows = [row(n) for n in range(10)]
        with pytest.raises(BrokenAnswer, match="dossierNo"):
            self.target(serve, lambda _: {"total": 4000, "data": rows}).lookup(code(77))

    def test_a_like_search_finds_only_the_very_dossier(self, serve: Serve) -> None:
        rows = [row(1, dossierNo=f"{code(1)}9"), row(2, dossierNo=f"X-{code(1)}")]
        assert self.target(serve, lambda _: {"total": 2, "data": rows}).lookup(code(1)) is None

    @pytest.mark.parametrize("odd", ["số 5", "", "x"])
    def test_a_code_that_is_no_dossier_code_is_looked_up_as_it_is(self, serve: Serve, odd: str) -> None:
        assert self.target(serve, lambda _: {"total": 0, "data": []}).lookup(odd) is None

    def test_dossiers_without_a_code_are_read_but_not_listed(self, serve: Serve) -> None:
        rows = [row(1), row(2, dossierNo=""), row(3)]
        held = list(self.target(serve, lambda _: {"total": 3, "data": rows}).listing())
        assert [one.code for one in held] == [code(1), code(3)]

    def test_a_code_that_is_none_of_ours_is_listed_as_it_is(self, serve: Serve) -> None:
        held = list(self.target(serve, lambda _: {"total": 1, "data": [row(1, dossierNo=" số 5 ")]}).listing())
        assert [one.code for one in held] == ["số 5"]

    def test_a_page_repeated_for_ever_is_an_error(self, serve: Serve) -> None:
        rows = [row(n) for n in range(10)]
        with pytest.raises(Repeated):
            list(self.target(serve, lambda _: {"total": 4000, "data": rows}).listing())

    @pytest.mark.parametrize(
        "answer", [{"data": []}, {"total": "3", "data": []}, {"total": 3}, {"total": 1, "data": [1]}]
    )
    def test_an_answer_in_another_form_is_an_error(self, serve: Serve, answer: Any) -> None:
        with pytest.raises(BrokenAnswer):
            list(self.target(serve, lambda _: answer).listing())

    def test_a_sub_status_comes_before_the_status(self, serve: Serve) -> None:
        changed = entry("province").options.search.model_copy(update={"sub_states": {"waiting_fee": 6}})
        rows = [row(1, dossierStatus="waiting", dossierSubStatus="waiting_fee")]
        held = self.target(serve, lambda _: {"total": 1, "data": rows}, search=changed).lookup(code(1))
        assert held is not None
        assert held.state == 6

    def test_the_site_is_named_in_every_search(self, serve: Serve) -> None:
        server = serve(lambda _: json_reply({"total": 0, "data": []}))
        settings = server.settings(login="a", password="b", extra={"group_id": 35166})
        LgspDocumentTarget(province(), settings).lookup(code(1))
        assert server.asked[0].headers["groupid"] == "35166"
        assert server.asked[0].headers["authorization"].startswith("Basic ")
        with pytest.raises(ConnectionMissing, match="group_id"):
            LgspDocumentTarget(province(), server.settings())

    def test_the_search_may_be_another_host(self, serve: Serve) -> None:
        search = serve(lambda _: json_reply({"total": 0, "data": []}))
        extra = {"group_id": "1", "search_url": f"http://127.0.0.1:{search.port}"}
        gateway = serve(lambda _: Reply(500))
        assert list(LgspDocumentTarget(province(), gateway.settings(extra=extra)).listing()) == []
        assert not gateway.asked
