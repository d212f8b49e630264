"""The electricity company's service requests: a REST feed over mutual TLS, whose answers hold the way to the next.

====================================================  =========================================================
``POST /auth/token``                                  client credentials, in the form
``GET /api/service-requests?updatedSince=&limit=``    ``{"asOf", "items", "next"}``: what changed at or after a moment
====================================================  =========================================================

Longest unchanged first, ``limit`` requests (at most 1000) a page; ``next`` is the path of the next page, null on the
last. Keys are English in camel case, times UTC with ``Z``, what has not happened is left out.

A request filed at the company gets a dossier code of the province (``dossierCode``) beside the company's own
``requestId``.

This is a *template*: electricity companies exchange with the national portal, no interface of theirs for provinces is
known, and a real one will differ. It is there to have one system that is run by a company and not by the state.

Connection: login and password are the client's; extra ``token_s`` (default 1800). TLS demands a client certificate.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.http import ServerOptions, json_response, with_controls
from sandbox.province.reading import Reading
from sandbox.province.sectors import System
from sandbox.systems.bearer import Credentials, Issuer
from sandbox.systems.change_feed import Place, part_after
from sandbox.systems.controls import control_routes
from sandbox.systems.register import How, Register
from schemas.codes import Channel
from schemas.states import State

STATUS_CODES: Mapping[State, str] = MappingProxyType(
    {
        State.REGISTERED: "NEW",
        State.ACCEPTED: "ACCEPTED",
        State.REJECTED: "REFUSED",
        State.PROCESSING: "IN_PROGRESS",
        State.SUPPLEMENT_REQUESTED: "WAITING_CUSTOMER",
        State.PAYMENT_REQUESTED: "WAITING_PAYMENT",
        State.WITHDRAWN: "CANCELLED_BY_CUSTOMER",
        State.STOPPED: "CANCELLED",
        State.COMPLETED: "CONNECTED",
        State.RETURNED: "CLOSED",
    }
)
"""National state to ``status``."""

_PATH = "/api/service-requests"
_LARGEST_PAGE = 1000
_CHANNELS = {Channel.DIRECT: "COUNTER", Channel.ONLINE: "WEB", Channel.POSTAL: "POST"}
_BRANCH = {"id": "PC-THU-NGHIEM", "name": "Công ty Điện lực tỉnh Thử Nghiệm"}


def build(home: Path, options: ServerOptions) -> ASGIApp:
    """The server."""
    register = Register(System.DIENLUC, home, options, ordered=True)
    lifetime_s = float(options.extra.get("token_s", 1800))
    issuer = Issuer((options.login, options.password), Credentials.FORM, lifetime_s=lifetime_s)

    async def changed(request: Request) -> Response:
        if refused := issuer.refusal(request):
            return refused
        try:
            place, size = _asked(request.query_params)
        except ValueError:
            problem = f"updatedSince must be an ISO 8601 time, limit from 1 to {_LARGEST_PAGE}"
            return json_response({"error": {"code": "INVALID_PARAMETER", "message": problem}}, 400)
        now, broken = register.now, register.broken
        part = await run_in_threadpool(part_after, now, place, size)
        query = None if part.next is None else urlencode({"after": str(part.next), "limit": size})
        return json_response(
            {
                "asOf": _time(int(now.as_of.timestamp())),
                "items": [_broken(_request(one), broken.get(one.number)) for one in part.readings],
                "next": None if query is None else f"{_PATH}?{query}",
            }
        )

    app = Starlette(
        routes=[
            Route("/auth/token", issuer.token, methods=["POST"]),
            Route(_PATH, changed, methods=["GET"]),
        ]
    )
    return with_controls(
        app,
        name=options.name,
        controls=control_routes(register, source_id=lambda one: request_id(one.number)),
        expire_sessions=issuer.tokens.expire_all,
    )


def request_id(number: int) -> str:
    """The company's own id."""
    return f"PC-{number:07d}"


def _asked(query: Mapping[str, str]) -> tuple[Place, int]:
    size = int(query.get("limit", 100))
    if not 1 <= size <= _LARGEST_PAGE:
        raise ValueError("no such page")
    place = Place.read(query["after"]) if "after" in query else Place.before(query.get("updatedSince", ""))
    return place, size


def _request(one: Reading) -> dict[str, Any]:
    moments = {
        "createdAt": one.submitted,
        "acceptedAt": one.received,
        "dueAt": one.due,
        "connectedAt": one.finished,
        "closedAt": one.returned,
        "updatedAt": one.changed,
    }
    return {
        "requestId": request_id(one.number),
        "dossierCode": one.code,
        "serviceCode": one.procedure.code,
        "serviceName": one.procedure.name,
        "branch": dict(_BRANCH),
        "channel": _CHANNELS[one.channel],
        "customer": {
            "fullName": one.person.name,
            "idNumber": one.person.citizen_id,
            "phone": f"+84{one.person.phone[1:]}",
            "email": one.person.email,
            "address": one.person.address,
        },
        "status": STATUS_CODES[one.state],
        **{name: _time(epoch) for name, epoch in moments.items() if epoch is not None},
        "history": [
            {"at": _time(step.at), "status": STATUS_CODES[step.state], "note": step.content} for step in one.happenings
        ],
    }


def _time(epoch: int) -> str:
    return f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _broken(told: dict[str, Any], how: How | None) -> dict[str, Any]:
    match how:
        case None:
            return told
        case How.UNKNOWN_STATUS:
            return {**told, "status": "ON_HOLD"}
        case How.BAD_DATE:
            return {**told, "createdAt": "2026-02-31T25:61:00Z"}
        case How.MISSING_CODE:
            return {key: value for key, value in told.items() if key != "dossierCode"}
        case How.EXTRA_FIELD:
            return {**told, "meterType": "1P"}
        case How.RENAMED_FIELD:
            return {("state" if key == "status" else key): value for key, value in told.items()}
