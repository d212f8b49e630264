"""Pulls of systems that share dossiers: what they are asked, what waits, what is acknowledged, what has disappeared.

A source that says what the test wants, the shipped catalog and mappings, the real ledger.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import text

import mappings
from connectors.api import Page, Window
from connectors.catalog import load_catalog
from connectors.errors import OutcomeUnknown
from ledger.engine import open_engine
from ledger.errors import PageRefused
from ledger.sealing import Sealer
from ledger.standing import Why
from sync.context import Context
from sync.errors import SyncError
from sync.preview import preview
from sync.pull import PullReport, plan, pull
from sync.status import status

NOW = datetime(2025, 8, 20, 8, 0, tzinfo=UTC)
CODE = "H12.101-250812-0002"


def record(system: str, **changes: Any) -> dict[str, Any]:
    """The first example of a system's mapping with changes, by path with __ between names."""
    given = mappings.load(system, mappings.Direction.SOURCE).sections["dossier"].examples[0].given
    native: dict[str, Any] = copy.deepcopy(given or {})
    for path, value in changes.items():
        *objects, leaf = path.split("__")
        holder = native
        for name in objects:
            holder = holder[name]
        holder[leaf] = value
    return native


def birth(code: str = CODE, **changes: Any) -> dict[str, Any]:
    """A birth that the one-stop system has forwarded."""
    return record(
        "igate", **{"code": code, "id": f"id of {code}", "nationCode": None, "dossierStatus__id": 2} | changes
    )


def registration(code: str = CODE, status: str = "4", at: str = "14/08/2025 09:30:00") -> dict[str, Any]:
    """What the civil-status system says of it."""
    return record("hotich", maHoSoMCDT=code, trangThai=status, thoiGianThucHien=at)


@dataclass
class Script:
    """A source that tells the pages it is given, and keeps what it is asked."""

    pages: list[Page] = field(default_factory=list)
    asked: list[tuple[Window | None, Sequence[str]]] = field(default_factory=list)

    def pull(
        self, *, window: Window | None, cursor: str | None, open_codes: Sequence[str], now: datetime
    ) -> Iterator[Page]:
        """The pages, in order."""
        del cursor, now
        self.asked.append((window, list(open_codes)))
        yield from self.pages


@dataclass(frozen=True)
class Speaking(Context):
    """A context in which every system has the same scripted source."""

    script: Script = field(default_factory=Script)

    @contextmanager
    def source(self, system: str) -> Iterator[Any]:
        """The script, whatever the system is called."""
        del system
        yield self.script

    def say(self, system: str, *pages: Page, full: bool = False) -> list[PullReport]:
        """One run of a system that tells these pages."""
        self.script.pages = list(pages)
        pieces = plan(self, system, now=NOW, full=full)
        return [pull(self, piece, started_by="test", now=NOW) for piece in pieces]

    def states(self) -> dict[str, int]:
        """What the ledger holds."""
        with self.engine.connect() as connection:
            return {row.code: row.state for row in connection.execute(text("SELECT code, state FROM dossier"))}

    def one(self, statement: str) -> Any:
        """The one value of a query."""
        with self.engine.connect() as connection:
            return connection.execute(text(statement)).scalar_one()


def page(*records: dict[str, Any], number: int = 1, **changes: Any) -> Page:
    """A page of these records."""
    given: dict[str, Any] = {
        "number": number,
        "raw": orjson.dumps([number, *records]),
        "media_type": "application/json",
        "records": records,
        "fetched_at": NOW,
        "cursor": None,
    }
    return Page(**(given | changes))


@pytest.fixture
def world(own_database_url: str, sealer: Sealer) -> Iterator[Speaking]:
    """An empty ledger and a source."""
    context = Speaking(engine=open_engine(own_database_url), sealer=sealer, catalog=load_catalog())
    yield context
    context.engine.dispose()


def test_progress_told_before_its_dossier_comes_in_by_itself_once_the_home_tells(world: Speaking) -> None:
    (told,) = world.say("hotich", page(registration(), registration("H12.101-250812-0009")))
    assert (told.fetched, told.quarantined) == (2, 2)
    (told,) = world.say("igate", page(birth()))
    assert told.new == 1
    assert world.states() == {CODE: 9}
    assert world.one("SELECT count(*) FROM quarantine WHERE state = 'open'") == 1


def test_progress_that_waits_under_a_national_code_comes_in_too(world: Speaking) -> None:
    world.say("hotich", page(registration("G22.99.99-250812-0002")))
    world.say("igate", page(birth(nationCode="G22.99.99-250812-0002")))
    assert world.states() == {CODE: 9}


def test_progress_comes_in_although_the_pull_that_brought_its_dossier_ended_early(world: Speaking) -> None:
    world.say("hotich", page(registration()))
    with pytest.raises(OutcomeUnknown):
        world.say("igate", page(birth(), after_store=_ends_early))
    assert world.states() == {CODE: 4}
    (again,) = world.say("igate", page(birth()))
    assert (again.new, again.unchanged) == (0, 1)
    assert world.states() == {CODE: 9}


def _ends_early() -> None:
    raise OutcomeUnknown("igate", "no answer")


def test_a_system_is_asked_about_the_open_dossiers_of_its_home(world: Speaking) -> None:
    world.say(
        "igate",
        page(
            birth(),
            birth("H12.101-250812-0003", dossierStatus__id=4),
            birth("H12.101-250812-0004", procedure__code="1.991301"),
        ),
    )
    world.say("hotich", page(registration(), cursor="2025-08-14T00:00:00+00:00"))
    assert world.script.asked[-1] == (None, [CODE])
    assert world.one("SELECT count(*) FROM pull_cursor") == 0  # there is nothing to go on from
    assert world.states()[CODE] == 9
    world.say("hotich", full=True)
    assert world.script.asked[-1] == (None, [CODE])  # a system that only knows what is now has no months to read again


def test_a_page_is_acknowledged_once_it_is_stored_and_before_the_next_is(world: Speaking) -> None:
    seen: list[tuple[int, int]] = []

    def acknowledge() -> None:
        seen.append((len(seen) + 1, world.one("SELECT count(*) FROM pull_page")))

    codes = ["H12.101-250812-0001", "H12.101-250812-0002", "H12.101-250812-0003"]
    world.say("igate", *(page(birth(code), number=n, after_store=acknowledge) for n, code in enumerate(codes, 1)))
    assert seen == [(1, 1), (2, 2), (3, 3)]


def test_p1_a_page_that_is_not_stored_is_never_acknowledged(world: Speaking) -> None:
    acknowledged: list[int] = []
    pages = [
        page(birth(), number=1, after_store=lambda: acknowledged.append(1)),
        page(birth("H12.101-250812-0003"), number=1, after_store=lambda: acknowledged.append(2)),  # the same number
    ]
    with pytest.raises(PageRefused):
        world.say("igate", *pages)
    assert acknowledged == [1]
    assert world.one("SELECT status FROM pull_run") == "failed"


def test_p5_an_acknowledgement_that_fails_fails_the_run_and_the_records_may_come_again(world: Speaking) -> None:
    def refuse() -> None:
        raise OutcomeUnknown("igate", "the mailbox does not answer", "Try again later")

    with pytest.raises(OutcomeUnknown):
        world.say("igate", page(birth(), after_store=refuse))
    assert world.states() == {CODE: 4}
    assert "does not answer" in world.one("SELECT error FROM pull_run")
    (told,) = world.say("igate", page(birth()))
    assert told.unchanged == 1


def test_a_preview_says_which_systems_told_what_and_whose_state_counts(world: Speaking) -> None:
    world.say("igate", page(birth()))
    world.say("hotich", page(registration(status="2")))
    world.script.pages = [page(registration())]
    (seen,) = preview(world.catalog, "hotich", count=1, now=NOW, context=world)
    assert world.script.asked[-1] == (None, [CODE])
    assert (seen.problems, seen.targets) == ((), ())
    assert seen.canonical is not None
    assert seen.canonical["state"] == 9  # what it says now
    assert seen.standing is not None
    assert (seen.standing.state, seen.standing.system, seen.standing.why) == (5, "hotich", Why.LATEST)  # what is held
    assert [(told.system, told.is_home, told.state) for told in seen.standing.told] == [
        ("igate", True, 4),
        ("hotich", False, 5),
    ]
    world.script.pages = [page(birth("H12.101-250812-0009"))]
    (seen,) = preview(world.catalog, "igate", count=1, now=NOW, context=world)
    assert seen.standing is None
    assert len(seen.targets) == 4


@pytest.mark.parametrize("system", ["hotich", "vbdlis"])
def test_without_a_ledger_a_system_that_only_knows_our_dossiers_has_nothing_to_show(
    world: Speaking, system: str
) -> None:
    with pytest.raises(SyncError, match="only tells of dossiers that we hold"):
        preview(world.catalog, system, count=1, now=NOW, context=None)


@pytest.fixture
def missing(world: Speaking) -> Callable[[], tuple[str, ...]]:
    """The codes that the status shows as missing from igate."""

    def shown() -> tuple[str, ...]:
        source = next(each for each in status(world, NOW + timedelta(days=1)).sources if each.system == "igate")
        return source.disappeared.first_codes if source.disappeared else ()

    return shown


def test_what_a_whole_snapshot_lacks_is_shown_until_it_comes_again(
    world: Speaking, missing: Callable[[], tuple[str, ...]]
) -> None:
    other = "H12.101-250812-0003"
    world.say("igate", page(birth(), birth(other), completes=True))
    assert missing() == ()
    world.say("igate", page(birth(other)))
    assert missing() == ()  # not a whole snapshot
    world.say("igate", page(birth(other), completes=True))
    assert missing() == (CODE,)
    assert world.states() == {CODE: 4, other: 4}
    world.say("igate", page(birth()))
    assert missing() == ()


def test_a_snapshot_over_several_pages_is_whole_with_its_last_one(
    world: Speaking, missing: Callable[[], tuple[str, ...]]
) -> None:
    codes = [f"H12.101-250812-{number:04}" for number in range(4)]
    world.say("igate", page(*map(birth, codes)))
    world.say("igate", page(birth(codes[0]), number=1), page(birth(codes[1]), number=2, completes=True))
    assert missing() == (codes[2], codes[3])


def test_what_a_snapshot_lacks_is_known_before_its_file_is_put_away(
    world: Speaking, missing: Callable[[], tuple[str, ...]]
) -> None:
    other = "H12.101-250812-0003"
    world.say("igate", page(birth(), birth(other), completes=True))
    with pytest.raises(OutcomeUnknown):  # whoever ends here, or later, is never given the file again
        world.say("igate", page(birth(other), completes=True, after_store=_ends_early))
    assert missing() == (CODE,)


def test_a_record_set_aside_is_not_missing_and_one_without_a_key_makes_nothing_missing(
    world: Speaking, missing: Callable[[], tuple[str, ...]]
) -> None:
    other = "H12.101-250812-0003"
    world.say("igate", page(birth(), birth(other)))
    unknown = birth("000.00.101.H12-250812-0002", dossierStatus__id=77)
    world.say("igate", page(unknown, completes=True))
    assert missing() == (other,)
    world.say("igate", page(birth(other)))
    world.say("igate", page(birth(None, id=None, dossierStatus__id=77), completes=True))  # type: ignore[arg-type]
    assert missing() == ()
