"""The portal's connector against the sandbox portal, and against servers that behave worse than it can."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import cycle
from typing import Any

import pytest
from loopback import Asked, Reply, Script, Server, json_reply
from pushing import Running, code, entry, long_code, npsp_dossier, npsp_step, outcomes, settings

from connectors.api import Catalogue, CatalogueEntry, CheckStatus, Held, Outcome
from connectors.errors import BrokenAnswer, Refused
from connectors.targets.npsp import NpspTarget

A, R, I_D = Outcome.ACCEPTED, Outcome.RETRY, Outcome.IN_DOUBT


@pytest.fixture
def target(portal: Running) -> Iterator[NpspTarget]:
    opened = NpspTarget(entry("npsp"), portal.settings)
    yield opened
    opened.close()


def effects(portal: Running) -> list[tuple[str, str]]:
    return [(row["code"], row["effect"]) for row in portal.control("writes")]


class TestSessionsAndLookUps:
    def test_a_session_that_ends_in_mid_run_is_renewed_and_costs_nothing(
        self, portal: Running, target: NpspTarget
    ) -> None:
        target.send_dossiers([npsp_dossier(1)])
        portal.fault("expire-sessions")
        assert outcomes(target.send_dossiers([npsp_dossier(2)])) == {"d2": A}
        portal.fault("expire-sessions")
        assert target.lookup(code(2)) is not None
        assert [effect for _, effect in effects(portal)] == ["inserted", "inserted"]

    def test_a_dossier_stored_under_the_other_written_form_is_found(self, portal: Running, target: NpspTarget) -> None:
        portal.control("damage", {"add": [{"code": code(5), "state": 9}]})
        assert target.lookup(code(5)) == Held(code=code(5), state=9, held_as=code(5))

    def test_a_wrong_password_waits_and_is_told_by_the_check(self, portal: Running) -> None:
        stranger = NpspTarget(entry("npsp"), replace(portal.settings, password="sai"))
        (verdict,) = stranger.send_dossiers([npsp_dossier(1)])
        assert verdict.outcome is R
        assert "signing in failed" in verdict.reason
        (result,) = stranger.check()
        assert result.status is CheckStatus.FAILED
        assert "login and password of connection 'target'" in result.fix

    def test_a_wrong_route_blames_no_dossier(self, portal: Running) -> None:
        astray = NpspTarget(entry("npsp", options={"dstcode": "VN:GOV:sai"}), replace(portal.settings, extra={}))
        (verdict,) = astray.send_dossiers([npsp_dossier(1)])
        assert verdict.outcome is R


def portal_script(answers: Callable[[Any], Reply]) -> Script:
    """A portal that lets everybody in; ``answers`` gets the JSON body of a service call."""

    def script(asked: Asked) -> Reply:
        if asked.path.endswith("login"):
            return json_reply({"session": "s", "error_code": 0, "message": "Thành công"})
        return answers(asked.json)

    return script


Serve = Callable[[Script], Server]


class TestAgainstWorseServers:
    def test_a_portal_that_never_accepts_a_session_is_asked_twice_not_for_ever(self, serve: Serve) -> None:
        server = serve(portal_script(lambda _: json_reply({"error_code": "-1", "message": "Phiên làm việc hết hạn"})))
        (verdict,) = NpspTarget(entry("npsp"), server.settings()).send_dossiers([npsp_dossier(1)])
        assert verdict.outcome is R
        assert [asked.path for asked in server.asked] == ["/mapi/login", "/mapi/g"] * 2

    @pytest.mark.parametrize(
        "login",
        [
            Reply(500),
            Reply(body=b"<html></html>", media_type="text/html"),
            json_reply({"session": None, "error_code": "-1", "message": "Sai"}),
            json_reply({"session": "s", "error_code": "1"}),
            json_reply({"error_code": 0}),
            Reply(raw=lambda _wire, _stop: None),
        ],
        ids=["500", "html", "refused", "code", "no-session", "reset"],
    )
    def test_whatever_goes_wrong_while_signing_in_no_dossier_is_in_doubt(self, serve: Serve, login: Reply) -> None:
        server = serve(lambda _: login)
        verdicts = NpspTarget(entry("npsp"), server.settings()).send_dossiers([npsp_dossier(1), npsp_dossier(2)])
        assert [verdict.outcome for verdict in verdicts] == [R, R]
        assert {asked.path for asked in server.asked} == {"/mapi/login"}

    def test_nobody_listening_is_a_retry(self) -> None:
        verdicts = NpspTarget(entry("npsp"), settings("127.0.0.1", 9)).send_steps([npsp_step(1, 1)])
        assert [verdict.outcome for verdict in verdicts] == [R]

    @pytest.mark.parametrize("exists", [("3", "Hồ sơ đã tồn tại"), (-3, "Mã hồ sơ đã tồn tại"), ("3", "")])
    def test_a_portal_that_contradicts_itself_ends_in_a_rejection(self, serve: Serve, exists: tuple[Any, str]) -> None:
        def answers(body: Any) -> Reply:
            if body["isUpdating"] == "False":
                return json_reply({"error_code": exists[0], "message": exists[1]})
            return json_reply({"error_code": "-1", "message": "Hồ sơ không tồn tại"})

        server = serve(portal_script(answers))
        (verdict,) = NpspTarget(entry("npsp"), server.settings()).send_dossiers([npsp_dossier(1)])
        assert verdict.outcome is Outcome.REJECTED
        assert "as an insert and as an update" in verdict.reason
        assert len(server.asked) == 3

    def test_words_that_repeat_personal_data_lose_it(self, serve: Serve) -> None:
        server = serve(
            portal_script(
                lambda _: json_reply({"error_code": "-1", "message": "Chủ hồ sơ NGUYỄN VĂN MẪU, số 000099000001: sai"})
            )
        )
        (verdict,) = NpspTarget(entry("npsp"), server.settings()).send_dossiers([npsp_dossier(1)])
        assert verdict.reason.endswith("“Chủ hồ sơ …, số …: sai”")

    def test_steps_answered_with_a_bare_text_are_accepted(self, serve: Serve) -> None:
        server = serve(portal_script(lambda _: Reply(body="Thành công".encode(), media_type="text/plain")))
        target = NpspTarget(entry("npsp"), server.settings())
        assert outcomes(target.send_steps([npsp_step(1, 1)])) == {"d1s1": A}
        assert outcomes(target.send_dossiers([npsp_dossier(1)])) == {"d1": I_D}

    def test_the_envelope_carries_session_unit_and_route(self, serve: Serve) -> None:
        server = serve(portal_script(lambda _: json_reply({"error_code": "00", "message": "Thành công"})))
        ours = server.settings(extra={"dstcode": "VN:X", "madonvi": "000.00.00.H99"}, login="a", password="b")
        NpspTarget(entry("npsp"), ours).send_dossiers([npsp_dossier(1, known=True)])
        login, call = server.asked
        assert login.json == {"username": "a", "password": "b"}
        assert {name: call.json[name] for name in ("session", "madonvi", "service", "isUpdating")} == {
            "session": "s",
            "madonvi": "000.00.00.H99",
            "service": "DongBoHoSoMC",
            "isUpdating": "True",
        }
        assert call.headers["dstcode"] == login.headers["dstcode"] == "VN:X"

    @pytest.mark.parametrize("status", [301, 302, 307])
    def test_a_redirect_is_not_followed_and_leaves_the_outcome_open(self, serve: Serve, status: int) -> None:
        server = serve(portal_script(lambda _: Reply(status, headers={"Location": "/mapi/login"})))
        assert outcomes(NpspTarget(entry("npsp"), server.settings()).send_dossiers([npsp_dossier(1)])) == {"d1": I_D}
        assert len(server.asked) == 2

    def test_a_path_that_is_wrong_rejects_nobody(self, serve: Serve) -> None:
        server = serve(portal_script(lambda _: Reply(404, b"<html></html>", "text/html")))
        verdicts = NpspTarget(entry("npsp"), server.settings()).send_dossiers([npsp_dossier(n) for n in range(1, 9)])
        assert {verdict.outcome for verdict in verdicts} == {R}
        assert len(server.asked) == 2


class TestLookUp:
    def ask(self, serve: Serve, *answers: Any) -> Held | None:
        turns = cycle(answers)
        server = serve(portal_script(lambda _: json_reply(next(turns))))
        return NpspTarget(entry("npsp"), server.settings()).lookup(code(1))

    def test_state_and_times_are_read_in_national_terms(self, serve: Serve) -> None:
        record = {"MaHoSo": long_code(1), "TrangThaiHoSo": 9, "NgayTiepNhan": "20250812081500", "NgayHenTra": ""}
        found = self.ask(serve, {"error_code": 0, "message": "", "result": [record]})
        assert found == Held(code=code(1), state=9, fields={"received_at": "2025-08-12T08:15:00+07:00"})

    @pytest.mark.parametrize("state", ["77", "", None, True, "chín"])
    def test_a_state_that_is_none_is_never_guessed(self, serve: Serve, state: Any) -> None:
        record = {"MaHoSo": code(1), "TrangThaiHoSo": state}
        assert self.ask(serve, {"error_code": "0", "message": "Thành công", "result": [record]}) == Held(code(1), None)

    @pytest.mark.parametrize(
        "answer",
        [
            {"error_code": "0", "message": "Thành công", "result": []},
            {"error_code": "0", "message": "Thành công", "result": None},
            {"error_code": "-1", "message": "Hồ sơ không tồn tại"},
            {"error_code": "0", "message": "Thành công", "result": [{"MaHoSo": code(10), "TrangThaiHoSo": "2"}]},
        ],
        ids=["empty", "null", "words", "a-stranger"],
    )
    def test_a_dossier_that_is_not_there_is_none(self, serve: Serve, answer: Any) -> None:
        assert self.ask(serve, answer) is None

    def test_a_refused_look_up_is_an_error_not_an_absence(self, serve: Serve) -> None:
        with pytest.raises(Refused):
            self.ask(serve, {"error_code": "-1", "message": "Mã đơn vị không hợp lệ"})

    @pytest.mark.parametrize("answer", [{"error_code": 0, "message": "Thành công"}, {"error_code": 0, "result": {}}])
    def test_an_answer_without_a_list_is_an_error_not_an_absence(self, serve: Serve, answer: Any) -> None:
        with pytest.raises((BrokenAnswer, Refused)):
            self.ask(serve, answer)


class TestCatalogues:
    def ask(self, serve: Serve, answer: Any) -> list[CatalogueEntry]:
        server = serve(portal_script(lambda _: json_reply(answer)))
        return NpspTarget(entry("npsp"), server.settings()).catalogue(Catalogue.FIELD)

    def test_a_catalogue_is_read_as_the_portal_writes_it(self, serve: Serve) -> None:
        rows = [{"MALINHVUC": "G99-1", "TENLINHVUC": "Một", "MANGANH": "G99"}, {"MALINHVUC": "x", "TENLINHVUC": None}]
        assert self.ask(serve, {"error_code": "00", "message": "", "result": rows}) == [
            CatalogueEntry("G99-1", "Một", "G99"),
            CatalogueEntry("x", "", None),
        ]

    @pytest.mark.parametrize(
        "rows", [[{"MaLinhVuc": "x"}], ["x"], [None], {"data": []}, [{"MALINHVUC": 7, "TENLINHVUC": "x"}]]
    )
    def test_a_catalogue_in_another_form_is_an_error(self, serve: Serve, rows: Any) -> None:
        with pytest.raises(BrokenAnswer, match="LayDanhMucLinhVuc"):
            self.ask(serve, {"error_code": 0, "message": "Thành công", "result": rows})

    def test_a_refusal_is_an_error_not_an_empty_catalogue(self, serve: Serve) -> None:
        with pytest.raises(Refused, match="LayDanhMucLinhVuc"):
            self.ask(serve, {"error_code": "-1", "message": "Không được phép"})
