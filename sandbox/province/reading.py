"""What a dossier looks like at one moment: the form in which the province hands dossiers to its systems."""

from collections.abc import Sequence
from typing import NamedTuple

from sandbox.province.calendar import DAY_S, OfficeCalendar
from sandbox.province.catalogue import Agency, Procedure
from sandbox.province.lives import Event, What
from sandbox.province.people import Enterprise, Person
from schemas.codes import Channel, OnlinePayment, ResultDelivery
from schemas.states import LABELS_VI, State

_CONTENTS = {
    What.HANDED_ON: "Chuyển cán bộ thụ lý tiếp theo",
    What.DUE_MOVED: "Điều chỉnh ngày hẹn trả kết quả",
    What.PROCEDURE_FIXED: "Điều chỉnh thủ tục hành chính của hồ sơ",
}


class Happening(NamedTuple):
    """One past event, with who did it and in what words. ``at`` is an epoch second."""

    at: int
    state: State
    what: What
    officer: str
    content: str


class Progress(NamedTuple):
    """How far a dossier has come. Times are epoch seconds; None means that it has not happened yet.

    ``received`` is when it was accepted, ``finished`` when its result was ready, ``changed`` when anything last
    happened to it.
    """

    state: State
    state_since: int
    submitted: int
    received: int | None
    due: int | None
    finished: int | None
    returned: int | None
    changed: int
    happenings: tuple[Happening, ...]

    @property
    def procedure_fixed(self) -> bool:
        """Whether the dossier had been filed under the wrong procedure, and that has been found."""
        return any(one.what is What.PROCEDURE_FIXED for one in self.happenings)


class Reading(NamedTuple):
    """One dossier at one moment: what it is about, and how far it has come.

    ``code`` is the short form (``H12.07-260105-0001``); ``national_code`` is set if it was filed on the national
    portal. The agency does all the work on it. The fields from ``state`` on are those of :class:`Progress`.
    """

    number: int
    code: str
    national_code: str | None
    procedure: Procedure
    agency: Agency
    channel: Channel
    person: Person
    enterprise: Enterprise | None
    delivery: ResultDelivery
    payment: OnlinePayment
    state: State
    state_since: int
    submitted: int
    received: int | None
    due: int | None
    finished: int | None
    returned: int | None
    changed: int
    happenings: tuple[Happening, ...]


def progress(
    life: Sequence[Event], tick: int, calendar: OfficeCalendar, officers: Sequence[str], first_officer: int
) -> Progress:
    """What has happened in ``life`` by ``tick``; its first event must have."""
    epoch = calendar.epoch
    submitted = state_since = changed = epoch(life[0].at)
    state = life[0].state
    received = due = finished = returned = None
    due_day = 0
    happenings: list[Happening] = []
    for event in life:
        if event.at >= tick:
            break
        changed = epoch(event.at)
        if event.state is not state:
            state, state_since = event.state, changed
            if state is State.ACCEPTED:
                received, due_day = changed, event.at // DAY_S
            elif state is State.COMPLETED:
                finished = changed
            elif state is State.RETURNED:
                finished, returned = finished or changed, changed
            else:  # a recalled result is neither ready nor handed out
                finished = returned = None
        if event.due_days:
            due_day += event.due_days
            due = calendar.closing(due_day)
        officer = officers[(first_officer + len(happenings)) % len(officers)]
        happenings.append(Happening(changed, state, event.what, officer, _CONTENTS.get(event.what) or LABELS_VI[state]))
    return Progress(
        state, state_since, submitted, received, due, finished, returned, changed, happenings=tuple(happenings)
    )
