"""The one-stop system: a Keycloak token and a search whose answer is a Spring page, newest change first.

``POST {token_path}`` gives an access token of 300 s, by the password grant (login and password of the connection) or
by client credentials (``client_id`` and ``client_secret`` of its extra). ``GET /pa/dossier/search`` takes ``page``,
``size`` (at most 2000), ``spec`` (page or slice), ``sort`` and the filters of ``igate_search``; parameters it does not
know are ignored, as Spring does.

Seen in public implementations: paths, parameters, the page around the items, the items' keys, times as
``yyyy-MM-dd'T'HH:mm:ss.SSS+0700``, ``currentTask`` as a list or an object, and that status id 4 means "result
returned".
Assumed: ``updatedDate`` in the items, that an enterprise's ``identityNumber`` is its tax code, the other status ids
(:data:`STATUS_IDS`), and that all dossiers of all agencies can be searched by one account.
"""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from sandbox.http import ServerOptions, json_response, with_controls
from sandbox.province.calendar import wall_time
from sandbox.province.reading import Reading
from sandbox.province.sectors import System
from sandbox.systems.controls import control_routes
from sandbox.systems.igate_search import BadParameterError, Found, Search, agency_id, parse_search, procedure_id, search
from sandbox.systems.register import How, Register
from sandbox.targets.passes import Passes
from schemas.identifiers import agency_long
from schemas.states import State

STATUS_IDS: Mapping[State, int] = MappingProxyType(
    {
        State.REGISTERED: 17,
        State.ACCEPTED: 16,
        State.REJECTED: 11,
        State.PROCESSING: 2,
        State.SUPPLEMENT_REQUESTED: 3,
        State.PAYMENT_REQUESTED: 8,
        State.WITHDRAWN: 9,
        State.STOPPED: 5,
        State.COMPLETED: 10,
        State.RETURNED: 4,
    }
)
"""National state to ``dossierStatus.id``. Only 4 is confirmed; the others were seen as filters, without a meaning."""

_SEARCH_PATH = "/pa/dossier/search"
_TOKEN_S = 300
_UNKNOWN_STATUS = 77


class Issuer:
    """Hands out access tokens and knows which are good."""

    def __init__(self, options: ServerOptions) -> None:
        self._options = options
        self.tokens = Passes(timedelta(seconds=_TOKEN_S))

    def grant(self, form: Mapping[str, str]) -> Response:
        """The answer of the token endpoint."""
        grant, extra = form.get("grant_type"), self._options.extra
        client_is_known = _same(form.get("client_id"), extra["client_id"])
        if grant == "client_credentials":
            if not (client_is_known and _same(form.get("client_secret"), extra["client_secret"])):
                return _oauth_error("unauthorized_client", "Invalid client or Invalid client credentials", 401)
        elif grant == "password":
            if not client_is_known:
                return _oauth_error("invalid_client", "Invalid client or Invalid client credentials", 401)
            if not (
                _same(form.get("username"), self._options.login) and _same(form.get("password"), self._options.password)
            ):
                return _oauth_error("invalid_grant", "Invalid user credentials", 401)
        else:
            return _oauth_error("unsupported_grant_type", "Unsupported grant_type", 400)
        token = secrets.token_urlsafe(48)
        self.tokens.admit(token, datetime.now(UTC))
        return json_response(
            {
                "access_token": token,
                "expires_in": _TOKEN_S,
                "refresh_expires_in": 0,
                "token_type": "Bearer",
                "not-before-policy": 0,
                "scope": "profile email",
            }
        )

    def accepts(self, authorization: str) -> bool:
        """Whether the header carries a good token."""
        kind, _, token = authorization.partition(" ")
        return kind.lower() == "bearer" and self.tokens.is_good(token.strip(), datetime.now(UTC))


def build(home: Path, options: ServerOptions) -> ASGIApp:
    """The server."""
    register = Register(System.IGATE, home, options, ordered=True)
    issuer = Issuer(options)

    async def token(request: Request) -> Response:
        return issuer.grant(dict(parse_qsl((await request.body()).decode("utf-8", "replace"))))

    async def find(request: Request) -> Response:
        if not issuer.accepts(request.headers.get("authorization", "")):
            error = _oauth_error("invalid_token", "Invalid or expired access token", 401)
            error.headers["www-authenticate"] = 'Bearer error="invalid_token"'
            return error
        try:
            asked = parse_search(request.query_params)
        except BadParameterError as error:
            body = {"timestamp": datetime.now(UTC).isoformat(), "status": 400, "error": "Bad Request"}
            return json_response({**body, "message": str(error), "path": _SEARCH_PATH}, 400)
        return json_response(await run_in_threadpool(_page, register, asked))

    app = Starlette(
        routes=[
            Route(str(options.extra["token_path"]), token, methods=["POST"]),
            Route(_SEARCH_PATH, find, methods=["GET"]),
        ]
    )
    return with_controls(
        app,
        name=options.name,
        controls=control_routes(register, source_id=lambda one: dossier_id(one.number)),
        expire_sessions=issuer.tokens.expire_all,
    )


def dossier_id(number: int) -> str:
    """The system's own id: 24 hexadecimal digits."""
    return f"{0xA << 88 | number:024x}"


def _page(register: Register, asked: Search) -> dict[str, Any]:
    found: Found = search(register.now, asked, STATUS_IDS)
    broken = register.broken
    content = [_broken(_item(one), broken.get(one.number)) for one in found.readings]
    last = (asked.page + 1) * asked.size >= found.total
    totals = {} if asked.is_slice else {"totalElements": found.total, "totalPages": -(-found.total // asked.size)}
    return {
        "content": content,
        "pageable": {"pageNumber": asked.page, "pageSize": asked.size},
        **totals,
        "size": asked.size,
        "number": asked.page,
        "numberOfElements": len(content),
        "first": asked.page == 0,
        "last": last,
        "empty": not content,
    }


def _item(one: Reading) -> dict[str, Any]:
    name, identity = (one.enterprise.name, one.enterprise.tax_code) if one.enterprise else one.person[:2]
    officers = [step.officer for step in one.happenings]
    task = {"assignee": {"fullname": officers[-1]}}
    tasks: list[Any] | dict[str, Any] = [] if one.state.is_terminal else task if one.number % 5 == 0 else [task]
    return {
        "id": dossier_id(one.number),
        "code": one.code,
        "nationCode": one.national_code,
        "appliedDate": _time(one.submitted),
        "acceptedDate": _time(one.received),
        "appointmentDate": _time(one.due),
        "completedDate": _time(one.finished),
        "updatedDate": _time(one.changed),
        "applicant": {
            "data": {
                "fullname": name.upper(),
                "identityNumber": identity,
                "phoneNumber": one.person.phone,
            }
        },
        "agency": {"id": agency_id(one.agency), "code": agency_long(one.agency.code)},
        "procedure": {"id": procedure_id(one.procedure), "code": one.procedure.code},
        "accepter": None if one.received is None else {"fullname": officers[0]},
        "currentTask": tasks,
        "dossierStatus": {"id": STATUS_IDS[one.state]},
        "isDVCLT": False,
    }


def _time(epoch: int | None) -> str | None:
    return None if epoch is None else f"{wall_time(epoch)}.000+0700"


def _broken(item: dict[str, Any], how: How | None) -> dict[str, Any]:
    if how is How.UNKNOWN_STATUS:
        return {**item, "dossierStatus": {"id": _UNKNOWN_STATUS}}
    if how is How.BAD_DATE:
        return {**item, "appointmentDate": "2026-02-31T25:61:00.000+0700"}
    if how is How.MISSING_CODE:
        return {key: value for key, value in item.items() if key != "code"}
    if how is How.EXTRA_FIELD:
        return {**item, "newField": "giá trị mới"}
    if how is How.RENAMED_FIELD:
        return {("newDossierStatus" if key == "dossierStatus" else key): value for key, value in item.items()}
    return item


def _same(given: object, wanted: object) -> bool:
    return compare_digest(str(given).encode(), str(wanted).encode())


def _oauth_error(error: str, description: str, status: int) -> Response:
    return json_response({"error": error, "error_description": description}, status)
