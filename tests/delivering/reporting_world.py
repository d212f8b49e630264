"""Ratings in dropped files and dossiers in the ledger, reported to the targets of the sandbox in this process."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from delivery_world import Serve, World, shipped, world
from dossiers import dossier
from serving import Served
from sqlalchemy import Engine

from ledger import reports
from ledger.reports import ReportRow
from ledger.sealing import Sealer
from sandbox.targets import npsp, province
from schemas.times import VN
from sync.pull import PullReport, plan, pull
from sync.reports import SentReports, report_to

MARCH = date(2026, 3, 1)
APRIL_10 = datetime(2026, 4, 10, 8, tzinfo=VN)
HEADINGS = ("Số phiếu", "Mã hồ sơ", "Mã đơn vị", "Nội dung đánh giá", "Mức độ", "Thời điểm", "Ý kiến")
VERY, SATISFIED, NOT_YET = "Rất hài lòng", "Hài lòng", "Chưa hài lòng"
REMARK = "Gọi lại cho Trần Thị Mẫu, 0900000001"
Row = Sequence[str]
Open = Callable[..., "Reporting"]


def row(number: int, level: str = VERY, question: str = "Thái độ phục vụ", day: str = "09/03/2026", **more: str) -> Row:
    """One answer about ``dossier(number)``."""
    told = {
        "code": f"000.00.12.H12-260302-{number:04d}",
        "agency": "000.00.12.H12",
        "time": "09:00:00",
        "remark": "",
        "slip": f"P{number}-{question}-{day}",
        **more,
    }
    at = f"{day} {told['time']}"
    return (told["slip"], told["code"], told["agency"], question, level, at, told["remark"])


@dataclass
class Reporting:
    """A ledger with the shipped entries of the kiosks, the portal and the province; what the targets hold."""

    world: World
    folder: Path
    targets: dict[str, Served]
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def drop(self, *rows: Row, name: str = "") -> None:
        """The kiosks drop a file."""
        lines = ["\ufeff" + ";".join(HEADINGS), *(";".join(one) for one in rows)]
        content = "\r\n".join([*lines, ""]).encode()
        file = self.folder / (name or f"DG_20260401_080000_{next(self._numbers):04d}.csv")
        file.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        file.with_name(f"{file.name}.sha256").write_text(f"{digest}  {file.name}\n")

    def pull(self) -> PullReport:
        """Take in what was dropped."""
        (only,) = plan(self.world.context, "danhgia", now=APRIL_10)
        return pull(self.world.context, only, started_by="test", now=APRIL_10)

    def rate(self, *rows: Row) -> PullReport:
        """Drop a file and take it in."""
        self.drop(*rows)
        return self.pull()

    def rate_some(self) -> PullReport:
        """Four dossiers are rated by one question, one of them by two."""
        return self.rate(row(1), row(2), row(3, SATISFIED), row(4, NOT_YET), row(1, SATISFIED, "Thời gian giải quyết"))

    def report(self, target: str, now: datetime = APRIL_10, *, wait_s: float = 10, **more: Any) -> SentReports:
        """Count and send as of ``now``."""
        return report_to(self.world.context, target, now=now, wait_s=wait_s, **more)

    def held(self, target: str, service: str) -> dict[str, Any]:
        """The reports that a target holds, by key."""
        rows = [each for each in self.targets[target].control("reports") if each["service"] == service]
        assert len({each["key"] for each in rows}) == len(rows), "a report is there twice"
        return {each["key"]: each["body"] for each in rows}

    def applied(self, target: str) -> list[dict[str, Any]]:
        """What was really written at a target."""
        return [write for write in self.targets[target].control("writes") if write["effect"] != "noop"]

    def rows(self, target: str) -> dict[tuple[str, str, str], ReportRow]:
        """The reports to a target as we hold them, by kind, month and agency."""
        found = reports.reports(self.world.context.engine, target)
        return {(each.kind.value, f"{each.period:%Y-%m}", each.agency_code): each for each in found}


@contextmanager
def reporting(
    engine: Engine,
    sealer: Sealer,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    serve: Serve,
    changes: dict[str, Any] | None = None,
    is_reported: bool = True,
    **portal: Any,
) -> Iterator[Reporting]:
    """The world above; ``changes`` are put over every target's entry, ``portal`` is the portal's extra.

    ``is_reported``: whether the targets run.
    """
    folder = home / "gui-di"
    folder.mkdir()
    monkeypatch.setenv("AIRFLOW_CONN_DANHGIA", json.dumps({"conn_type": "fs", "extra": {"path": str(folder)}}))
    extra = {"dstcode": "VN:GOV:000.00.00.G99:cong-mau", "madonvi": "000.00.00.H12", **portal}
    targets = {}
    if is_reported:
        targets = {
            "npsp": serve("npsp", npsp.build, **extra),
            "province": serve("province", province.build, group_id="35166"),
        }
    with world(engine, sealer, home, monkeypatch, shipped("danhgia", "npsp", "province"), changes) as found:
        found.tell(*(dossier(number) for number in range(1, 6)))
        yield Reporting(found, folder, targets)
