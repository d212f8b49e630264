"""What a field of an unknown system probably means, from its name and from the values of a sample.

Names are compared without case, accents and separators, so ``Ngay_Hen_Tra``, ``ngayHenTra`` and ``NGAYHENTRA`` are the
same. A guess is a suggestion that a person reads: it is taken only when the values agree with it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from schemas import identifiers
from schemas.codes import Channel, SubjectKind
from schemas.states import LABELS_VI, State

NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "code": ("mahoso", "sohoso", "dossiercode", "dossierno", "dossiernumber", "mahosomcdt", "casecode", "code"),
        "source_id": ("id", "hosoid", "dossierid", "referenceuid", "uuid", "sobiennhan"),
        "national_code": ("mahosoquocgia", "nationcode", "nationalcode"),
        "procedure_code": ("mathutuc", "matthc", "mathutuchanhchinh", "procedurecode", "servicecode"),
        "procedure_name": ("tenthutuc", "tentthc", "procedurename", "servicename"),
        "field_code": ("malinhvuc", "fieldcode", "domaincode"),
        "field_name": ("tenlinhvuc", "fieldname", "domainname"),
        "agency_code": ("madonvi", "madonvixuly", "macoquan", "agencycode", "govagencycode", "unitcode"),
        "agency_name": ("tendonvi", "donvixuly", "donvi", "tencoquan", "agencyname", "govagencyname", "unitname"),
        "state": ("trangthai", "matrangthai", "trangthaihoso", "status", "statuscode", "state", "dossierstatus"),
        "submitted_at": ("ngaynop", "ngaynophoso", "ngaydangky", "submitdate", "submittedat", "submitted",
                         "applieddate"),
        "received_at": ("ngaytiepnhan", "ngaynhan", "receivedate", "receivedat", "received", "accepteddate",
                        "acceptedat"),
        "due_at": ("ngayhentra", "ngayhen", "hantra", "duedate", "dueat", "due", "appointmentdate", "deadline"),
        "finished_at": ("ngayketthuc", "ngayhoanthanh", "ngayxulyxong", "ngaycoketqua", "finishedat", "completeddate",
                        "completedat", "finishdate", "releasedate"),
        "returned_at": ("ngaytra", "ngaytraketqua", "returneddate", "returnedat", "returndate"),
        "changed_at": ("ngaycapnhat", "capnhatluc", "thoigiancapnhat", "updateddate", "updatedat", "lastupdated",
                       "modifieddate", "modifiedat", "lastmodified", "changedat"),
        "state_at": ("thoidiemtrangthai", "ngaytrangthai", "statusdate", "statusat", "thoigianthuchien"),
        "channel": ("kenhthuchien", "kenh", "channel", "hinhthucnop"),
        "applicant.name": ("chuhoso", "hoten", "hotennguoinop", "tennguoinop", "nguoinop", "applicantname", "fullname",
                           "applicant", "tendoanhnghiep", "tencongty", "enterprisename", "companyname"),
        "applicant.identity_number": ("socccd", "cccd", "socmt", "socmnd", "cmnd", "sodinhdanh", "identitynumber",
                                      "applicantidno", "masothue", "masodoanhnghiep", "taxcode", "idnumber"),
        "applicant.phone": ("sodienthoai", "dienthoai", "phone", "phonenumber", "mobile"),
        "applicant.email": ("email", "thudientu"),
        "applicant.address": ("diachi", "address"),
        "summary": ("trichyeu", "trichyeuhoso", "summary", "description", "subject"),
        "note": ("ghichu", "note", "notes", "remark"),
    }
)  # fmt: skip

STATES: Mapping[str, State] = MappingProxyType(
    {
        "moi": State.REGISTERED, "new": State.REGISTERED, "registered": State.REGISTERED,
        "submitted": State.REGISTERED,
        "tiepnhan": State.ACCEPTED, "datiepnhan": State.ACCEPTED, "accepted": State.ACCEPTED,
        "received": State.ACCEPTED,
        "tuchoi": State.REJECTED, "rejected": State.REJECTED, "denied": State.REJECTED, "refused": State.REJECTED,
        "dangxuly": State.PROCESSING, "xuly": State.PROCESSING, "processing": State.PROCESSING,
        "inprogress": State.PROCESSING, "thamdinh": State.PROCESSING, "pending": State.PROCESSING,
        "bosung": State.SUPPLEMENT_REQUESTED, "chobosung": State.SUPPLEMENT_REQUESTED,
        "supplement": State.SUPPLEMENT_REQUESTED, "supplementrequested": State.SUPPLEMENT_REQUESTED,
        "chothanhtoan": State.PAYMENT_REQUESTED, "thanhtoan": State.PAYMENT_REQUESTED,
        "paymentrequested": State.PAYMENT_REQUESTED, "payment": State.PAYMENT_REQUESTED,
        "rut": State.WITHDRAWN, "darut": State.WITHDRAWN, "withdrawn": State.WITHDRAWN, "cancelled": State.WITHDRAWN,
        "dung": State.STOPPED, "dungxuly": State.STOPPED, "stopped": State.STOPPED,
        "hoanthanh": State.COMPLETED, "daxulyxong": State.COMPLETED, "completed": State.COMPLETED,
        "finished": State.COMPLETED, "done": State.COMPLETED, "cokq": State.COMPLETED, "coketqua": State.COMPLETED,
        "datra": State.RETURNED, "datraketqua": State.RETURNED, "returned": State.RETURNED,
    }
)  # fmt: skip

CHANNELS: Mapping[str, Channel] = MappingProxyType(
    {
        "tructiep": Channel.DIRECT, "taiquay": Channel.DIRECT, "direct": Channel.DIRECT, "counter": Channel.DIRECT,
        "tructuyen": Channel.ONLINE, "online": Channel.ONLINE, "web": Channel.ONLINE,
        "buuchinh": Channel.POSTAL, "bcci": Channel.POSTAL, "postal": Channel.POSTAL, "post": Channel.POSTAL,
    }
)  # fmt: skip

_WHO = ("applicant.name", "applicant.identity_number")
_OF_AN_ENTERPRISE = frozenset(
    {"tendoanhnghiep", "tencongty", "enterprisename", "companyname", "masothue", "masodoanhnghiep", "taxcode"}
)

FORMATS = (
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d",
    "%Y/%m/%d %H:%M:%S",
    "%Y%m%d%H%M%S",
    "%Y%m%d",
    "%d.%m.%Y",
    "%d-%m-%Y",
)
_ISO = re.compile(r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}")
_PROCEDURE = re.compile(r"^\d\.\d{6}")


@dataclass(frozen=True, slots=True)
class Guess:
    """A field of the common schema, where its value stands, and for a moment how it is written."""

    field: str
    path: str
    formats: tuple[str, ...] = ()


def plain(name: str) -> str:
    """A name without case, accents and separators."""
    folded = unicodedata.normalize("NFD", name.replace("đ", "d").replace("Đ", "D"))
    return re.sub(r"[^a-z0-9]", "", folded.casefold())


def fields(values: Mapping[str, Sequence[Any]]) -> list[Guess]:
    """The canonical fields that can be filled, from native paths and the values seen there; each path once."""
    taken: set[str] = set()
    found: list[Guess] = []
    for field, names in NAMES.items():
        for path in _candidates(names, values.keys() - taken):
            seen = [value for value in values[path] if value not in (None, "")]
            written = formats(seen) if field.endswith("_at") else ()
            if seen and not _agrees(field, seen, written):
                continue
            if field.endswith("_at") and not written:
                continue
            found.append(Guess(field, path, written))
            taken.add(path)
            break
    return found


def _candidates(names: Sequence[str], paths: Iterable[str]) -> list[str]:
    """The paths whose last name, or last two, is one of ``names``: the likelier name first, then the shorter path."""
    ranked: list[tuple[int, int, str]] = []
    for path in paths:
        parts = path.split(".")
        for tail in (plain(parts[-1]), plain("".join(parts[-2:]))):
            if tail in names:
                ranked.append((names.index(tail), len(parts), path))
                break
    return [path for _, _, path in sorted(ranked)]


def _agrees(field: str, seen: Sequence[Any], written: Sequence[str]) -> bool:
    if field == "code":
        return all(_is(identifiers.dossier_short, value) for value in seen)
    if field == "procedure_code":
        return all(isinstance(value, str) and bool(_PROCEDURE.match(value)) for value in seen)
    if field == "agency_code":
        return all(_is(identifiers.agency_short, value) for value in seen)
    if field.endswith("_at"):
        return bool(written)
    if field in ("state", "channel", "source_id"):
        return all(isinstance(value, str | int) for value in seen)
    return all(isinstance(value, str) for value in seen)


def _is(canonical: Any, value: Any) -> bool:
    try:
        canonical(str(value))
    except ValueError:
        return False
    return True


def formats(values: Sequence[Any]) -> tuple[str, ...]:
    """How these moments are written: ``iso``, strptime formats, ``epoch_ms``; empty when they are no moments."""
    found: dict[str, None] = {}
    for value in values:
        one = _format(value)
        if one is None:
            return ()
        found[one] = None
    return tuple(found)


def _format(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    if _ISO.match(value):
        try:
            datetime.fromisoformat(value)
        except ValueError:
            return None
        return "iso"
    for form in FORMATS:
        try:
            datetime.strptime(value, form)
        except ValueError:
            continue
        return form
    return None


def state(code: str | int) -> State | None:
    """The national state that a code or word stands for; ``None`` when it cannot be told."""
    text = plain(str(code))
    if text.isdigit():
        return None  # a number means what its owner says: 1 to 10 are not always the national ones
    by_label = {plain(label): each for each, label in LABELS_VI.items()}
    return by_label.get(text) or STATES.get(text)


def channel(code: str | int) -> Channel | None:
    """The way of filing that a word stands for; ``None`` when it cannot be told."""
    return CHANNELS.get(plain(str(code)))


def subject(found: Iterable[Guess]) -> SubjectKind:
    """Who files: an enterprise where name and number of the applicant are those of one, else a citizen."""
    names = [plain(each.path.split(".")[-1]) for each in found if each.field in _WHO]
    return SubjectKind.ENTERPRISE if names and _OF_AN_ENTERPRISE.issuperset(names) else SubjectKind.CITIZEN
