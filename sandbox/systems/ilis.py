"""The land system ILIS: dossiers are announced to it, and it calls about those.

``POST {token_path}`` gives a bearer token by the password grant. ``POST {announce_path}`` (tiepnhan) takes
``{SoBienNhan, …}`` and answers ``{data, status: {success, code, type, time, message}}``. It calls
``POST {base}/{call}?CodeGet=…``.

Seen in public implementations: the grant with client id and secret, the envelope, "Hồ sơ đã tồn tại" for a dossier that
was announced before, the call CapNhatKetQuaThongBaoThue with its keys, ``CodeGet``, ``{Result, Message}``; and that
its times are Vietnamese wall time.
Assumed: both paths, HTTP 200 for refusals, that ``SoBienNhan`` alone has to be right, that it calls about announced
dossiers only, that its other calls are those of VBDLIS, and that it goes on calling until it is heard.

Connection: login and password; extra ``token_path``, ``announce_path``, ``client_id``, ``client_secret``, and
``inbound_secret``, which is the ``CodeGet``.
"""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.http import ServerOptions, json_response, read_json, with_controls
from sandbox.province.calendar import wall_time
from sandbox.province.sectors import System
from sandbox.systems.caller import Book, Caller
from sandbox.systems.controls import control_routes
from sandbox.systems.land import Dialect
from sandbox.systems.register import Register
from sandbox.targets.passes import Passes
from sandbox.targets.province.tokens import form_of, same
from schemas.identifiers import dossier_long, dossier_short

DIALECT = Dialect(
    time=wall_time, bad_time="2026-02-31T25:61:00", tax="CapNhatKetQuaThongBaoThue", tells_reception=False
)

_TOKEN_S = 1800
_OK = 200
_REFUSED = 400


class Announcements:
    """The tokens, and the dossiers that were announced."""

    def __init__(self, register: Register, options: ServerOptions, book: Book) -> None:
        self._register = register
        self._options = options
        self._book = book
        self.tokens = Passes(timedelta(seconds=_TOKEN_S))

    def grant(self, form: Mapping[str, str]) -> Response:
        """The answer of the token endpoint."""
        extra = self._options.extra
        if form.get("grant_type") != "password":
            return json_response({"error": "unsupported_grant_type"}, 400)
        client = (form.get("client_id", ""), form.get("client_secret", ""))
        if not same(client, (str(extra["client_id"]), str(extra["client_secret"]))):
            return json_response({"error": "invalid_client"}, 401)
        user = (form.get("username", ""), form.get("password", ""))
        if not same(user, (self._options.login, self._options.password)):
            return json_response({"error": "invalid_grant"}, 400)
        token = secrets.token_urlsafe(32)
        self.tokens.admit(token, datetime.now(UTC))
        return json_response({"access_token": token, "token_type": "bearer", "expires_in": _TOKEN_S})

    def is_signed_in(self, authorization: str) -> bool:
        """Whether the header carries a good token."""
        kind, _, token = authorization.partition(" ")
        return kind.lower() == "bearer" and self.tokens.is_good(token.strip(), datetime.now(UTC))

    def announce(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to one announcement."""
        now = self._register.now
        try:
            number = now.province.find(dossier_short(str(body.get("SoBienNhan") or "")))
        except ValueError:
            number = None
        if number is None or number >= now.count:
            return _answer("Không tìm thấy số biên nhận")
        if System.ILIS not in now.whole(number).procedure.through:
            return _answer("Hồ sơ không thuộc quy trình của hệ thống")
        if number in self._book:
            return _answer("Hồ sơ đã tồn tại")
        self._book.write([(number, 0)])
        return _answer("")


def build(home: Path, options: ServerOptions) -> ASGIApp:
    """The server."""
    register = Register(System.ILIS, home, options)
    code = urlencode({"CodeGet": options.extra["inbound_secret"]})
    caller = Caller(register, home, options, dialect=DIALECT, address=lambda kind: f"/{kind}?{code}", only_known=True)
    desk = Announcements(register, options, caller.book)

    async def token(request: Request) -> Response:
        return desk.grant(form_of(await request.body()))

    async def announce(request: Request) -> Response:
        if not desk.is_signed_in(request.headers.get("authorization", "")):
            return json_response({"error": "invalid_token"}, 401)
        try:
            return json_response(desk.announce(await read_json(request)))
        except ValueError:
            return json_response(_answer("Dữ liệu không hợp lệ"))

    app = Starlette(
        routes=[
            Route(str(options.extra["token_path"]), token, methods=["POST"]),
            Route(str(options.extra["announce_path"]), announce, methods=["POST"]),
        ],
        lifespan=caller.lifespan,
    )
    return with_controls(
        app,
        name=options.name,
        controls=[*control_routes(register, source_id=lambda one: dossier_long(one.code)), *caller.routes()],
        expire_sessions=desk.tokens.expire_all,
    )


def _answer(problem: str) -> dict[str, Any]:
    now = datetime.now(UTC) + timedelta(hours=7)
    status = {
        "success": not problem,
        "code": _REFUSED if problem else _OK,
        "type": "ERROR" if problem else "INFO",
        "time": f"{now:%Y-%m-%dT%H:%M:%S}",
        "message": problem or "Thành công",
    }
    return {"data": int(not problem), "status": status}
