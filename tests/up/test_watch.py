"""What the ledger's status becomes in a picture."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cli.up.course import missing
from cli.up.watch import picture_of
from sync.status import SourceStatus, Status, TargetStatus

NOW = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


def _status(*, dossiers: int, target: TargetStatus) -> Status:
    source = SourceStatus(system="gplx", title_vi="", title_en="", dossiers=dossiers)
    return Status(at=NOW, sources=(source,), targets=(target,))


def _target(**numbers: int) -> TargetStatus:
    return TargetStatus(target="npsp", title_vi="", title_en="", **numbers)


def test_a_target_that_no_push_has_looked_at_yet_has_everything_to_get() -> None:
    picture = picture_of(_status(dossiers=30, target=_target()), [], began_at=NOW, pulls=[])
    assert picture.targets[0].due == 30
    assert missing(picture)


@pytest.mark.parametrize(
    ("numbers", "due"),
    [
        ({"dossiers": 30, "settled": 30}, 0),
        ({"dossiers": 20, "settled": 20, "not_yet_expanded": 10}, 10),
        ({"not_yet_expanded": 30}, 30),
        ({"dossiers": 30, "due": 4, "in_work": 2, "settled": 24}, 4),
    ],
)
def test_what_is_due_is_what_waits_and_what_is_not_distributed_yet(numbers: dict[str, int], due: int) -> None:
    picture = picture_of(_status(dossiers=30, target=_target(**numbers)), [], began_at=NOW, pulls=[])
    assert picture.targets[0].due == due
