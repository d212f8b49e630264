"""Mappings are loaded by name, compiled once, and again when a file has changed."""

import os
import shutil
from pathlib import Path

import pytest
import yaml

import mappings
from connectors.catalog import load_catalog
from mappings import catalogues
from mappings.errors import MappingFileError, MappingNotFoundError
from mappings.mapping import load_file
from mappings.model import Direction


def _touch(file: Path) -> None:
    moment = file.stat().st_mtime_ns + 1_000_000
    os.utime(file, ns=(moment, moment))


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the folders that may be written to."""
    for folder in (*map(mappings.folder, Direction), catalogues.folder()):
        shutil.copytree(folder, tmp_path / folder.name)
    monkeypatch.setenv("HOSYNC_MAPPINGS", str(tmp_path))
    return tmp_path


def test_all_systems_have_their_mapping() -> None:
    catalog = load_catalog()
    assert mappings.available(Direction.SOURCE) == sorted(entry.mapping for entry in catalog.sources)
    others = [yaml.safe_load(file.read_text())["mapping"] for file in (catalog.folder / "alternatives").glob("*.yaml")]
    assert mappings.available(Direction.TARGET) == sorted({entry.mapping for entry in catalog.targets} | set(others))


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(MappingNotFoundError, match=r'no source mapping "npsp".*holds: .*dkkd, .*gplx, .*igate'):
        mappings.load("npsp", Direction.SOURCE)


@pytest.mark.parametrize("name", ["../targets/npsp", "", "GPLX", "gplx.yaml"])
def test_a_name_is_no_path(name: str) -> None:
    with pytest.raises(MappingNotFoundError):
        mappings.load(name, Direction.SOURCE)


def test_an_unchanged_file_is_compiled_once(folders: Path) -> None:
    assert mappings.load("gplx", Direction.SOURCE) is mappings.load("gplx", Direction.SOURCE)
    assert mappings.load("gplx", Direction.SOURCE).file.parent.parent == folders


def test_a_changed_file_is_read_again_and_has_another_version(folders: Path) -> None:
    before = mappings.load("gplx", Direction.SOURCE)
    file = folders / "sources" / "gplx.yaml"
    file.write_text(file.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    after = mappings.load("gplx", Direction.SOURCE)
    assert before is not after
    assert before.version != after.version
    assert after.version.startswith("1-")


def test_a_changed_catalogue_is_seen_by_the_mappings_that_use_it(folders: Path) -> None:
    before = mappings.load("igate", Direction.SOURCE)
    unrelated = mappings.load("dkkd", Direction.SOURCE)
    file = folders / "catalogues" / "agencies.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("phường An Mẫu", "phường Tên Mới"), encoding="utf-8")
    _touch(file)
    after = mappings.load("igate", Direction.SOURCE)
    assert before.version != after.version
    assert mappings.load("dkkd", Direction.SOURCE).version == unrelated.version


def test_the_version_depends_on_nothing_but_the_content(folders: Path) -> None:
    before = mappings.load("gplx", Direction.SOURCE).version
    _touch(folders / "sources" / "gplx.yaml")
    assert mappings.load("gplx", Direction.SOURCE).version == before


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "procedures",
            "1.001612: {name: a, field_code: b, field_name: c, level: 5}",
            "procedures.yaml:1: 1.001612.level",
        ),
        (
            "procedures",
            "1.001612.000.00.00.H12: {name: a, field_code: b, field_name: c, level: 4}",
            "canonical form. 1.001612",
        ),
        ("procedures", "a b: {name: a, field_code: b, field_name: c, level: 4}", "the procedure code must look like"),
        (
            "agencies",
            "\n000.00.12.H12: {name: a}",
            "agencies.yaml:2: 000.00.12.H12: the code is not in its canonical form. H12.12",
        ),
        ("agencies", "H12: {nam: a}", "agencies.yaml:1: H12.nam"),
        ("agencies", "[]", "agencies.yaml:1: file: "),
    ],
)
def test_a_mistake_in_a_catalogue_is_told_with_its_line(folders: Path, name: str, text: str, expected: str) -> None:
    (folders / "catalogues" / f"{name}.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(MappingFileError) as caught:
        load_file(folders / "sources" / "igate.yaml")
    assert expected in str(caught.value)
