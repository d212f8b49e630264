"""The archive read again, snapshots, the check of a system, memory, and wrong entries."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dropped import (
    AT_ONCE,
    COLUMNS,
    HEADER,
    NOW,
    TODAY,
    codes,
    die,
    drop,
    entry,
    pull,
    rows,
    set_age,
    source,
    tree,
)

from connectors.api import CheckStatus, Window
from connectors.connections import ConnectionSettings, parse
from connectors.errors import ConnectionMissing, ContractBroken, NeedsPerson
from connectors.sources.files import FilesSource

BY_NAME = {"time": {"pattern": r"_(\d{8})\.", "format": "%Y%m%d"}}
SNAPSHOT = {"style": "snapshot", "feed": BY_NAME}


def test_a_window_reads_the_archive_again_and_moves_nothing(tmp_path):
    for day in ("20260101", "20260201", "20260301"):
        drop(tmp_path, f"x_{day}.csv", rows(day))
    made = {"feed": BY_NAME}
    pull(source(tmp_path, **made))
    drop(tmp_path, "x_20260202.csv", rows("new"))
    before = tree(tmp_path)
    window = Window(datetime(2026, 1, 15, tzinfo=UTC), datetime(2026, 2, 28, 17, tzinfo=UTC))
    pages = pull(source(tmp_path, **made), window=window)
    assert codes(pages) == ["20260201"]
    assert [page.after_store for page in pages] == [None]
    assert tree(tmp_path) == before


class TestSnapshot:
    """The newest file is everything the system holds."""

    def test_only_the_newest_is_read_and_its_last_page_completes(self, tmp_path):
        for day in ("20260101", "20260103", "20260102"):
            drop(tmp_path, f"x_{day}.csv", rows(f"{day}-1", f"{day}-2", f"{day}-3"))
        pages = pull(source(tmp_path, **SNAPSHOT), stored=False)
        assert codes(pages) == ["20260103-1", "20260103-2", "20260103-3"]
        assert [page.completes for page in pages] == [False, True]
        assert [page.cursor for page in pages] == [None, "2026-01-02T17:00:00+00:00"]
        assert len([name for name in tree(tmp_path) if name.startswith("x_")]) == 2
        pages[-1].after_store()
        assert tree(tmp_path) == [f"archive/{TODAY}/x_2026010{day}.csv" for day in (1, 2, 3)]

    def test_one_that_comes_late_is_archived_unread(self, tmp_path):
        drop(tmp_path, "x_20260101.csv", rows("A1"))
        assert pull(source(tmp_path, **SNAPSHOT), cursor="2026-01-02T17:00:00+00:00") == []
        assert tree(tmp_path) == [f"archive/{TODAY}/x_20260101.csv"]

    def test_one_of_the_same_moment_counts_again(self, tmp_path):
        drop(tmp_path, "x_20260101.csv", rows("A1"))
        assert codes(pull(source(tmp_path, **SNAPSHOT), cursor="2025-12-31T17:00:00+00:00")) == ["A1"]

    def test_one_without_records_is_refused_and_the_older_ones_stay(self, tmp_path):
        drop(tmp_path, "x_20260101.csv", rows("A1"))
        drop(tmp_path, "x_20260102.csv", HEADER)
        with pytest.raises(ContractBroken, match="it holds no record, and would make every dossier disappear"):
            pull(source(tmp_path, **SNAPSHOT))
        assert tree(tmp_path) == ["x_20260101.csv", "x_20260102.csv"]

    def test_a_killed_reading_gives_way_to_a_newer_snapshot(self, tmp_path):
        drop(tmp_path, "x_20260101.csv", rows("A1", "A2", "A3"))
        first = source(tmp_path, **SNAPSHOT)
        next(first.pull(window=None, cursor=None, open_codes=(), now=NOW))
        die(first)
        drop(tmp_path, "x_20260102.csv", rows("B1"))
        assert codes(pull(source(tmp_path, **SNAPSHOT))) == ["B1"]
        assert tree(tmp_path) == [f"archive/{TODAY}/x_2026010{day}.csv" for day in (1, 2)]
        assert not list((tmp_path / "in-progress").iterdir())

    def test_a_window_completes_nothing(self, tmp_path):
        drop(tmp_path, "x_20260101.csv", rows("A1"))
        pull(source(tmp_path, **SNAPSHOT))
        window = Window(datetime(2025, 12, 1, tzinfo=UTC), NOW)
        (page,) = pull(source(tmp_path, **SNAPSHOT), window=window)
        assert (codes([page]), page.completes, page.cursor) == (["A1"], False, None)

    def test_it_takes_one_feed(self, tmp_path):
        made = entry(style="snapshot")
        two = made.options.model_copy(update={"feeds": made.options.feeds * 2})
        with pytest.raises(NeedsPerson, match="one feed and not several"):
            source(tmp_path, made.model_copy(update={"options": two}))


class TestCheck:
    """``hosync check`` looks at everything and takes nothing."""

    def results(self, folder, **options):
        return {result.name: result for result in source(folder, **options).check()}

    def test_all_is_well(self, tmp_path):
        drop(tmp_path, "a.csv", rows("A1"))
        set_age(tmp_path / "a.csv", -0.0)
        results = self.results(tmp_path, ready={"by": "marker"}, feed={"pattern": "a*"})
        assert results["read"].status is CheckStatus.WARNING
        (tmp_path / "a.csv.done").touch()
        results = self.results(tmp_path, ready={"by": "marker"}, feed={"pattern": "a*"})
        assert {result.status for result in results.values()} == {CheckStatus.OK}
        assert results["read"].detail == "the header of a.csv is as agreed"
        assert tree(tmp_path) == ["a.csv", "a.csv.done"]

    def test_a_header_that_moved_is_told(self, tmp_path):
        drop(tmp_path, "a.csv", "Mã hồ sơ;Người nộp;Tình trạng\n")
        (tmp_path / "a.csv.done").touch()
        result = self.results(tmp_path, ready={"by": "marker"})["read"]
        assert (result.status, result.detail) == (
            CheckStatus.FAILED, "a.csv: the header lacks 'Trạng thái'; 'Trạng thái' may be 'Tình trạng' now",
        )  # fmt: skip

    def test_a_missing_folder_is_told(self, tmp_path):
        result = self.results(tmp_path / "missing")["connection"]
        assert result.status is CheckStatus.FAILED
        assert "Correct 'path'" in result.fix

    def test_a_folder_of_ours_that_cannot_be_made_is_told(self, tmp_path):
        (tmp_path / "archive").touch()
        assert self.results(tmp_path)["folders"].status is CheckStatus.FAILED

    def test_an_archive_that_keeps_what_is_cut_is_told(self, tmp_path):
        result = self.results(tmp_path, cut=("ten",))["cut"]
        assert result.status is CheckStatus.WARNING
        assert "keep_days to 0" in result.fix


def test_memory_stays_flat_however_large_the_file(tmp_path):
    path = tmp_path / "a.csv"
    block = "".join(f"A{number};Nguyễn Văn Mẫu;{'x' * 400}\n" for number in range(1000)).encode()
    with path.open("wb") as writer:
        writer.write(HEADER.encode())
        for _ in range(100):
            writer.write(block)
    set_age(path, 3600)
    script = f"""
import resource, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from dropped import *
reading = source(Path({str(tmp_path)!r}), page_size=500, limit_mb=600)
before, count = None, 0
for page in reading.pull(window=None, cursor=None, open_codes=(), now=NOW):
    count += len(page.records)
    before = before or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=Path(__file__).parents[2], check=True
    )
    count, grown_kb = map(int, done.stdout.split())
    assert count == 100_000
    assert grown_kb < 8_000  # of 43 MB


def test_a_connection_may_do_without_a_host_if_it_has_a_path():
    settings = parse("giaoduc", '{"conn_type": "fs", "extra": {"path": "/srv/drops"}}')
    assert (settings.host, settings.text("path")) == ("", "/srv/drops")
    with pytest.raises(ConnectionMissing, match="names no host"):
        parse("giaoduc", '{"conn_type": "fs", "extra": {}}')


def test_a_folder_connection_needs_its_path():
    settings = ConnectionSettings(conn_id="giaoduc", host="")
    with pytest.raises(ConnectionMissing, match="no 'path', needed for files in a folder"):
        FilesSource(entry(), settings, retry=AT_ONCE)


@pytest.mark.parametrize(
    "changes",
    [
        {"working": "a/b"},
        {"archive": ".."},
        {"working": "same", "archive": "same"},
        {"feed": {"pattern": "../*.csv"}},
        {"feed": {"time": {"pattern": "no group", "format": "%Y"}}},
        {"feed": {"columns": {"at": "Mã"}}},
        {"feed": {"columns": {**COLUMNS, "so": {"header": "Số", "wide": 3}}}},
        {"feed": {"format": {"kind": "csv", "encoding": "latin-1"}}},
    ],
)
def test_wrong_options_are_refused_when_they_are_loaded(changes):
    with pytest.raises(ValueError, match="validation error"):
        entry(**changes)
