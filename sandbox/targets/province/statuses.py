"""Which status a dossier of the provincial system gets from what it is told.

Seen in public sources: the words (a one-stop system's string codes), ``Status`` 1 (in process) and 2 (releasing) and
``IsReturned`` in SyncDocument, a ``Status`` in UpdateDocumentTraces.

Assumed: that the Status of a trace is the national code 1..10, and the table below. In a real system the table is
configuration; this one is one-to-one, so that what was told can be read back without loss.

Whatever is told last counts, older or not: a client that sends backwards is seen to have done so.
"""

from enum import StrEnum
from types import MappingProxyType

from schemas.states import State


class Status(StrEnum):
    """The value of ``dossierStatus``."""

    NEW = "new"
    RECEIVING = "receiving"
    DENIED = "denied"
    PROCESSING = "processing"
    WAITING = "waiting"
    PAUSING = "pausing"
    CANCELLED = "cancelled"
    UNRESOLVED = "unresolved"
    RELEASING = "releasing"
    DONE = "done"


BY_NATIONAL: MappingProxyType[State, Status] = MappingProxyType(
    {
        State.REGISTERED: Status.NEW,
        State.ACCEPTED: Status.RECEIVING,
        State.REJECTED: Status.DENIED,
        State.PROCESSING: Status.PROCESSING,
        State.SUPPLEMENT_REQUESTED: Status.WAITING,
        State.PAYMENT_REQUESTED: Status.PAUSING,
        State.WITHDRAWN: Status.CANCELLED,
        State.STOPPED: Status.UNRESOLVED,
        State.COMPLETED: Status.RELEASING,
        State.RETURNED: Status.DONE,
    }
)
NATIONAL: MappingProxyType[Status, State] = MappingProxyType({word: state for state, word in BY_NATIONAL.items()})

NOT_RELEASED = frozenset(Status) - {Status.RELEASING, Status.DONE}
"""A document with Status 1 says only that no result is out: it leaves these alone, a refusal or a withdrawal too."""

TEXTS: MappingProxyType[Status, str] = MappingProxyType(
    {
        Status.NEW: "Mới đăng ký",
        Status.RECEIVING: "Đã tiếp nhận",
        Status.DENIED: "Từ chối tiếp nhận",
        Status.PROCESSING: "Đang xử lý",
        Status.WAITING: "Chờ bổ sung",
        Status.PAUSING: "Chờ thực hiện nghĩa vụ tài chính",
        Status.CANCELLED: "Đã rút hồ sơ",
        Status.UNRESOLVED: "Dừng xử lý",
        Status.RELEASING: "Chờ trả kết quả",
        Status.DONE: "Hoàn thành",
    }
)

IN_PROCESS_CODE, RELEASING_CODE = 1, 2


def after_document(current: Status | None, code: int, *, returned: bool) -> Status:
    """The status after SyncDocument: ``code`` is its Status (1 or 2), ``current`` what the dossier had, if known."""
    if returned:
        return Status.DONE
    if code == RELEASING_CODE:
        return Status.RELEASING
    return current if current in NOT_RELEASED else Status.PROCESSING


def after_trace(current: Status, code: int | None) -> Status:
    """The status after UpdateDocumentTraces; a trace without a Status is history only."""
    return current if code is None else BY_NATIONAL[State(code)]
