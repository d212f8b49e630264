"""The ten national dossier states and the transitions the rules allow.

Numbers and names are those of the National Public Service Portal (field TrangThaiHoSo). A repeated state is
a processing step, not a transition. An illegal jump is not refused (a sector system is right about itself);
it is accepted and flagged, which is why legality is a question here and not a validation rule.
"""

from enum import IntEnum
from types import MappingProxyType


class State(IntEnum):
    """National state of a dossier, as the code the portal uses."""

    REGISTERED = 1
    ACCEPTED = 2
    REJECTED = 3
    PROCESSING = 4
    SUPPLEMENT_REQUESTED = 5
    PAYMENT_REQUESTED = 6
    WITHDRAWN = 7
    STOPPED = 8
    COMPLETED = 9
    RETURNED = 10

    @property
    def is_terminal(self) -> bool:
        """True when nothing more is expected to happen to the dossier."""
        return self in TERMINAL


TERMINAL = frozenset({State.REJECTED, State.WITHDRAWN, State.STOPPED, State.RETURNED})

LEGAL: MappingProxyType[State, frozenset[State]] = MappingProxyType(
    {
        State.REGISTERED: frozenset({State.ACCEPTED, State.REJECTED, State.SUPPLEMENT_REQUESTED, State.WITHDRAWN}),
        State.ACCEPTED: frozenset(
            {
                State.PROCESSING,
                State.SUPPLEMENT_REQUESTED,
                State.PAYMENT_REQUESTED,
                State.WITHDRAWN,
                State.STOPPED,
                State.COMPLETED,
                State.RETURNED,  # procedures settled the same day
            }
        ),
        State.PROCESSING: frozenset(
            {
                State.SUPPLEMENT_REQUESTED,
                State.PAYMENT_REQUESTED,
                State.WITHDRAWN,
                State.STOPPED,
                State.COMPLETED,
                State.RETURNED,
            }
        ),
        State.SUPPLEMENT_REQUESTED: frozenset(
            {
                State.REGISTERED,
                State.ACCEPTED,
                State.PROCESSING,
                State.REJECTED,
                State.WITHDRAWN,
                State.STOPPED,
            }
        ),
        State.PAYMENT_REQUESTED: frozenset({State.PROCESSING, State.COMPLETED, State.WITHDRAWN, State.STOPPED}),
        State.COMPLETED: frozenset({State.RETURNED, State.PROCESSING}),
        # A result may be recalled; rare, so reports list it, but lawful.
        State.RETURNED: frozenset({State.COMPLETED, State.PROCESSING}),
        State.REJECTED: frozenset(),
        State.WITHDRAWN: frozenset(),
        State.STOPPED: frozenset(),
    }
)

LABELS_VI: MappingProxyType[State, str] = MappingProxyType(
    {
        State.REGISTERED: "Mới đăng ký",
        State.ACCEPTED: "Được tiếp nhận",
        State.REJECTED: "Không được tiếp nhận",
        State.PROCESSING: "Đang xử lý",
        State.SUPPLEMENT_REQUESTED: "Yêu cầu bổ sung giấy tờ",
        State.PAYMENT_REQUESTED: "Yêu cầu thực hiện nghĩa vụ tài chính",
        State.WITHDRAWN: "Công dân yêu cầu rút hồ sơ",
        State.STOPPED: "Dừng xử lý",
        State.COMPLETED: "Đã xử lý xong",
        State.RETURNED: "Đã trả kết quả",
    }
)


def is_legal(before: State, after: State) -> bool:
    """Whether the rules allow going from ``before`` to ``after``; staying put is always allowed."""
    return before == after or after in LEGAL[before]
