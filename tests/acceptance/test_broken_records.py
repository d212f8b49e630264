"""P1: what cannot be understood is set aside with its reason, alone; a mended mapping brings it in; drift is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from kit import SYSTEMS, Bench, System, catalog, mapping_of, newest, tells_once

from connectors.api import CheckStatus
from connectors.catalog_models import PullStyle, SourceProtocol
from connectors.errors import ConnectorError
from sync.check import check
from sync.redrive import redrive

RULES = {
    "unknown-status": {"unknown-code"},
    "bad-date": {"datetime"},
    "missing-code": {"required"},
    "renamed-field": {"required", "unknown-code"},
}


@pytest.fixture
def broken(system: System) -> Iterator[System]:
    """The same system, mended afterwards."""
    yield system
    system.control("break", method="DELETE")


def _has_dates(name: str) -> bool:
    """Whether the mapping of a source reads any moment; else a broken one does no harm."""
    fields = mapping_of(catalog().source(name)).sections["dossier"].fields.values()
    return any(getattr(spec, "converter", None) == "datetime" for spec in fields)


def _cases() -> Iterator[tuple[str, str]]:
    for name in SYSTEMS:
        entry = catalog().source(name)
        for how in RULES:
            # A file whose columns are wrong is refused whole, and a call without a code at the door: tested there.
            refused = (entry.protocol is SourceProtocol.FILES and how == "renamed-field") or (
                entry.pull.style is PullStyle.INBOUND and how == "missing-code"
            )
            if not refused and (how != "bad-date" or _has_dates(name)):
                yield name, how


@pytest.mark.parametrize(("system", "how"), _cases(), indirect=["system"])
def test_a_broken_record_is_set_aside_and_its_neighbours_arrive(bench: Bench, broken: System, how: str) -> None:
    bench.pull_homes()
    must = bench.system.must_hold()
    truth = {source_id: row for source_id, row in bench.system.truth().items() if source_id in must}
    codes = newest(truth, 2)
    broken.control("break", {"codes": codes, "how": how})
    bench.pull()
    held = bench.held()
    lost = {source_id for source_id, row in truth.items() if row["code"] in codes}
    neighbours = {source_id: state for source_id, state in must.items() if source_id not in lost}
    assert {source_id: held.get(source_id) for source_id in neighbours} == neighbours
    rows = bench.quarantined()
    assert {row.rule for row in rows} <= RULES[how]
    if how == "renamed-field" and not rows:  # a sub-status may tell the state alone: then the drift is told
        broken.control("break", {"codes": [row["code"] for row in truth.values()], "how": how})
        (found,) = check(bench.context.catalog, broken.name, now=broken.now)
        assert not found.passed
    elif tells_once(broken.name):  # it tells of a dossier several times, and of a broken one again
        assert rows
    else:  # two records without a code may be the same record
        assert sum(row.times_seen for row in rows) >= len(codes)
        assert not lost & held.keys()


@pytest.mark.parametrize(
    "system", [name for name in SYSTEMS if catalog().source(name).protocol is SourceProtocol.FILES], indirect=True
)
def test_a_file_with_the_wrong_columns_is_refused_whole_and_the_others_arrive(bench: Bench, broken: System) -> None:
    must, truth = bench.system.must_hold(), bench.system.truth()
    if tells_once(broken.name):
        bench.pull()
    broken.control("break", {"codes": newest(truth, 2), "how": "renamed-field"})
    with pytest.raises(ConnectorError, match="column"):
        bench.pull()
    if tells_once(broken.name):
        assert must.keys() <= bench.held().keys()
    broken.control("break", method="DELETE")


@pytest.mark.parametrize(
    "system",
    [name for name in SYSTEMS if catalog().source(name).pull.style is PullStyle.INBOUND],
    indirect=True,
)
def test_a_call_that_names_no_dossier_is_refused_at_the_door(bench: Bench, broken: System) -> None:
    bench.pull_homes()
    bench.pull()
    broken.control("break", {"codes": newest(bench.system.truth(), 1), "how": "missing-code"})
    bench.pull()
    assert bench.quarantined() == []
    calls = json.loads(broken.control("calls"))["calls"]
    assert "refused" in {call["outcome"] for call in calls}


def test_a_field_that_the_contract_does_not_know_is_told_and_does_no_harm(bench: Bench, broken: System) -> None:
    bench.pull_homes()
    if tells_once(broken.name):
        bench.pull()
    truth = bench.system.truth()
    broken.control("break", {"codes": [row["code"] for row in truth.values()], "how": "extra-field"})
    codes = bench.open_codes()
    (found,) = check(bench.context.catalog, broken.name, now=broken.now, open_codes=lambda _: codes)
    assert found.passed
    looked_at = [each.name for each in found.results if each.name == "contract drift"]
    if looked_at:
        warned = [each.name for each in found.results if each.status is CheckStatus.WARNING]
        assert warned == ["contract drift", "mapping coverage"]
    assert bench.pull().quarantined == 0
    bench.assert_agrees()


def test_once_the_mapping_is_mended_every_record_comes_in(bench: Bench, broken: System, tmp_path: Path) -> None:
    bench.pull_homes()
    must = bench.system.must_hold()
    codes = newest({one: row for one, row in bench.system.truth().items() if one in must}, 3)
    broken.control("break", {"codes": codes, "how": "unknown-status"})
    bench.pull()
    rows = bench.quarantined()
    assert len(rows) >= len(codes)
    with bench.mended_mapping(tmp_path):
        report = redrive(bench.context, broken.name, started_by="acceptance")
    assert (report.tried, report.still_set_aside) == (len(rows), 0)
    assert bench.quarantined() == []
    assert must.keys() <= bench.held().keys()
