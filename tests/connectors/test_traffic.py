"""Quiet hours and limits as a catalog entry writes them."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
import yaml

from connectors.catalog import FOLDER, load_entry
from connectors.catalog_models import TargetEntry
from connectors.errors import CatalogError
from connectors.traffic import Quiet, quiet_until
from schemas.times import VN

NPSP = yaml.safe_load((FOLDER / "npsp.yaml").read_text("utf-8"))


def entry(tmp_path: Path, **changes: object) -> TargetEntry:
    path = tmp_path / "npsp.yaml"
    path.write_text(yaml.safe_dump(NPSP | changes, allow_unicode=True), "utf-8")
    found = load_entry(path)
    assert isinstance(found, TargetEntry)
    return found


def windows(tmp_path: Path, *written: str) -> tuple[Quiet, ...]:
    return entry(tmp_path, quiet=list(written)).quiet


def sunday(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, 1, hour, minute, tzinfo=VN)


@pytest.mark.parametrize(
    ("written", "moment", "until"),
    [
        ("Sun 01:00-05:00", sunday(1), sunday(5)),
        ("Sun 01:00-05:00", sunday(5), None),
        ("Sun 01:00-05:00", sunday(2) + timedelta(days=1), None),
        ("00:30-01:00", sunday(0, 45), sunday(1)),
        ("Sat 22:00-02:00", sunday(1), sunday(2)),
        ("Sat 22:00-02:00", sunday(22), None),
        ("Fri-Mon 12:00-13:00", sunday(12), sunday(13)),
        ("Mon-Fri 12:00-13:00", sunday(12), None),
        ("Sun 20:00-24:00", sunday(23, 59), sunday(0) + timedelta(days=1)),
    ],
)
def test_quiet_hours_are_those_of_the_clock_in_vietnam(
    tmp_path: Path, written: str, moment: datetime, until: datetime | None
) -> None:
    assert quiet_until(windows(tmp_path, written), moment) == until


def test_windows_that_follow_on_end_with_the_last_of_them(tmp_path: Path) -> None:
    told = windows(tmp_path, "Sun 01:00-03:00", "02:30-04:00", "Sun 04:00-05:00")
    assert quiet_until(told, sunday(1, 30)) == sunday(5)
    assert quiet_until(windows(tmp_path, "00:00-12:00", "12:00-24:00"), sunday(1)) is not None, "an end is found"


def test_quiet_hours_are_written_as_they_were_read(tmp_path: Path) -> None:
    written = ("Sun 01:00-05:00", "00:30-01:00", "Mon-Fri 12:00-13:00", "Sat 22:00-02:00")
    assert tuple(map(str, windows(tmp_path, *written))) == written


@pytest.mark.parametrize("wrong", ["Sunday 01:00-05:00", "Son 01:00-05:00", "Sun 1:00-5:00", "25:00-26:00", "Sun", "7"])
def test_wrong_quiet_hours_are_explained(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(CatalogError, match="quiet"):
        windows(tmp_path, wrong)


def test_limits_have_defaults_that_limit_nothing_and_are_checked(tmp_path: Path) -> None:
    told = entry(tmp_path)
    assert (told.quota.concurrent, told.quota.per_second, told.quota.per_day) == (None, None, None)
    with pytest.raises(CatalogError, match="concurrent"):
        entry(tmp_path, quota={"concurrent": 0})
    with pytest.raises(CatalogError, match="per_second"):
        entry(tmp_path, quota={"persecond": 5})
