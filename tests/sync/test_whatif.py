"""A changed mapping is tried on archived pages: what it says would change does change, and asking stores nothing."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import inspect, text

import mappings
from connectors import archived
from connectors.catalog import load_catalog
from ledger.engine import open_engine
from ledger.intake import start_pull, store_page
from ledger.sealing import Sealer
from ledger.types import PageIntake, Problem, PullMode
from mappings.mapping import load_file
from sync.context import Context
from sync.errors import SyncError
from sync.mapped import native_bytes
from sync.whatif.look import whatif
from sync.whatif.report import WhatIf

T0 = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
MAPPING = mappings.load("gplx", mappings.Direction.SOURCE)
PRISTINE = MAPPING.file.read_text("utf-8")
STATES = 'state: {"1": 1, "2": 2, "3": 3, "4": 4,'
Record = dict[str, Any]


def record(number: int, state: str = "4", **detail: Any) -> Record:
    """A native record of the driving-licence system; ``detail`` replaces what a look-up says."""
    given = copy.deepcopy(MAPPING.sections["dossier"].examples[0].given)
    code = f"000.00.07.H12-260302-{number:04d}"
    told = {**given["detail"], "MaHoSo": code, "MaTrangThai": state, **detail}
    return {"list": {**given["list"], "maHoSo": code}, "detail": told}


def code_of(number: int) -> str:
    return f"H12.07-260302-{number:04d}"


@dataclass
class World:
    """A ledger, the driving-licence system's pages in it, and a folder with its mapping."""

    context: Context
    folder: Path
    _numbers: Any = field(default_factory=lambda: count(1))
    _runs: dict[str, UUID] = field(default_factory=dict)

    @property
    def mapping(self) -> mappings.Mapping:
        """The mapping in use."""
        return mappings.load("gplx", mappings.Direction.SOURCE)

    def use(self, old: str, new: str) -> None:
        """Edit the mapping in use."""
        file = self.mapping.file
        file.write_text(changed(file.read_text("utf-8"), old, new), "utf-8")

    def candidate(self, old: str, new: str, **more: str) -> Path:
        """A changed copy of the mapping in use."""
        content = self.mapping.file.read_text("utf-8")
        for one, other in {old: new, **more}.items():
            content = changed(content, one, other)
        path = self.folder / "thu-nghiem.yaml"
        path.write_text(content, "utf-8")
        return path

    def tell(self, *records: Record, hours: float = 0, raw: bytes | None = None) -> None:
        """Store a page as a pull does that fetched it at that time."""
        validated = mappings.validate_page(self.mapping, records)
        problems = [
            Problem(
                index=each.index,
                record_key=self.mapping.key_of(records[each.index]),
                native=native_bytes(records[each.index]),
                stage=each.stage,
                field=each.field,
                rule=each.rule,
                message=each.message,
            )
            for each in validated.bad
        ]
        answers = [orjson.dumps({"error_code": "0", "data": [one["detail"]]}) for one in records]
        page = PageIntake(
            run_id=self.run(),
            system="gplx",
            precedence=20,
            number=next(self._numbers),
            raw=raw or archived.bundled(items=[one["list"] for one in records], told=answers),
            media_type=archived.BUNDLE,
            fetched_at=T0 + timedelta(hours=hours),
            fetched=len(records),
            dossiers=[dossier for _, dossier in validated.good],
            problems=problems,
            cursor=None,
            mapping_version=self.mapping.version,
        )
        store_page(self.context.engine, self.context.sealer, page)

    def run(self) -> UUID:
        """The one run that all pages are of."""
        if "gplx" not in self._runs:
            self._runs["gplx"] = start_pull(
                self.context.engine, system="gplx", mode=PullMode.INCREMENTAL, window=None, started_by="test"
            )
        return self._runs["gplx"]

    def whatif(self, candidate: Path | None = None, **options: Any) -> WhatIf:
        """Ask, and check the equation that always holds."""
        found = whatif(self.context, "gplx", candidate=candidate, **options)
        read = found.same + found.changed + found.newly_set_aside + found.newly_understood
        assert found.records == read + found.still_set_aside + found.passed_over
        return found

    def everything(self) -> dict[str, list[str]]:
        """All rows of all tables."""
        with self.context.engine.connect() as connection:
            names = inspect(connection).get_table_names()
            rows = {name: connection.execute(text(f'SELECT * FROM "{name}"')) for name in names}
            return {name: sorted(map(repr, found)) for name, found in rows.items()}


def changed(content: str, old: str, new: str) -> str:
    assert content.count(old) == 1, old
    return content.replace(old, new)


def resent(found: WhatIf) -> dict[str, int]:
    return {target.target: target.dossiers for target in found.targets}


@pytest.fixture
def world(own_database_url: str, sealer: Sealer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """An empty ledger, and a mapping that may be edited. No connection to any system is known."""
    (tmp_path / "gplx.yaml").write_text(PRISTINE, "utf-8")
    load = mappings.load

    def edited(name: str, direction: mappings.Direction) -> mappings.Mapping:
        return load_file(tmp_path / "gplx.yaml") if name == "gplx" else load(name, direction)

    monkeypatch.setattr(mappings, "load", edited)
    context = Context(engine=open_engine(own_database_url), sealer=sealer, catalog=load_catalog())
    return World(context=context, folder=tmp_path)


# --- a candidate ---


def test_the_same_mapping_changes_nothing(world: World) -> None:
    world.tell(*(record(number) for number in range(10)))
    world.tell(*(record(number) for number in range(12)), hours=1)
    found = world.whatif(world.mapping.file)
    assert (found.records, found.repeated, found.same, found.dossiers, found.pages) == (12, 10, 12, 12, 2)
    assert (found.fields, found.states, found.new_steps) == ((), (), 0)
    assert not any(resent(found).values())
    assert found.whole
    assert not found.needs_a_look


def test_a_state_that_means_something_else_moves_its_dossiers_and_is_told_to_every_target(world: World) -> None:
    world.tell(*(record(number, "4") for number in range(6)), *(record(number, "2") for number in range(6, 8)))
    found = world.whatif(world.candidate('"4": 4,', '"4": 5,'))
    assert (found.changed, found.same) == (6, 2)
    assert [(move.before, move.after, move.dossiers) for move in found.states] == [(4, 5, 6)]
    (state,) = found.fields
    assert (state.field, state.records, len(state.examples)) == ("state", 6, 3)
    assert state.examples[0].model_dump() == {"code": code_of(0), "before": 4, "after": 5}
    assert found.new_steps == 6
    assert resent(found) == {"emc": 6, "feed": 6, "npsp": 6, "province": 6}


def test_only_the_newest_record_of_a_dossier_says_what_would_be_sent(world: World) -> None:
    world.tell(record(1, "4"))
    world.tell(record(1, "9"), hours=1)
    found = world.whatif(world.candidate('"4": 4,', '"4": 5,'))
    assert (found.changed, found.same, found.dossiers) == (1, 1, 1)
    assert found.states == ()
    assert not any(resent(found).values())


def test_a_code_that_is_left_out_is_named_with_its_records_and_asks_for_a_look(world: World) -> None:
    world.tell(*(record(number, "4") for number in range(5)), record(9, "2"))
    found = world.whatif(world.candidate('"4": 4,', ""))
    assert (found.newly_set_aside, found.same) == (5, 1)
    (reason,) = found.reasons
    assert (reason.field, reason.rule, reason.records) == ("state", "unknown-code", 5)
    assert reason.keys == (code_of(0), code_of(1), code_of(2))
    assert found.needs_a_look


def test_a_code_that_is_new_in_the_table_brings_dossiers_that_were_set_aside(world: World) -> None:
    world.tell(record(1, "77"), record(2, "78"), record(3, "4"))
    found = world.whatif(world.candidate(STATES, f'{STATES} "77": 9,'))
    assert (found.newly_understood, found.still_set_aside, found.same) == (1, 1, 1)
    assert [(move.before, move.after) for move in found.states] == [(None, 9)]
    assert resent(found) == {"emc": 1, "feed": 1, "npsp": 1, "province": 1}
    assert not found.needs_a_look


def test_a_target_is_only_told_of_what_it_takes(world: World) -> None:
    world.tell(record(1), record(2))
    only_ours = world.whatif(world.candidate("native_state: {from: detail.MaTrangThai", "native_state: {value: moi"))
    assert [change.field for change in only_ours.fields] == ["native_state"]
    assert not any(resent(only_ours).values())
    seen = world.whatif(world.candidate("due_at: {from: detail.NgayHenTra", "due_at: {from: detail.NgayNop"))
    assert [change.field for change in seen.fields] == ["due_at"]
    assert resent(seen) == {"emc": 0, "feed": 2, "npsp": 2, "province": 2}


def test_what_could_not_be_sent_any_more_is_counted(world: World) -> None:
    world.tell(record(1), record(2))
    field_is_gone = {"  field_code: {lookup: {in: procedures, by: detail.MaTTHC, take: field_code}}\n": ""}
    found = world.whatif(
        world.candidate(
            "{from: detail.MaTTHC, as: procedure_code, required: true}", '{value: "1.000001"}', **field_is_gone
        )
    )
    assert found.changed == 2
    assert {target.target: target.refused for target in found.targets} == {
        "emc": 0,
        "feed": 0,
        "npsp": 2,
        "province": 0,
    }


def test_persons_are_masked_unless_they_are_asked_for(world: World) -> None:
    world.tell(record(1, HoTenNguoiNop="Nguyễn Văn Thử"))
    candidate = world.candidate(
        "applicant.name: {from: detail.HoTenNguoiNop", "applicant.name: {from: detail.DonViXuLy"
    )
    masked = world.whatif(candidate)
    assert "Nguyễn Văn Thử" not in masked.model_dump_json()
    (change,) = masked.fields
    assert (change.field, change.records) == ("applicant.name", 1)
    revealed = world.whatif(candidate, reveal=True)
    assert revealed.fields[0].examples[0].before == "Nguyễn Văn Thử"


def test_the_mapping_of_another_system_is_refused(world: World) -> None:
    other = mappings.folder(mappings.Direction.SOURCE) / "igate.yaml"
    with pytest.raises(SyncError, match="igate"):
        world.whatif(other)


# --- what the ledger holds ---


def test_without_a_candidate_an_edit_is_compared_with_what_the_ledger_holds(world: World) -> None:
    world.tell(*(record(number, "4") for number in range(4)), record(8, "2"))
    assert world.whatif().current == 5
    world.use('"4": 4,', '"4": 5,')
    found = world.whatif()
    assert (found.current, found.changed, found.same, found.candidate) == (0, 4, 1, None)
    assert [(change.field, change.records) for change in found.fields] == [("state", 4)]
    assert found.fields[0].examples[0].model_dump() == {"code": code_of(0), "before": 4, "after": 5}
    assert [(move.before, move.after, move.dossiers) for move in found.states] == [(4, 5, 4)]
    assert resent(found) == {"emc": 4, "feed": 4, "npsp": 4, "province": 4}


def test_what_it_says_is_what_happens_once_the_records_are_told_again(world: World) -> None:
    records = [record(number, "4") for number in range(3)]
    world.tell(*records)
    world.use("due_at: {from: detail.NgayHenTra", "due_at: {from: detail.NgayNop")
    assert world.whatif().changed == 3
    world.tell(*records, hours=1)
    with world.context.engine.connect() as connection:
        assert connection.execute(text("SELECT max(version), max(changed) FROM dossier, pull_page")).one() == (2, 3)
    after = world.whatif()
    assert (after.current, after.same, after.changed) == (3, 3, 0)


def test_of_the_fields_that_no_target_takes_the_ledger_side_knows_too(world: World) -> None:
    world.tell(record(1))
    world.use("native_state: {from: detail.MaTrangThai", "native_state: {value: moi")
    found = world.whatif()
    assert [change.field for change in found.fields] == ["native_state"]
    assert not any(resent(found).values())


def test_an_end_state_that_was_a_wrong_guess_is_taken_back_by_a_mapping_with_a_greater_number(world: World) -> None:
    world.tell(record(1, "10"), record(2, "4"))
    world.use('"10": 10', '"10": 4')
    found = world.whatif()
    assert (found.passed_over, found.stands, found.changed, found.needs_a_look) == (1, 1, 0, True)
    world.use("version: 1", "version: 2")
    found = world.whatif()
    assert (found.passed_over, found.changed, found.needs_a_look) == (0, 1, False)
    world.tell(record(1, "10"), record(2, "4"), hours=1)
    with world.context.engine.connect() as connection:
        assert connection.execute(text("SELECT array_agg(state) FROM dossier")).scalar() == [4, 4]


def test_a_candidate_with_the_same_number_does_not_take_an_end_state_back(world: World) -> None:
    world.tell(record(1, "10"))
    same_number = world.candidate('"10": 10', '"10": 4')
    assert world.whatif(same_number).keeps_an_end
    assert not world.whatif(world.candidate('"10": 10', '"10": 4', **{"version: 1": "version: 2"})).keeps_an_end


def test_a_record_that_a_newer_one_has_replaced_changes_nothing(world: World) -> None:
    world.tell(record(1, "4"))
    world.tell(record(1, "9"), hours=1)
    world.use('"4": 4,', '"4": 5,')
    found = world.whatif()
    assert (found.same, found.passed_over, found.changed) == (1, 1, 0)


def test_without_a_candidate_records_set_aside_are_known_by_their_very_content(world: World) -> None:
    world.tell(record(1, "77"), record(2, "78"), record(3, "4"), record(4, "2"))
    world.use(STATES, 'state: {"77": 9, "1": 1, "2": 2, "3": 3,')
    found = world.whatif()
    assert (found.newly_understood, found.still_set_aside, found.newly_set_aside, found.same) == (1, 1, 1, 1)
    assert found.reasons[0].keys == ("000.00.07.H12-260302-0003",)


# --- how far it looks ---


def test_it_looks_back_from_the_newest_page_as_far_as_it_is_told(world: World) -> None:
    for day in range(4):
        world.tell(*(record(10 * day + number, "4") for number in range(3)), hours=24 * day)
    candidate = world.mapping.file
    some = world.whatif(candidate, limit=5)
    assert (some.records, some.whole, some.since) == (5, False, T0 + timedelta(days=2))
    late = world.whatif(candidate, since=T0 + timedelta(days=3))
    assert (late.records, late.whole) == (3, True)
    assert world.whatif(candidate, limit=12).whole


def test_a_page_that_todays_catalog_entry_does_not_fit_is_counted_and_the_others_are_tried(world: World) -> None:
    world.tell(record(1))
    world.tell(record(2), raw=b"<html/>")
    found = world.whatif(world.mapping.file)
    assert (found.unreadable, found.records) == (1, 1)
    assert "cannot be read again" in found.unreadable_because
    assert found.needs_a_look


def test_nothing_is_stored_by_asking(world: World) -> None:
    world.tell(record(1, "77"), record(2, "4"))
    before = world.everything()
    world.whatif(world.candidate('"4": 4,', '"4": 5,'))
    world.use('"4": 4,', '"4": 5,')
    world.whatif()
    assert world.everything() == before


# --- a system that tells of progress ---


@pytest.fixture
def lltp_told(world: World) -> Callable[[str], None]:
    """A dossier of the one-stop, and what the ministry told of it."""
    home = mappings.load("igate", mappings.Direction.SOURCE)
    dossier = home.sections["dossier"].examples[0].given
    progress = mappings.load("lltp", mappings.Direction.SOURCE)
    given = copy.deepcopy(progress.sections["dossier"].examples[0].given)

    def tell(system: str, record: Record, raw: bytes, media_type: str = archived.JSON) -> None:
        mapping = mappings.load(system, mappings.Direction.SOURCE)
        validated = mappings.validate_page(mapping, [record])
        run = start_pull(world.context.engine, system=system, mode=PullMode.INCREMENTAL, window=None, started_by="test")
        page = PageIntake(
            run_id=run,
            system=system,
            precedence=30 if system == "igate" else 20,
            number=1,
            raw=raw,
            media_type=media_type,
            fetched_at=T0,
            fetched=1,
            dossiers=[one for _, one in validated.good],
            problems=(),
            cursor=None,
            mapping_version="an older one",
            natives=[native_bytes(record)],
        )
        store_page(world.context.engine, world.context.sealer, page)

    def both(state: str) -> None:
        (told,) = mappings.validate_page(home, [dossier]).good
        tell("igate", dossier, orjson.dumps({"content": [dossier], "last": True}))
        about = {**given, "maHoSoMCDT": told[1].code, "trangThaiXuLy": state}
        answer = {"status": 1, "value": [about]}
        tell("lltp", about, archived.bundled(listed=[orjson.dumps(answer)]), archived.BUNDLE)

    return both


def test_progress_that_leads_a_dossier_moves_its_state_at_every_target(
    world: World, lltp_told: Callable[[str], None], tmp_path: Path
) -> None:
    lltp_told("5")
    file = mappings.folder(mappings.Direction.SOURCE) / "lltp.yaml"
    candidate = tmp_path / "lltp.yaml"
    candidate.write_text(changed(file.read_text("utf-8"), '"5": 5,', '"5": 6,'), "utf-8")
    found = whatif(world.context, "lltp", candidate=candidate)
    assert (found.records, found.changed) == (1, 1)
    assert [(move.before, move.after) for move in found.states] == [(5, 6)]
    assert resent(found) == {"emc": 1, "feed": 1, "npsp": 1, "province": 1}
    assert whatif(world.context, "lltp").same == 1
