"""What SyncDocument and UpdateDocumentTraces must look like, as pure functions.

Seen in public sources: the field names, which of them are optional, the types (IsReturned is declared a string and
sent as a boolean), dates as ``yyyy-MM-dd'T'HH:mm:ss.SSS'Z'`` where Z is a letter put after LOCAL time, and
``0000-00-00T00:00:00.000+0700`` for "no date".
Assumed: that a required text may be empty but not absent (DocCode, DocTypeCode and UserName may not be empty), that
lists may be absent, that no other time zone is understood, and the wording of refusals.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_DATE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,6})?(?:Z|\+07:?00)?", re.ASCII)
_NO_DATE = "0000-00-00T"
_CODE = re.compile(r"\S{1,64}")


class InvalidMessageError(ValueError):
    """A message that is refused; the text names the field and the rule, never the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What the store has to know of a SyncDocument; everything else stays in the body."""

    code: str
    received: str
    """Local wall time, ISO without zone: text order is time order."""
    status: int
    returned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What the store has to know of one UpdateDocumentTraces. ``created`` is local wall time as in Document."""

    code: str
    created: str
    user: str
    comment: str
    status: int | None


def local_time(value: object) -> str | None:
    """A date of this API as local wall time (ISO, seconds, no zone); None for the several ways to say "no date".

    Raises ValueError for anything else.
    """
    if value is None or value == "":
        return None
    match = _DATE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("not a date of this API")
    if match[1].startswith(_NO_DATE):
        return None
    datetime.fromisoformat(match[1])
    return match[1]


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _filled(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _code(value: Any) -> bool:
    return isinstance(value, str) and _CODE.fullmatch(value) is not None


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _flag(value: Any) -> bool:
    return isinstance(value, bool) or (isinstance(value, str) and value.lower() in ("true", "false"))


def _within(*codes: int) -> Callable[[Any], bool]:
    return lambda value: _whole(value) and value in codes


def _date(value: Any) -> bool:
    try:
        return local_time(value) is not None
    except ValueError:
        return False


def _date_or_none(value: Any) -> bool:
    try:
        local_time(value)
    except ValueError:
        return False
    return True


def _objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


_DOCUMENT: Mapping[str, Callable[[Any], bool]] = {
    "DocTypeCode": _filled,
    "DocTypeName": _text,
    "DocCode": _code,
    "CitizenName": _text,
    "ApplicantsId": _text,
    "ApplicantsType": _within(1, 2, 3, 4),
    "Phone": _text,
    "DateReceived": _date,
    "DateAppointed": _date_or_none,
    "IsSuccess": _flag,
    "SuccessDate": _date_or_none,
    "IsReturned": _flag,
    "ReturnedDate": _date_or_none,
    "ReturnedType": _within(0, 1),
    "Status": _within(1, 2),
    "ProcessingOrganName": _text,
    "OrganInchargeIdLevel1": _text,
    "OrganInchargeName": _text,
}
_DOCUMENT_OPTIONAL: Mapping[str, Callable[[Any], bool]] = {
    "CitizenInfo": _text,
    "Address": _text,
    "Email": _text,
    "Compendium": _text,
    "ApproverName": _text,
    "ApproverPosition": _text,
    "SuccessNote": _text,
    "ReturnNote": _text,
    "FinishedDate": _date_or_none,
    "HasSupplementary": _flag,
    "RequireSupplementaryDate": _date_or_none,
    "Note": _text,
    "Attachments": _objects,
    "DocFees": _objects,
    "DocPapers": _objects,
    "Supplementaries": _objects,
}
_TRACE: Mapping[str, Callable[[Any], bool]] = {
    "DocumentId": _whole,
    "DocCode": _code,
    "UserName": _filled,
    "UserPosition": _text,
    "DateCreated": _date,
    "OrganizationInchargeIdLevel1": _text,
    "OrganizationInchargeName": _text,
}
_TRACE_OPTIONAL: Mapping[str, Callable[[Any], bool]] = {
    "Comment": _text,
    "Status": _within(*range(1, 11)),
}


def parse_document(body: Mapping[str, Any]) -> Document:
    """Check a SyncDocument body; InvalidMessageError names the first field that is wrong."""
    _check(body, _DOCUMENT, _DOCUMENT_OPTIONAL)
    return Document(
        code=body["DocCode"],
        received=str(local_time(body["DateReceived"])),
        status=body["Status"],
        returned=is_true(body["IsReturned"]),
    )


def parse_trace(body: Mapping[str, Any]) -> Trace:
    """Check an UpdateDocumentTraces body; InvalidMessageError names the first field that is wrong."""
    _check(body, _TRACE, _TRACE_OPTIONAL)
    return Trace(
        code=body["DocCode"],
        created=str(local_time(body["DateCreated"])),
        user=body["UserName"],
        comment=body.get("Comment") or "",
        status=body.get("Status"),
    )


def is_true(value: object) -> bool:
    """A boolean that may have been written as a string."""
    return value is True or (isinstance(value, str) and value.lower() == "true")


def _check(
    body: Mapping[str, Any],
    required: Mapping[str, Callable[[Any], bool]],
    optional: Mapping[str, Callable[[Any], bool]],
) -> None:
    for name, fits in required.items():
        if body.get(name) is None:
            raise InvalidMessageError(f"Thiếu trường {name}")
        if not fits(body[name]):
            raise InvalidMessageError(f"Trường {name} không hợp lệ")
    for name, fits in optional.items():
        value = body.get(name)
        if value is not None and not fits(value):
            raise InvalidMessageError(f"Trường {name} không hợp lệ")
