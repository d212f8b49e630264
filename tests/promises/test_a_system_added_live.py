"""P1, P3 and P4 for a system that somebody adds: two new ones, by docs/add-a-connector.md and without any Python.

The page's own blocks marked ``shell`` are run as they stand there, in a folder that looks like the project's after
``make run``: servers of the practice systems and of the targets, a ledger, and copies of the files that a person edits.
What a person does between the blocks, adding one code to a table, the test does.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import forked
import pytest
from living_province import ROOT, TARGETS, Province

from cli.messages import Language, Texts
from connectors.api import CheckResult, CheckStatus
from connectors.catalog import CONTRACTS, load_catalog
from schemas.identifiers import dossier_short
from sync.check import check
from sync.context import now

pytestmark = [pytest.mark.timeout(400), pytest.mark.usefixtures("desk")]

SOURCES = ("nuoc", "laodong")
PROVINCE_SIZE = 1500
_PAGE = (ROOT / "docs" / "add-a-connector.md").read_text("utf-8")


def _blocks(heading: str) -> list[str]:
    """The blocks of one section of the page that are to be run."""
    section = _PAGE.split(f"\n## {heading}", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^```shell\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


class Desk:
    """A folder as the project's is after ``make run``, as far as somebody who adds a system sees it."""

    def __init__(self, root: Path, province: Province) -> None:
        self.root = root
        self.catalog, self.mappings, self.contracts = (root / name for name in ("catalog", "mappings", "wire"))
        shutil.copytree(province.environment["HOSYNC_CATALOG"], self.catalog)
        for folder in ("targets", "catalogues"):
            shutil.copytree(ROOT / "mappings" / folder, self.mappings / folder)
        shutil.copytree(CONTRACTS, self.contracts)
        (root / ".hosync" / "bin").mkdir(parents=True)
        forked.put_into(root / ".hosync" / "bin")
        (root / ".hosync" / "sandbox").symlink_to(province.home)
        self._environment = {
            **province.environment,
            "HOSYNC_CATALOG": str(self.catalog),
            "HOSYNC_MAPPINGS": str(self.mappings),
            "HOSYNC_CONTRACTS": str(self.contracts),
            "HOSYNC_HOME": "/nonexistent",
            "PATH": f"{root / '.hosync' / 'bin'}:{os.environ['PATH']}",
        }
        self.before = self.files()

    def run(self, block: str) -> str:
        """Run a block of the page, every line of which must succeed; gives back what it printed."""
        done = self._run(["bash", "-euo", "pipefail", "-c", block])
        assert done.returncode == 0, f"{block}ended with {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    def json(self, *arguments: str, ok: Sequence[int] = (0,)) -> dict[str, list[dict[str, Any]]]:
        """The JSON document of a command."""
        done = self._run(["hosync", *arguments, "--json"])
        assert done.returncode in ok, f"{arguments} ended with {done.returncode}: {done.stderr}"
        document: dict[str, list[dict[str, object]]] = json.loads(done.stdout)
        return document

    def lines_of_check(self, system: str) -> dict[str, CheckResult]:
        """The lines of ``hosync check`` by their names; in this process, which spares a start."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self._environment.items():
                patch.setenv(name, value)
            patch.chdir(self.root)
            (found,) = check(load_catalog(), system, now=now())
        return {line.name: line for line in found.results}

    def files(self) -> set[Path]:
        """All files a person would find here, but for what the owner handed over."""
        return {path.relative_to(self.root) for path in self.root.rglob("*") if ".hosync" not in path.parts}

    def mapping(self, system: str) -> Path:
        """The mapping that somebody edits."""
        return self.mappings / "sources" / f"{system}.yaml"

    def _run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=self._environment,
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, province: Province) -> Desk:
    """One desk for both systems: the second is added beside the first, in the order of the page."""
    desk = Desk(tmp_path_factory.mktemp("desk"), province)
    fetch, draft, check, check_again, look, work = _blocks("A REST system")
    desk.run(fetch)
    said = desk.run(draft)
    assert "subject_kind is 2" in said
    assert "'GD_CUOI' has no meaning yet" in said
    assert "GD_CUOI" in desk.run(check)
    written = desk.mapping("nuoc").read_text("utf-8")
    assert written.count("CO_KET_QUA: 9}") == 1
    desk.mapping("nuoc").write_text(written.replace("CO_KET_QUA: 9}", "CO_KET_QUA: 9, GD_CUOI: 10}"), "utf-8")
    desk.run(check_again)
    assert "As npsp gets it" in desk.run(look)
    desk.run(work)
    (soap,) = _blocks("A SOAP system")
    desk.run(soap)
    return desk


def test_p1_every_dossier_of_both_systems_is_at_every_target_in_its_state(province: Province) -> None:
    truth = {each["code"]: each["state"] for system in SOURCES for each in province.lines(system, "truth")}
    assert len(set(truth.values())) > 1
    for target in TARGETS:
        held = {dossier_short(each["code"]): each for each in province.lines(target, "dossiers")}
        assert held.keys() == truth.keys(), target
        if target != "emc":  # which knows three states of its own
            assert {code: each["state"] for code, each in held.items()} == truth, target


def test_p4_nothing_differs_and_nothing_is_refused_or_set_aside(desk: Desk) -> None:
    for each in desk.json("reconcile")["reconciliations"]:
        assert each["ours"] == each["matched"] == each["theirs"]
        assert not any(dict(each["breaks"]).values())
    status = desk.json("status")
    assert [source["open_quarantine"] for source in status["sources"]] == [0, 0]
    assert all(target["due"] == target["rejected"] == 0 for target in status["targets"])


def test_p3_pushing_again_writes_nothing(desk: Desk, province: Province) -> None:
    before = {target: len(province.writes(target)) for target in TARGETS}
    desk.json("pull")
    desk.json("push")
    assert {target: len(province.writes(target)) for target in TARGETS} == before


def test_it_took_three_files_each_and_no_python(desk: Desk) -> None:
    written = {path for path in desk.files() - desk.before if (desk.root / path).is_file()}
    assert written == {
        *(Path("catalog") / f"{system}.yaml" for system in SOURCES),
        *(Path("mappings/sources") / f"{system}.yaml" for system in SOURCES),
        Path("wire/nuoc/record.schema.json"),
        Path("wire/laodong/laodong.wsdl"),
    }


def test_a_field_that_targets_require_is_named_before_anything_is_sent(desk: Desk) -> None:
    mapping = desk.mapping("nuoc")
    whole = mapping.read_text("utf-8")
    mapping.write_text(re.sub(r"^  agency_name: .*\n", "", whole, flags=re.MULTILINE), "utf-8")
    try:
        line = desk.lines_of_check("nuoc")["targets"]
        assert line.status is CheckStatus.FAILED
        assert "npsp would not get 20 of 20 dossiers: DonViXuLy required" in line.detail
        assert "Fill agency_name in mappings/sources/nuoc.yaml" in line.fix
        previewed = desk.json("preview", "nuoc", "-n", "1", ok=(1,))
        assert "fill agency_name in mappings/sources/nuoc.yaml" in json.dumps(previewed)
    finally:
        mapping.write_text(whole, "utf-8")


def test_a_state_told_in_words_is_named_when_no_table_knows_it_and_shown_in_the_preview(desk: Desk) -> None:
    mapping = desk.mapping("laodong")
    whole = mapping.read_text("utf-8")
    mapping.write_text(whole.replace(", Đã trả kết quả: 10", ""), "utf-8")
    try:
        line = desk.lines_of_check("laodong")["page"]
        assert "unknown codes: state: Đã trả kết quả" in line.detail
        (record, *_) = [each for each in desk.json("preview", "laodong", ok=(1,)) if each["problems"]]
    finally:
        mapping.write_text(whole, "utf-8")
    assert record["native"]["trangThai"] == "Đã trả kết quả"
    assert record["native"]["ngayCapNhat"].startswith("20")
    assert record["native"]["nguoiNop"] == "•••"


@pytest.mark.parametrize("system", SOURCES)
def test_the_check_of_a_new_system_is_said_in_vietnamese(desk: Desk, system: str) -> None:
    told = Texts(Language.VI).told
    for line in desk.lines_of_check(system).values():
        assert told(line.name) != line.name
        assert told(line.detail) != line.detail


@pytest.mark.parametrize(
    ("what", "wrong", "line", "said"),
    [
        ("path: /api/v1/giay-phep", "path: /api/v1/giay-pheep", "read", "Compare options.request.path"),
        ("capNhatTu:", "capNhatTuu:", "read", "Compare its parameters"),
        ("records: giayPhep", "records: giayPhepp", "page", "Correct options.answer.records"),
        ("contract: nuoc/", "contract: dienluc/", "contract", "Correct 'contract'"),
        ("contract: nuoc/record.schema.json", "contract: laodong/nuoc.schema.json", "contract drift", "Is 'contract:"),
    ],
)
def test_a_slip_in_the_catalog_is_answered_with_the_key_to_correct(
    desk: Desk, what: str, wrong: str, line: str, said: str
) -> None:
    foreign = desk.contracts / "laodong" / "nuoc.schema.json"
    foreign.write_text(json.dumps({"$defs": {"record": {"type": "object", "properties": {"id": {"type": "string"}},
                                                       "additionalProperties": False}}}))  # fmt: skip
    entry = desk.catalog / "nuoc.yaml"
    whole = entry.read_text("utf-8")
    assert what in whole
    entry.write_text(whole.replace(what, wrong), "utf-8")
    try:
        found = desk.lines_of_check("nuoc")[line]
    finally:
        entry.write_text(whole, "utf-8")
        foreign.unlink()
    assert found.status is not CheckStatus.OK
    assert said in found.fix
