"""What a target would refuse is said in the names of the common schema, before anything is sent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

import mappings
from connectors.catalog import load_catalog
from mappings.model import Direction
from schemas.dossier import Dossier
from sync.ahead import Ahead, at_target

NOW = datetime(2026, 6, 30, tzinfo=UTC)
WHOLE = {
    "code": "H12.10-260105-0001",
    "source_id": "1",
    "procedure_code": "1.992301",
    "agency_code": "H12.10",
    "agency_name": "Sở Mẫu",
    "channel": 1,
    "subject_kind": 2,
    "applicant": {"name": "Công ty Mẫu"},
    "submitted_at": "2026-01-05T08:30:00+07:00",
    "received_at": "2026-01-05T08:30:00+07:00",
    "changed_at": "2026-01-06T08:30:00+07:00",
    "state": 4,
}


def _at(target: str, **changes: Any) -> Ahead:
    told = {name: value for name, value in (WHOLE | changes).items() if value is not None}
    return at_target(load_catalog().target(target), Dossier.model_validate(told), NOW)


@pytest.mark.parametrize("target", ["npsp", "province", "emc"])
def test_a_whole_dossier_is_fit_for_every_target(target: str) -> None:
    found = _at(target)
    assert found.refusals == ()
    assert found.steps


def test_the_field_to_fill_is_named_as_the_source_s_mapping_knows_it() -> None:
    refusals = {each.field: each for each in _at("npsp", agency_name=None).refusals}
    assert refusals.keys() == {"DonViXuLy", "NguoiXuLy"}
    assert refusals["DonViXuLy"].lacking == refusals["NguoiXuLy"].lacking == ("agency_name",)


def test_a_list_that_would_do_as_well_is_named_beside_it() -> None:
    refusals = {each.field: each for each in _at("npsp", procedure_code="1.999999").refusals}
    assert refusals["TenTTHC"].lacking == ("procedure_name",)
    said = refusals["TenTTHC"].remedy(mappings.load("dienluc", Direction.SOURCE))
    assert said == (
        "fill procedure_name in mappings/sources/dienluc.yaml, or add the code to mappings/catalogues/procedures.yaml"
    )


def test_a_source_that_looks_a_name_up_is_told_the_list_it_looks_into() -> None:
    (refusal,) = _at("province", agency_name=None).refusals
    said = refusal.remedy(mappings.load("opencps", Direction.SOURCE))
    assert said.startswith("fill agency_name in mappings/sources/opencps.yaml")
