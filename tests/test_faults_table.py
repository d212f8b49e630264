"""The page of faults: its rows name tests that are there, by reading the files and not by running them."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "faults.md"
ROWS = [line for line in PAGE.read_text("utf-8").splitlines() if re.match(r"\| [A-Z]\d", line)]
LINK = re.compile(r"\[(\w+)\]\((\.\./tests/[\w/.]+)\)")


def _tests_of(file: Path) -> set[str]:
    tree = ast.parse(file.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_every_row_names_tests_that_exist(row: str) -> None:
    _, _, fault, answer, tests, _ = row.split("|")
    assert fault.strip()
    assert answer.strip()
    links = tests.strip().split("<br>")
    assert all(LINK.fullmatch(link) for link in links), "a row names its tests as [name](../tests/file.py)"
    for name, path in LINK.findall(tests):
        file = (PAGE.parent / path).resolve()
        assert file.is_file(), f"{path} is not there"
        assert f"test_{name}" in _tests_of(file), f"{path} has no test_{name}"


def test_the_links_around_the_table_lead_somewhere() -> None:
    for name, path in LINK.findall(PAGE.read_text("utf-8")):
        assert f"test_{name}" in _tests_of((PAGE.parent / path).resolve())
    assert "(docs/faults.md)" in (ROOT / "README.md").read_text("utf-8")


def test_rows_are_numbered_in_order_and_each_is_there_once() -> None:
    names = [row.split("|")[1].strip() for row in ROWS]
    letters = sorted({name[0] for name in names})
    assert names == [
        f"{letter}{number}" for letter in letters for number in range(1, sum(name[0] == letter for name in names) + 1)
    ]
    assert len({row.split("|")[2] for row in ROWS}) == len(ROWS)
