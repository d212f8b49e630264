"""What several outcomes of one dossier add up to. Pure; ``delivery.settle`` writes the result.

Acknowledgements go on without gaps: a step behind one that did not arrive is not acknowledged, even when the target
says it took it, because what is acknowledged is kept as one number. Of what went wrong the gravest counts: a doubt
first (something may have been applied), then a rejection, then a retry.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ledger.types import Phase, Settled, Settlement

FORWARD = (Settled.ACCEPTED, Settled.UNCHANGED, Settled.GIVEN_UP)
_GRAVEST_FIRST = (Settled.IN_DOUBT, Settled.REJECTED, Settled.RETRY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """The change of one delivery row. ``ending`` is ``done``, ``in_doubt``, ``rejected`` or ``retry``."""

    dossier_id: int
    ending: str
    acked_version: int | None
    acked_step: int | None
    sets_fingerprint: bool
    fingerprint: bytes | None
    known: bool
    hold: bool
    version: int
    doubt_phase: str | None
    doubt_version: int | None
    doubt_step: int | None
    delay_s: float
    outcome: str
    reason: str


class GivenUp(NamedTuple):
    """A message that will never be known: ``after`` < step_no <= ``step`` for steps."""

    dossier_id: int
    phase: str
    version: int
    after: int
    step: int


def effect_of(settlements: Sequence[Settlement]) -> Effect:
    """Fold the settlements of one dossier (at least one), in the order in which they were sent."""
    moved = [each for each in _before_first_failure(settlements) if each.outcome in FORWARD]
    dossiers = [each for each in moved if each.phase is Phase.DOSSIER]
    steps = [each for each in moved if each.phase is Phase.STEP]
    failed = next(
        (each for outcome in _GRAVEST_FIRST for each in settlements if each.outcome is outcome),
        None,
    )
    told = failed or settlements[-1]
    doubts = [each for each in settlements if each.outcome is Settled.IN_DOUBT]
    return Effect(
        dossier_id=told.dossier_id,
        ending=failed.outcome if failed else "done",
        acked_version=_furthest([each.version for each in dossiers], steps),
        acked_step=_furthest([each.step for each in steps], dossiers),
        sets_fingerprint=bool(dossiers),
        fingerprint=dossiers[-1].fingerprint if dossiers else None,
        known=any(each.outcome is not Settled.GIVEN_UP for each in dossiers),
        hold=failed is None and settlements[-1].hold,
        version=max(each.version for each in settlements),
        doubt_phase=doubts[0].phase if doubts else None,
        doubt_version=doubts[0].version if doubts else None,
        doubt_step=max((each.step for each in doubts if each.phase is doubts[0].phase), default=None),
        delay_s=failed.delay_s if failed else 0.0,
        outcome=told.outcome,
        reason=told.reason,
    )


def given_up(settlements: Iterable[Settlement]) -> list[GivenUp]:
    """What is to be written down as doubtful, of one dossier's settlements."""
    found = []
    after = 0
    for each in settlements:
        if each.outcome is Settled.GIVEN_UP:
            found.append(GivenUp(each.dossier_id, each.phase, each.version, after, each.step))
        if each.outcome in FORWARD and each.phase is Phase.STEP:
            after = max(after, each.step)
    return found


def _furthest(told: Sequence[int], others: Sequence[Settlement]) -> int | None:
    """How far one kind of message has come: by being told, or passed over where the target is told the other kind."""
    return max([*told, *(each.passes for each in others if each.passes is not None)], default=None)


def _before_first_failure(settlements: Iterable[Settlement]) -> Iterable[Settlement]:
    failed: set[Phase] = set()
    for each in settlements:
        if each.outcome not in FORWARD:
            failed.add(each.phase)
        elif each.phase not in failed:
            yield each
