"""The portal's catalogues: pulled from a real server, held against real dossiers, listed, and if wanted blocking."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from living_portal import LivingPortal, dossier, entry, living_portal

from connectors.api import Catalogue, CatalogueEntry
from connectors.catalog_models import Catalogues
from ledger.engine import open_engine
from ledger.sealing import Sealer
from sandbox.targets.npsp import catalogue as published
from sync.catalogues import PublishedCodes, catalogues, pull_catalogues
from sync.errors import SyncError

Start = Callable[..., LivingPortal]
GAPS = {"procedure": "2.990203", "agency": "H12.31", "field": "G99-DL01"}


@pytest.fixture
def start(own_database_url: str, sealer: Sealer, tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:
        engine = open_engine(own_database_url)
        stack.callback(engine.dispose)

        def begin(**changes: Any) -> LivingPortal:
            return stack.enter_context(living_portal(tmp_path, engine, sealer, entry(**changes)))

        yield begin


def with_gaps(portal: LivingPortal) -> None:
    """One dossier without fault and one for each gap in the catalogues."""
    portal.store(
        dossier(1),
        dossier(2, procedure_code=GAPS["procedure"]),
        dossier(3, agency_code=GAPS["agency"], agency_name="Công ty Điện lực tỉnh Thử Nghiệm"),
        dossier(4, field_code=GAPS["field"], field_name="Cung cấp điện"),
    )


def test_the_portals_catalogues_are_read_whole(start: Start) -> None:
    portal = start()
    connector = portal.context.open_target("npsp", None)
    assert {each.code for each in connector.catalogue(Catalogue.PROCEDURE)} == {
        row["MATTHC"] for row in published.procedures()
    }
    assert CatalogueEntry("000.00.07.H12", "Trung tâm Giấy phép lái xe tỉnh Thử Nghiệm") in connector.catalogue(
        Catalogue.AGENCY
    )
    assert CatalogueEntry("G99-GT02", "Giấy phép lái xe", "G99") in connector.catalogue(Catalogue.FIELD)
    connector.close()


def test_what_is_not_published_is_listed_by_agency_and_sent_all_the_same(start: Start) -> None:
    portal = start()
    with_gaps(portal)
    portal.push()
    assert catalogues(portal.context, "npsp").unpublished == ()
    report = pull_catalogues(portal.context, "npsp")
    assert {line.kind: line.entries for line in report.catalogues}[Catalogue.PROCEDURE] == len(published.procedures())
    assert [(each.agency_code, each.kind, each.code, each.first_code) for each in report.unpublished] == [
        ("H12.07", "field", GAPS["field"], dossier(4).code),
        ("H12.07", "procedure", GAPS["procedure"], dossier(2).code),
        ("H12.31", "agency", GAPS["agency"], dossier(3).code),
    ]
    assert len(portal.states) == 4
    again = pull_catalogues(portal.context, "npsp")
    assert {line.added + line.changed + line.gone for line in again.catalogues} == {0}


def test_where_the_catalog_says_so_dossiers_wait_until_their_codes_are_published(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal = start(catalogues=Catalogues(blocking=True))
    pull_catalogues(portal.context, "npsp")
    with_gaps(portal)
    report = portal.push()
    assert (report.accepted, report.rejected) == (2, 3)
    assert set(portal.states) == {dossier(1).code}
    with portal.context.engine.connect() as connection:
        reasons = connection.exec_driver_sql("SELECT last_reason FROM delivery WHERE state = 'dead'").scalars()
        assert sorted(reasons) == [
            f"not in the target's catalogue: {kind} {code}" for kind, code in sorted(GAPS.items())
        ]
    monkeypatch.setattr(published, "_PUBLISHED", published.PROCEDURES)
    pull_catalogues(portal.context, "npsp")
    portal.push()
    assert set(portal.states) == {dossier(1).code, dossier(2).code}


def test_nothing_waits_before_the_first_pull(start: Start) -> None:
    portal = start(catalogues=Catalogues(blocking=True))
    with_gaps(portal)
    portal.push()
    assert len(portal.states) == 4


def test_a_target_without_catalogues_says_so(start: Start) -> None:
    portal = start(catalogues=None)
    with pytest.raises(SyncError, match="npsp publishes no catalogues"):
        pull_catalogues(portal.context, "npsp")


def test_codes_are_compared_whatever_form_they_are_written_in() -> None:
    codes = PublishedCodes({"procedure": frozenset({"1.990101"}), "agency": frozenset({"H12.07"})})
    assert codes.missing({"procedure_code": "1.990101.000.00.00.H12", "agency_code": "000.00.07.H12"}) == []
    assert codes.missing({"procedure_code": "TS_lop1", "agency_code": "H12.8", "field_code": "bất kỳ"}) == [
        "procedure TS_lop1",
        "agency H12.8",
    ]
