"""The kiosks: what citizens answered, in files, as the truth tells it."""

import csv
import io
import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.systems.danhgia import CRITERIA, LEVELS
from schemas.codes import Satisfaction
from schemas.identifiers import dossier_short

WORDS = {word: int(level) for level, word in LEVELS.items()}


class Kiosks:
    """The kiosks and the files they have dropped."""

    def __init__(self, start: Any, home: Path) -> None:
        self.server = start("danhgia", home=home)
        self.folder = home / "danhgia" / "gui-di"

    def rows(self) -> list[dict[str, str]]:
        files = sorted(self.folder.glob("DG_*.csv"))
        return [row for file in files for row in csv.DictReader(io.StringIO(file.read_text("utf-8")), delimiter=";")]

    def ratings(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.server.control("GET", "ratings").text.splitlines()]

    def move(self, days: int) -> None:
        later = self.server.clock() + timedelta(days=days)
        self.server.control("POST", "clock", {"as_of": later.isoformat()})


@pytest.fixture
def kiosks(start: Any, tmp_path: Path) -> Kiosks:
    return Kiosks(start, tmp_path)


def test_the_files_tell_every_answer_and_no_other(kiosks: Kiosks) -> None:
    for days in (0, 3):
        kiosks.move(days)
        dropped = {
            row["Số phiếu"]: (dossier_short(row["Mã hồ sơ"]), row["Nội dung đánh giá"], WORDS[row["Mức độ"]])
            for row in kiosks.rows()
        }
        told = {row["source_id"]: (row["code"], row["criterion"], row["level"]) for row in kiosks.ratings()}
        assert dropped == told
        assert len(told) > 100


def test_only_what_was_handed_over_is_rated_and_most_are_satisfied(kiosks: Kiosks) -> None:
    returned = {row["code"] for row in kiosks.server.truth() if row["returned_at"]}
    ratings = kiosks.ratings()
    assert {row["code"] for row in ratings} < returned
    levels = Counter(row["level"] for row in ratings)
    assert levels[Satisfaction.VERY] > levels[Satisfaction.SATISFIED] > levels[Satisfaction.NOT_YET] > 0
    assert {row["criterion"] for row in ratings} == set(CRITERIA)


def test_some_write_who_they_are_beside_it(kiosks: Kiosks) -> None:
    remarks = [row["Ý kiến"] for row in kiosks.rows() if row["Ý kiến"]]
    assert remarks
    assert all("0900" in remark for remark in remarks)
