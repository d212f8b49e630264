"""The dossier search of the provincial system: what may be asked, and what a found dossier looks like.

Seen in public sources: ``start`` and ``end`` offsets with an exclusive end, ``end=0`` for the server's default,
``{"total", "data"}``, dates as ``dd/MM/yyyy HH:mm:ss`` in local time with "" for none, booleans as strings, the
default order by creation with ``order=true`` for the reverse, no filter on modification, unknown parameters ignored.
Assumed: a default page of 15 (that of the user interface), a comma list in ``status``, filter dates as ``dd/MM/yyyy``
(with or without a time; a day as end includes the whole day), an exact match of ``dossierNo``, 400 for a filter that
cannot be read. Offsets count what is there now: a dossier deleted between two pages shifts the ones behind it.

Only fields that a document told or that the system makes itself are given. ``online`` is "false" where the Document API
told of it, which does not say how a dossier was filed.
"""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sandbox.targets.province.documents import is_true, local_time
from sandbox.targets.province.statuses import TEXTS, Status
from sandbox.targets.store import fingerprint

DEFAULT_PAGE = 15

_DAY, _MOMENT = "%d/%m/%Y", "%d/%m/%Y %H:%M:%S"
_AGENCY = re.compile(r"([A-Z]\d{2}(?:\.[0-9A-Za-z]+)*|\d{3}\.\d{2}\.\d{2,3}\.[A-Z]\d{2})-")
_APPLICANT_KINDS = {1: "citizen", 2: "business", 3: "organization", 4: "organization"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One search. Dates are local wall time (ISO, no zone), half-open; None and empty mean no filter."""

    start: int = 0
    end: int = DEFAULT_PAGE
    received_from: str | None = None
    received_before: str | None = None
    statuses: frozenset[str] = field(default_factory=frozenset)
    code: str | None = None
    newest_first: bool = False

    @property
    def is_filtered(self) -> bool:
        """Whether the search leaves anything out."""
        return bool(self.received_from or self.received_before or self.statuses or self.code)


def parse_search(query: Mapping[str, str]) -> Search:
    """Read the query string; ValueError names the parameter that cannot be read."""
    start = _offset(query, "start")
    end = _offset(query, "end") or start + DEFAULT_PAGE
    first, last = query.get("fromReceiveDate"), query.get("toReceiveDate")
    return Search(
        start=start,
        end=max(start, end),
        received_from=_moment("fromReceiveDate", first)[0] if first else None,
        received_before=_moment("toReceiveDate", last)[1] if last else None,
        statuses=frozenset(word.strip() for word in query.get("status", "").split(",") if word.strip()),
        code=query.get("dossierNo") or None,
        newest_first=query.get("order") == "true",
    )


def _offset(query: Mapping[str, str], name: str) -> int:
    text = query.get(name, "0")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError(f"{name} must be a whole number from 0")
    return int(text)


def _moment(name: str, text: str) -> tuple[str, str]:
    """The first instant that ``text`` covers and the first one after it."""
    for form, length in ((_DAY, timedelta(days=1)), (_MOMENT, timedelta(seconds=1))):
        try:
            begin = datetime.strptime(text, form)
        except ValueError:
            continue
        return begin.isoformat(), (begin + length).isoformat()
    raise ValueError(f"{name} must be a date dd/MM/yyyy, with or without HH:mm:ss")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A stored dossier as the search needs it; moments are local wall time (ISO, no zone), "" for none."""

    id: int
    status: Status
    created: str
    changed: str
    last_action: str
    last_user: str
    last_action_at: str
    document: Mapping[str, Any]


def shown(text: str | None) -> str:
    """Local wall time in the form of the search; "" for none."""
    return f"{text[8:10]}/{text[5:7]}/{text[:4]} {text[11:19]}" if text else ""


def agency_of(code: str, fallback: str) -> str:
    """The agency that a dossier code begins with; ``fallback`` when it begins with none."""
    match = _AGENCY.match(code)
    return match[1] if match else fallback


def render(found: Found, group_id: int) -> dict[str, Any]:
    """One element of ``data``."""
    document = found.document
    released = document.get("FinishedDate") or (document["SuccessDate"] if is_true(document["IsSuccess"]) else None)
    returned = document["ReturnedDate"] if is_true(document["IsReturned"]) else None
    name = document["CitizenName"]
    return {
        "dossierId": found.id,
        "groupId": group_id,
        "createDate": shown(found.created),
        "modifiedDate": shown(found.changed),
        "referenceUid": document.get("ReferenceUid")
        or str(uuid.UUID(bytes=fingerprint(document["DocCode"].encode()), version=4)),
        "counter": found.id,
        "serviceCode": document["DocTypeCode"],
        "serviceName": document["DocTypeName"],
        "govAgencyCode": agency_of(document["DocCode"], document["OrganInchargeIdLevel1"]),
        "govAgencyName": document["ProcessingOrganName"],
        "applicantName": name,
        "applicantIdType": _APPLICANT_KINDS[document["ApplicantsType"]],
        "applicantIdNo": document["ApplicantsId"],
        "address": document.get("Address") or "",
        "contactName": name,
        "contactTelNo": document["Phone"],
        "contactEmail": document.get("Email") or "",
        "dossierNo": document["DocCode"],
        "submitDate": shown(local_time(document.get("SubmitDate"))),
        "receiveDate": shown(local_time(document["DateReceived"])),
        "dueDate": shown(local_time(document["DateAppointed"])),
        "releaseDate": shown(local_time(released)),
        "finishDate": shown(local_time(returned)),
        "cancellingDate": "",
        "correctingDate": "",
        "extendDate": "",
        "dossierStatus": found.status.value,
        "dossierStatusText": TEXTS[found.status],
        "dossierSubStatus": "",
        "dossierSubStatusText": "",
        "lockState": "PAUSE" if found.status in (Status.WAITING, Status.PAUSING) else "",
        "viaPostal": str(document["ReturnedType"]),
        "online": document.get("Online", "false"),
        "lastActionName": found.last_action,
        "lastActionDate": shown(found.last_action_at),
        "lastActionUser": found.last_user,
    }
