"""What can happen to a dossier."""

from enum import IntEnum
from typing import NamedTuple

from schemas.states import State

HOME = 0
"""The teller of an event that happened where the dossier was received."""


class What(IntEnum):
    """What happened."""

    ENTERED = 0  # a new state
    HANDED_ON = 1  # the same state, another desk
    DUE_MOVED = 2  # the due date was corrected, the state stays
    PROCEDURE_FIXED = 3  # it had been filed under the wrong procedure; the state stays
    ON_THE_SPOT = 4  # a new state, entered while the applicant waits
    ARRIVED = 5  # a system got the dossier from another one
    HEARD = 6  # the home has heard of a result that another system made; the state stays


class Event(NamedTuple):
    """One thing that happened. ``due_days`` working days are added to the due date (the term itself, on acceptance).

    ``teller`` is who tells of it: ``HOME``, or the position (from 1) of the system that it was forwarded to.
    """

    at: int
    state: State
    what: What
    due_days: int
    teller: int = HOME
