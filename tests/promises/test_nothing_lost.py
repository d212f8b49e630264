"""P1 and P5: pulls are killed and run twice at once; the numbers add up, and nothing is missing or doubled."""

from __future__ import annotations

import pytest
from living_province import Province

pytestmark = pytest.mark.timeout(400)


def _adds_up(report: dict[str, int]) -> bool:
    parts = ("new", "changed", "unchanged", "stale", "quarantined")
    return report["fetched"] == sum(report[part] for part in parts)


def test_p1_a_broken_record_is_set_aside_and_its_neighbours_are_kept(province: Province) -> None:
    spoilt = sorted(each["code"] for each in province.lines("igate", "truth"))[:3]
    province.ask("igate", "break", {"codes": spoilt[:2], "how": "unknown-status"})
    province.ask("igate", "break", {"codes": spoilt[2:], "how": "bad-date"})
    (report,) = province.hosync("pull", "igate", ok=(0, 1))["pulls"]
    assert _adds_up(report)
    assert report["quarantined"] == 3
    assert report["new"] == len(province.lines("igate", "truth")) - 3


def test_p1_and_p5_killed_and_doubled_pulls_end_with_every_dossier_once(province: Province) -> None:
    province.ask("gplx", "faults", {"mode": "slow", "times": 100_000, "seconds": 0.01})
    for _ in range(3):
        process = province.start("pull", "gplx")
        try:
            process.wait(1.5)
        except Exception:
            process.kill()
            process.wait()
    twice = [province.start("pull", "gplx"), province.start("pull", "gplx")]
    codes = sorted(process.wait(120) for process in twice)
    assert codes[0] == 0, "one of two pulls at once must do the work"
    (report,) = province.hosync("pull", "gplx")["pulls"]
    assert _adds_up(report)
    province.hosync("pull", "dkkd")
    status = {each["system"]: each for each in province.hosync("status", ok=(0, 1))["sources"]}
    for system in ("gplx", "dkkd"):
        assert status[system]["dossiers"] == len(province.lines(system, "truth"))


def test_p5_a_second_pull_and_push_of_the_same_changes_nothing_at_the_targets(
    province: Province, endpoint: str
) -> None:
    def write_counts() -> list[int]:
        return [len(province.lines(target, "writes")) for target in ("npsp", "province", "emc", "feed")]

    assert endpoint
    province.bring_in()
    province.hosync("push")
    before = write_counts()
    assert min(before) > 0
    again = [*province.hosync("pull", ok=(0, 1))["pulls"], *province.hosync("pull", "--full", ok=(0, 1))["pulls"]]
    assert all(_adds_up(report) for report in again)
    assert sum(report["new"] + report["changed"] for report in again) == 0
    province.hosync("push")
    assert write_counts() == before
