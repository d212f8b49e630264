"""What holds however the adapter is called: the same tests for each of the three styles, against one sandbox portal."""

from collections.abc import Iterator

import pytest
from loopback import json_reply, serving
from pushing import Running, code, entry, long_code, npsp_dossier, npsp_step, outcomes, settings

from connectors.api import CheckStatus, Held, Outcome
from connectors.catalog_models import TargetEntry
from connectors.errors import Refused
from connectors.targets.npsp import NpspTarget
from connectors.targets.options import DispatchCalls, ServiceCalls, UrlCalls

A, R, I_D = Outcome.ACCEPTED, Outcome.RETRY, Outcome.IN_DOUBT
STYLES = {
    "dispatch": DispatchCalls(),
    "services": ServiceCalls(style="services"),
    "urls": UrlCalls(
        style="urls",
        insert_path="/HoSo/ThemMoi",
        update_path="/HoSo/CapNhat",
        progress_path="/HoSo/DongBoTienTrinh",
        notice_path="/HoSo/ThongBao",
    ),
}


@pytest.fixture(params=STYLES)
def styled(request: pytest.FixtureRequest) -> TargetEntry:
    return entry("npsp", options={"calls": STYLES[request.param]})


@pytest.fixture
def target(portal: Running, styled: TargetEntry) -> Iterator[NpspTarget]:
    opened = NpspTarget(styled, portal.settings)
    yield opened
    opened.close()


def effects(portal: Running) -> list[tuple[str, str]]:
    return [(row["code"], row["effect"]) for row in portal.control("writes")]


def states(portal: Running) -> dict[str, int]:
    return {row["code"]: row["state"] for row in portal.control("dossiers")}


def test_new_dossiers_are_inserted_and_known_ones_updated(portal: Running, target: NpspTarget) -> None:
    assert set(outcomes(target.send_dossiers([npsp_dossier(n) for n in range(1, 4)])).values()) == {A}
    again = npsp_dossier(2, known=True, TrangThaiHoSo="10")
    assert outcomes(target.send_dossiers([again])) == {"d2": A}
    assert states(portal) == {long_code(1): 4, long_code(2): 10, long_code(3): 4}
    assert effects(portal)[3:] == [(long_code(2), "updated")]


def test_every_spelling_of_success_is_understood(target: NpspTarget) -> None:
    for number in range(1, 8):
        assert outcomes(target.send_dossiers([npsp_dossier(number)])) == {f"d{number}": A}


def test_existing_and_unknown_dossiers_are_negotiated_in_both_directions(portal: Running, target: NpspTarget) -> None:
    target.send_dossiers([npsp_dossier(1), npsp_dossier(2)])
    mixed = [npsp_dossier(n, TrangThaiHoSo="5") for n in (1, 2, 3)]
    mixed += [npsp_dossier(n, known=True) for n in (4, 5)]
    assert set(outcomes(target.send_dossiers(mixed)).values()) == {A}
    assert states(portal) == {long_code(n): 5 if n <= 3 else 4 for n in range(1, 6)}
    assert len(effects(portal)) == 7


def test_one_bad_item_in_fifty_is_rejected_and_the_others_delivered(portal: Running, target: NpspTarget) -> None:
    batch = [npsp_dossier(n, TrangThaiHoSo="77" if n == 17 else "4") for n in range(1, 51)]
    verdicts = target.send_dossiers(batch)
    assert {key for key, outcome in outcomes(verdicts).items() if outcome is not A} == {"d17"}
    rejected = next(verdict for verdict in verdicts if verdict.key == "d17")
    assert rejected.outcome is Outcome.REJECTED
    assert "TrangThaiHoSo không có trong danh mục" in rejected.reason
    assert len(portal.control("dossiers")) == 49


def test_zero_that_is_no_success_is_a_rejection_in_the_portal_s_words(target: NpspTarget) -> None:
    (verdict,) = target.send_dossiers([npsp_dossier(1, MaLinhVuc="")])
    assert verdict.outcome is Outcome.REJECTED
    assert "thiếu MaLinhVuc" in verdict.reason


@pytest.mark.parametrize("mode", ["apply-then-hang", "apply-then-500", "apply-then-drop", "cut"])
def test_a_lost_answer_leaves_all_of_the_call_in_doubt_and_the_same_again_changes_nothing(
    portal: Running, target: NpspTarget, mode: str
) -> None:
    pair = [npsp_dossier(1), npsp_dossier(2)]
    portal.fault(mode)
    assert outcomes(target.send_dossiers(pair)) == {"d1": I_D, "d2": I_D}
    assert outcomes(target.send_dossiers(pair)) == {"d1": A, "d2": A}
    assert [effect for _, effect in effects(portal)] == ["inserted", "inserted", "noop", "noop"]


@pytest.mark.parametrize("mode", ["drop-before", "500", "html-200"])
def test_a_lost_request_looks_the_same_and_the_same_again_is_the_first(
    portal: Running, target: NpspTarget, mode: str
) -> None:
    portal.fault(mode)
    assert outcomes(target.send_dossiers([npsp_dossier(1)])) == {"d1": I_D}
    assert outcomes(target.send_dossiers([npsp_dossier(1)])) == {"d1": A}
    assert [effect for _, effect in effects(portal)] == ["inserted"]


@pytest.mark.parametrize("mode", ["apply-then-hang", "apply-then-500", "cut"])
def test_lost_answers_to_steps_leave_them_in_doubt_and_the_same_again_changes_nothing(
    portal: Running, target: NpspTarget, mode: str
) -> None:
    target.send_dossiers([npsp_dossier(1)])
    steps = [npsp_step(1, 1), npsp_step(1, 2)]
    portal.fault(mode, operation="CapNhatTienDoHoSoMC")
    assert outcomes(target.send_steps(steps)) == {"d1s1": I_D, "d1s2": I_D}
    assert outcomes(target.send_steps(steps)) == {"d1s1": A, "d1s2": A}
    assert len(portal.control("steps")) == 2


@pytest.mark.parametrize("mode", ["429", "503"])
def test_a_portal_that_asks_for_time_gets_it(portal: Running, target: NpspTarget, mode: str) -> None:
    portal.fault(mode, seconds=7)
    many = target.send_dossiers([npsp_dossier(n) for n in range(1, 121)])
    assert {(verdict.outcome, verdict.retry_after_s) for verdict in many} == {(R, 7)}
    assert effects(portal) == []


def test_after_an_unclear_answer_the_rest_waits_for_the_next_run(portal: Running, target: NpspTarget) -> None:
    portal.fault("apply-then-500")
    found = outcomes(target.send_dossiers([npsp_dossier(n) for n in range(1, 61)]))
    assert [found[f"d{n}"] for n in (1, 50, 51, 60)] == [I_D, I_D, R, R]
    assert len(effects(portal)) == 50


def test_steps_go_in_chunks_in_order(portal: Running, target: NpspTarget) -> None:
    target.send_dossiers([npsp_dossier(1), npsp_dossier(2)])
    steps = [npsp_step(n, step) for step in range(1, 14) for n in (1, 2)]
    assert set(outcomes(target.send_steps(steps)).values()) == {A}
    times = [row["body"]["ThoiDiemXuLy"] for row in portal.control(f"steps?code={long_code(1)}")]
    assert times == sorted(times)
    assert len(times) == 13


def test_a_refused_step_holds_back_the_later_ones_of_its_dossier_only(portal: Running, target: NpspTarget) -> None:
    target.send_dossiers([npsp_dossier(1), npsp_dossier(2)])
    bad = npsp_step(1, 2, TrangThai="77")
    steps = [npsp_step(1, 1), bad, npsp_step(1, 3), npsp_step(2, 1), npsp_step(2, 2)]
    found = outcomes(target.send_steps(steps))
    assert found == {"d1s1": A, "d1s2": Outcome.REJECTED, "d1s3": R, "d2s1": A, "d2s2": A}
    assert len(portal.control("steps")) == 3


def test_a_step_of_a_dossier_the_portal_does_not_hold_is_rejected(target: NpspTarget) -> None:
    (verdict,) = target.send_steps([npsp_step(9, 1)])
    assert verdict.outcome is Outcome.REJECTED
    assert "Hồ sơ không tồn tại" in verdict.reason


def test_a_healthy_portal_passes_the_check(target: NpspTarget) -> None:
    assert {result.status for result in target.check()} == {CheckStatus.OK}


def test_nobody_listening_fails_the_check(styled: TargetEntry) -> None:
    (result,) = NpspTarget(styled, settings("127.0.0.1", 9)).check()
    assert result.status is CheckStatus.FAILED


@pytest.mark.parametrize("style", ["services", "urls"])
class TestWithoutALookUp:
    def test_a_question_is_refused_and_says_what_to_add(self, portal: Running, style: str) -> None:
        target = NpspTarget(entry("npsp", options={"calls": STYLES[style]}), portal.settings)
        with pytest.raises(Refused, match=f"style '{style}' answers no questions.*options.reads"):
            target.lookup(code(1))

    def test_the_dispatch_beside_it_answers_where_there_is_one(self, portal: Running, style: str) -> None:
        target = NpspTarget(entry("npsp", options={"calls": STYLES[style], "reads": DispatchCalls()}), portal.settings)
        target.send_dossiers([npsp_dossier(1)])
        assert target.lookup(code(1)) == Held(code=code(1), state=4)
        assert [result.name for result in target.check()] == ["connection", "sign-in", "read"]

    def test_an_adapter_whose_session_is_over_makes_everything_wait(self, style: str) -> None:
        over = json_reply({"error_code": "-1", "message": "Phiên làm việc hết hạn"})
        with serving(lambda _: over) as server:
            target = NpspTarget(entry("npsp", options={"calls": STYLES[style]}), server.settings())
            assert set(outcomes(target.send_dossiers([npsp_dossier(n) for n in (1, 2)])).values()) == {R}
            assert len(server.asked) == 1


def test_the_adapter_with_services_is_told_the_agency_and_the_kind_in_the_query() -> None:
    done = json_reply({"error_code": "0", "message": "Thành công"})
    with serving(lambda _: done) as server:
        target = NpspTarget(entry("npsp", options={"calls": STYLES["services"]}), server.settings())
        target.send_dossiers([npsp_dossier(1, known=True)])
        target.send_steps([npsp_step(1, 1)])
    record, step = server.asked
    assert (record.path, record.query) == (
        "/api/SynsTTHCC/DongBoHoSoMC",
        {"MaDinhDanhDV": "000.00.00.H12", "isUpdating": "True"},
    )
    assert (step.path, step.query) == ("/api/SynsTTHCC/CapNhatTienDoHoSoMC", {"MaDinhDanhDV": "000.00.00.H12"})
    assert [one["MaHoSo"] for one in record.json] == [long_code(1)]
