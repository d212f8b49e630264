"""The one-stop system of the departments: OpenCPS, whose dossiers can be asked for by their dates only.

====================================  =================================================================
``GET /o/rest/v2/dossiers``           search: ``{"total", "data"}``, offsets ``start`` and ``end``
``GET /o/rest/v2/dossiers/{id}``      one dossier, by ``dossierId`` or ``referenceUid``
``GET /o/rest/v2/dossiers/{id}/syncs``  what was done with it
====================================  =================================================================

Seen in public implementations: the URLs, Basic with the header ``groupId``, the offsets (exclusive end, ``end=0`` for
the server's default), the keys of a dossier, dates as ``dd/MM/yyyy HH:mm:ss`` in local time with "" for none,
``online`` as text, the words of ``dossierStatus``, sorting by text (``opencps_search``).
Assumed: which status and sub-status stand for which national state (:data:`STATUSES`; every installation has its own
table), a default page of 15, 403 for a wrong or missing ``groupId``, 400 for a filter that cannot be read, that one
dossier has the same keys as a found one, and the form of errors.

Land dossiers are worked on in the land system; here they are "interoperating" meanwhile.

Connection: login and password; extra ``group_id``.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.http import ServerOptions, json_response, with_controls
from sandbox.province.reading import Happening, Reading
from sandbox.province.sectors import System
from sandbox.systems.controls import control_routes
from sandbox.systems.opencps_search import DateIndex, Search, parse_search
from sandbox.systems.register import How, Register, Snapshot
from sandbox.systems.written import moment
from sandbox.targets.province.tokens import basic, same
from schemas.codes import Channel, ResultDelivery, SubjectKind
from schemas.states import State

STATUSES: Mapping[tuple[str, str], State] = MappingProxyType(
    {
        ("new", ""): State.REGISTERED,
        ("receiving", ""): State.REGISTERED,
        ("processing", "processing_1"): State.ACCEPTED,
        ("processing", "processing_2"): State.PROCESSING,
        ("processing", ""): State.PROCESSING,
        ("interoperating", ""): State.PROCESSING,
        ("waiting", "waiting_opinion"): State.PROCESSING,
        ("waiting", ""): State.SUPPLEMENT_REQUESTED,
        ("correcting", ""): State.SUPPLEMENT_REQUESTED,
        ("pausing", "pausing_payment"): State.PAYMENT_REQUESTED,
        ("cancelled", ""): State.WITHDRAWN,
        ("cancelled", "cancelled_stopped"): State.STOPPED,
        ("releasing", ""): State.COMPLETED,
        ("posting", ""): State.COMPLETED,
        ("done", ""): State.RETURNED,
        ("denied", ""): State.REJECTED,
    }
)
"""Status and sub-status, as far as this installation uses them, to national state."""

_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "new": "Mới đăng ký",
        "receiving": "Chờ tiếp nhận",
        "processing": "Đang xử lý",
        "interoperating": "Đang liên thông",
        "waiting": "Chờ bổ sung",
        "correcting": "Yêu cầu sửa đổi hồ sơ",
        "pausing": "Tạm dừng tính hạn",
        "cancelled": "Đã hủy",
        "releasing": "Chờ trả kết quả",
        "posting": "Đang chuyển phát kết quả",
        "done": "Hoàn thành",
        "denied": "Từ chối tiếp nhận",
        "processing_1": "Mới tiếp nhận",
        "processing_2": "Đang thẩm định",
        "waiting_opinion": "Chờ ý kiến phối hợp",
        "pausing_payment": "Chờ thực hiện nghĩa vụ tài chính",
        "cancelled_stopped": "Dừng giải quyết",
    }
)
_APPLICANTS: Mapping[SubjectKind, str] = MappingProxyType(
    {
        SubjectKind.CITIZEN: "citizen",
        SubjectKind.ENTERPRISE: "business",
        SubjectKind.STATE_AGENCY: "organization",
        SubjectKind.ORGANISATION: "organization",
    }
)
_BASE = "/o/rest/v2/dossiers"
_FIRST_ID = 900_001
_UID = "00000000-0000-4000-8000-"
_LAND = "G99-DD01"


class Dossiers:
    """The endpoints, over one register."""

    def __init__(self, register: Register, options: ServerOptions) -> None:
        self._register = register
        self._account = (options.login, options.password)
        self._group_id = str(options.extra["group_id"])
        self._index = DateIndex()

    async def search(self, request: Request) -> Response:
        """``GET /dossiers``"""
        if refused := self._turned_away(request):
            return refused
        try:
            asked = parse_search(request.query_params)
        except ValueError as error:
            return _problem(400, str(error))
        return json_response(await run_in_threadpool(self._found, self._register.now, asked))

    async def one(self, request: Request) -> Response:
        """``GET /dossiers/{id}``"""
        if refused := self._turned_away(request):
            return refused
        now, number = self._register.now, _number(request.path_params["id"])
        if number is None or not now.holds(number):
            return _problem(404, "Không tìm thấy hồ sơ")
        return json_response(self._shown(now.reading(number)))

    async def syncs(self, request: Request) -> Response:
        """``GET /dossiers/{id}/syncs``"""
        if refused := self._turned_away(request):
            return refused
        now, number = self._register.now, _number(request.path_params["id"])
        if number is None or not now.holds(number):
            return _problem(404, "Không tìm thấy hồ sơ")
        one = now.reading(number)
        data = [_sync(one, position, step) for position, step in enumerate(one.happenings, start=1)]
        return json_response({"total": len(data), "data": data})

    def _turned_away(self, request: Request) -> Response | None:
        if not same(basic(request.headers.get("authorization")), self._account):
            return _problem(401, "Unauthorized")
        if request.headers.get("groupid") != self._group_id:
            return _problem(403, "Forbidden groupId")
        return None

    def _found(self, now: Snapshot, asked: Search) -> dict[str, Any]:
        numbers = self._index.within(now, asked.spans)
        if asked.needs_items:
            items = [item for number in numbers if _passes(item := _item(now.reading(number), self._group_id), asked)]
            items.sort(key=lambda item: str(item.get(asked.sort or "", "")))
            numbers = [item["dossierId"] - _FIRST_ID for item in items]
        if asked.reverse:
            numbers.reverse()
        page = [self._shown(now.reading(number)) for number in numbers[asked.start : asked.end]]
        return {"total": len(numbers), "data": page}

    def _shown(self, one: Reading) -> dict[str, Any]:
        return _broken(_item(one, self._group_id), self._register.broken.get(one.number))


def build(home: Path, options: ServerOptions) -> ASGIApp:
    """The server."""
    register = Register(System.OPENCPS, home, options)
    dossiers = Dossiers(register, options)
    app = Starlette(
        routes=[
            Route(_BASE, dossiers.search, methods=["GET"]),
            Route(f"{_BASE}/{{id}}", dossiers.one, methods=["GET"]),
            Route(f"{_BASE}/{{id}}/syncs", dossiers.syncs, methods=["GET"]),
        ]
    )
    return with_controls(
        app, name=options.name, controls=control_routes(register, source_id=lambda one: reference_uid(one.number))
    )


def reference_uid(number: int) -> str:
    """The id by which other systems know the dossier."""
    return f"{_UID}{number + 1:012x}"


def status_of(one: Reading) -> tuple[str, str]:
    """Status and sub-status of a dossier; several stand for the same national state."""
    match one.state:
        case State.REGISTERED:
            return ("new" if one.channel is Channel.ONLINE else "receiving"), ""
        case State.ACCEPTED:
            return "processing", "processing_1"
        case State.PROCESSING:
            if one.procedure.sector.field_code == _LAND:
                return "interoperating", ""
            return (("processing", "processing_2"), ("processing", ""), ("waiting", "waiting_opinion"))[one.number % 3]
        case State.SUPPLEMENT_REQUESTED:
            return ("correcting" if one.received is None else "waiting"), ""
        case State.PAYMENT_REQUESTED:
            return "pausing", "pausing_payment"
        case State.WITHDRAWN:
            return "cancelled", ""
        case State.STOPPED:
            return "cancelled", "cancelled_stopped"
        case State.COMPLETED:
            return ("posting" if one.delivery is ResultDelivery.POST else "releasing"), ""
        case State.RETURNED:
            return "done", ""
        case State.REJECTED:
            return "denied", ""


def _number(text: str) -> int | None:
    try:
        return int(text.removeprefix(_UID), 16) - 1 if text.startswith(_UID) else int(text) - _FIRST_ID
    except ValueError:
        return None


def _passes(item: Mapping[str, Any], asked: Search) -> bool:
    keys = {
        "status": "dossierStatus",
        "substatus": "dossierSubStatus",
        "dossierNo": "dossierNo",
        "applicantIdNo": "applicantIdNo",
        "service": "serviceCode",
        "agency": "govAgencyCode",
    }
    return all(item[keys[name]] in words for name, words in asked.words.items()) and all(
        item[keys[name]] == text for name, text in asked.texts.items()
    )


def _item(one: Reading, group_id: str) -> dict[str, Any]:
    """A dossier as it is told. All moments are local wall time."""
    name, identity = (one.enterprise.name, one.enterprise.tax_code) if one.enterprise else one.person[:2]
    status, sub_status = status_of(one)
    last = one.happenings[-1]
    commune = one.person.address.split(", ")[1]
    return {
        "dossierId": _FIRST_ID + one.number,
        "groupId": int(group_id),
        "userId": 20_001,
        "userName": "Cán bộ mẫu",
        "createDate": _time(one.submitted),
        "modifiedDate": _time(one.changed),
        "referenceUid": reference_uid(one.number),
        "counter": one.number + 1,
        "serviceCode": one.procedure.code,
        "serviceName": one.procedure.name,
        "govAgencyCode": one.agency.code,
        "govAgencyName": one.agency.name,
        "dossierTemplateNo": f"TPL_{one.procedure.code.replace('.', '_')}",
        "applicantName": name,
        "applicantIdType": _APPLICANTS[one.procedure.subject],
        "applicantIdNo": identity,
        "applicantIdDate": "",
        "address": one.person.address,
        "cityCode": "96",
        "cityName": "Tỉnh Thử Nghiệm",
        "districtCode": "",
        "districtName": "",
        "wardCode": "00000",
        "wardName": commune[:1].upper() + commune[1:],
        "contactName": one.person.name,
        "contactTelNo": one.person.phone,
        "contactEmail": one.person.email,
        "dossierNo": one.code,
        "submitDate": _time(one.submitted),
        "receiveDate": _time(one.received),
        "dueDate": _time(one.due),
        "releaseDate": _time(one.finished),
        "finishDate": _time(one.returned),
        "cancellingDate": _time(one.state_since if one.state in (State.WITHDRAWN, State.STOPPED) else None),
        "correctingDate": _time(one.state_since if status == "correcting" else None),
        "extendDate": "",
        "dossierStatus": status,
        "dossierStatusText": _TEXTS[status],
        "dossierSubStatus": sub_status,
        "dossierSubStatusText": _TEXTS.get(sub_status, ""),
        "lockState": "PAUSE" if one.state in (State.SUPPLEMENT_REQUESTED, State.PAYMENT_REQUESTED) else "",
        "viaPostal": str(one.delivery.value),
        "online": "true" if one.channel is Channel.ONLINE else "false",
        "originality": 1 if one.channel is Channel.ONLINE else 3,
        "durationCount": float(one.procedure.term_days),
        "durationUnit": 0,
        "systemId": 0,
        "serviceLevel": one.procedure.level,
        "stepCode": f"{100 * one.state}",
        "stepName": last.content,
        "lastActionCode": _action(last),
        "lastActionName": last.content,
        "lastActionDate": _time(last.at),
        "lastActionUser": last.officer,
        "metaData": "",
        "vnpostalStatus": 0,
    }


def _sync(one: Reading, position: int, step: Happening) -> dict[str, Any]:
    return {
        "dossierSyncId": one.number * 100 + position,
        "dossierRefUid": reference_uid(one.number),
        "syncRefUid": f"00000000-0000-4000-9000-{one.number * 100 + position:012x}",
        "actionCode": _action(step),
        "actionName": step.content,
        "actionUser": step.officer,
        "actionNote": "",
        "syncType": 1,
        "infoType": 1,
        "payload": "{}",
    }


def _action(step: Happening) -> str:
    return f"{1000 + 100 * step.state + step.what}"


def _time(epoch: int | None) -> str:
    return "" if epoch is None else moment(epoch)


def _broken(item: dict[str, Any], how: How | None) -> dict[str, Any]:
    match how:
        case None:
            return item
        case How.UNKNOWN_STATUS:
            strange = {"dossierStatus": "unheard", "dossierStatusText": "Trạng thái lạ", "dossierSubStatus": ""}
            return {**item, **strange, "dossierSubStatusText": ""}
        case How.BAD_DATE:
            return {**item, "dueDate": "31/02/2026 25:61:00"}
        case How.MISSING_CODE:
            return {**item, "dossierNo": ""}
        case How.EXTRA_FIELD:
            return {**item, "fileAttachCount": 2}
        case How.RENAMED_FIELD:
            return {("statusCode" if key == "dossierStatus" else key): value for key, value in item.items()}


def _problem(status: int, message: str) -> Response:
    return json_response({"code": status, "message": message}, status)
