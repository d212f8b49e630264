"""The source's side of the model: what really happened to every dossier, what was told of it, and what must follow.

Kept apart from the product on purpose: the few rules by which a page is judged are written down here once more, in the
plainest words, and the ledger is held against them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dossiers import T0, dossier

from ledger.types import PageCounts
from schemas.dossier import Dossier
from schemas.states import LEGAL, State

SYSTEM = "gplx"
_MARK = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Revision:
    """One state of a dossier's record at its source; ``number`` and ``revision`` count from 1 and from 0."""

    number: int
    revision: int
    state: int
    state_at: datetime
    changed_at: datetime

    def record(self) -> Dossier:
        """The record as it is told: the revision can be read from the procedure's name, which every target shows."""
        return dossier(
            self.number,
            self.state,
            code=code(self.number),
            procedure_name=f"Đổi giấy phép lái xe [{self.revision}]",
            field_code="G99-GT02",
            field_name="Giấy phép lái xe",
            agency_code=f"H12.{12 + self.number % 3}",
            state_at=self.state_at,
            changed_at=self.changed_at,
        )


def code(number: int) -> str:
    """An invented dossier code."""
    return f"H12.{12 + number % 3}-260302-{number:04d}"


def number_of(dossier_code: str) -> int:
    """The number in a code, short or long."""
    return int(dossier_code.rpartition("-")[2])


def revision_in(name: str) -> int:
    """The revision that a procedure's name carries."""
    found = _MARK.search(name)
    assert found, "the name of the procedure is not as it was told"
    return int(found[1])


def next_states(state: int) -> Sequence[int]:
    """Where a dossier may lawfully go; after an end, reopening is unlawful but happens."""
    return sorted(map(int, LEGAL[State(state)])) or [int(State.PROCESSING)]


@dataclass(slots=True)
class Source:
    """A sector system with its log of changes, and what the ledger must have made of the part it took in.

    ``steps``: the numbered steps of each dossier, in order. ``history``: the states that must be recorded; of those
    ``mentioned`` one may be left out, where a dossier came back to a state and nobody told that it had left it.
    ``aside``: revisions whose record could not be read.
    """

    lives: dict[int, list[Revision]] = field(default_factory=dict)
    log: list[Revision] = field(default_factory=list)
    position: int = 0
    newest: dict[int, Revision] = field(default_factory=dict)
    steps: dict[int, list[tuple[datetime, int]]] = field(default_factory=dict)
    history: set[tuple[int, datetime, int]] = field(default_factory=set)
    mentioned: set[tuple[int, datetime, int]] = field(default_factory=set)
    aside: set[Revision] = field(default_factory=set)
    fetched: int = 0

    # -- what happens there ------------------------------------------------------------------------------------

    def begins(self, state: int) -> None:
        """A new dossier."""
        number = len(self.lives) + 1
        self.lives[number] = []
        self.log.append(self._lives_on(number, state))

    def moves(self, number: int, picks: Sequence[int], *, late: bool) -> None:
        """It goes through as many states as there are picks; ``late``: the log tells the last of them first."""
        revisions = []
        for pick in picks:
            states = next_states(self.lives[number][-1].state)
            revisions.append(self._lives_on(number, states[pick % len(states)]))
        self.log += reversed(revisions) if late else revisions

    def edited(self, number: int) -> None:
        """Its record changes, its state does not."""
        self.log.append(self._lives_on(number, None))

    def _lives_on(self, number: int, state: int | None) -> Revision:
        life = self.lives[number]
        changed_at = T0 + timedelta(minutes=len(life))
        told = (state, changed_at) if state is not None else (life[-1].state, life[-1].state_at)
        life.append(Revision(number, len(life), *told, changed_at))
        return life[-1]

    # -- what the ledger must make of it -----------------------------------------------------------------------

    def took(self, good: Sequence[Revision], bad: Iterable[Revision]) -> PageCounts:
        """The ledger has taken in a page; what it must have counted."""
        bad = list(bad)
        told = {each.number for each in good if each.revision > self.newest.get(each.number, each).revision}
        told |= {each.number for each in good} - self.newest.keys()
        new = changed = unchanged = stale = 0
        for number in dict.fromkeys(each.number for each in good):
            mine = [each for each in good if each.number == number]
            held, latest = self.newest.get(number), max(mine, key=lambda each: each.revision)
            same = [each for each in mine if each in (latest, held)]
            stale += len(mine) - len(same)
            if held is None:
                new += 1
                unchanged += len(same) - 1
            elif latest.revision > held.revision:
                changed += 1
                unchanged += len(same) - 1
            elif latest == held:
                unchanged += len(same)
            else:
                stale += 1
                unchanged += len(same) - 1
            self._remember(number, mine, held)
        # A newer record in good order shows that what was wrong before is mended.
        self.aside = {each for each in self.aside if each.number not in told} | set(bad)
        self.fetched += len(good) + len(bad)
        return PageCounts(
            fetched=len(good) + len(bad),
            new=new,
            changed=changed,
            unchanged=unchanged,
            stale=stale,
            quarantined=len(bad),
        )

    def _remember(self, number: int, mine: Sequence[Revision], held: Revision | None) -> None:
        self.mentioned |= {(number, each.state_at, each.state) for each in mine}
        latest = max(mine, key=lambda each: each.revision)
        self.history |= {(number, each.state_at, each.state) for each in mine if each != latest}
        if held is None or (latest.revision < held.revision or latest.state != held.state):
            self.history.add((number, latest.state_at, latest.state))
        steps = self.steps.setdefault(number, [])
        for each in sorted(set(mine), key=lambda one: one.revision):
            if held is None or each.revision > held.revision:
                self.newest[number] = each
                if not steps or (each.state_at > steps[-1][0] and each.state != steps[-1][1]):
                    steps.append((each.state_at, each.state))
