"""What a dossier looks like at one moment: the form in which the province hands dossiers to its systems."""

from collections.abc import Sequence
from typing import NamedTuple

from sandbox.province.calendar import DAY_S, OfficeCalendar
from sandbox.province.catalogue import Procedure
from sandbox.province.events import Event, What
from sandbox.province.people import Enterprise, Person
from sandbox.province.sectors import Agency
from schemas.codes import Channel, OnlinePayment, ResultDelivery
from schemas.states import LABELS_VI, State

_CONTENTS = {
    What.HANDED_ON: "Chuyển cán bộ thụ lý tiếp theo",
    What.DUE_MOVED: "Điều chỉnh ngày hẹn trả kết quả",
    What.PROCEDURE_FIXED: "Điều chỉnh thủ tục hành chính của hồ sơ",
    What.ARRIVED: "Tiếp nhận hồ sơ chuyển đến",
    What.HEARD: "Nhận kết quả từ hệ thống chuyên ngành",
}
_ON_THE_SPOT = {
    State.ACCEPTED: "Tiếp nhận hồ sơ tại quầy",
    State.PROCESSING: "Thẩm định hồ sơ",
    State.COMPLETED: "Phê duyệt kết quả",
    State.RETURNED: "Trả kết quả tại quầy",
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

    ``received`` is when it was accepted (in a system that it was forwarded to: when it came there), ``finished`` when
    its result was ready, ``changed`` when anything last happened to it.
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

    ``code`` is the short form (``H12.07-260105-0001``) and begins with the agency that received the dossier;
    ``national_code`` is set if it was filed on the national portal. ``agency`` does the work, mostly the same one.
    The fields from ``state`` on are those of :class:`Progress`.
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
    life: Sequence[Event],
    tick: int,
    calendar: OfficeCalendar,
    officers: Sequence[str],
    first_officer: int,
    teller: int | None = None,
) -> Progress | None:
    """What has happened in ``life`` by ``tick``: all of it, or what one ``teller`` tells; None if that is nothing."""
    epoch = calendar.epoch
    state: State | None = None
    state_since = changed = due_day = 0
    received = due = finished = returned = None
    happenings: list[Happening] = []
    for position, event in enumerate(life):
        if event.at >= tick:
            break
        if event.state is State.ACCEPTED:
            due_day = event.at // DAY_S
        due_day += event.due_days
        if teller is not None and event.teller != teller:
            continue
        changed = epoch(event.at)
        if event.state is not state:
            state, state_since = event.state, changed
            if state is State.ACCEPTED:
                received = changed
            elif state is State.COMPLETED:
                finished = changed
            elif state is State.RETURNED:
                finished, returned = finished or changed, changed
            else:  # a recalled result is neither ready nor handed out
                finished = returned = None
        if teller and received is None:
            received = changed
        if received is not None:
            due = calendar.closing(due_day)
        officer = officers[(first_officer + position) % len(officers)]
        happenings.append(Happening(changed, event.state, event.what, officer, _content(event)))
    if state is None:
        return None
    submitted = epoch(life[0].at)
    return Progress(
        state, state_since, submitted, received, due, finished, returned, changed, happenings=tuple(happenings)
    )


def _content(event: Event) -> str:
    if event.what is What.ON_THE_SPOT:
        return _ON_THE_SPOT[event.state]
    return _CONTENTS.get(event.what) or LABELS_VI[event.state]
