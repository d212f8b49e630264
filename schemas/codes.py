"""The small code lists of the National Public Service Portal, with the portal's own numbers."""

from enum import IntEnum


class Channel(IntEnum):
    """How the dossier was filed (KenhThucHien)."""

    DIRECT = 1
    ONLINE = 2
    POSTAL = 3


class SubjectKind(IntEnum):
    """Who files it (LoaiDoiTuong)."""

    CITIZEN = 1
    ENTERPRISE = 2
    STATE_AGENCY = 3
    ORGANISATION = 4


class IdentityKind(IntEnum):
    """What the applicant's identity number is.

    The portal publishes 1 and 2 (LoaiDinhDanh); 3 and 4 are ours, and a target's mapping says what becomes of them.
    """

    CITIZEN_ID = 1
    OLD_ID = 2
    TAX_CODE = 3
    PASSPORT = 4


class ResultDelivery(IntEnum):
    """How the result goes back to the applicant (HinhThuc)."""

    DIRECT = 0
    POST = 1


class OnlinePayment(IntEnum):
    """Whether and where the fee was paid online (DuocThanhToanTrucTuyen)."""

    NONE = 0
    NATIONAL_PORTAL = 1
    AGENCY_GATEWAY = 2
    NOT_ONLINE = 3


class Satisfaction(IntEnum):
    """How satisfied a citizen says to be, in the three levels of the satisfaction reports."""

    VERY = 1
    SATISFIED = 2
    NOT_YET = 3
