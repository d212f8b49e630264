"""Each file is taken once, whole, in order; it is archived when it is stored, and nothing else is touched."""

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dropped import (
    CSV,
    NOW,
    TODAY,
    codes,
    die,
    drop,
    pull,
    rows,
    source,
    tree,
    with_checksum,
)

from connectors.errors import BrokenAnswer, ContractBroken, NeedsPerson
from connectors.files.local import LocalPlace
from connectors.files.places import Gone

BY_NAME = {"time": {"pattern": r"_(\d{8})\.", "format": "%Y%m%d"}}
CHECKED = {"ready": {"by": "checksum", "settle": "60s"}}
MARKED = {"ready": {"by": "marker"}}


def test_a_file_is_read_page_by_page_and_archived_with_the_last_one(tmp_path):
    drop(tmp_path, "a.csv", rows("A1", "A2", "A3"))
    pages = pull(source(tmp_path), stored=False)
    assert [len(page.records) for page in pages] == [2, 1]
    assert [page.number for page in pages] == [1, 2]
    assert [page.after_store is not None for page in pages] == [False, True]
    assert [page.completes for page in pages] == [False, False]
    assert tree(tmp_path)[0].startswith("in-progress/")
    pages[-1].after_store()
    assert tree(tmp_path) == [f"archive/{TODAY}/a.csv"]
    assert not list((tmp_path / "in-progress").iterdir())


def test_files_come_in_the_order_of_their_times_and_then_of_their_names(tmp_path):
    for name, age in (("c.csv", 100), ("a.csv", 300), ("d.csv", 200), ("b.csv", 200)):
        drop(tmp_path, name, rows(name[0]), age_s=age)
    assert codes(pull(source(tmp_path))) == ["a", "b", "d", "c"]


def test_a_time_in_the_name_comes_before_that_of_the_last_change(tmp_path):
    for name, age in (("x_20260103.csv", 300), ("x_20260101.csv", 100), ("x_20260102.csv", 200)):
        drop(tmp_path, name, rows(name[9:10]), age_s=age)
    assert codes(pull(source(tmp_path, feed=BY_NAME))) == ["1", "2", "3"]


@pytest.mark.parametrize("name", ["x.csv", "x_20261340.csv"])
def test_a_name_without_its_time_is_a_problem_of_that_file_alone(tmp_path, name):
    drop(tmp_path, name, rows("A1"))
    drop(tmp_path, "x_20260101.csv", rows("B1"))
    with pytest.raises(ContractBroken, match="its name tells no time"):
        pull(source(tmp_path, feed=BY_NAME))
    assert tree(tmp_path) == [f"archive/{TODAY}/x_20260101.csv", name]


@pytest.mark.parametrize("name", [".a.csv", "a.csv.part", "a.csv.tmp", "a.txt", "A.CSV"])
def test_files_that_are_unfinished_or_none_of_ours_are_left_alone(tmp_path, name):
    drop(tmp_path, name, rows("A1"))
    assert pull(source(tmp_path, feed={"pattern": "*.csv*"} if name != "A.CSV" else {})) == []
    assert tree(tmp_path) == [name]


def test_a_file_is_left_alone_until_nobody_has_written_to_it_for_a_while(tmp_path):
    path = drop(tmp_path, "a.csv", rows("A1"), age_s=59)
    assert pull(source(tmp_path)) == []
    assert codes(pull(source(tmp_path), now=NOW + timedelta(seconds=1))) == ["A1"]
    assert not path.exists()


@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_with_checksums_a_file_waits_for_its_own_and_takes_it_along(tmp_path, kind):
    path = drop(tmp_path, "a.csv", rows("A1"), age_s=0)
    assert pull(source(tmp_path, **CHECKED)) == []
    with_checksum(path, kind)
    assert codes(pull(source(tmp_path, **CHECKED))) == ["A1"]
    assert tree(tmp_path) == [f"archive/{TODAY}/a.csv", f"archive/{TODAY}/a.csv.{kind}"]


def test_a_wrong_checksum_keeps_the_file_where_it_is_and_names_it_at_the_end(tmp_path):
    with_checksum(drop(tmp_path, "a.csv", rows("A1")), right=False)
    with_checksum(drop(tmp_path, "b.csv", rows("B1")))
    reading = source(tmp_path, **CHECKED)
    with pytest.raises(BrokenAnswer) as caught:
        pull(reading)
    assert "1 file was not taken: a.csv: its checksum is not the one in .sha256" in str(caught.value)
    assert "ask the owner to drop file and checksum again" in str(caught.value)
    assert tree(tmp_path) == ["a.csv", "a.csv.sha256", *(f"archive/{TODAY}/b.csv{end}" for end in ("", ".sha256"))]


def test_a_wrong_checksum_of_a_young_file_is_one_that_is_still_under_way(tmp_path):
    with_checksum(drop(tmp_path, "a.csv", rows("A1"), age_s=30), right=False)
    assert pull(source(tmp_path, **CHECKED)) == []


def test_with_markers_a_file_waits_for_its_own(tmp_path):
    drop(tmp_path, "a.csv", rows("A1"), age_s=0)
    assert pull(source(tmp_path, **MARKED)) == []
    (tmp_path / "a.csv.done").touch()
    assert codes(pull(source(tmp_path, **MARKED))) == ["A1"]
    assert tree(tmp_path) == [f"archive/{TODAY}/a.csv", f"archive/{TODAY}/a.csv.done"]


def test_a_file_that_is_not_as_agreed_is_put_back_and_the_others_are_taken(tmp_path):
    with_checksum(drop(tmp_path, "a.csv", "Khác;Hẳn\n1;2\n"))
    with_checksum(drop(tmp_path, "b.csv", rows("B1")))
    with pytest.raises(ContractBroken, match=r"1 file was not taken: a\.csv: "):
        pull(source(tmp_path, **CHECKED))
    assert tree(tmp_path)[:2] == ["a.csv", "a.csv.sha256"]
    assert f"archive/{TODAY}/b.csv" in tree(tmp_path)
    assert not list((tmp_path / "in-progress").iterdir())


def test_several_files_with_different_problems_are_named_in_one_error(tmp_path):
    with_checksum(drop(tmp_path, "a.csv", rows("A1")), right=False)
    with_checksum(drop(tmp_path, "b.csv", "Khác;Hẳn\n"))
    with pytest.raises(NeedsPerson) as caught:
        pull(source(tmp_path, **CHECKED))
    assert "2 files were not taken" in str(caught.value)
    assert "a.csv: its checksum" in str(caught.value)
    assert "b.csv: no row" in str(caught.value)


def test_a_file_that_cannot_be_put_back_because_a_new_one_is_there_keeps_out_of_its_way(tmp_path):
    drop(tmp_path, "a.csv", rows("A1", "A2", "A3", "A4") + '"never closed')
    pages = source(tmp_path).pull(window=None, cursor=None, open_codes=(), now=NOW)
    next(pages)
    drop(tmp_path, "a.csv", rows("B1"))
    with pytest.raises(BrokenAnswer, match="row 6 is not CSV"):
        list(pages)
    assert [Path(name).name for name in tree(tmp_path)] == ["a.csv", "a.csv"]


def test_a_file_that_grows_while_it_is_read_is_not_archived(tmp_path):
    drop(tmp_path, "a.csv", rows("A1", "A2", "A3"))
    pages = source(tmp_path).pull(window=None, cursor=None, open_codes=(), now=NOW)
    next(pages)
    (taken,) = (tmp_path / "in-progress").rglob("a.csv")
    with taken.open("a") as writer:
        writer.write("A4;x;1\n")
    with pytest.raises(BrokenAnswer, match="it was still written to while it was read"):
        list(pages)
    assert tree(tmp_path) == ["a.csv"]


def test_a_file_that_is_too_large_is_named_and_left(tmp_path):
    drop(tmp_path, "a.csv", b"x" * (1 << 20) + b"x")
    with pytest.raises(BrokenAnswer, match=r"it is larger than 1 MB.*limits\.max_response_mb"):
        pull(source(tmp_path, limit_mb=1))
    assert tree(tmp_path) == ["a.csv"]


def test_links_pipes_and_folders_are_no_files(tmp_path):
    outside = tmp_path.parent / f"{tmp_path.name}-secret.csv"
    outside.write_text(rows("A1"))
    (tmp_path / "a.csv").symlink_to(outside)
    os.mkfifo(tmp_path / "b.csv")
    (tmp_path / "c.csv").mkdir()
    assert pull(source(tmp_path, ready={"by": "age", "settle": "0s"}), now=datetime.now(UTC) + timedelta(days=1)) == []
    assert outside.exists()


def test_a_place_neither_lists_nor_opens_links(tmp_path):
    (tmp_path / "secret.txt").write_text("x")
    (tmp_path / "a.csv").symlink_to("secret.txt")
    place = LocalPlace("giaoduc", tmp_path)
    assert [found.name for found in place.files("")] == ["secret.txt"]
    assert place.find("", "a.csv") is None
    with pytest.raises(Gone):
        place.open("", "a.csv", 100)


def test_our_own_folders_must_be_no_links(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "in-progress").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NeedsPerson, match="in-progress"):
        pull(source(tmp_path))


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(NeedsPerson, match=r"missing.*Correct 'path'"):
        pull(source(tmp_path / "missing"))


def test_names_in_the_archive_do_not_collide(tmp_path):
    for text in ("A1", "A2", "A3"):
        with_checksum(drop(tmp_path, "a.csv", rows(text)))
        pull(source(tmp_path, **CHECKED))
    folder = tmp_path / "archive" / TODAY
    assert [(folder / name).read_text().split("\n")[1][:2] for name in ("a.csv", "a.2.csv", "a.3.csv")] == [
        "A1",
        "A2",
        "A3",
    ]
    assert (folder / "a.3.csv.sha256").exists()


def test_the_archive_keeps_files_for_so_many_days_and_nothing_is_kept_for_none(tmp_path):
    for day in ("2026-05-31", "2026-06-01", "not-a-day"):
        (tmp_path / "archive" / day).mkdir(parents=True)
        (tmp_path / "archive" / day / "old.csv").touch()
    drop(tmp_path, "a.csv", rows("A1"))
    pull(source(tmp_path, keep_days=30))
    kept = ["archive/2026-06-01/old.csv", f"archive/{TODAY}/a.csv", "archive/not-a-day/old.csv"]
    assert tree(tmp_path) == kept
    with_checksum(drop(tmp_path, "b.csv", rows("B1")))
    pull(source(tmp_path, keep_days=0, **CHECKED))
    assert tree(tmp_path) == kept[1:]


def test_what_a_run_did_not_finish_the_next_one_takes_first(tmp_path):
    drop(tmp_path, "b.csv", rows("B1", "B2", "B3"))
    first = source(tmp_path)
    pages = first.pull(window=None, cursor=None, open_codes=(), now=NOW)
    next(pages)
    die(first)
    drop(tmp_path, "a.csv", rows("A1"), age_s=9000)
    assert codes(pull(source(tmp_path))) == ["B1", "B2", "B3", "A1"]
    assert tree(tmp_path) == [f"archive/{TODAY}/a.csv", f"archive/{TODAY}/b.csv"]


def test_a_checksum_that_came_after_a_killed_run_belongs_to_the_new_file(tmp_path):
    with_checksum(drop(tmp_path, "a.csv", rows("A1", "A2", "A3")))
    first = source(tmp_path, **CHECKED)
    next(first.pull(window=None, cursor=None, open_codes=(), now=NOW))
    die(first)
    with_checksum(drop(tmp_path, "a.csv", rows("B1")))
    assert codes(pull(source(tmp_path, **CHECKED))) == ["A1", "A2", "A3", "B1"]
    assert len(tree(tmp_path)) == 4


def test_a_checksum_does_not_keep_the_encoding_from_being_checked(tmp_path):
    with_checksum(drop(tmp_path, "a.csv", rows("A1")))
    with pytest.raises(ContractBroken, match="declared as tcvn3 and looks like utf-8"):
        pull(source(tmp_path, **CHECKED, feed={"format": {**CSV, "encoding": "tcvn3"}}))


def test_who_only_looks_leaves_everything_as_it_was(tmp_path):
    with_checksum(drop(tmp_path, "a.csv", rows("A1", "A2", "A3")))
    before = tree(tmp_path)
    looking = source(tmp_path, **CHECKED)
    assert codes([next(looking.pull(window=None, cursor=None, open_codes=(), now=NOW))]) == ["A1", "A2"]
    assert tree(tmp_path) != before
    looking.close()
    assert tree(tmp_path) == before
    assert codes(pull(source(tmp_path, **CHECKED))) == ["A1", "A2", "A3"]


def test_what_was_stored_is_not_put_back(tmp_path):
    drop(tmp_path, "a.csv", rows("A1"))
    reading = source(tmp_path)
    pull(reading)
    reading.close()
    assert tree(tmp_path) == [f"archive/{TODAY}/a.csv"]


def test_what_a_living_run_has_taken_no_other_run_touches(tmp_path):
    drop(tmp_path, "a.csv", rows("A1", "A2", "A3"))
    first = source(tmp_path)
    pages = first.pull(window=None, cursor=None, open_codes=(), now=NOW)
    taken = [next(pages)]
    assert pull(source(tmp_path)) == []
    taken += pages
    taken[-1].after_store()
    assert tree(tmp_path) == [f"archive/{TODAY}/a.csv"]


def test_of_runs_at_the_same_time_each_file_goes_to_one(tmp_path):
    names = [f"{number:03d}" for number in range(60)]
    for name in names:
        drop(tmp_path, f"{name}.csv", rows(name))
    found: list[str] = []
    together = threading.Barrier(6)

    def run() -> None:
        reading = source(tmp_path)
        together.wait()
        for page in reading.pull(window=None, cursor=None, open_codes=(), now=NOW):
            found.extend(record["ma"] for record in page.records)
            page.after_store()

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == names
    assert len(tree(tmp_path / "archive")) == len(names)


_KILLED = """
import os, sys
sys.path.insert(0, {here!r})
from dropped import *
for page in source(Path({folder!r}), ready={{"by": "checksum"}}).pull(window=None, cursor=None, open_codes=(), now=NOW):
    print(page.number, flush=True)
    if page.number == {at}:
        os.kill(os.getpid(), 9)
    if page.after_store:
        page.after_store()
"""


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_run_that_is_killed_between_taking_and_archiving_loses_nothing(tmp_path, at):
    """P1: whatever page it dies at, the next run reads the file from its start."""
    for name in ("a", "b"):
        with_checksum(drop(tmp_path, f"{name}.csv", rows(f"{name}1", f"{name}2", f"{name}3")))
    script = _KILLED.format(here=str(Path(__file__).parent), folder=str(tmp_path), at=at)
    killed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, cwd=Path(__file__).parents[2], check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    left = ["b1", "b2", "b3"] if at == 3 else ["a1", "a2", "a3", "b1", "b2", "b3"]
    assert codes(pull(source(tmp_path, **CHECKED))) == left
    assert tree(tmp_path) == [f"archive/{TODAY}/{name}.csv{end}" for name in "ab" for end in ("", ".sha256")]
    assert not list((tmp_path / "in-progress").iterdir())


def test_what_is_left_of_a_claim_whose_file_was_archived_is_cleared_away(tmp_path):
    claim = tmp_path / "in-progress" / "another-host.1.2.3.4"
    claim.mkdir(parents=True)
    (claim / "a.csv.sha256").touch()
    assert pull(source(tmp_path)) == []
    assert not list((tmp_path / "in-progress").iterdir())


def test_a_file_that_vanishes_before_it_is_archived_is_told(tmp_path):
    drop(tmp_path, "a.csv", rows("A1"))
    (page,) = pull(source(tmp_path), stored=False)
    next((tmp_path / "in-progress").rglob("a.csv")).unlink()
    with pytest.raises(NeedsPerson, match="no longer where it was taken to"):
        page.after_store()
