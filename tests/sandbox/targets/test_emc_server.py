"""EMC over HTTP: it takes everything, counts what it can, and shows only counts."""

import csv
from io import StringIO
from typing import Any

import pytest
import requests

from sandbox.targets.emc import build


def event(code: str = "000.00.07.H12-250812-0001", status: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "codeProfile": code,
        "siteId": 12345,
        "codeTTHC": "1.990101",
        "nameTTHC": "Đổi giấy phép lái xe",
        "status": str(status),
    } | changes


@pytest.fixture
def server(start: Any) -> Any:
    return start(build, "emc", site_id=12345)


def track(server: Any, body: dict[str, Any], **more: Any) -> None:
    answer = server.post("/TrackingMCDT", **(more or {"json": body}))
    assert answer.status_code == 204
    assert answer.content == b""


def export(server: Any) -> list[list[str]]:
    answer = server.get("/dashboard?format=csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.reader(StringIO(answer.content.decode("utf-8-sig"))))


def test_every_event_counts_duplicates_too(server: Any) -> None:
    track(server, event())
    track(server, event())
    track(server, event(status=2))
    track(server, event("000.00.07.H12-250812-0002", status=3, codeTTHC="2.990201"))
    assert export(server) == [
        ["codeTTHC", "status", "events"],
        ["1.990101", "1", "2"],
        ["1.990101", "2", "1"],
        ["2.990201", "3", "1"],
        ["Tổng số hồ sơ", "", "2"],
    ]
    assert [write["effect"] for write in server.lines("writes")] == ["inserted"] * 4


def test_a_form_counts_like_json(server: Any) -> None:
    track(server, {}, data=event())
    assert export(server)[1] == ["1.990101", "1", "1"]


def test_an_unknown_site_and_nonsense_are_answered_alike_and_not_counted(server: Any) -> None:
    track(server, event(siteId=1))
    track(server, {}, data=b"<html>", headers={"Content-Type": "application/json"})
    assert export(server) == [["codeTTHC", "status", "events"], ["Tổng số hồ sơ", "", "0"]]
    assert server.stats()["ignored"] == {"unknown_site": 1, "unreadable": 1}
    assert server.lines("writes") == []


def test_the_dashboard_is_a_page_in_vietnamese(server: Any) -> None:
    track(server, event())
    answer = server.get("/dashboard")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    answer.encoding = "utf-8"
    assert '<html lang="vi">' in answer.text
    assert '<strong id="total">1</strong>' in answer.text


def test_the_control_endpoints_list_dossiers_and_events(server: Any) -> None:
    track(server, event(status=1))
    track(server, event(status=3))
    assert server.lines("dossiers") == [{"code": "000.00.07.H12-250812-0001", "events": 2, "state": 3}]
    assert [one["state"] for one in server.lines("steps?code=000.00.07.H12-250812-0001")] == [1, 3]
    assert server.lines("steps?code=x") == []


def test_damage_moves_the_counts_and_not_the_ledger(server: Any) -> None:
    for number in (1, 2):
        track(server, event(f"H12.07-250812-000{number}"))
        track(server, event(f"H12.07-250812-000{number}", status=2))
    added = {"code": "H12.07-250812-0009", "state": 4, "fields": {"codeTTHC": "2.990201"}}
    answer = server.damage(delete=["H12.07-250812-0001"], set_state={"H12.07-250812-0002": 3}, add=[added])
    assert answer.json() == {"deleted": 1, "set": 1, "added": 1}
    assert export(server)[1:] == [
        ["1.990101", "1", "1"],
        ["1.990101", "3", "1"],
        ["2.990201", "4", "1"],
        ["Tổng số hồ sơ", "", "2"],
    ]
    assert len(server.lines("writes")) == 4
    assert server.stats()["steps"] == 3
    assert server.damage(set_state={"H12.07-250812-0002": 9}).status_code == 422


def test_a_fault_after_the_work_leaves_a_counted_event(server: Any) -> None:
    server.fault("apply-then-drop")
    with pytest.raises(requests.ConnectionError):
        server.post("/TrackingMCDT", json=event())
    assert export(server)[1] == ["1.990101", "1", "1"]


def test_there_are_no_sessions_to_expire(server: Any) -> None:
    assert server.post("/_sandbox/faults", json={"mode": "expire-sessions"}).status_code == 422


def test_counts_outlive_a_restart(running: Any) -> None:
    with running(build, "emc", site_id=12345) as first:
        track(first, event())
    with running(build, "emc", site_id=12345) as second:
        track(second, event())
        assert export(second)[1:] == [["1.990101", "1", "2"], ["Tổng số hồ sơ", "", "1"]]
