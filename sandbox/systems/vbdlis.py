"""The land database VBDLIS: nobody can ask it, it calls.

Seen in public implementations: that it calls ``POST {base}/{call}/{securityCode}`` with the seven calls in ``land``,
the code in the path being the only credential; that ``{Result: 1}`` is success; the keys of ChuyenHoSo and KetThucHoSo;
and that its times are UTC (the receiver adds seven hours).
Assumed: that times carry a ``Z``; the keys of the other calls (those about papers and corrections hold ``MaCanBoXuLy``,
``NoiDungXuLy`` and a time of their own, the one about taxes is that of ILIS); and that it goes on calling until it is
heard.

What the one-stop system tells VBDLIS (``tiepnhan`` and others) goes between those two and is not played here.

Connection: the code as password.
"""

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.types import ASGIApp

from sandbox.http import ServerOptions, with_controls
from sandbox.province.sectors import System
from sandbox.systems.caller import Caller
from sandbox.systems.controls import control_routes
from sandbox.systems.land import Dialect
from sandbox.systems.register import Register
from schemas.identifiers import dossier_long


def _utc(epoch: int) -> str:
    return f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%dT%H:%M:%S}Z"


DIALECT = Dialect(time=_utc, bad_time="2026-02-31T25:61:00Z", tax="GuiKetQuaThue", tells_reception=True)


def build(home: Path, options: ServerOptions) -> ASGIApp:
    """The server."""
    register = Register(System.VBDLIS, home, options)
    caller = Caller(
        register,
        home,
        options,
        dialect=DIALECT,
        address=lambda kind: f"/{kind}/{quote(options.password, safe='')}",
    )
    return with_controls(
        Starlette(lifespan=caller.lifespan),
        name=options.name,
        controls=[*control_routes(register, source_id=lambda one: dossier_long(one.code)), *caller.routes()],
    )
