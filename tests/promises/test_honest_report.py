"""P4: what is damaged at a target is named exactly, healed where that is safe, and left to a person where it is not."""

from __future__ import annotations

import pytest
from living_province import Province

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("endpoint")]

STRANGER = "H12.99-261101-0001"


def test_p4_exactly_the_planted_damage_is_named_and_all_but_the_stranger_heals(province: Province) -> None:
    province.bring_in()
    province.hosync("push", "province")
    clean = province.hosync("reconcile", "province")["reconciliations"][0]
    assert clean["matched"] == clean["ours"] == len(province.truth())

    codes = sorted(province.truth())
    deleted, changed = codes[:5], codes[10:13]
    states = {each["code"]: each["state"] for each in province.lines("province", "dossiers")}
    wrong = {code: 1 if states[code] != 1 else 4 for code in changed}
    province.ask("province", "damage", {"delete": deleted, "set_state": wrong, "add": [{"code": STRANGER, "state": 4}]})

    found = province.hosync("reconcile", "province", ok=(0, 1))["reconciliations"][0]
    kinds = {kind: count for kind, count in found["breaks"].items() if count}
    assert kinds.pop("missing_at_target") == 5
    assert kinds.pop("unknown_to_us") == 1
    assert sum(kinds.values()) == 3
    assert set(kinds) <= {"mismatch", "stale_at_target"}
    assert found["healed"] == 8

    province.hosync("push", "province")
    after = province.hosync("reconcile", "province", ok=(0, 1))["reconciliations"][0]
    assert {kind: count for kind, count in after["breaks"].items() if count} == {"unknown_to_us": 1}
    held = {each["code"]: each["state"] for each in province.lines("province", "dossiers")}
    assert held.pop(STRANGER) == 4, "nobody but a person removes what we do not know"
    assert held == {code: each["state"] for code, each in province.truth().items()}


def test_p4_a_target_that_cannot_be_read_makes_the_run_incomplete_and_never_clean(province: Province) -> None:
    province.bring_in()
    province.hosync("push", "npsp")
    province.ask("npsp", "faults", {"mode": "html-200", "times": 100_000})
    before = province.hosync("status", ok=(0, 1))
    failed = province.start("reconcile", "npsp")
    assert failed.wait(60) == 1
    after = province.hosync("status", ok=(0, 1))
    (npsp,) = (target for target in after["targets"] if target["target"] == "npsp")
    assert npsp["last_reconciliation"]["status"] == "failed"
    assert npsp["last_reconciliation"]["matched"] == 0
    assert [target["open_breaks"] for target in after["targets"]] == [
        target["open_breaks"] for target in before["targets"]
    ]
