"""The education department's system: it drops CSV files about diplomas, and workbooks about enrolment.

Everything here is assumed, since no public contract exists: a template of what departments send when they send files.
``VB_<time>_<number>.csv`` is UTF-8 with a byte order mark, begins with ``sep=;`` for Excel, and has words for states.
``TS_<time>_<number>.xlsx`` has its table on the sheet "Danh sách" below three lines of title; somebody typed it: dates
of filing and reception are dates, the others are text, and citizen ids are numbers that have lost their zeros.

Both are dropped into ``giaoduc/gui-di`` below the sandbox's home: its connection is that folder.
"""

from datetime import datetime
from pathlib import Path

from starlette.applications import Starlette
from starlette.types import ASGIApp

from sandbox.connections import publish
from sandbox.http import ServerOptions, server_home, with_controls
from sandbox.province.calendar import moment
from sandbox.province.reading import Reading
from sandbox.province.sectors import System
from sandbox.systems import papers, written
from sandbox.systems.controls import control_routes
from sandbox.systems.drops import Drops, Line, Paper, drop_routes
from schemas.codes import Channel
from schemas.states import State

_ENROLMENT = "G99-GD02"
STATUS_WORDS = {
    State.REGISTERED: "Chờ tiếp nhận",
    State.ACCEPTED: "Đã tiếp nhận",
    State.REJECTED: "Từ chối tiếp nhận",
    State.PROCESSING: "Đang giải quyết",
    State.SUPPLEMENT_REQUESTED: "Chờ bổ sung hồ sơ",
    State.PAYMENT_REQUESTED: "Chờ nộp lệ phí",
    State.WITHDRAWN: "Đã rút hồ sơ",
    State.STOPPED: "Dừng giải quyết",
    State.COMPLETED: "Có kết quả",
    State.RETURNED: "Đã trả kết quả",
}
_CHANNELS = {Channel.ONLINE: "Trực tuyến", Channel.DIRECT: "Trực tiếp", Channel.POSTAL: "Bưu chính"}
_ABOVE = ("SỞ GIÁO DỤC VÀ ĐÀO TẠO TỈNH THỬ NGHIỆM", "DANH SÁCH HỒ SƠ TUYỂN SINH", "")


def build(home: Path, options: ServerOptions) -> ASGIApp:
    """The server."""
    folder = server_home(home, options).absolute() / "gui-di"
    register = Drops(System.GIAODUC, home, options, folder=folder, papers=(_DIPLOMAS, _ENROLMENTS))
    publish(
        home, options.name, {"conn_type": "fs", "host": "", "port": None, "schema": "", "extra": {"path": str(folder)}}
    )
    controls = [*control_routes(register, source_id=lambda one: one.code), *drop_routes(register)]
    return with_controls(Starlette(), name=options.name, controls=controls)


def _diploma(one: Reading) -> Line:
    return {
        "Mã hồ sơ": one.code,
        "Mã thủ tục": one.procedure.code,
        "Tên thủ tục": one.procedure.name,
        "Mã đơn vị": one.agency.code,
        "Người nộp": one.person.name,
        "Số CCCD": one.person.citizen_id,
        "Ngày sinh": _day_of_birth(one),
        "Điện thoại": one.person.phone,
        "Hình thức nộp": _CHANNELS[one.channel],
        "Ngày nộp": written.moment(one.submitted),
        "Ngày tiếp nhận": _text(one.received),
        "Hạn trả": _text(one.due),
        "Ngày có kết quả": _text(one.finished),
        "Ngày trả": _text(one.returned),
        "Trạng thái": STATUS_WORDS[one.state],
        "Cập nhật lúc": written.moment(one.changed),
    }


def _enrolment(one: Reading) -> Line:
    return {
        "STT": None,
        **_diploma(one),
        "Số CCCD": int(one.person.citizen_id),
        "Ngày nộp": moment(one.submitted),
        "Ngày tiếp nhận": None if one.received is None else moment(one.received),
    }


def _day_of_birth(one: Reading) -> str:
    year, month, day = one.person.born.split("-")
    return f"{day}/{month}/{year}"


def _text(epoch: int | None) -> str:
    return "" if epoch is None else written.moment(epoch)


def _stamp(now: datetime, number: int) -> str:
    return f"{now:%Y%m%d_%H%M%S}_{number:04d}"


def _is_enrolment(one: Reading) -> bool:
    return one.procedure.sector.field_code == _ENROLMENT


_DIPLOMAS = Paper(
    code="Mã hồ sơ",
    due="Hạn trả",
    status="Trạng thái",
    name=lambda now, number: f"VB_{_stamp(now, number)}.csv",
    tells=lambda one: not _is_enrolment(one),
    line=_diploma,
    write=lambda lines: (
        b"\xef\xbb\xbfsep=;\r\n" + papers.csv_file(lines, encode=lambda text: text.encode("utf-8"), delimiter=";")
    ),
)
_ENROLMENTS = Paper(
    code="Mã hồ sơ",
    due="Hạn trả",
    status="Trạng thái",
    name=lambda now, number: f"TS_{_stamp(now, number)}.xlsx",
    tells=_is_enrolment,
    line=_enrolment,
    write=lambda lines: papers.workbook(
        [{**line, "STT": number} for number, line in enumerate(lines, 1)], sheet="Danh sách", above=_ABOVE
    ),
)
