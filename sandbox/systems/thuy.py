"""The veterinary office's system: CSV files in Windows-1258 on an SFTP server.

Everything here is assumed, since no public contract exists: a template of a program of the year 2000. Files are called
``KDDV-<number>.csv``, without a time; every cell is quoted, headings are capitals without accents, and states are
numbers of two digits that Excel has been at: "03" has become "3".

Connection: host, port, login and password of the SFTP server that runs beside the control endpoints, extra ``path``
(the folder there) and ``host_key``. Faults hit its operations ``login``, ``list``, ``read`` and ``rename``: ``drop``
closes the connection, ``503`` is a refusal, ``slow`` waits, ``cut`` closes after half.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.types import ASGIApp

from sandbox.connections import publish, published
from sandbox.faults import Faults
from sandbox.http import HOST, ServerOptions, server_home, with_controls
from sandbox.province.reading import Reading
from sandbox.province.sectors import System
from sandbox.systems import papers, sftp, written
from sandbox.systems.controls import control_routes
from sandbox.systems.drops import Drops, Line, Paper, drop_routes
from schemas.codes import Channel
from schemas.identifiers import dossier_long
from schemas.states import State

STATUS_NUMBERS = {
    State.REGISTERED: "01",
    State.ACCEPTED: "02",
    State.REJECTED: "03",
    State.PROCESSING: "11",
    State.SUPPLEMENT_REQUESTED: "12",
    State.PAYMENT_REQUESTED: "13",
    State.WITHDRAWN: "21",
    State.STOPPED: "22",
    State.COMPLETED: "31",
    State.RETURNED: "32",
}
_CHANNELS = {Channel.ONLINE: "2", Channel.DIRECT: "1", Channel.POSTAL: "3"}
_FOLDER = "ket-qua"


def build(home: Path, options: ServerOptions) -> ASGIApp:
    """The server."""
    root = server_home(home, options).absolute() / "sftp"
    register = Drops(System.THUY, home, options, folder=root / _FOLDER, papers=(_INSPECTIONS,))
    faults = Faults()

    @asynccontextmanager
    async def running(_app: Starlette) -> AsyncIterator[None]:
        key = sftp.host_key(server_home(home, options) / "host_key")
        preferred = published(home, options.name).get("port", 0)
        async with sftp.serving(root, options.login, options.password, key, faults, preferred) as port:
            extra = {"path": f"/{_FOLDER}", "host_key": sftp.public(key)}
            fields = {"conn_type": "sftp", "host": HOST, "port": port, "schema": "", "extra": extra}
            publish(home, options.name, fields)
            yield

    controls = [*control_routes(register, source_id=lambda one: dossier_long(one.code)), *drop_routes(register)]
    return with_controls(Starlette(lifespan=running), name=options.name, controls=controls, faults=faults)


def _line(one: Reading) -> Line:
    return {
        "MA_HS": dossier_long(one.code),
        "MA_TTHC": one.procedure.code,
        "MA_DV": one.agency.code,
        "TEN_DV": one.agency.name,
        "CHU_HANG": one.person.name,
        "SO_GIAY_TO": one.person.citizen_id,
        "DIEN_THOAI": one.person.phone,
        "DIA_CHI": one.person.address,
        "NOI_DUNG": f"{one.procedure.name}: lô hàng số {one.number}",
        "KENH": _CHANNELS[one.channel],
        "NGAY_NOP": written.moment(one.submitted),
        "NGAY_NHAN": _text(one.received),
        "NGAY_HEN": _text(one.due),
        "NGAY_XONG": _text(one.finished),
        "NGAY_TRA": _text(one.returned),
        "TRANG_THAI": STATUS_NUMBERS[one.state].lstrip("0"),
        "SUA_LUC": written.moment(one.changed),
    }


def _text(epoch: int | None) -> str:
    return "" if epoch is None else written.moment(epoch)


_INSPECTIONS = Paper(
    code="MA_HS",
    due="NGAY_HEN",
    status="TRANG_THAI",
    name=lambda _now, number: f"KDDV-{number:06d}.csv",
    tells=lambda _: True,
    line=_line,
    write=lambda lines: papers.csv_file(lines, encode=papers.windows_1258, quote_all=True),
)
