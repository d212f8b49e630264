"""P1: whatever a record holds, it is stored or set aside with its reason, and its neighbours are stored."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from speaking import CODE, Speaking, birth, page

from connectors.catalog import load_catalog
from ledger import report
from ledger.engine import open_engine
from ledger.sealing import Sealer

OTHER = "H12.101-250812-0003"
NAME = "Nguyễn Văn Mẫu"


@pytest.fixture
def world(own_database_url: str, sealer: Sealer) -> Iterator[Speaking]:
    """An empty ledger and a source."""
    context = Speaking(engine=open_engine(own_database_url), sealer=sealer, catalog=load_catalog())
    yield context
    context.engine.dispose()


HOSTILE: tuple[dict[str, Any], ...] = (
    {"applicant__data__fullname": "Mẫu\x00"},
    {"applicant__data__fullname": "Mẫu\x1b[31m"},
    {"applicant__data__fullname": "Mẫu\ufffd"},
    {"applicant__data__fullname": NAME.encode().decode("latin-1")},
    {"applicant__data__fullname": "x" * (11 << 20)},
    {"dossierStatus__id": 77},
    {"dossierStatus__id": "4 "},
    {"dossierStatus__id": ""},
    {"dossierStatus__id": None},
    {"code": "Đ12.101-250812-0002"},
    {"code": "Ð12.101-250812-0002"},
    {"code": "Ｈ12.101-250812-0002"},
    {"code": "H12.101-250812-000２"},
    {"code": "H12.101-250812\u00a0-0002"},
    {"code": "H12.101-250812-0002\nERROR all is well"},
    {"code": "H12.101-250812-0002\x00"},
    {"id": "a\x00b"},
    {"appliedDate": "2026-02-30T00:00:00.000+0000"},
    {"appliedDate": "01/03/2026"},
    {"appliedDate": "0000-01-01T00:00:00.000+0000"},
    {"appliedDate": "0001-01-01T00:00:00.000+0000"},
    {"appliedDate": "9999-12-31T23:59:59.000+0000"},
    {"updatedDate": "0001-01-01T00:00:00.000+0000"},
    {"updatedDate": "9999-12-31T23:59:59.000+0000"},
)


def test_p1_a_hostile_record_is_set_aside_alone_in_one_line_without_its_value(world: Speaking) -> None:
    bad = [birth(**{"id": f"id {number}", **changes}) for number, changes in enumerate(HOSTILE)]
    (told,) = world.say("igate", page(*bad, birth(OTHER)))
    assert world.states() == {OTHER: 4}
    assert (told.fetched, told.new, told.quarantined) == (len(HOSTILE) + 1, 1, len(HOSTILE))
    rows = report.quarantine(world.engine, "igate", 100)
    assert len(rows) == len(HOSTILE)
    values = [value for changes in HOSTILE for value in changes.values() if isinstance(value, str) and len(value) > 4]
    for row in rows:
        assert f"{row.record_key} {row.field} {row.rule} {row.message}".isprintable()
        assert not [value for value in values if value in row.message]


def test_p5_what_nobody_sees_in_a_code_makes_no_other_dossier(world: Speaking) -> None:
    world.say("igate", page(birth()))
    for written in (f"\u00a0{CODE} ", f"{CODE}\ufeff", "H12.101-\u200b250812-0002"):
        assert world.say("igate", page(birth(id=f"id of {CODE}", code=written)))[0].unchanged == 1
    assert world.states() == {CODE: 4}


def test_p5_the_same_dossier_in_composed_and_decomposed_letters_is_one(world: Speaking) -> None:
    composed = birth(id="mã-hồ-sơ-1", applicant__data__fullname=NAME)
    decomposed = birth(
        id=unicodedata.normalize("NFD", "mã-hồ-sơ-1"),
        applicant__data__fullname=unicodedata.normalize("NFD", NAME),
    )
    assert decomposed != composed
    assert world.say("igate", page(composed))[0].new == 1
    assert world.say("igate", page(decomposed))[0].unchanged == 1
    assert world.states() == {CODE: 4}


def test_names_are_kept_to_the_letter(world: Speaking, sealer: Sealer) -> None:
    names = ("Đỗ Thị Hoà", "Đỗ Thị Hòa", "=1+1", "+84900", "@SUM(A1)", "'; DROP TABLE dossier; --", "<b>Mẫu</b>")
    codes = [f"H12.101-250812-{number:04}" for number in range(len(names))]
    world.say(
        "igate", page(*(birth(code, applicant__data__fullname=name) for code, name in zip(codes, names, strict=True)))
    )
    for code, name in zip(codes, names, strict=True):
        sealed = world.one(f"SELECT personal FROM dossier WHERE code = '{code}'")
        assert orjson.loads(sealer.open(sealed))["applicant"]["name"] == name
