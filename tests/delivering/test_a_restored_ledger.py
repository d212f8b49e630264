"""P2: a ledger of yesterday sets nothing back, whatever is done before it has caught up, and nobody has to help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path

import psycopg
import pytest
from delivery_world import Serve, World, shipped, world
from dossiers import code, dossier
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from serving import Served
from sqlalchemy import URL, Engine

from ledger import audit, life
from ledger.engine import open_engine, transaction
from ledger.sealing import Sealer
from sandbox.targets import feed, npsp, province
from sync.again import RepeatRefused, replay
from sync.context import now
from sync.deliver import deliver
from sync.woken import woken

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PATH = (2, 4, 5, 4, 9, 10)  # with a lawful step back
GONE_WRONG = 3
KNOWN_ELSEWHERE = """
    UPDATE ledger_life SET server_started_at = server_started_at - interval '1 day', identity = (
        SELECT concat_ws('/', (SELECT system_identifier FROM pg_control_system()),
                         left(pg_walfile_name(pg_current_wal_lsn()), 8),
                         (SELECT oid FROM pg_database WHERE datname = current_database()),
                         'ledger_life'::regclass::oid))
"""


class Restorable:
    """A world whose ledger is put back to a copy made earlier."""

    def __init__(self, opened: World, server: Served, target: str) -> None:
        self.world, self.server, self.target = opened, server, target
        self.numbers = count(1)
        self._pages = count(100_000)
        self._copies = count()

    @property
    def url(self) -> URL:
        """Of the ledger as it is."""
        return self.world.context.engine.url

    def push(self) -> None:
        """Deliver everything that may be."""
        deliver(self.world.context, self.target, wait_s=0.5)

    def states(self) -> dict[str, int]:
        """What the target holds."""
        return {row["code"]: row["state"] for row in self.server.control("dossiers")}

    def written(self) -> int:
        """How many writes the target has really applied."""
        return sum(write["effect"] != "noop" for write in self.server.control("writes"))

    def damages(self, *codes: str) -> None:
        """Somebody changes these at the target by hand."""
        self.server.control("damage", {"set_state": dict.fromkeys(codes, GONE_WRONG)})

    @contextmanager
    def put_back(self, *, unseen: bool = False) -> Iterator[None]:
        """What happens inside of the block is forgotten. ``unseen``: PostgreSQL cannot tell it from a restart."""
        copy = f"{self.url.database}_{next(self._copies)}"
        self.world.context.engine.dispose()  # nobody may look on while a database is copied
        with psycopg.connect(_plain(self.url.set(database="postgres")), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{self.url.database}" STRATEGY file_copy')
        yield
        self.world.context.engine.dispose()
        engine = open_engine(self.url.set(database=copy).render_as_string(hide_password=False))
        self.world = World(replace(self.world.context, engine=engine), _numbers=self._pages)
        if unseen:
            with transaction(engine) as cursor:
                cursor.execute(KNOWN_ELSEWHERE)


def _plain(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


@pytest.fixture(params=["province", "feed", "npsp"])
def place(
    request: pytest.FixtureRequest,
    own_engine: Engine,
    sealer: Sealer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    serve: Serve,
) -> Iterator[Restorable]:
    target = str(request.param)
    match target:
        case "province":
            server = serve(target, province.build, group_id="35166")
        case "feed":
            server = serve(target, feed.build, password=SECRET)
        case _:
            server = serve(target, npsp.build, dstcode="VN:GOV:000.00.00.G22")
    everything = {"reconcile": {"grace_s": 0, "heal_limit": 1000, "heal_share": 1}}
    with ExitStack() as stack:
        opened = stack.enter_context(
            world(own_engine, sealer, tmp_path, monkeypatch, shipped(target), changes=everything)
        )
        yield Restorable(opened, server, target)


ORDERS = st.lists(st.sampled_from(("compare", "push", "replay", "damage")), min_size=1, max_size=5)
LIVES = st.lists(
    st.tuples(st.integers(0, 4), st.booleans(), st.integers(1, 5)).map(
        lambda told: (told[0], told[1], min(told[0] + told[2], len(PATH) - 1))
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=8, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(lives=LIVES, order=ORDERS)
def test_p2_a_ledger_of_yesterday_sets_nothing_back_whatever_is_done_first(
    place: Restorable, lives: list[tuple[int, bool, int]], order: list[str]
) -> None:
    """Each dossier stood somewhere when the backup was made, told to the target or not yet, and went further."""
    mine = {next(place.numbers): life for life in lives}
    for pushed in (True, False):
        place.world.tell(
            *(
                dossier(n, PATH[stood], hours=stood)
                for n, (stood, was_pushed, _) in mine.items()
                if was_pushed is pushed
            )
        )
        if pushed:
            place.push()
    with place.put_back():
        place.world.tell(*(dossier(n, PATH[now_at], hours=now_at) for n, (_, _, now_at) in mine.items()))
        place.push()
        truth = place.states()
        assert {code_[-4:]: state for code_, state in truth.items()}.items() >= {
            code(n)[-4:]: PATH[now_at] for n, (_, _, now_at) in mine.items()
        }.items()

    written, held = place.written(), dict(truth)
    for action in order:
        if action == "damage":
            place.damages(*held)
            held = dict.fromkeys(held, GONE_WRONG)
        else:
            _does(place, action)
        assert place.states() == held, f"{action} of a ledger that has not caught up changed the target"
        assert place.written() == written

    assert woken(place.world.context.engine) is not None
    place.world.tell(*(dossier(n, PATH[now_at], hours=now_at) for n, (_, _, now_at) in mine.items()))
    assert woken(place.world.context.engine) is None
    place.push()
    place.world.compare(place.target)
    place.push()
    assert place.states() == truth, "what was changed at the target by hand is corrected, and nothing else"
    assert place.world.compare(place.target).open_breaks == 0
    if "damage" not in order:
        assert place.written() == written, "P3: nothing was told twice"


def _does(place: Restorable, action: str) -> None:
    if action == "compare":
        report = place.world.compare(place.target)
        assert report.healed == 0
        assert (report.woken is None) == (report.open_breaks == report.breaks["unknown_to_us"])
    elif action == "push":
        place.push()
    else:
        hours = dossier(hours=-1).state_at, dossier(hours=24).state_at
        with pytest.raises(RepeatRefused, match="restored from a backup"):
            replay(place.world.context, place.target, by="test", start=hours[0], end=hours[1])


@pytest.mark.parametrize("place", ["province"], indirect=True)
def test_p2_p4_files_of_a_backup_that_look_like_a_restart_correct_a_dossier_only_once_its_system_was_read(
    place: Restorable,
) -> None:
    moved, damaged, lost = 1, 2, 3
    place.world.tell(*(dossier(n, 4) for n in (moved, damaged, lost)))
    place.push()
    with place.put_back(unseen=True):
        place.world.tell(dossier(moved, 9, hours=5))
        place.push()
    place.damages(code(damaged))
    place.server.control("damage", {"delete": [code(lost)]})

    found = place.world.compare(place.target)
    assert (found.healed, found.waiting) == (1, 2)
    assert found.woken
    assert (found.woken.restored, found.woken.unread) == (False, ("gplx",))
    place.push()
    assert place.states() == {code(moved): 9, code(damaged): GONE_WRONG, code(lost): 4}, "what is missing is told"

    place.world.tell(dossier(moved, 9, hours=5))
    place.push()
    found = place.world.compare(place.target)
    assert (found.healed, found.waiting, found.woken) == (1, 0, None)
    place.push()
    assert place.states() == {code(moved): 9, code(damaged): 4, code(lost): 4}


@pytest.mark.parametrize("place", ["province"], indirect=True)
def test_p2_where_a_system_tells_each_change_once_a_person_says_that_the_ledger_has_caught_up(
    place: Restorable,
) -> None:
    place.world.tell(dossier(1, 4), tells_once=True)
    place.push()
    with place.put_back():
        place.world.tell(dossier(1, 9, hours=5), tells_once=True)
        place.push()
    place.world.tell(tells_once=True)  # read again, and nothing came: it was handed out before
    found = woken(place.world.context.engine)
    assert found
    assert (found.restored, found.unread, found.telling_once) == (True, (), ("gplx",))
    place.world.compare(place.target)
    place.push()
    assert place.states() == {code(1): 9}

    place.world.tell(dossier(1, 9, hours=5), tells_once=True)  # its owner tells it again
    assert life.confirm(place.world.context.engine, by="an")
    assert not life.confirm(place.world.context.engine, by="an"), "nothing waits any more"
    assert [(each.person, each.action) for each in audit.last(place.world.context.engine)] == [("an", "caught_up")]
    place.push()
    assert place.states() == {code(1): 9}
    assert place.world.compare(place.target).open_breaks == 0
    assert now() > found.since
