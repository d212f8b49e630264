"""What a page says about one dossier, against what the ledger knows: new, changed, unchanged or stale, and its steps.

Pure: no database, no clock. ``judge`` gets everything that one page of one system says about one dossier.

- Each system's newest reading stands for that system (``reading.py`` orders them). Older ones are *stale*: recorded
  in the history, and nothing else.
- The *home* system is the one with the highest precedence that ever told what the dossier is about; one that tells only
  of its progress never is. Attributes are the home's own.
- The state is the latest event over all systems' newest readings (``leading`` says how undated ones are ranked).
- Numbered steps are what targets are told. They grow in time, the last of them is always the dossier's state, and a
  step that turns up behind it gets no number. Where a source gives no step for a new state, one is derived.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from ledger.reading import TERMINAL_CODES, Order, Reading, event_rank, order_of
from schemas.dossier import Dossier
from schemas.states import State, is_legal

UP_TO_FORWARDING = frozenset({int(State.REGISTERED), int(State.ACCEPTED), int(State.PROCESSING)})
"""States in which a home has at most forwarded the dossier, so that others know better."""

_ILLEGAL = frozenset((int(a), int(b)) for a in State for b in State if not is_legal(a, b))
_INSTANT = timedelta(microseconds=1)

StepKey = tuple[datetime, int, str]


class Verdict(StrEnum):
    """The counter of the equation that a record goes to."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    STALE = "stale"


class SystemReading(NamedTuple):
    """What the ledger keeps of one system's newest reading of one dossier."""

    system: str
    precedence: int
    source_id: str
    content_hash: bytes
    source_at: datetime
    observed_at: datetime
    state: int
    event_at: datetime
    dated: bool
    mapping_no: int

    @property
    def order(self) -> Order:
        """The age among this system's readings."""
        return order_of(self.source_at, self.mapping_no, self.state, self.observed_at, self.content_hash)


class Known(NamedTuple):
    """One dossier as the ledger holds it."""

    dossier_id: int
    home: SystemReading
    guests: tuple[SystemReading, ...]
    state: int
    last_step: int
    last_step_at: datetime
    illegal_jumps: int

    def reading_of(self, system: str) -> SystemReading | None:
        """The newest reading of one system, if it ever reported this dossier."""
        if self.home.system == system:
            return self.home
        return next((guest for guest in self.guests if guest.system == system), None)


class StepRow(NamedTuple):
    """One step to record. ``step_no`` None: in the history only. ``derived``: from a state, not from the source."""

    at: datetime
    state: int
    system: str
    step_no: int | None
    illegal: bool
    derived: bool
    unit: str | None
    officer: str | None
    content: str | None

    @property
    def key(self) -> StepKey:
        """What makes it the same step when it is told again."""
        return self.at, self.state, self.system

    def numbered(self, number: int, former: int | None) -> "StepRow":
        """The same step as the ``number``-th of its dossier, entered from state ``former``."""
        at, state, system, _, _, derived, unit, officer, content = self
        return StepRow(at, state, system, number, (former, state) in _ILLEGAL, derived, unit, officer, content)


class DossierAfter(NamedTuple):
    """The dossier's own values once the judgement is written; every one of them makes a new version."""

    state: int
    state_at: datetime
    state_system: str
    last_step: int
    last_step_at: datetime
    illegal_jumps: int


class Judgement(NamedTuple):
    """What becomes of the page's records of one dossier, and what is to be written.

    ``after`` None: the dossier keeps its version. ``mine``: this system's newest reading, to be kept when ``keep`` is
    true. ``is_home``: its attributes are the dossier's. ``former_home``: a home that a higher precedence replaced.
    """

    known: Known | None
    newest: Reading
    verdict: Verdict
    older: tuple[tuple[Reading, Verdict], ...]
    mine: SystemReading
    keep: bool
    is_home: bool
    former_home: SystemReading | None
    after: DossierAfter | None
    steps: tuple[StepRow, ...]


def judge(known: Known | None, readings: Sequence[Reading], system: str, precedence: int) -> Judgement:
    """Judge what one page of ``system`` says about one dossier (at least one reading).

    Progress of a dossier that is not known, or known from this system alone, cannot be judged: see ``sorting.py``.
    """
    older: Sequence[Reading] = ()
    newest = readings[0]
    if len(readings) > 1:
        *older, newest = sorted(readings, key=lambda reading: reading.order)
    base = known.reading_of(system) if known else None
    mine = _as_kept([*older, newest], base, system, precedence)
    if known and base and base.content_hash == newest.content_hash:
        return _nothing_new(known, base, newest, older, mine)
    if known and base and newest.order < base.order:
        return _too_late(known, base, newest, older, mine)
    return _newer(known, base, newest, older, mine)


def repeats(known: Known, reading: Reading, system: str) -> bool:
    """Whether a reading says nothing that the ledger has not kept already, not even a newer time."""
    base = known.reading_of(system)
    return base is not None and base.content_hash == reading.content_hash and base.source_at >= reading.source_at


def _as_kept(in_order: Sequence[Reading], base: SystemReading | None, system: str, precedence: int) -> SystemReading:
    newest = in_order[-1]
    state, event_at = (base.state, base.event_at) if base else (None, newest.event_at)
    for reading in in_order:
        if base is None or reading.order > base.order:
            # Without a time of its own, the same state as before was entered when it was first seen.
            if reading.state != state or reading.dossier.state_at is not None:
                event_at = reading.event_at
            state = reading.state
    return SystemReading(
        system=system,
        precedence=precedence,
        source_id=newest.dossier.source_id,
        content_hash=newest.content_hash,
        source_at=newest.source_at,
        observed_at=newest.observed_at,
        state=newest.state,
        event_at=event_at,
        dated=newest.dated,
        mapping_no=newest.mapping_no,
    )


def _nothing_new(
    known: Known, base: SystemReading, newest: Reading, older: Sequence[Reading], mine: SystemReading
) -> Judgement:
    # Source time and mapping still move on: else an older, different reading could win against it later.
    advanced = base._replace(
        source_at=mine.source_at, mapping_no=mine.mapping_no, observed_at=max(base.observed_at, mine.observed_at)
    )
    return Judgement(
        known=known,
        newest=newest,
        verdict=Verdict.UNCHANGED,
        older=_verdicts(older, newest, base),
        mine=advanced,
        keep=(mine.source_at, mine.mapping_no) > (base.source_at, base.mapping_no),
        is_home=known.home.system == mine.system,
        former_home=None,
        after=None,
        steps=tuple(_history(older, base, mine.system)),
    )


def _too_late(
    known: Known, base: SystemReading, newest: Reading, older: Sequence[Reading], mine: SystemReading
) -> Judgement:
    return Judgement(
        known=known,
        newest=newest,
        verdict=Verdict.STALE,
        older=_verdicts(older, newest, base),
        mine=base,
        keep=False,
        is_home=known.home.system == mine.system,
        former_home=None,
        after=None,
        steps=tuple(_history([*older, newest], base, mine.system)),
    )


def _newer(
    known: Known | None, base: SystemReading | None, newest: Reading, older: Sequence[Reading], mine: SystemReading
) -> Judgement:
    takes_over = known is not None and _takes_over(known.home, mine, newest)
    is_home = known is None or mine.system == known.home.system or takes_over
    others = [kept for kept in (known.home, *known.guests) if kept.system != mine.system] if known else []
    latest = leading([*others, mine], mine.system if known is None or is_home else known.home.system)
    steps = _steps(known, base, newest, older, mine, latest)
    if known is None:
        verdict = Verdict.NEW
    elif is_home or latest.state != known.state or any(step.step_no for step in steps):
        verdict = Verdict.CHANGED
    else:
        # Another system's reading that changes nothing here: it agrees, or its event is older than what we know.
        verdict = Verdict.UNCHANGED if newest.state == known.state else Verdict.STALE
    return Judgement(
        known=known,
        newest=newest,
        verdict=verdict,
        older=_verdicts(older, newest, base),
        mine=mine,
        keep=True,
        is_home=is_home,
        former_home=known.home if known and takes_over else None,
        after=_after(known, latest, steps) if verdict in (Verdict.NEW, Verdict.CHANGED) else None,
        steps=tuple(steps),
    )


def _takes_over(home: SystemReading, mine: SystemReading, newest: Reading) -> bool:
    """Whether this system becomes the home instead. The name decides between equals, so that the order never does."""
    if not isinstance(newest.dossier, Dossier) or mine.system == home.system:
        return False
    return (mine.precedence, mine.system) > (home.precedence, home.system)


def leading(kept: Sequence[SystemReading], home: str) -> SystemReading:
    """The reading whose state is the dossier's: the latest event, of one reading per system.

    A guest that is undated has no event to compare, only the time at which we first saw its state. An end that another
    system has dated stands against it: most often the guest has nothing to tell after its own part. It stands against
    a dossier that is registered, accepted or in process elsewhere: a home forwards, and hears of the rest later.
    """
    dated = [each for each in kept if each.dated or each.system == home]
    undated = [each for each in kept if not each.dated and each.system != home]
    lead = max(dated, key=_event_rank)
    if not undated or lead.state in TERMINAL_CODES:
        return lead
    guest = max(undated, key=_event_rank)
    return guest if lead.state in UP_TO_FORWARDING or _event_rank(guest) > _event_rank(lead) else lead


def _event_rank(kept: SystemReading) -> tuple[tuple[datetime, bool, int], str]:
    return event_rank(kept.event_at, kept.state, kept.precedence), kept.system


def _after(known: Known | None, latest: SystemReading, steps: Sequence[StepRow]) -> DossierAfter:
    numbered = [step for step in steps if step.step_no is not None]
    jumps = sum(step.illegal for step in numbered)
    if known is None or numbered:
        number, at = numbered[-1].step_no, numbered[-1].at
    else:
        number, at = known.last_step, known.last_step_at
    return DossierAfter(
        state=latest.state,
        state_at=latest.event_at,
        state_system=latest.system,
        last_step=number or 0,
        last_step_at=at,
        illegal_jumps=jumps + (known.illegal_jumps if known else 0),
    )


def _verdicts(
    older: Sequence[Reading], newest: Reading, base: SystemReading | None
) -> tuple[tuple[Reading, Verdict], ...]:
    held = {newest.content_hash, base.content_hash} if base else {newest.content_hash}
    return tuple((reading, Verdict.UNCHANGED if reading.content_hash in held else Verdict.STALE) for reading in older)


def _steps(
    known: Known | None,
    base: SystemReading | None,
    newest: Reading,
    older: Sequence[Reading],
    mine: SystemReading,
    latest: SystemReading,
) -> list[StepRow]:
    """Number what lies behind the last step in time; record the rest; derive the state's own step if it lacks one."""
    explicit = _explicit(newest, mine.system)
    overtaken = list(_history(older, base, mine.system))
    leads = latest.system == mine.system
    if not leads and not explicit and (base is None or base.state != newest.state):
        overtaken.append(_derived(newest.event_at, newest.state, mine.system))
    horizon = max([mine.event_at, *(step.at for step in explicit)])
    floor = known.last_step_at if known else None

    rows: dict[StepKey, StepRow] = {}
    state, last_at, number = (known.state, floor, known.last_step) if known else (None, None, 0)
    for step in sorted([*explicit, *overtaken], key=lambda step: step.at):
        if step.key in rows:
            continue
        repeats = step.derived and step.state == state
        if leads and (floor is None or step.at > floor) and step.at <= horizon and not repeats:
            number += 1
            rows[step.key] = step.numbered(number, state)
            state, last_at = step.state, step.at
        else:
            rows[step.key] = step
    if state != latest.state:
        at = latest.event_at if last_at is None or latest.event_at > last_at else last_at + _INSTANT
        own = _derived(at, latest.state, latest.system)
        rows.pop(own.key, None)
        rows[own.key] = own.numbered(number + 1, state)
    return list(rows.values())


def _explicit(reading: Reading, system: str) -> list[StepRow]:
    return [
        StepRow(step.at, int(step.state), system, None, False, False, step.unit, step.officer, step.content)
        for step in reading.dossier.steps
    ]


def _history(readings: Iterable[Reading], base: SystemReading | None, system: str) -> Iterable[StepRow]:
    """The steps of overtaken readings, each once, without numbers. What equals the reading we hold adds nothing."""
    steps: dict[StepKey, StepRow] = {}
    for reading in readings:
        if base and reading.content_hash == base.content_hash:
            continue
        told = _explicit(reading, system) if reading.dossier.steps else ()
        for step in told or [_derived(reading.event_at, reading.state, system)]:
            steps.setdefault(step.key, step)
    return steps.values()


def _derived(at: datetime, state: int, system: str) -> StepRow:
    return StepRow(at, state, system, None, False, True, None, None, None)
