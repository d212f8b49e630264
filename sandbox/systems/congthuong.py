"""The trade department's system: every day a CSV file with all it has on its desks, in TCVN3.

Everything here is assumed, since no public contract exists: a template of an old program that prints the same list
every evening, unless it is empty. ``KM_<time>_<number>.csv`` has semicolons and letters for states; what has been at
its end for thirty days is no longer in it. Its fonts know no toned capitals, so "Ở" is written "ở".

Files are dropped into ``congthuong/ket-xuat`` below the sandbox's home: its connection is that folder. The truth tells
of the dossiers that have left the list too.
"""

from datetime import datetime, timedelta
from pathlib import Path

from starlette.applications import Starlette
from starlette.types import ASGIApp

from sandbox.connections import publish
from sandbox.http import ServerOptions, server_home, with_controls
from sandbox.province.calendar import wall_time
from sandbox.province.reading import Reading
from sandbox.province.sectors import System
from sandbox.systems import papers
from sandbox.systems.controls import control_routes
from sandbox.systems.drops import Drops, Line, Paper, drop_routes
from schemas.codes import Channel
from schemas.identifiers import dossier_long
from schemas.states import State

LISTED = timedelta(days=30)
"""How long a dossier stays in the list after its end."""

STATUS_LETTERS = {
    State.REGISTERED: "DK",
    State.ACCEPTED: "TN",
    State.REJECTED: "TC",
    State.PROCESSING: "XL",
    State.SUPPLEMENT_REQUESTED: "BS",
    State.PAYMENT_REQUESTED: "TP",
    State.WITHDRAWN: "RH",
    State.STOPPED: "DX",
    State.COMPLETED: "KQ",
    State.RETURNED: "TR",
}
_CHANNELS = {Channel.ONLINE: "Mạng", Channel.DIRECT: "Quầy", Channel.POSTAL: "Bưu điện"}


def build(home: Path, options: ServerOptions) -> ASGIApp:
    """The server."""
    folder = server_home(home, options).absolute() / "ket-xuat"
    register = Drops(System.CONGTHUONG, home, options, folder=folder, papers=(_LIST,), listed=is_listed)
    publish(
        home, options.name, {"conn_type": "fs", "host": "", "port": None, "schema": "", "extra": {"path": str(folder)}}
    )
    controls = [*control_routes(register, source_id=lambda one: dossier_long(one.code)), *drop_routes(register)]
    return with_controls(Starlette(), name=options.name, controls=controls)


def is_listed(one: Reading, now: datetime) -> bool:
    """Whether the list holds the dossier."""
    return not one.state.is_terminal or one.state_since > (now - LISTED).timestamp()


def _line(one: Reading) -> Line:
    name, number = one.enterprise or (one.person.name, one.person.citizen_id)
    return {
        "Mã HS": dossier_long(one.code),
        "Thủ tục": one.procedure.code,
        "Tên thủ tục": one.procedure.name,
        "Đơn vị": one.agency.name,
        "Doanh nghiệp": name,
        "Mã số thuế": number,
        "Nội dung": f"{one.procedure.name} của {name}",
        "Hình thức": _CHANNELS[one.channel],
        "Nộp lúc": _time(one.submitted),
        "Nhận lúc": _time(one.received),
        "Hẹn trả": _time(one.due),
        "Xong lúc": _time(one.finished),
        "Trả lúc": _time(one.returned),
        "Tình trạng": STATUS_LETTERS[one.state],
        "Sửa lúc": _time(one.changed),
    }


def _time(epoch: int | None) -> str:
    return "" if epoch is None else wall_time(epoch).replace("T", " ")


_LIST = Paper(
    code="Mã HS",
    due="Hẹn trả",
    status="Tình trạng",
    name=lambda now, number: f"KM_{now:%Y%m%d_%H%M%S}_{number:04d}.csv",
    tells=lambda _: True,
    line=_line,
    write=lambda lines: papers.csv_file(lines, encode=papers.tcvn3, delimiter=";"),
)
