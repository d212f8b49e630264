"""The residence system of the population database: SOAP 1.1, lists made as jobs.

``CungCapDanhSachThayDoiCuTru`` orders the list of what has changed between two moments and gives the id of a job;
``GetRequestStatus`` tells how far it is, ``GetResultDetailAsRecords`` gives it page by page, ``DeleteRequest`` removes
it. Each call names the procedure and the officer on whose behalf it is made, in the order ``MaYeuCau``, ``MaDVC``,
``MaTichHop``, ``MaCanBo``, then the rest; the officer signs in with the header ``AuthHash``: Base64 of key and password
with a colon between.

Seen in a public implementation: SOAP 1.1, namespace, ``AuthHash``, the order of the elements, the date of birth nested
in ``NgayThangNamSinh/NgayThangNam``, and the family of asynchronous list operations. That implementation asks about
persons; no contract about dossiers is public, so this is a template, with a WSDL written for it.
Assumed: the list operation (a name in the style of the family), its records, states, codes and error codes; that
``AuthHash`` is an element of the SOAP header; dates ``yyyyMMdd`` and moments ``yyyyMMddHHmmss`` in Vietnamese time; at
most 92 days and 1000 records per page; that a list can be fetched for half an hour. Not imitated: the result as a file.

``POST /_sandbox/jobs`` takes ``{"fail": n}`` (the next jobs fail) or ``{"expire": true}`` (no list made so far can be
fetched any more), ``GET`` shows the jobs. The fault ``expire-sessions`` makes it forget them, as a restart does.

Connection: login (the officer's key) and password; extra ``path``, ``officer``, ``integration`` (``MaTichHop``),
``job_s`` (how long a list is kept, default 1800).
"""

import base64
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from itertools import chain
from pathlib import Path
from types import MappingProxyType

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.http import ServerOptions, json_response, read_json, with_controls
from sandbox.province.calendar import wall_time
from sandbox.province.people import Person
from sandbox.province.reading import Reading
from sandbox.province.sectors import System
from sandbox.systems.controls import control_routes
from sandbox.systems.qldc_jobs import Job, Jobs, JobState
from sandbox.systems.register import How, Register
from sandbox.systems.soap import SOAP11, Contract, FaultError, Message, SoapService, element, leaf, operation_of
from schemas.identifiers import dossier_long
from schemas.states import State
from schemas.times import VN

STATUS_CODES: Mapping[State, str] = MappingProxyType(
    {
        State.REGISTERED: "CHO_TIEP_NHAN",
        State.ACCEPTED: "DA_TIEP_NHAN",
        State.REJECTED: "TU_CHOI_TIEP_NHAN",
        State.PROCESSING: "DANG_GIAI_QUYET",
        State.SUPPLEMENT_REQUESTED: "CHO_BO_SUNG",
        State.PAYMENT_REQUESTED: "CHO_NOP_LE_PHI",
        State.WITHDRAWN: "CONG_DAN_RUT",
        State.STOPPED: "DUNG_GIAI_QUYET",
        State.COMPLETED: "CO_KET_QUA",
        State.RETURNED: "DA_TRA_KET_QUA",
    }
)
"""National state to ``TrangThai``."""

_CONTRACT = Contract("qldc")
_SERVICE_CODE = re.compile(r"^\d\.\d{6}$")
_LONGEST_WINDOW = timedelta(days=92)
_LARGEST_PAGE = 1000
_MOMENT = "%Y%m%d%H%M%S"

_BAD_HASH = "XT01"
_BAD_OFFICER = "XT02"
_BAD_PARAMETER = "TS01"
_NO_JOB = "YC01"
_NOT_DONE = "YC02"
_EXPIRED = "YC03"


class Residence:
    """The system's behaviour, one method per operation."""

    def __init__(self, register: Register, options: ServerOptions) -> None:
        self._register = register
        self._hash = base64.b64encode(f"{options.login}:{options.password}".encode())
        self._officer = str(options.extra["officer"])
        self._integration = str(options.extra["integration"])
        self.jobs = Jobs(timedelta(seconds=float(options.extra.get("job_s", 1800))))

    def admit(self, message: Message) -> None:
        """Let in the officer whose hash it is, for the integration it was given for."""
        given = "" if message.header is None else message.header.findtext(f"{{{_CONTRACT.namespace}}}AuthHash") or ""
        if not compare_digest("".join(given.split()).encode(), self._hash):
            raise refused(_BAD_HASH, "AuthHash không đúng")
        asked = message.values()
        if (asked.get("MaCanBo"), asked.get("MaTichHop")) != (self._officer, self._integration):
            raise refused(_BAD_OFFICER, "Cán bộ không được cấp quyền cho tích hợp này")
        if not _SERVICE_CODE.match(asked.get("MaDVC", "")):
            raise refused(_BAD_PARAMETER, "MaDVC phải là mã thủ tục")

    def order(self, message: Message) -> Iterator[str]:
        """A job for what has changed from ``TuThoiDiem`` (inclusive) to ``DenThoiDiem`` (exclusive)."""
        asked = message.values()
        start, end = _moment(asked["TuThoiDiem"]), _moment(asked["DenThoiDiem"])
        if end <= start or end - start > _LONGEST_WINDOW:
            raise refused(_BAD_PARAMETER, f"Khoảng thời gian phải từ 1 giây đến {_LONGEST_WINDOW.days} ngày")
        now = self._register.now
        first, stop = (now.changes.position_of(int(moment.timestamp())) for moment in (start, end))
        job = self.jobs.order(now, first, stop, datetime.now(UTC))
        return _response(message, [leaf("MaYeuCauXuLy", job)])

    def status(self, message: Message) -> Iterator[str]:
        """How far the job is."""
        job = message.values()["MaYeuCauXuLy"]
        found = self._found(self.jobs.ask(job, datetime.now(UTC)))
        total = found.total if found.state is JobState.DONE else None
        inside = [leaf("MaYeuCauXuLy", job), leaf("TrangThaiYeuCau", found.state.value), leaf("TongSo", total)]
        return _response(message, inside)

    def records(self, message: Message) -> Iterator[str]:
        """One page of the list."""
        asked = message.values()
        page, size = int(asked["TrangSo"]), int(asked["SoBanGhi"])
        found = self._found(self.jobs.look_at(asked["MaYeuCauXuLy"], datetime.now(UTC)))
        if found.state is JobState.EXPIRED:
            raise refused(_EXPIRED, "Kết quả đã hết hạn")
        if found.state is not JobState.DONE:
            raise refused(_NOT_DONE, "Yêu cầu chưa được xử lý xong")
        if page < 1 or not 1 <= size <= _LARGEST_PAGE:
            raise refused(_BAD_PARAMETER, f"TrangSo phải từ 1, SoBanGhi từ 1 đến {_LARGEST_PAGE}")
        broken = self._register.broken
        dossiers = (_dossier(found.snapshot.reading(one), broken.get(one)) for one in found.page(page, size))
        head = leaf("MaYeuCauXuLy", asked["MaYeuCauXuLy"]) + leaf("TongSo", found.total) + leaf("TrangSo", page)
        return _response(message, chain([f"{head}<DanhSachHoSo>"], dossiers, ["</DanhSachHoSo>"]))

    def delete(self, message: Message) -> Iterator[str]:
        """Remove the job, done or not."""
        job = message.values()["MaYeuCauXuLy"]
        if not self.jobs.delete(job):
            raise refused(_NO_JOB, "Không có yêu cầu này")
        return _response(message, [leaf("MaYeuCauXuLy", job)])

    @staticmethod
    def _found(job: Job | None) -> Job:
        if job is None:
            raise refused(_NO_JOB, "Không có yêu cầu này")
        return job


def build(home: Path, options: ServerOptions) -> ASGIApp:
    """The server."""
    register = Register(System.QLDC, home, options, ordered=True)
    system = Residence(register, options)
    operations = {
        "CungCapDanhSachThayDoiCuTru": system.order,
        "GetRequestStatus": system.status,
        "GetResultDetailAsRecords": system.records,
        "DeleteRequest": system.delete,
    }
    service = SoapService(_CONTRACT, SOAP11, operations, system.admit)
    return with_controls(
        Starlette(routes=[Route(str(options.extra["path"]), service.respond, methods=["GET", "POST"])]),
        name=options.name,
        controls=[
            *control_routes(register, source_id=lambda one: dossier_id(one.number)),
            Route("/jobs", _job_control(system.jobs), methods=["GET", "POST"]),
        ],
        operation_of=operation_of,
        expire_sessions=system.jobs.forget_all,
    )


def dossier_id(number: int) -> str:
    """The system's own id."""
    return f"CT-{number:08d}"


def refused(code: str, text: str) -> FaultError:
    """A fault with the service's own code in its detail."""
    inside = leaf("MaLoi", code) + leaf("MoTa", text)
    return FaultError(text, detail=f'<LoiNghiepVu xmlns="{_CONTRACT.namespace}">{inside}</LoiNghiepVu>')


def _response(message: Message, inside: Iterable[str]) -> Iterator[str]:
    name = f"{message.operation}Response"
    yield f'<{name} xmlns="{_CONTRACT.namespace}">{leaf("MaYeuCau", message.values()["MaYeuCau"])}'
    yield from inside
    yield f"</{name}>"


def _moment(text: str) -> datetime:
    try:
        return datetime.strptime(text, _MOMENT).replace(tzinfo=VN)
    except ValueError:
        raise refused(_BAD_PARAMETER, "Thời điểm phải có dạng yyyyMMddHHmmss") from None


def _dossier(one: Reading, how: How | None) -> str:
    status = "LA" if how is How.UNKNOWN_STATUS else STATUS_CODES[one.state]
    return element(
        "HoSo",
        "" if how is How.MISSING_CODE else leaf("MaHoSo", dossier_long(one.code)),
        leaf("SoHoSo", dossier_id(one.number)),
        leaf("MaTTHC", one.procedure.code),
        leaf("MaCoQuan", one.agency.code),
        _citizen(one.person),
        leaf("KenhNop", one.channel.value),
        leaf("TinhTrang" if how is How.RENAMED_FIELD else "TrangThai", status),
        leaf("NgayNop", "20260231256100" if how is How.BAD_DATE else _time(one.submitted)),
        leaf("NgayTiepNhan", _time(one.received)),
        leaf("NgayHenTra", _time(one.due)),
        leaf("NgayXuLyXong", _time(one.finished)),
        leaf("NgayTraKetQua", _time(one.returned)),
        leaf("HinhThucTra", one.delivery.value),
        leaf("ThoiDiemThayDoi", _time(one.changed)),
        leaf("MaKhuVuc", "K1") if how is How.EXTRA_FIELD else "",
    )


def _citizen(person: Person) -> str:
    family, *middle, given = person.name.split()
    return element(
        "CongDan",
        leaf("SoDinhDanh", person.citizen_id),
        element("HoVaTen", leaf("Ho", family), leaf("ChuDem", " ".join(middle) or None), leaf("Ten", given)),
        element("NgayThangNamSinh", leaf("NgayThangNam", person.born.replace("-", ""))),
        leaf("NoiOHienTai", person.address),
        leaf("SoDienThoai", person.phone),
    )


def _time(epoch: int | None) -> str | None:
    return None if epoch is None else re.sub(r"\D", "", wall_time(epoch))


def _job_control(jobs: Jobs) -> Callable[[Request], Awaitable[Response]]:
    async def control(request: Request) -> Response:
        if request.method == "POST":
            try:
                _order(jobs, await read_json(request))
            except ValueError as error:
                return json_response({"error": str(error)}, 422)
        return json_response(jobs.states())

    return control


def _order(jobs: Jobs, body: Mapping[str, object]) -> None:
    if body.keys() == {"fail"} and isinstance(body["fail"], int):
        jobs.fail_next(body["fail"])
    elif body == {"expire": True}:
        jobs.expire_all()
    else:
        raise ValueError('the body must be {"fail": n} or {"expire": true}')
