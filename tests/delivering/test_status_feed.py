"""The status feed, from the ledger to a receiver and back: a target made of files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from delivery_world import Serve, World, shipped, world
from dossiers import code, dossier
from serving import Served
from sqlalchemy import Engine

from ledger.sealing import Sealer
from sandbox.targets import feed
from sync.errors import SyncError

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LOST = ("apply-then-500", "apply-then-drop", "apply-then-hang", "html-200", "drop-before")


@pytest.fixture
def receiver(serve: Serve) -> Served:
    return serve("feed", feed.build, password=SECRET)


@pytest.fixture
def small(
    own_engine: Engine, sealer: Sealer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receiver: Served
) -> Iterator[World]:
    assert receiver
    with world(own_engine, sealer, tmp_path, monkeypatch, shipped("feed")) as opened:
        yield opened


def _states(receiver: Served) -> dict[str, int]:
    return {row["code"]: row["state"] for row in receiver.control("dossiers")}


def test_p3_every_state_arrives_once_although_answers_were_lost(small: World, receiver: Served) -> None:
    small.tell(*(dossier(n) for n in range(10)))
    for mode in LOST:
        receiver.fault(mode)
    assert small.push("feed").remaining == 0
    assert _states(receiver) == {code(n): 4 for n in range(10)}
    applied = [write["code"] for write in receiver.control("writes") if write["effect"] != "noop"]
    assert sorted(applied) == sorted(_states(receiver))
    assert small.compare("feed").open_breaks == 0


def test_p2_what_comes_late_never_covers_what_is_newer(small: World, receiver: Served) -> None:
    small.tell(dossier(1, state=4))
    small.push("feed")
    small.tell(dossier(1, state=9, hours=2))
    small.tell(dossier(1, state=5, hours=1))
    small.push("feed")
    assert [row["state"] for row in receiver.control("steps")] == [4, 9]


def test_p4_what_the_receiver_lost_or_shows_otherwise_is_found_and_mended(small: World, receiver: Served) -> None:
    small.tell(*(dossier(n) for n in range(6)))
    small.push("feed")
    damage = {"delete": [code(0)], "set_state": {code(1): 9}, "add": [{"code": "H12.12-260302-0099", "state": 1}]}
    receiver.control("damage", damage)
    found = small.compare("feed")
    assert {kind: number for kind, number in found.breaks.items() if number} == {
        "missing_at_target": 1,
        "mismatch": 1,
        "unknown_to_us": 1,
    }
    small.push("feed")
    assert small.compare("feed").breaks["unknown_to_us"] == 1
    assert _states(receiver) == {**{code(n): 4 for n in range(6)}, "H12.12-260302-0099": 1}


def test_nothing_personal_is_told(small: World, receiver: Served) -> None:
    said = {"summary": "Đề nghị của ông Mẫu", "note": "Gọi 0900000000", "steps": [
        {"at": "2026-03-02T09:00:00+07:00", "state": 4, "officer": "Lê Văn Kiểm", "content": "Chuyển ông Kiểm"}
    ]}  # fmt: skip
    small.tell(dossier(1, **said))
    small.push("feed")
    (row,) = receiver.control("dossiers")
    assert row["body"] == {
        "code": code(1),
        "version": 1,
        "state": 4,
        "state_vi": "Đang xử lý",
        "state_en": "being processed",
        "is_final": False,
        "state_at": "2026-03-02T08:00:00+07:00",
        "agency_code": "H12.12",
        "agency_name": "Sở Mẫu tỉnh Thử Nghiệm",
        "procedure_code": "1.990101",
        "procedure_name": "Đổi giấy phép lái xe",
        "submitted_at": "2026-03-02T07:00:00+07:00",
        "received_at": "2026-03-02T08:00:00+07:00",
        "due_at": "2026-03-09T08:00:00+07:00",
    }


def test_a_receiver_that_cannot_be_asked_is_told_and_honestly_never_verified(
    own_engine: Engine, sealer: Sealer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receiver: Served
) -> None:
    with world(own_engine, sealer, tmp_path, monkeypatch, shipped("feed"), {"reconcile": {"method": "none"}}) as silent:
        silent.tell(dossier(1))
        assert silent.push("feed").remaining == 0
        assert _states(receiver) == {code(1): 4}
        seen = silent.status("feed")
        assert (seen.is_compared, seen.last_reconciliation) == (False, None)
        with pytest.raises(SyncError, match="never verified"):
            silent.compare("feed")
