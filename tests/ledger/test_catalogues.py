"""Catalogues that targets publish: versions of entries, pulls that are not believed, codes of ours that are in none."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_world import World, dossier

from ledger.catalogues import (
    UNPUBLISHED,
    CataloguePull,
    Published,
    last_pulls,
    published_codes,
    replace_catalogue,
    unpublished,
)
from ledger.errors import CatalogueShrunk
from ledger.types import Settled


def pull(world: World, kind: str = "procedure", most_lost: float = 0.5, **names: str) -> CataloguePull:
    """Take over a catalogue of codes and names."""
    entries = [Published(code=code, name=name) for code, name in names.items()]
    return replace_catalogue(world.engine, "npsp", kind, entries, most_lost=most_lost)


def now(world: World) -> dict[str, str]:
    rows = world.rows("SELECT code, name FROM catalogue_entry WHERE valid_until IS NULL")
    return dict(tuple(row) for row in rows)


def test_a_pull_replaces_the_catalogue_and_keeps_what_was(world: World) -> None:
    assert pull(world, a="A", b="B", c="C") == CataloguePull(kind="procedure", entries=3, added=3, changed=0, gone=0)
    told = pull(world, a="A", b="B mới", d="D")
    assert (told.entries, told.added, told.changed, told.gone) == (3, 1, 1, 1)
    assert now(world) == {"a": "A", "b": "B mới", "d": "D"}
    former = world.rows("SELECT code, name FROM catalogue_entry WHERE valid_until IS NOT NULL ORDER BY code")
    assert [tuple(row) for row in former] == [("b", "B"), ("c", "C")]
    (last,) = last_pulls(world.engine, "npsp")
    assert (last.entries, last.added, last.changed, last.gone) == (3, 1, 1, 1)
    assert last.pulled_at is not None


def test_p5_the_same_catalogue_again_changes_nothing(world: World) -> None:
    pull(world, a="A", b="B")
    again = pull(world, a="A", b="B")
    assert (again.added, again.changed, again.gone) == (0, 0, 0)
    assert world.value("SELECT count(*) FROM catalogue_entry") == 2


_CATALOGUE = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["X", "Y"]), min_size=1)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_CATALOGUE, min_size=1, max_size=4))
def test_after_any_pulls_it_is_the_last_one_and_its_history_has_no_overlap(
    world: World, catalogues: list[dict[str, str]]
) -> None:
    world.execute("DELETE FROM catalogue_entry")
    for catalogue in catalogues:
        pull(world, most_lost=1, **catalogue)
    assert now(world) == catalogues[-1]
    overlapping = world.value(
        "SELECT count(*) FROM catalogue_entry a JOIN catalogue_entry b USING (system, kind, code) "
        "WHERE a.valid_from < b.valid_from AND (a.valid_until IS NULL OR a.valid_until > b.valid_from)"
    )
    assert overlapping == 0


@pytest.mark.parametrize("names", [{}, {"a": "A"}])
def test_a_catalogue_that_has_lost_too_much_is_not_believed(world: World, names: dict[str, str]) -> None:
    pull(world, a="A", b="B", c="C")
    with pytest.raises(CatalogueShrunk, match=rf"npsp: its catalogue 'procedure' has {len(names)} entries and had 3"):
        pull(world, **names)
    assert set(now(world)) == {"a", "b", "c"}


def test_of_a_code_that_stands_twice_the_first_counts(world: World) -> None:
    twice = [Published(code="a", name="first"), Published(code="a", name="second")]
    replace_catalogue(world.engine, "npsp", "field", twice, most_lost=0.5)
    assert now(world) == {"a": "first"}


def test_codes_that_are_in_no_catalogue_are_listed_by_agency_and_never_before_a_pull(world: World) -> None:
    world.store(
        dossier("H12.1-0001", agency_name="Sở A"),
        dossier("H12.1-0002", agency_name="Sở A", field_code="G99-X"),
        dossier("H12.2-0003", agency_code="H12.2", procedure_code="9.999999.H12"),
    )
    world.feed()
    assert unpublished(world.engine, "npsp") == []
    pull(world, **{"1.001612": "Thủ tục"})
    pull(world, kind="field", **{"G99-Y": "Lĩnh vực"})
    found = [(each.agency_code, each.agency_name, each.kind, each.code, each.dossiers, each.first_code)
             for each in unpublished(world.engine, "npsp")]  # fmt: skip
    assert found == [
        ("H12.1", "Sở A", "field", "G99-X", 1, "H12.1-0002"),
        ("H12.2", None, "procedure", "9.999999", 1, "H12.2-0003"),
    ]
    assert unpublished(world.engine, "emc") == []
    assert published_codes(world.engine, "npsp") == {"procedure": {"1.001612"}, "field": {"G99-Y"}}


def test_what_was_held_back_is_due_again_once_codes_are_added_and_nothing_else_is(world: World) -> None:
    pull(world, **{"1.000001": "x"})
    world.store(dossier("H12.1-0001"), dossier("H12.1-0002"))
    for claimed, reason in zip(world.claim(), (f"{UNPUBLISHED}procedure 1.001612", "refused"), strict=True):
        world.settle(claimed, Settled.REJECTED, reason=reason)
    pull(world, **{"1.000001": "y"})
    assert [world.delivery(code).state for code in ("H12.1-0001", "H12.1-0002")] == ["dead", "dead"]
    pull(world, **{"1.000001": "y", "1.001612": "z"})
    assert [world.delivery(code).state for code in ("H12.1-0001", "H12.1-0002")] == ["due", "dead"]
