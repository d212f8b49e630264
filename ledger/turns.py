"""Who may call a target now. Pure: the state of its gate, what one process tells and wants, and what it gets.

All processes share one state; ``gate.py`` keeps it. Four things are decided at once, so that several calls cost one
round trip:

- *slots*: calls under way at once. Each process holds some for a while, its fair share when others want them too, and
  begins no call that could outlive them: what a killed process held is free again once its calls must be over;
- *turns*: moments at which a call may begin, evenly spaced, and counted per day;
- *pace*: the share of the slots that the target bears. Halved when it asks to slow down or times out, growing back
  with each answer;
- *shut*: nobody calls. A person paused it, our ledger was restored and has not caught up, it asked to be left alone,
  its calls of the day are used up, or it does not answer: then, after a rest, exactly one process tries, and its
  success opens the gate for all.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from schemas.times import VN

_SPACING = 1.05  # a little wider than the limit: moments reach the other side with a jitter
_CHUNK_S = 0.5  # so many seconds' turns are handed out at once
_HORIZON_S = 1.0  # and none that lie farther ahead
_SLOWER, _FASTER = 0.5, 0.1  # pace: a factor per sign of overload, calls per answer
_SLOWER_EVERY = timedelta(seconds=1)  # calls that were under way together are one sign
_CREDIT = 50.0  # failed retries that are always possible ...
_CREDIT_PER_S = 0.1  # ... and how they come back without any traffic


class Shut(StrEnum):
    """Why nobody may call."""

    PAUSED = "paused"
    RESTORED = "restored"
    ASKED = "asked"
    BROKEN = "broken"
    DAY = "day"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRules:
    """What the catalog says. ``slot_s``: how long slots stay a process's own after it last spoke."""

    concurrent: int | None = None
    per_second: float | None = None
    per_day: int | None = None
    failures: int = 8
    rest_s: float = 30.0
    longest_rest_s: float = 600.0
    retry_share: float = 0.2
    slot_s: float = 130.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A process that calls the target: the slots it holds until ``until``, and how many it wants."""

    holder: UUID
    slots: int
    wants: int
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GateState:
    """What all processes know together; see ``tables.target_gate``. ``is_behind``: the ledger, after a restore."""

    paused_since: datetime | None = None
    paused_until: datetime | None = None
    is_behind: bool = False
    failures: int = 0
    answered_at: datetime | None = None
    taken_at: datetime | None = None
    broken_since: datetime | None = None
    broken_times: int = 0
    rest_until: datetime | None = None
    probe: UUID | None = None
    probe_until: datetime | None = None
    asked_until: datetime | None = None
    pace: float = 1.0
    pace_cut_at: datetime | None = None
    next_turn_at: datetime | None = None
    day: date | None = None
    day_turns: int = 0
    retry_credit: float | None = None
    credit_at: datetime | None = None
    holders: Sequence[Holder] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one process tells of its calls since it last spoke, and what it wants.

    ``busy`` calls are under way, ``wants`` at once would be good (0: none any more); ``turns`` moments to begin at,
    ``unused`` of the last ones went by. Of the calls that ended ``answered`` got a proper answer and ``failed`` did
    not, the last ``trailing`` of them in a row. ``taken``: at least one brought verdicts on messages. ``slowed``: at
    least one said or showed that it is too much. ``failed_retries``: failed, and had failed before. ``asked_s``: the
    target wants to be left alone so long. ``reads_only``: neither a pause nor a restored ledger matters.
    """

    holder: UUID
    wants: int
    busy: int = 0
    turns: int = 0
    unused: int = 0
    answered: int = 0
    failed: int = 0
    trailing: int = 0
    taken: bool = False
    slowed: bool = False
    failed_retries: int = 0
    asked_s: float = 0.0
    reads_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a process may do now. ``turns`` moments begin in ``first_turn_s`` seconds, ``turn_gap_s`` apart.

    ``retries``: so many failed retries are affordable. ``trying``: it is the one that finds out whether a broken target
    answers again. ``shut`` until ``until`` (``None``: until a person opens it).
    """

    slots: int = 0
    turns: int = 0
    first_turn_s: float = 0.0
    turn_gap_s: float = 0.0
    retries: int = 0
    trying: bool = False
    shut: Shut | None = None
    until: datetime | None = None


def decide(state: GateState, rules: GateRules, told: Told, now: datetime) -> tuple[GateState, Grant]:
    """The next state, and what the process gets."""
    state = _paced(_judged(state, rules, told, now), rules, told, now)
    state = _of_today(_credited(state, rules, told, now), told, now)
    others = [each for each in state.holders if each.holder != told.holder and each.until > now]
    state, shut, until = _shut(state, rules, told, now)
    retries = max(0, math.floor(state.retry_credit or 0.0))
    if shut is not None or told.wants == 0:
        kept = [*others, _holder(told, rules, told.busy, now)] if told.busy else others
        return replace(state, holders=kept), Grant(shut=shut, until=until, retries=retries)
    trying = state.broken_since is not None
    slots = min(1 if trying else _slots(state, rules, told, others), _free(state, rules, others))
    held = _holder(told, rules, max(slots, told.busy), now)
    state = replace(state, holders=[*others, held])
    state, first, gap, turns = _turns(state, rules, told, now)
    grant = Grant(slots=slots, turns=turns, first_turn_s=first, turn_gap_s=gap, retries=retries, trying=trying)
    return state, grant


def _judged(state: GateState, rules: GateRules, told: Told, now: datetime) -> GateState:
    """What the calls that ended say about the target."""
    tried = state.broken_since is not None and state.probe == told.holder
    if told.taken:
        state = replace(state, taken_at=now)
    if told.asked_s > 0:
        asked = now + timedelta(seconds=told.asked_s)
        state = replace(state, asked_until=max(asked, state.asked_until or asked))
    if told.answered:
        state = replace(state, answered_at=now, failures=told.trailing)
        if tried:
            return replace(
                state, broken_since=None, broken_times=0, rest_until=None, probe=None, probe_until=None, failures=0
            )
    elif told.failed:
        state = replace(state, failures=state.failures + told.trailing)
    breaks = state.failures >= rules.failures if state.broken_since is None else tried and told.failed > 0
    if not breaks:
        return state
    times = state.broken_times + 1
    rest = min(rules.longest_rest_s, rules.rest_s * 2.0 ** min(times - 1, 30))
    return replace(
        state,
        broken_since=state.broken_since or now,
        broken_times=times,
        rest_until=now + timedelta(seconds=rest),
        probe=None,
        probe_until=None,
    )


def _paced(state: GateState, rules: GateRules, told: Told, now: datetime) -> GateState:
    ceiling = rules.concurrent or max(told.wants, 1)
    if told.slowed:
        if state.pace_cut_at is not None and now - state.pace_cut_at < _SLOWER_EVERY:
            return state
        return replace(state, pace=max(state.pace * _SLOWER, 1 / (2 * ceiling)), pace_cut_at=now)
    return replace(state, pace=min(1.0, state.pace + told.answered * _FASTER / ceiling))


def _credited(state: GateState, rules: GateRules, told: Told, now: datetime) -> GateState:
    """Failed retries are paid from what calls that go well earn, so that they stay a share of all."""
    since = (now - state.credit_at).total_seconds() if state.credit_at else 0.0
    held = _CREDIT if state.retry_credit is None else state.retry_credit
    earned = told.answered * rules.retry_share + max(since, 0.0) * _CREDIT_PER_S
    return replace(state, retry_credit=max(0.0, min(_CREDIT, held + earned) - told.failed_retries), credit_at=now)


def _shut(
    state: GateState, rules: GateRules, told: Told, now: datetime
) -> tuple[GateState, Shut | None, datetime | None]:
    if is_paused(state, now) and not told.reads_only:
        return state, Shut.PAUSED, state.paused_until
    if state.is_behind and not told.reads_only:
        return state, Shut.RESTORED, None
    if state.asked_until is not None and state.asked_until > now:
        return state, Shut.ASKED, state.asked_until
    if rules.per_day is not None and state.day_turns >= rules.per_day:
        return state, Shut.DAY, _midnight(now)
    if state.broken_since is None:
        return state, None, None
    if state.rest_until is not None and state.rest_until > now:
        return state, Shut.BROKEN, state.rest_until
    if state.probe not in (None, told.holder) and state.probe_until is not None and state.probe_until > now:
        return state, Shut.BROKEN, state.probe_until
    if told.wants == 0:
        return (replace(state, probe=None, probe_until=None) if state.probe == told.holder else state), None, None
    return replace(state, probe=told.holder, probe_until=now + timedelta(seconds=rules.slot_s)), None, None


def is_paused(state: GateState, now: datetime) -> bool:
    """Whether a person has stopped deliveries."""
    return state.paused_since is not None and (state.paused_until is None or state.paused_until > now)


def _holder(told: Told, rules: GateRules, slots: int, now: datetime) -> Holder:
    until = now + timedelta(seconds=rules.slot_s)
    return Holder(holder=told.holder, slots=slots, wants=told.wants, until=until)


def _allowed(state: GateState, concurrent: int) -> int:
    return max(1, math.floor(concurrent * state.pace + 1e-6))


def _free(state: GateState, rules: GateRules, others: Sequence[Holder]) -> int:
    if rules.concurrent is None:
        return 1 << 30
    return max(0, _allowed(state, rules.concurrent) - sum(other.slots for other in others))


def _slots(state: GateState, rules: GateRules, told: Told, others: Sequence[Holder]) -> int:
    """As many as it wants, but no more than its fair share while another has less than its own."""
    if rules.concurrent is None:
        return max(1, math.ceil(told.wants * state.pace - 1e-6))
    fair = max(1, _allowed(state, rules.concurrent) // (len(others) + 1))
    is_short = any(other.slots < min(other.wants, fair) for other in others)
    return min(told.wants, fair) if is_short else told.wants


def _of_today(state: GateState, told: Told, now: datetime) -> GateState:
    today = now.astimezone(VN).date()
    if state.day != today:
        return replace(state, day=today, day_turns=0)
    return replace(state, day_turns=max(0, state.day_turns - told.unused))


def _turns(state: GateState, rules: GateRules, told: Told, now: datetime) -> tuple[GateState, float, float, int]:
    """The state, seconds until the first turn, seconds between two, how many."""
    turns = told.turns
    if rules.per_day is not None:
        turns = min(turns, rules.per_day - state.day_turns)
    first = gap = 0.0
    if rules.per_second is not None:
        gap = _SPACING / rules.per_second
        begin = max(now, state.next_turn_at or now)
        first = (begin - now).total_seconds()
        turns = 0 if first > _HORIZON_S + gap else min(turns, max(1, math.ceil(rules.per_second * _CHUNK_S)))
        state = replace(state, next_turn_at=begin + timedelta(seconds=turns * gap))
    if rules.per_day is not None:
        state = replace(state, day_turns=state.day_turns + turns)
    return state, first, gap, turns


def _midnight(now: datetime) -> datetime:
    local = now.astimezone(VN)
    return datetime(local.year, local.month, local.day, tzinfo=VN) + timedelta(days=1)
