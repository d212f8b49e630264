"""The National Public Service Portal as a client sees it through its adapter, in three styles on one store.

``POST /mapi/login`` gives a session; ``POST /mapi/g`` takes it in the body together with ``madonvi``, ``service`` and
what the service needs. Header ``dstcode`` tells the adapter where to route. The other two styles: ``adapters.py``.

Seen in public implementations: the two URLs, the envelope, isUpdating as "True"/"False", sessions of about ten minutes
without a documented end, insert and update as two calls of one service, a batch answered as a whole.
Assumed: a batch is applied all or nothing; an expired session is answered with HTTP 200, error_code -1 and a message
about the session; a request without a valid dstcode goes nowhere; several sessions may be open at once.

Connection: login and password; extra ``dstcode`` (when given, requests must carry exactly it), ``session_s``
(lifetime of a session in seconds, default 600), ``madonvi`` (the unit that the adapter with three addresses is for),
``own_agency`` (how the codes of dossiers begin that were filed on the portal; none when absent), ``gives_codes`` (see
``store.py``), ``notice_codes`` (those a notice may carry; all when absent), ``ratings`` (see ``ratings.py``). Beside
the usual control endpoints: ``GET notices``, ``GET reports``.
"""

import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from pathlib import Path
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.http import ServerOptions, json_lines, json_response, last_segment, read_json, server_home, with_controls
from sandbox.targets.control import control_routes
from sandbox.targets.npsp import answers, catalogue, ratings
from sandbox.targets.npsp.adapters import adapter_routes, service_of
from sandbox.targets.npsp.rules import (
    DOSSIER_RULES,
    NOTICE_CODES,
    STEP_RULES,
    Refusal,
    check_batch,
    notice_rules,
)
from sandbox.targets.npsp.store import PortalStore
from sandbox.targets.passes import Passes
from sandbox.targets.reports import Second, reports_route, store_reports
from sandbox.targets.store import Clock
from schemas.states import State

_SESSION_S = 600
_UNIT = "000.00.00.H12"
_FLAGS = {"True": True, "False": False}

Answer = dict[str, Any] | Refusal


class Portal:
    """The portal's behaviour: log-ins, and one method per service. Knows nothing of HTTP."""

    def __init__(self, store: PortalStore, options: ServerOptions, clock: Clock) -> None:
        self._store = store
        self._options = options
        self._clock = clock
        self._wording = answers.Wording()
        self._second_ratings = Second(options.extra.get("ratings", Second.COUNTS_TOO))
        self._notice_rules = notice_rules(options.extra.get("notice_codes", NOTICE_CODES))
        self.sessions = Passes(timedelta(seconds=float(options.extra.get("session_s", _SESSION_S))))
        self._services: Mapping[str, Callable[[Mapping[str, Any]], Answer]] = {
            "DongBoHoSoMC": self._take_dossiers,
            "CapNhatTienDoHoSoMC": self._take_steps,
            "DongBoTrangThaiHoSo": self._take_notice,
            ratings.SERVICE: self._take_ratings,
            "TraCuuHoSo": self._look_up,
            "LayThuTuc": self._procedure,
            "LayDanhSachTTHC": lambda _: self._wording.success(result=catalogue.procedures()),
            "LayDanhMucCoQuan": lambda _: self._wording.success(result=catalogue.agencies()),
            "LayDanhMucLinhVuc": lambda _: self._wording.success(result=catalogue.fields()),
        }

    def login(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A session for the right name and password."""
        given = f"{body.get('username')}\n{body.get('password')}".encode()
        if not compare_digest(given, f"{self._options.login}\n{self._options.password}".encode()):
            return answers.BAD_LOGIN
        session = str(uuid.uuid4())
        self.sessions.admit(session, self._clock())
        # Clients read a log-in as good only when error_code is the number 0.
        return {"session": session, "error_code": 0, "message": "Thành công"}

    def call(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """One call of a service; every refusal is counted."""
        good = self.sessions.is_good(str(body.get("session")), self._clock())
        return self._told(body, self._serve(body) if good else answers.NO_SESSION)

    def _told(self, body: Mapping[str, Any], answer: Answer) -> dict[str, Any]:
        if not isinstance(answer, Refusal):
            return answer
        self._store.tally(f"refused:{_known(body.get('service'), self._services)}:{answer.error_code}")
        return {"error_code": answer.error_code, "message": answer.message}

    def call_inside(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """One call that an adapter makes under a session of its own."""
        return self._told(body, self._serve(body))

    def is_routed(self, dstcode: str | None) -> bool:
        """Whether the adapter can route a request with this header."""
        expected = self._options.extra.get("dstcode")
        return bool(dstcode) and expected in (None, dstcode)

    def _serve(self, body: Mapping[str, Any]) -> Answer:
        if not isinstance(body.get("madonvi"), str) or not body["madonvi"]:
            return answers.NO_UNIT
        service = self._services.get(str(body.get("service")))
        return answers.NO_SERVICE if service is None else service(body)

    def _take_dossiers(self, body: Mapping[str, Any]) -> Answer:
        updating = _FLAGS.get(str(body.get("isUpdating"))) if isinstance(body.get("isUpdating"), str) else None
        if updating is None:
            return answers.BAD_FLAG
        refusal = check_batch(body.get("data"), DOSSIER_RULES)
        if refusal is not None:
            return refusal
        now = self._clock()
        if updating:
            clash = self._store.update(body["data"], now)
        else:
            clash = self._store.insert(body["madonvi"], body["data"], now)
        if clash is not None:
            return self._wording.clash(clash)
        given = self._store.given_codes(body["data"])
        return self._wording.success(**({"result": given} if given else {}))

    def _take_steps(self, body: Mapping[str, Any]) -> Answer:
        refusal = check_batch(body.get("data"), STEP_RULES)
        if refusal is not None:
            return refusal
        clash = self._store.add_steps(body["data"], self._clock())
        return self._wording.success() if clash is None else self._wording.clash(clash)

    def _take_notice(self, body: Mapping[str, Any]) -> Answer:
        if body.get("type") != "2":
            return answers.BAD_TYPE
        refusal = check_batch([body.get("data")], self._notice_rules)
        if refusal is not None:
            return refusal
        clash = self._store.add_notice(body["data"], self._clock())
        return self._wording.success() if clash is None else self._wording.clash(clash)

    def _take_ratings(self, body: Mapping[str, Any]) -> Answer:
        refusal = check_batch(body.get("data"), ratings.RATING_RULES)
        if refusal is not None:
            return refusal
        records = [ratings.told(record) for record in body["data"]]
        stored = store_reports(self._store, records, self._second_ratings, self._clock())
        return self._wording.success() if stored else answers.ALREADY_RATED

    def _look_up(self, body: Mapping[str, Any]) -> Answer:
        code = body.get("mahoso")
        if not isinstance(code, str) or not code:
            return answers.missing("mahoso")
        held = self._store.find_by_any(code)
        found = []
        if held is not None:
            beside = {"MaHoSoDonVi": held.sender_code} if held.sender_code else {}
            found = [{"MaHoSo": held.code, **beside, "TrangThaiHoSo": str(held.state)}]
        return self._wording.success(result=found)

    def _procedure(self, body: Mapping[str, Any]) -> Answer:
        code = body.get("maTTHC")
        if not isinstance(code, str) or not code:
            return answers.missing("maTTHC")
        return self._wording.success(result=catalogue.procedure(code))


def _known(service: object, services: Mapping[str, object]) -> str:
    return service if isinstance(service, str) and service in services else "unknown"


def operation_of(path: str, body: bytes) -> str:
    """The name faults know a request by: ``login``, or the service."""
    if last_segment(path, body) == "login":
        return "login"
    named = service_of(path)
    if named is not None:
        return named
    try:
        return str(orjson.loads(body)["service"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "unknown"


def build(home: Path, options: ServerOptions, clock: Clock = lambda: datetime.now(UTC)) -> ASGIApp:
    """The portal's server; what it holds is in ``<home>/<name>/npsp.db``."""
    store = PortalStore(
        server_home(home, options) / "npsp.db",
        own_agency=str(options.extra.get("own_agency", "")),
        gives_codes=bool(options.extra.get("gives_codes")),
    )
    portal = Portal(store, options, clock)

    async def dispatch(request: Request, act: Callable[[Mapping[str, Any]], dict[str, Any]]) -> Response:
        if not portal.is_routed(request.headers.get("dstcode")):
            return _refused(answers.NO_ROUTE)
        try:
            body = await read_json(request)
        except ValueError:
            return _refused(answers.NOT_JSON)
        return json_response(act(body))

    async def login(request: Request) -> Response:
        return await dispatch(request, portal.login)

    async def call(request: Request) -> Response:
        return await dispatch(request, portal.call)

    async def notices(_request: Request) -> Response:
        return json_lines(store.notices())

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        store.close()

    routes = [
        Route("/mapi/login", login, methods=["POST"]),
        Route("/mapi/g", call, methods=["POST"]),
        *adapter_routes(portal.call_inside, str(options.extra.get("madonvi", _UNIT))),
    ]
    return with_controls(
        Starlette(routes=routes, lifespan=lifespan),
        name=options.name,
        controls=[
            *control_routes(store, tuple(State), clock),
            Route("/notices", notices, methods=["GET"]),
            reports_route(store),
        ],
        operation_of=operation_of,
        login_operations=frozenset({"login"}),
        expire_sessions=portal.sessions.expire_all,
    )


def _refused(refusal: Refusal) -> Response:
    return json_response({"error_code": refusal.error_code, "message": refusal.message})
