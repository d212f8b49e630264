"""Words that people and systems give are values in every statement: whatever they hold, they find what they name."""

from uuid import uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from ledger_world import World, dossier, problem

from ledger import again, delivery, gate, intake, other_codes, public, quality, report, standing
from ledger.types import Settled

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40)
HOSTILE = (
    "'",
    "\\",
    "%",
    "_",
    "' OR '1'='1",
    "'; DROP TABLE dossier; --",
    "$1",
    "%(target)s",
    ":target",
    "{0}",
    "E'\\047'",
)


@pytest.fixture
def busy(world: World) -> World:
    """A ledger with a dossier that a target refused, and a record that was set aside."""
    world.store(dossier(), problems=[problem(1)])
    (claimed,) = world.claim()
    world.settle(claimed, Settled.REJECTED, reason="50%: no such_procedure")
    return world


def _with_hostile(test):
    for word in HOSTILE:
        test = example(word)(test)
    return test


@_with_hostile
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(WORDS)
def test_whatever_is_asked_for_nothing_else_is_found_and_nothing_changes(busy: World, word: str) -> None:
    engine, sealer = busy.engine, busy.sealer
    assert report.quarantine(engine, word, 9) == []
    assert report.dead_deliveries(engine, word, 9) == []
    assert report.pull_runs(engine, 9, system=word) == []
    assert report.reconcile_runs(engine, 9, target=word) == []
    assert intake.cursor(engine, word) is None
    assert intake.open_source_ids(engine, word) == []
    assert intake.open_codes(engine, word, procedures=["1.001612"], homes=[word], turn=1) == []
    assert quality.by_agency(engine, agency=word) == []
    assert standing.standings(engine, [word]) == {}
    assert public.find(engine, word) is None
    assert public.code_of(engine, word, word) is None
    assert other_codes.to_ask(engine, word, ["H12.1-0001"]) == {}
    assert delivery.backlog(engine, word).dead == 0
    assert delivery.claim(engine, sealer, word, owner=uuid4(), limit=9, lease_s=9) == []
    assert again.resend_dead(engine, word, by=word) == 0
    assert again.resend_dead(engine, "npsp", codes=[word], by=word) == 0
    assert gate.resume(engine, word, by=word) is False
    assert busy.delivery().state == "dead"
    assert busy.value("SELECT count(*) FROM quarantine WHERE state = 'open'") == 1


@_with_hostile
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text("'%_\\ 50:NOsucH", max_size=6))
def test_a_reason_is_looked_for_as_it_is_written(busy: World, word: str) -> None:
    busy.execute("UPDATE delivery SET state = 'dead' WHERE state = 'due'")
    is_there = word.lower() in "50%: no such_procedure"
    assert again.resend_dead(busy.engine, "npsp", reason=word, by=word) == int(is_there)


@_with_hostile
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(WORDS)
def test_what_a_record_and_a_target_say_comes_back_as_it_was(world: World, word: str) -> None:
    for table in (
        "delivery_attempt",
        "delivery",
        "target_feed",
        "quarantine",
        "dossier_step",
        "dossier_alias",
        "dossier",
    ):
        world.execute(f"DELETE FROM {table}")
    name = " ".join(word.split()) or "x"
    record = dossier(agency_name=name, procedure_name=name) if _storable(name) else dossier()
    world.store(record, problems=[problem(1, key=word or None, message=word)])
    (row,) = report.quarantine(world.engine, "gplx", 9)
    assert (row.record_key, row.message) == (word or None, word)
    (claimed,) = world.claim()
    assert claimed.dossier["agency_name"] == record.agency_name
    world.settle(claimed, Settled.REJECTED, reason=word)
    (dead,) = report.dead_deliveries(world.engine, "npsp", 9)
    assert dead.reason == word


def _storable(name: str) -> bool:
    try:
        return bool(dossier(agency_name=name, procedure_name=name))
    except ValueError:
        return False
