"""P1, P5: what a source shows arrives whole, stays as it is when pulled again, and keeps up with what moves."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from kit import Bench, tells_once

from connectors.api import CheckStatus
from connectors.contract import record_contract
from sync.check import check


def test_everything_that_the_system_shows_arrives_in_several_pages(bench: Bench) -> None:
    bench.pull_homes()
    report = bench.pull()
    bench.assert_agrees()
    assert bench.held()
    assert report.quarantined == 0
    assert report.pages > 1 or report.fetched <= bench.system.page_size
    assert report.fetched == report.new + report.changed + report.unchanged + report.stale + report.quarantined


def test_pulling_again_changes_nothing(bench: Bench) -> None:
    bench.pull_homes()
    bench.pull()
    held = bench.held()
    again = bench.pull()
    assert (again.new, again.changed, again.quarantined) == (0, 0, 0)
    assert bench.held() == held


def test_the_ledger_keeps_up_while_the_system_moves_under_the_reader(bench: Bench) -> None:
    bench.pull_homes()
    moves = iter([timedelta(hours=9), timedelta(days=1)])

    def move() -> None:
        if (span := next(moves, None)) is not None:
            bench.system.live_on(span)

    bench.pull(on_page=move)
    bench.pull_homes()
    bench.pull()
    bench.assert_agrees()
    before = bench.system.truth()
    for _ in range(20):  # until something happens; nothing does on holidays
        bench.system.live_on(timedelta(days=1))
        if bench.system.truth() != before:
            break
    bench.pull_homes()
    bench.pull()
    bench.assert_agrees()


def test_its_records_are_as_its_contract_says_and_check_finds_nothing_wrong(bench: Bench) -> None:
    bench.pull_homes()
    codes = bench.open_codes()
    (found,) = check(bench.context.catalog, bench.system.name, now=bench.system.now, open_codes=lambda _: codes)
    assert [f"{each.name}: {each.detail}" for each in found.results if each.status is not CheckStatus.OK] == []
    contract = record_contract(bench.entry)
    if contract is not None and not tells_once(bench.system.name):
        assert contract.departures(bench.records()) == []


def test_no_log_and_no_error_holds_a_secret_or_a_person(
    bench: Bench, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    said = []
    with caplog.at_level(logging.DEBUG):
        bench.pull_homes()
        bench.pull()
        for mode in ("html-200", "500"):
            bench.disturb(mode, times=10)
            try:
                bench.pull()
            except Exception as error:  # whatever it is, this is about what it says
                said.append(f"{error!r} {error}")
            bench.calm()
    written = caplog.text + "".join(capfd.readouterr()) + "".join(said)
    secrets = bench.secrets()
    assert secrets
    assert [secret[:2] + "…" for secret in secrets if secret in written] == []
