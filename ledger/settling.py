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
_GRAVITY = {Settled.RETRY: 1, Settled.REJECTED: 2, Settled.IN_DOUBT: 3}


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
    acked_version: int | None = None
    acked_step: int | None = None
    dossier: Settlement | None = None
    known = False
    stuck: set[Phase] = set()
    failed: Settlement | None = None
    doubts: list[Settlement] = []
    for each in settlements:
        if each.outcome not in FORWARD:
            stuck.add(each.phase)
            if failed is None or _GRAVITY[each.outcome] > _GRAVITY[failed.outcome]:
                failed = each
            if each.outcome is Settled.IN_DOUBT:
                doubts.append(each)
        elif each.phase not in stuck:
            if each.phase is Phase.DOSSIER:
                dossier = each
                known |= each.outcome is not Settled.GIVEN_UP
                acked_version, acked_step = _further(acked_version, each.version), _further(acked_step, each.passes)
            else:
                acked_version, acked_step = _further(acked_version, each.passes), _further(acked_step, each.step)
    told = failed or settlements[-1]
    return Effect(
        dossier_id=told.dossier_id,
        ending=failed.outcome if failed else "done",
        acked_version=acked_version,
        acked_step=acked_step,
        sets_fingerprint=dossier is not None,
        fingerprint=dossier.fingerprint if dossier else None,
        known=known,
        hold=failed is None and settlements[-1].hold,
        version=max([each.version for each in settlements]),
        doubt_phase=doubts[0].phase if doubts else None,
        doubt_version=doubts[0].version if doubts else None,
        doubt_step=max((each.step for each in doubts if each.phase is doubts[0].phase), default=None),
        delay_s=failed.delay_s if failed else 0.0,
        outcome=told.outcome,
        reason=told.reason,
    )


def _further(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)


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
