"""The provincial processing system: told over the LGSP Document API, searched over the OpenCPS dossier API.

====================================================  =========================================================
``POST /token``                                        bearer token for client credentials
``POST /consumerAdapter/Document/SyncDocument``        a dossier; inserts or replaces by DocCode
``POST /consumerAdapter/Document/UpdateDocumentTraces``  one processing step of a dossier
``POST /consumerAdapter/Statistic/UpdateStatistic``      a month's dossiers of an agency (``reports.py``)
``POST /consumerAdapter/Vote/UpdateVote``                a month's ratings of an agency
``POST /o/rest/v2/dossiers/publish``                   a dossier with its status, as a form (``published.py``)
``GET /o/rest/v2/dossiers``                            search; it and publishing by Basic and header ``groupId``
====================================================  =========================================================

Seen in public sources: the URLs, the messages, ``{"Status": int, "Message": string}`` as answer, Basic and groupId.
Assumed: Status 1 for success and 0 for a refusal, both with HTTP 200; that a trace of an unknown dossier is refused;
that all APIs show one store (one provincial system behind several doors); 409 for a dossier that has another key; 401
for a bad log-in of the search.
``statuses.py``, ``documents.py``, ``search.py`` and ``tokens.py`` say the same for their parts.

Connection: login and password are client id and secret; extra ``group_id`` (default 35166), ``search_login`` and
``search_password`` (default: login and password), ``token_s`` (lifetime of a token in seconds, default 3600).
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.http import ServerOptions, json_response, read_json, server_home, with_controls
from sandbox.targets.control import control_routes
from sandbox.targets.province import reports
from sandbox.targets.province.documents import InvalidMessageError, parse_document, parse_trace
from sandbox.targets.province.published import parse_published
from sandbox.targets.province.search import parse_search, render
from sandbox.targets.province.store import ProvinceStore
from sandbox.targets.province.tokens import Gateway, basic, form_of, same
from sandbox.targets.reports import Second, Told, reports_route, store_reports
from sandbox.targets.store import Clock
from schemas.states import State

_TOKEN_S = 3600
_GROUP_ID = 35166


class Province:
    """The endpoints, over one store."""

    def __init__(self, store: ProvinceStore, options: ServerOptions, clock: Clock) -> None:
        extra = options.extra
        client = (options.login, options.password)
        self._store = store
        self._clock = clock
        self._group_id = int(extra.get("group_id", _GROUP_ID))
        self._searcher = (str(extra.get("search_login", client[0])), str(extra.get("search_password", client[1])))
        self.gateway = Gateway(client, timedelta(seconds=float(extra.get("token_s", _TOKEN_S))))

    async def token(self, request: Request) -> Response:
        """POST /token."""
        form = form_of(await request.body())
        status, body = self.gateway.token(request.headers.get("authorization"), form, self._clock())
        return json_response(body, status)

    async def sync_document(self, request: Request) -> Response:
        """POST /consumerAdapter/Document/SyncDocument."""
        refused = self._turned_away(request)
        if refused is not None:
            return refused
        try:
            body = await read_json(request)
            self._store.sync(parse_document(body), body, self._clock())
        except ValueError as error:
            return self._refused("SyncDocument", error)
        return json_response({"Status": 1, "Message": "OK"})

    async def update_traces(self, request: Request) -> Response:
        """POST /consumerAdapter/Document/UpdateDocumentTraces."""
        refused = self._turned_away(request)
        if refused is not None:
            return refused
        try:
            body = await read_json(request)
            if self._store.trace(parse_trace(body), body, self._clock()) is None:
                raise InvalidMessageError("Không tìm thấy hồ sơ DocCode")
        except ValueError as error:
            return self._refused("UpdateDocumentTraces", error)
        return json_response({"Status": 1, "Message": "OK"})

    async def update_statistic(self, request: Request) -> Response:
        """POST /consumerAdapter/Statistic/UpdateStatistic."""
        return await self._take_report(request, reports.STATISTICS, reports.parse_statistics)

    async def update_vote(self, request: Request) -> Response:
        """POST /consumerAdapter/Vote/UpdateVote."""
        return await self._take_report(request, reports.VOTES, reports.parse_votes)

    async def _take_report(
        self, request: Request, service: str, parse: Callable[[Mapping[str, Any]], Told]
    ) -> Response:
        refused = self._turned_away(request)
        if refused is not None:
            return refused
        try:
            told = parse(await read_json(request))
        except ValueError as error:
            return self._refused(service, error)
        store_reports(self._store, [told], Second.REPLACES, self._clock())
        return json_response({"Status": 1, "Message": "OK"})

    async def dossiers(self, request: Request) -> Response:
        """GET /o/rest/v2/dossiers."""
        if stranger := self._stranger(request):
            return stranger
        try:
            search = parse_search(request.query_params)
        except ValueError as error:
            return json_response({"code": 400, "message": str(error)}, 400)
        total, found = self._store.search(search)
        return json_response({"total": total, "data": [render(one, self._group_id) for one in found]})

    async def publish(self, request: Request) -> Response:
        """POST /o/rest/v2/dossiers/publish."""
        if stranger := self._stranger(request):
            return stranger
        try:
            published = parse_published(form_of(await request.body()))
        except InvalidMessageError as error:
            self._store.tally("refused:publish")
            return json_response({"code": 400, "message": str(error)}, 400)
        stored = self._store.publish(published, self._clock())
        if stored is None:
            self._store.tally("refused:publish")
            return json_response({"code": 409, "message": "Hồ sơ đã có với referenceUid khác"}, 409)
        return json_response({"dossierId": stored[0], "referenceUid": published.body["ReferenceUid"]})

    def _stranger(self, request: Request) -> Response | None:
        if not same(basic(request.headers.get("authorization")), self._searcher):
            return json_response({"code": 401, "message": "Unauthorized"}, 401)
        if request.headers.get("groupid") != str(self._group_id):
            return json_response({"code": 403, "message": "Forbidden groupId"}, 403)
        return None

    def _turned_away(self, request: Request) -> Response | None:
        refusal = self.gateway.refusal(request.headers.get("authorization"), self._clock())
        if refusal is None:
            return None
        response = json_response(refusal[1], refusal[0])
        response.headers["WWW-Authenticate"] = 'OAuth2 realm="WSO2 API Manager", error="invalid_token"'
        return response

    def _refused(self, operation: str, error: ValueError) -> Response:
        message = str(error) if isinstance(error, InvalidMessageError) else "Nội dung không phải JSON"
        self._store.tally(f"refused:{operation}")
        return json_response({"Status": 0, "Message": message})


def build(home: Path, options: ServerOptions, clock: Clock = lambda: datetime.now(UTC)) -> ASGIApp:
    """The provincial system's server; what it holds is in ``<home>/<name>/province.db``."""
    store = ProvinceStore(server_home(home, options) / "province.db")
    province = Province(store, options, clock)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        store.close()

    adapter = "/consumerAdapter"
    routes = [
        Route("/token", province.token, methods=["POST"]),
        Route(f"{adapter}/Document/SyncDocument", province.sync_document, methods=["POST"]),
        Route(f"{adapter}/Document/UpdateDocumentTraces", province.update_traces, methods=["POST"]),
        Route(f"{adapter}/Statistic/{reports.STATISTICS}", province.update_statistic, methods=["POST"]),
        Route(f"{adapter}/Vote/{reports.VOTES}", province.update_vote, methods=["POST"]),
        Route("/o/rest/v2/dossiers/publish", province.publish, methods=["POST"]),
        Route("/o/rest/v2/dossiers", province.dossiers, methods=["GET"]),
    ]
    return with_controls(
        Starlette(routes=routes, lifespan=lifespan),
        name=options.name,
        controls=[*control_routes(store, tuple(State), clock), reports_route(store)],
        expire_sessions=province.gateway.passes.expire_all,
    )
