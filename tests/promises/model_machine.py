"""The machine: what may happen, in any order, and what must hold after every single step.

Rules bring news, let workers run, die, stall and meet each other, and let the network, the target, the clocks and the
database misbehave. Invariants judge from outside: by the source's truth, and by the target's own ledger of really
applied writes. At the end of every story all faults stop, and everything must become equal.
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from model_desk import LEASE_S, Desk
from model_source import Revision, Source, number_of, revision_in

from ledger import gate
from ledger.delivery import backlog, expand_feed
from ledger.errors import LedgerUnavailable
from sync.again import replay, resend
from sync.context import now
from sync.errors import SyncError
from sync.reconcile import ReconcileReport, reconcile

LOST = ("apply-then-500", "apply-then-drop", "cut", "apply-then-hang")  # done, and the answer does not come
FAULTS = (*LOST, "drop-before", "500", "503", "429", "html-200", "slow")
POINTS = st.integers(1, 30)
PICKS = st.integers(0, 5)
NEWS = st.none() | PICKS  # of which dossier, before the worker begins; or it finds what is left
SEEDS = st.integers(0, 99)
TIMES = st.sampled_from((1, 1, 2, 9))
MOST_DOSSIERS = 5


class Delivery(RuleBasedStateMachine):
    """News on one side, a target on the other, and everything that can go wrong between."""

    desk: ClassVar[Desk]

    def __init__(self) -> None:
        super().__init__()
        self.desk.begin()

    @property
    def source(self) -> Source:
        """What happens, and what was told of it."""
        return self.desk.source

    # -- news --------------------------------------------------------------------------------------------------

    @initialize(states=st.lists(st.sampled_from((1, 2)), min_size=1, max_size=3), pulled=st.booleans())
    def some_dossiers(self, states: list[int], pulled: bool) -> None:
        for state in states:
            self.source.begins(state)
        if pulled:
            self._pull(9)

    @precondition(lambda self: len(self.source.lives) < MOST_DOSSIERS)
    @rule(state=st.sampled_from((1, 2)))
    def a_new_dossier(self, state: int) -> None:
        self.source.begins(state)
        self._pull(9)

    @rule(pick=PICKS, picks=st.lists(PICKS, max_size=3), late=st.booleans(), pulled=st.booleans())
    def a_dossier_moves(self, pick: int, picks: list[int], late: bool, pulled: bool) -> None:
        """Through some states; or none: then only its record changes. ``late``: the last of them is told first."""
        if picks:
            self.source.moves(self._one(pick), picks, late=late)
        else:
            self.source.edited(self._one(pick))
        if pulled:
            self._pull(9)

    # -- intake ------------------------------------------------------------------------------------------------

    @rule(size=st.integers(1, 5), again=st.integers(0, 3), aside=st.booleans(), seed=SEEDS)
    def a_page_is_pulled(self, size: int, again: int, aside: bool, seed: int) -> None:
        """With records told before among it, in any order, and perhaps one that cannot be read."""
        self._pull(size, again=again, aside=aside, seed=seed)

    @rule(size=st.integers(1, 5), dies_at=st.integers(1, 8), seed=SEEDS)
    def a_pull_dies(self, size: int, dies_at: int, seed: int) -> None:
        self._pull(size, again=1, seed=seed, dies_at=dies_at)

    @precondition(lambda self: self.source.newest)
    @rule(seed=SEEDS, count=st.integers(1, 4))
    def old_pages_come_again_twice_at_once(self, seed: int, count: int) -> None:
        self.desk.takes_twice_at_once(self._told_before(count, random.Random(seed)))

    def _pull(self, size: int, *, again: int = 0, aside: bool = False, seed: int = 0, dies_at: int = 0) -> None:
        draw = random.Random(seed)
        start = self.source.position
        fresh = self.source.log[start : start + size]
        bad = [fresh[-1]] if aside and fresh else []
        good = [*(each for each in fresh if each not in bad), *self._told_before(again, draw)]
        draw.shuffle(good)
        if good or bad:
            self.desk.takes(good, bad, moves_to=start + len(fresh), dies_at=dies_at)

    def _told_before(self, count: int, draw: random.Random) -> list[Revision]:
        told = [each for each in self.source.log[: self.source.position] if each not in self.source.aside]
        return [draw.choice(told) for _ in range(count)] if told else []

    # -- workers -----------------------------------------------------------------------------------------------

    @rule(limit=st.sampled_from((None, None, None, 1)), waits=st.booleans(), news=NEWS)
    def a_push(self, limit: int | None, waits: bool, news: int | None) -> None:
        self._get_ready(waits, news)
        self.desk.push(limit=limit)
        if self.desk.paused:
            assert self.desk.witness.looks() == 0, "something was sent although deliveries are paused"

    @rule(mode=st.sampled_from(FAULTS), after=st.integers(0, 2), times=TIMES, waits=st.booleans(), news=NEWS)
    def a_push_goes_wrong(self, mode: str, after: int, times: int, waits: bool, news: int | None) -> None:
        """Some calls after its beginning; what is left of the fault hits whatever comes next."""
        self._get_ready(waits, news)
        if after:
            self.desk.control("faults", {"mode": "slow", "times": after, "seconds": 0})
        seconds = {"slow": 0.02, "429": 5, "503": 5}.get(mode, 0)
        times = 1 if mode == "apply-then-hang" else times
        self.desk.control("faults", {"mode": mode, "times": times, "seconds": seconds})
        self.desk.push()

    @rule(waits=st.booleans(), news=NEWS)
    def two_workers_at_once(self, waits: bool, news: int | None) -> None:
        self._get_ready(waits, news)
        self.desk.push_twice_at_once()

    @rule(at=POINTS, waits=st.booleans(), news=NEWS)
    def a_worker_dies_at_the_ledger(self, at: int, waits: bool, news: int | None) -> None:
        self._get_ready(waits, news)
        self.desk.push_and_die(at=at)

    @rule(calls=st.integers(1, 3), after=st.booleans(), waits=st.booleans(), news=NEWS)
    def a_worker_dies_while_it_calls(self, calls: int, after: bool, waits: bool, news: int | None) -> None:
        self._get_ready(waits, news)
        self.desk.push_and_die(calls=calls, after=after)

    @rule(at=st.integers(1, 25), overtaken=st.booleans(), another=st.booleans(), news=NEWS, pick=PICKS)
    def a_worker_stalls(self, at: int, overtaken: bool, another: bool, news: int | None, pick: int) -> None:
        """While there is more news and perhaps another worker; perhaps longer than its lease."""

        def meanwhile() -> None:
            self._get_ready(overtaken, pick)
            if another:
                self.desk.push(self.desk.other)

        self._get_ready(False, news)
        self.desk.push_and_stall(at, meanwhile)

    def _get_ready(self, waits: bool, news: int | None) -> None:
        """Leases are over, most of what is to be tried again is due, and there is something new."""
        if waits:
            self.desk.passes(LEASE_S + 1)
        if news is not None:
            if news % 3 == 2:
                self.source.edited(self._one(news))
            else:
                self.source.moves(self._one(news), [news], late=False)
            self._pull(9)

    # -- the ledger --------------------------------------------------------------------------------------------

    @rule(at=POINTS, while_pulling=st.booleans(), restarts=st.integers(0, 9), news=NEWS)
    def the_ledger_is_lost(self, at: int, while_pulling: bool, restarts: int, news: int | None) -> None:
        """Its sessions are cut, or, rarely, the whole server falls dead and comes back."""
        self._get_ready(False, news)
        database = self.desk.database
        self.desk.trap.set(at // 3 + 1 if while_pulling else at, database.cuts if restarts else database.restarts)
        try:
            if while_pulling:
                self._pull(3)
            else:
                self.desk.push()
        except LedgerUnavailable:
            pass
        finally:
            self.desk.trap.clear()

    # -- the target and the network ----------------------------------------------------------------------------

    @precondition(lambda self: self.desk.dialect.has_key)
    @rule(calls=st.integers(1, 3), half=st.booleans())
    def calls_arrive_twice_or_half(self, calls: int, half: bool) -> None:
        if not half:
            self.desk.mischief.twice += calls
        elif self.desk.dialect.takes_batches:
            self.desk.mischief.half += calls

    @rule(pick=st.none() | PICKS)
    def a_dossier_is_refused(self, pick: int | None) -> None:
        """Or, without one, the target is well again."""
        if pick is None:
            self.desk.relents()
        else:
            self.desk.mischief.refused.add(self._one(pick))

    @precondition(lambda self: self.desk.dialect.has_key)
    @rule(pick=PICKS, state=st.sampled_from((None, 1, 4)))
    def the_target_is_damaged(self, pick: int, state: int | None) -> None:
        self.desk.damage(self._one(pick), state)

    @precondition(lambda self: self.desk.dialect.has_sessions)
    @rule()
    def sessions_end(self) -> None:
        self.desk.control("faults", {"mode": "expire-sessions"})

    # -- clocks ------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from((3, 40, 3600, 86400)))
    def time_passes(self, seconds: float) -> None:
        self.desk.passes(seconds)

    @rule(minutes=st.sampled_from((-120, -1, 1, 120)), of_the_host=st.booleans())
    def a_clock_jumps(self, minutes: int, of_the_host: bool) -> None:
        if of_the_host:
            self.desk.clock.skew += timedelta(minutes=minutes)
        else:
            self.desk.database_jumps(60 * minutes)

    # -- people ------------------------------------------------------------------------------------------------

    @rule()
    def a_person_pauses_deliveries_or_lets_them_go_on(self) -> None:
        does = gate.resume if self.desk.paused else gate.pause
        does(self.desk.context.engine, self.desk.dialect.target, by="model")
        self.desk.paused = not self.desk.paused

    @rule()
    def a_person_resends_what_is_dead(self) -> None:
        resend(self.desk.context, self.desk.dialect.target, by="model")

    @precondition(lambda self: self.desk.dialect.has_key and self.source.newest)
    @rule()
    def a_person_replays_everything(self) -> None:
        ends = max(each.state_at for each in self.source.newest.values()) + timedelta(days=1)
        start = min(each.state_at for each in self.source.newest.values())
        replay(self.desk.context, self.desk.dialect.target, by="model", start=start, end=ends)

    @rule()
    def both_sides_are_compared(self) -> None:
        self._compare()

    def _compare(self) -> ReconcileReport | None:
        try:
            return reconcile(self.desk.context, self.desk.dialect.target, as_of=now(), heal=True)
        except SyncError:
            return None  # the target could not be read: the run is incomplete, and says so

    # -- what must hold after every step -----------------------------------------------------------------------

    @invariant()
    def the_promises_hold(self) -> None:
        self.desk.witness.looks()  # P2 and P3: in order, and once
        self._nothing_is_lost()
        self._the_sums_are_right()

    def _nothing_is_lost(self) -> None:
        for row in (standing := self.desk.standing()):
            number = number_of(row["code"])
            newest = self.source.newest[number]
            told = (revision_in(row["name"]), row["dossier_state"], row["last_step"])
            assert told == (newest.revision, newest.state, len(self.source.steps[number])), (
                f"P1: {row['code']}: the ledger holds revision, state, last step {told}, not the newest: {newest}"
            )
            self._is_applied_or_waits(row, newest)
        assert {number_of(row["code"]) for row in standing} == self.source.newest.keys()

    def _the_sums_are_right(self) -> None:
        ((fetched, known),) = self.desk.rows(
            "SELECT coalesce(sum(fetched), 0), coalesce(sum(new_ + changed + unchanged + stale + quarantined), 0)"
            " FROM pull_page"
        )
        assert fetched == known == self.source.fetched, f"P1: {self.source.fetched} were told, {fetched} fetched"
        aside = self.desk.rows("SELECT record_key, message FROM quarantine WHERE state = 'open'")
        kept, expected = sorted(int(key) for key, _ in aside), sorted(each.number for each in self.source.aside)
        assert kept == expected, f"P1: records of {kept} are set aside, not of {expected}"
        assert all(reason for _, reason in aside)
        history = self.desk.rows(
            "SELECT code, at, step.state FROM dossier_step step JOIN dossier ON dossier.id = dossier_id"
        )
        recorded = {(number_of(code), at, state) for code, at, state in history}
        assert recorded >= self.source.history, f"P1: not recorded: {self.source.history - recorded}"
        assert recorded <= self.source.mentioned, f"P1: nobody told this: {recorded - self.source.mentioned}"

    def _is_applied_or_waits(self, row: dict[str, Any], newest: Revision) -> None:
        """Every newest state is at the target, on its way there, or refused with a reason; never just gone."""
        witness, number = self.desk.witness, number_of(row["code"])
        if row["state"] == "dead":
            assert row["last_reason"], f"{row['code']} was given up without a reason"
        if row["state"] is None or row["wanted_version"] < row["version"]:
            assert row["is_news"], f"P1: the feed has passed {row['code']} by"
            return
        if row["state"] != "idle" or number in witness.lost:
            return
        if self.desk.dialect.records:
            last = witness.last.get(number)
            assert last == newest.revision, f"P1: {row['code']} rests, but revision {last} of {newest} is at the target"
        if self.desk.dialect.steps and number not in witness.damaged:
            told, due = witness.told(number), len(self.source.steps[number])
            doubtful = 0 if self.desk.dialect.has_key else row["doubtful"]
            assert due - doubtful <= told <= due, f"P1: {row['code']} rests with {told} steps of {due} at the target"

    # -- and in the end ----------------------------------------------------------------------------------------

    def teardown(self) -> None:
        """All faults stop, everything is pulled and pushed: both sides are equal, each message was applied once."""
        try:
            self._comes_to_rest()
        finally:
            self.desk.trap.clear()

    def _comes_to_rest(self) -> None:
        desk = self.desk
        desk.relents()
        desk.clock.skew = timedelta()
        gate.resume(desk.context.engine, desk.dialect.target, by="model")
        if not self.source.lives:
            return
        self._pull(len(self.source.log))
        # What could not be read has been mended, and is told again.
        last = [life[-1] for life in self.source.lives.values()]
        desk.takes([each for each in last if self.source.newest.get(each.number) != each], [], moves_to=None)
        for healing in (True, False):
            self._push_until_idle()
            report = self._compare()
            assert report is not None, "the target cannot be compared although nothing is wrong"
            if not healing:
                assert report.open_breaks == 0, f"in the end the comparison finds {report.breaks}"
        self.the_promises_hold()
        self._is_equal()

    def _push_until_idle(self) -> None:
        target = self.desk.dialect.target
        for _ in range(12):
            self.desk.passes(86400)
            resend(self.desk.context, target, by="model")
            self.desk.push()
            self.desk.witness.looks()
            waits = backlog(self.desk.context.engine, target)
            if not (waits.due or waits.due_later or waits.leased or waits.doubt or waits.dead):
                return
        raise AssertionError(f"the target is well, and yet this does not come to its end: {waits}")

    def _is_equal(self) -> None:
        dialect = self.desk.dialect
        assert expand_feed(self.desk.context.engine, dialect.target) == 0
        if dialect.records is None:
            return
        held = {
            number_of(row["code"]): (revision_in(row["body"][dialect.name]), row["state"])
            for row in self.desk.control("dossiers")
        }
        assert held == {number: (each.revision, each.state) for number, each in self.source.newest.items()}
        if dialect.steps:
            witness = self.desk.witness
            short = {number for number, due in self.source.steps.items() if witness.told(number) != len(due)}
            assert short <= witness.damaged, f"P1: steps are missing of {short - witness.damaged}"

    def _one(self, pick: int) -> int:
        return pick % len(self.source.lives) + 1
