"""An archived page gives back the records that its mapping saw, and a changed mapping can be tried on them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from kit import Bench, mapping_of, tells_ratings

import mappings
from connectors.factory import reread
from ledger import archive
from mappings import yamllines
from sync.errors import SyncError
from sync.whatif.look import whatif


@pytest.fixture
def seen(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> list[Sequence[Mapping[str, Any]]]:
    """The source is pulled; what its mapping saw, page by page. Afterwards nobody knows the way to it any more."""
    bench.pull_homes()
    pages: list[Sequence[Mapping[str, Any]]] = []
    validate = mappings.validate_page

    def noted(mapping: mappings.Mapping, records: Sequence[Mapping[str, Any]]) -> mappings.Validated:
        pages.append(list(records))
        return validate(mapping, records)

    monkeypatch.setattr(mappings, "validate_page", noted)
    report = bench.pull()
    monkeypatch.setattr(mappings, "validate_page", validate)
    for name in [name for name in os.environ if name.startswith("AIRFLOW_CONN_")]:
        monkeypatch.delenv(name)
    return pages[: report.pages]


def test_the_archive_gives_back_the_records_that_the_mapping_saw(
    bench: Bench, seen: list[Sequence[Mapping[str, Any]]]
) -> None:
    context = bench.context
    stored = reversed(list(archive.newest_first(context.engine, bench.system.name)))
    pages = [archive.read_page(context.engine, context.sealer, page.run_id, page.number) for page in stored]
    assert [list(reread(bench.entry, page.raw, page.media_type)) for page in pages if page] == seen
    assert sum(map(len, seen)) > 1


@pytest.mark.usefixtures("seen")
def test_a_changed_mapping_is_tried_without_a_way_to_the_system(bench: Bench, tmp_path: Path) -> None:
    mapping = mapping_of(bench.entry)
    if tells_ratings(bench.system.name):
        with pytest.raises(SyncError, match="move no dossier"):
            whatif(bench.context, bench.system.name, candidate=mapping.file)
        return
    same = whatif(bench.context, bench.system.name, candidate=mapping.file)
    assert (same.same, same.unreadable, same.needs_a_look) == (same.records, 0, False)
    assert not any(target.dossiers for target in same.targets)

    worse = whatif(bench.context, bench.system.name, candidate=without_state_codes(mapping, tmp_path))
    assert worse.newly_set_aside == worse.records
    assert [(each.field, each.rule) for each in worse.reasons] == [("state", "unknown-code")]


def without_state_codes(mapping: mappings.Mapping, folder: Path) -> Path:
    """A copy of the mapping that knows no state code that any system uses."""
    whole: Any = yamllines.read(mapping.file).data
    for spec in _specs(whole["fields"]["state"]):
        whole["tables"][spec["table"]] = {"chưa từng có": 1}
    del whole["examples"]
    path = folder / mapping.file.name
    path.write_text(yaml.safe_dump(whole, allow_unicode=True), "utf-8")
    return path


def _specs(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [spec, *(_specs(spec["else"]) if "else" in spec else [])]
