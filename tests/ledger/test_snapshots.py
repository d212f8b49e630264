"""What is missing from whole snapshots is recorded, and never changes a state."""

from uuid import uuid4

from ledger_world import World, at, dossier

from ledger import snapshots

ONE, TWO, THREE = "H12.1-0001", "H12.1-0002", "H12.1-0003"


def complete(world: World, *seen: str, system: str = "gplx") -> int:
    """A whole snapshot that holds these."""
    return snapshots.complete(world.engine, system=system, run_id=uuid4(), seen=seen)


def missing(world: World, system: str = "gplx") -> tuple[str, ...]:
    """The codes that the system no longer holds."""
    found = snapshots.missing(world.engine).get(system)
    return found.first_codes if found else ()


def test_what_a_whole_snapshot_lacks_is_listed_and_keeps_its_state(world: World) -> None:
    world.store(dossier(ONE), dossier(TWO), dossier(THREE, state=10))
    before = world.rows("SELECT code, state, version, change_no FROM dossier ORDER BY code")
    assert complete(world, f"id of {ONE}") == 1
    assert missing(world) == (TWO,)
    assert world.rows("SELECT code, state, version, change_no FROM dossier ORDER BY code") == before


def test_a_second_snapshot_without_it_leaves_the_day_of_the_first(world: World) -> None:
    world.store(dossier(ONE))
    assert complete(world) == 1
    since = world.value("SELECT since FROM disappeared")
    assert complete(world) == 0
    assert world.value("SELECT since FROM disappeared") == since


def test_it_is_no_longer_missing_once_it_comes_again_or_has_come_to_its_end(world: World) -> None:
    world.store(dossier(ONE), dossier(TWO))
    complete(world)
    world.store(dossier(ONE))  # unchanged
    assert missing(world) == (TWO,)
    world.store(dossier(TWO, state=10, hours=2), system="igate", precedence=5)  # another system ends it
    assert missing(world) == ()
    complete(world, f"id of {ONE}")
    assert world.value("SELECT count(*) FROM disappeared") == 0


def test_a_record_set_aside_is_in_the_snapshot_under_its_id_or_its_code(world: World) -> None:
    world.store(dossier(ONE), dossier(TWO), dossier(THREE))
    assert complete(world, f"id of {ONE}", TWO) == 1
    assert missing(world) == (THREE,)


def test_a_guests_dossiers_are_missing_there_only(world: World) -> None:
    world.store(dossier(ONE), dossier(TWO), system="igate", precedence=30)
    world.store(dossier(ONE, state=5, hours=1), dossier(TWO, state=10, hours=-1))
    assert complete(world) == 1  # the second was at its end there
    assert missing(world) == (ONE,)
    assert missing(world, "igate") == ()


def test_the_first_few_codes_and_the_oldest_day_are_told(world: World) -> None:
    world.store(*(dossier(f"H12.1-{number:04}") for number in range(20)))
    complete(world)
    world.execute("UPDATE disappeared SET since = :since WHERE dossier_id = (SELECT max(id) FROM dossier)", since=at(0))
    found = snapshots.missing(world.engine)["gplx"]
    assert (found.dossiers, found.since, len(found.first_codes)) == (20, at(0), 5)
    assert found.first_codes[0] == world.value("SELECT code FROM dossier ORDER BY id DESC LIMIT 1")
