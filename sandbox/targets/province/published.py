"""What publishing a dossier must look like, as pure functions: the third door of the provincial system.

Seen in public sources: ``POST /o/rest/v2/dossiers/publish`` as an urlencoded form, the names of its fields, moments in
milliseconds since 1970, ``referenceUid`` as the key between servers, ``dossierStatus`` as the word itself.
Assumed: which fields may not be missing, that a dossier is known by its ``dossierNo`` here (another ``referenceUid``
for one that is known is refused), and the wording of refusals.

What is published becomes the document that ``documents.py`` knows, so that every door shows one store.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sandbox.targets.province.documents import Document, InvalidMessageError, parse_document
from sandbox.targets.province.statuses import IN_PROCESS_CODE, NOT_RELEASED, RELEASING_CODE, Status
from schemas.times import VN

_REQUIRED = ("referenceUid", "dossierNo", "serviceCode", "govAgencyCode", "applicantIdType", "dossierStatus")
_KINDS = {"citizen": 1, "business": 2, "organization": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A published dossier: its status, and the document that it amounts to."""

    status: Status
    document: Document
    body: Mapping[str, Any]


def parse_published(form: Mapping[str, str]) -> Published:
    """Check a form; InvalidMessageError names the first field that is wrong."""
    for name in _REQUIRED:
        if not form.get(name, "").strip():
            raise InvalidMessageError(f"Thiếu trường {name}")
    if form["applicantIdType"] not in _KINDS:
        raise InvalidMessageError("Trường applicantIdType không hợp lệ")
    try:
        UUID(form["referenceUid"])
    except ValueError:
        raise InvalidMessageError("Trường referenceUid không hợp lệ") from None
    try:
        status = Status(form["dossierStatus"])
    except ValueError:
        raise InvalidMessageError("Trường dossierStatus không hợp lệ") from None
    body = {
        "DocTypeCode": form["serviceCode"],
        "DocTypeName": form.get("serviceName", ""),
        "DocCode": form["dossierNo"],
        "CitizenName": form.get("applicantName", ""),
        "ApplicantsId": form.get("applicantIdNo", ""),
        "ApplicantsType": _KINDS[form["applicantIdType"]],
        "Phone": form.get("contactTelNo", ""),
        "Email": form.get("contactEmail", ""),
        "Address": form.get("address", ""),
        "DateReceived": _moment(form, "receiveDate"),
        "DateAppointed": _moment(form, "dueDate"),
        "IsSuccess": "releaseDate" in form,
        "SuccessDate": _moment(form, "releaseDate"),
        "IsReturned": status is Status.DONE,
        "ReturnedDate": _moment(form, "finishDate"),
        "ReturnedType": 1 if form.get("viaPostal") == "1" else 0,
        "Status": IN_PROCESS_CODE if status in NOT_RELEASED else RELEASING_CODE,
        "ProcessingOrganName": form.get("govAgencyName", ""),
        "OrganInchargeIdLevel1": form["govAgencyCode"],
        "OrganInchargeName": "",
        "ReferenceUid": form["referenceUid"],
        "SubmitDate": _moment(form, "submitDate"),
        "Online": form.get("online", "false"),
    }
    return Published(status=status, document=parse_document(body), body=body)


def _moment(form: Mapping[str, str], name: str) -> str:
    """Milliseconds as the local time of a document; empty for none."""
    text = form.get(name, "")
    if not text:
        return ""
    if not (text.isascii() and text.isdigit() and len(text) <= 14):
        raise InvalidMessageError(f"Trường {name} không hợp lệ")
    moment = datetime.fromtimestamp(int(text) / 1000, UTC).astimezone(VN)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
